//! The controllers and machines of a cluster: what happens after a write.
//!
//! Each actor stands for one component of a real cluster (a controller of kube-controller-manager, the scheduler, the
//! kubelets, a gateway) and is a client of the direct door, with that component's user and field manager. Takes commits
//! and due keys; writes objects. Actors are level-triggered: a key says where to look, the store says what to do. When
//! nothing changes they write nothing and schedule nothing.
//!
//! Simulated: Deployments, ReplicaSets, scheduling, kubelets, nodes, EndpointSlices and Endpoints, garbage collection,
//! namespaces, quotas, disruption budgets, aggregated ClusterRoles, horizontal autoscalers, a gateway, KEDA. Stored only, because
//! nothing here acts on them: StatefulSets, DaemonSets, Jobs, CronJobs, ReplicationControllers, Ingresses, volumes and claims.
//! Not simulated: heartbeats and leases of nodes, the time-to-live of Events, request limits of the controllers' clients,
//! preemption by priority.

pub mod autoscaler;
pub mod backoff;
pub mod client;
pub mod cluster_roles;
pub mod conditions;
pub mod controller_ref;
pub mod deployment;
pub mod disruption_budget;
pub mod endpoint_slice;
pub mod events;
pub mod garbage_collector;
pub mod gateway;
pub mod keda;
pub mod labels;
pub mod namespaces;
pub mod nodes;
pub mod object;
pub mod orphans;
pub mod pods;
pub mod quota;
pub mod replica_set;
pub mod resources;
pub mod scheduler;

use crate::sim::cluster::Cluster;
pub use crate::sim::cluster::Commit;
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

/// All actors of a cluster.
#[derive(Debug, Default)]
pub struct Actors {
    /// Namespaces and what each of them gets.
    pub namespaces: namespaces::Namespaces,
    /// Owners and dependents.
    pub garbage_collector: garbage_collector::GarbageCollector,
    /// What quotas count.
    pub quotas: quota::Quotas,
    /// Deployments.
    pub deployments: deployment::Deployments,
    /// ReplicaSets.
    pub replica_sets: replica_set::ReplicaSets,
    /// The scheduler.
    pub scheduler: scheduler::Scheduler,
    /// The kubelets.
    pub pods: pods::Pods,
    /// Machines and what becomes of their pods.
    pub nodes: nodes::Nodes,
    /// Endpoints of Services.
    pub endpoint_slices: endpoint_slice::EndpointSlices,
    /// Disruption budgets.
    pub disruption_budgets: disruption_budget::DisruptionBudgets,
    /// The gateway double.
    pub gateways: gateway::Gateways,
    /// ClusterRoles that gather the rules of others.
    pub cluster_roles: cluster_roles::ClusterRoles,
    /// Horizontal autoscalers.
    pub autoscalers: autoscaler::Autoscalers,
    /// The double of KEDA.
    pub keda: keda::Keda,
}

/// Place of [`Actors::pods`] among all.
pub const PODS: usize = 6;
/// Place of [`Actors::nodes`] among all.
pub const NODES: usize = 7;
/// Place of [`Actors::gateways`] among all.
pub const GATEWAYS: usize = 10;
/// Place of [`Actors::autoscalers`] among all.
pub const AUTOSCALERS: usize = 12;
/// Place of [`Actors::keda`] among all.
pub const KEDA: usize = 13;

impl Actors {
    /// In the order in which they act when they are due at the same time.
    pub fn all(&mut self) -> [&mut dyn Actor; 14] {
        [
            &mut self.namespaces,
            &mut self.garbage_collector,
            &mut self.quotas,
            &mut self.deployments,
            &mut self.replica_sets,
            &mut self.scheduler,
            &mut self.pods,
            &mut self.nodes,
            &mut self.endpoint_slices,
            &mut self.disruption_budgets,
            &mut self.gateways,
            &mut self.cluster_roles,
            &mut self.autoscalers,
            &mut self.keda,
        ]
    }

    /// Switches Events off or on.
    pub fn set_events(&mut self, enabled: bool) {
        for actor in self.all() {
            if let Some(recorder) = actor.recorder() {
                recorder.set_enabled(enabled);
            }
        }
    }
}
