//! The controllers and machines of a cluster: what happens after a write.
//!
//! Each actor stands for one component of a real cluster (a controller of kube-controller-manager, the scheduler, the
//! kubelets, a gateway) and is a client of the direct door, with that component's user and field manager. Takes commits
//! and due keys; writes objects. Actors are level-triggered: a key says where to look, the store says what to do. When
//! nothing changes they write nothing and schedule nothing.
//!
//! Not simulated: heartbeats, leases of nodes, time-to-live of Events and finished Jobs, volumes, preemption by priority.

pub mod backoff;
pub mod client;
pub mod conditions;
pub mod controller_ref;
pub mod deployment;
pub mod disruption_budget;
pub mod endpoint_slice;
pub mod events;
pub mod garbage_collector;
pub mod labels;
pub mod namespaces;
pub mod object;
pub mod orphans;
pub mod replica_set;
pub mod resources;
pub mod scheduler;

pub use crate::sim::cluster::Commit;
use crate::sim::cluster::Cluster;
use crate::sim::simulation::Schedule;

/// One component of the cluster.
pub trait Actor {
    /// Its name in reports, such as `replica-set`.
    fn name(&self) -> &'static str;

    /// Follows a commit: updates indexes and enters the keys that are affected. Writes nothing.
    fn notice(&mut self, commit: &Commit, cluster: &Cluster, schedule: &mut Schedule);

    /// Looks at one key and does what is to be done now.
    fn act(&mut self, key: &str, cluster: &mut Cluster, schedule: &mut Schedule);

    /// Its recorder of Events, if it has one.
    fn recorder(&mut self) -> Option<&mut events::Recorder> {
        None
    }
}
