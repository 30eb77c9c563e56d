//! What a simulated cluster consists of besides its objects.

use super::Reaction;
use crate::sim::actors::gateway::GatewayBehaviour;
use crate::sim::actors::nodes::machine::NodeGroup;
use crate::sim::actors::pods::profile::PodProfile;

/// Machines, behaviour of pods and gateways, and how the actors work.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Machines from the start.
    pub nodes: Vec<NodeGroup>,
    /// How pods behave; the first that matches counts, else the default profile.
    pub pod_profiles: Vec<PodProfile>,
    /// How gateways behave.
    pub gateway: GatewayBehaviour,
    /// A double of KEDA's operator is at work; its CRD is installed by whoever wants it.
    pub keda: bool,
    /// Actors record Events; off saves writes in benchmarks.
    pub events: bool,
    /// How long actors take to notice a change.
    pub reaction: Reaction,
}

impl Default for Settings {
    /// Three machines, default pods and gateway, Events on.
    fn default() -> Self {
        Self {
            nodes: vec![NodeGroup::default()],
            pod_profiles: Vec::new(),
            gateway: GatewayBehaviour::default(),
            keda: false,
            events: true,
            reaction: Reaction::default(),
        }
    }
}
