//! What the world outside may do to a simulation: machines, behaviour, faults.
//!
//! Everything takes effect at the virtual time of the cluster. Requests of users go to the cluster itself.

use std::sync::Arc;

use serde_json::Value;

use super::{Simulation, class};
use crate::sim::actors::client::administrator;
use crate::sim::actors::gateway::GatewayBehaviour;
use crate::sim::actors::nodes::machine::NodeGroup;
use crate::sim::actors::object::key;
use crate::sim::actors::pods::profile::PodProfile;
use crate::sim::actors::{self, Actors};
use crate::sim::api_error::ApiError;
use crate::sim::cluster::{Cluster, DeleteOptions, Patch, WriteOptions};

impl Simulation {
    /// Lets an actor do something at once, with its own place in the schedule.
    fn direct<T>(&mut self, number: usize, act: impl FnOnce(&mut Actors, &mut Cluster, &mut super::Schedule) -> T) -> Option<T> {
        let actors = self.actors.as_mut()?;
        self.usage_changes += 1;
        self.schedule.set_now(self.cluster.now());
        self.schedule.set_actor(class(number));
        let result = act(actors, &mut self.cluster, &mut self.schedule);
        self.settle();
        Some(result)
    }

    /// Adds machines with their kubelets; gives the names of the nodes. Without actors there is nobody to run them: none.
    ///
    /// # Errors
    /// What the server refuses, such as a malformed quantity.
    pub fn add_nodes(&mut self, group: &NodeGroup) -> Result<Vec<String>, ApiError> {
        let created = self.direct(actors::NODES, |actors, cluster, _| {
            let created = actors.nodes.create(group, cluster)?;
            for (name, address) in &created {
                actors.pods.add_machine(name, address);
            }
            Ok(created)
        });
        let created = created.unwrap_or_else(|| Ok(Vec::new()))?;
        Ok(created.into_iter().map(|(name, _)| name).collect())
    }

    /// Replaces how pods behave; the first profile that matches a pod counts, else the default one. Running pods follow:
    /// one whose profile now fails, fails; one whose profile no longer fails, recovers.
    pub fn set_pod_profiles(&mut self, profiles: Vec<PodProfile>) {
        self.direct(actors::PODS, |actors, _, schedule| actors.pods.set_profiles(profiles, schedule));
        if let Some(traffic) = &mut self.traffic {
            traffic.look_again();
        }
    }

    /// Replaces how gateways behave; every route is judged again after the lag.
    pub fn set_gateway_behaviour(&mut self, behaviour: GatewayBehaviour) {
        self.direct(actors::GATEWAYS, |actors, cluster, schedule| {
            actors.gateways.set_behaviour(behaviour);
            actors.gateways.look_again(cluster, schedule);
        });
    }

    /// The route as the gateway's data plane serves it now: the last version that was accepted and has taken effect.
    /// `routes` is the short id, such as `httproutes.gateway.networking.k8s.io`.
    pub fn programmed_route(&self, routes: &str, namespace: &str, name: &str) -> Option<Arc<Value>> {
        self.actors.as_ref()?.gateways.programmed(routes, namespace, name).cloned()
    }

    /// Switches the actors' Events off or on.
    pub fn set_events(&mut self, enabled: bool) {
        if let Some(actors) = &mut self.actors {
            actors.set_events(enabled);
        }
    }

    /// A machine falls silent: its kubelet does nothing any more. The cluster notices after about 50 s.
    ///
    /// # Errors
    /// What the server refuses.
    pub fn kill_node(&mut self, node: &str) -> Result<(), ApiError> {
        self.set_node_down(node, true)
    }

    /// A silent machine reports again, and its kubelet catches up.
    ///
    /// # Errors
    /// What the server refuses.
    pub fn restore_node(&mut self, node: &str) -> Result<(), ApiError> {
        self.set_node_down(node, false)
    }

    fn set_node_down(&mut self, node: &str, down: bool) -> Result<(), ApiError> {
        let done = self.direct(actors::NODES, |actors, cluster, schedule| actors.nodes.set_down(node, down, cluster, schedule));
        self.direct(actors::PODS, |actors, _, schedule| actors.pods.set_down(node, down, schedule));
        done.unwrap_or(Ok(()))
    }

    /// A machine is taken away for good, with its Node object.
    ///
    /// # Errors
    /// What the server refuses.
    pub fn remove_node(&mut self, node: &str) -> Result<(), ApiError> {
        self.direct(actors::PODS, |actors, _, _| actors.pods.remove_machine(node));
        let deleted = self.cluster.delete(&administrator(), "nodes", "", node, &DeleteOptions::default());
        self.settle();
        deleted.map(|_| ())
    }

    /// Marks a node unschedulable, or schedulable again.
    ///
    /// # Errors
    /// What the server refuses.
    pub fn cordon(&mut self, node: &str, unschedulable: bool) -> Result<(), ApiError> {
        let value = if unschedulable { Value::Bool(true) } else { Value::Null };
        let patch = Patch::Merge(serde_json::json!({ "spec": { "unschedulable": value } }));
        let options = WriteOptions::manager("kubectl-cordon");
        let written = self.cluster.patch(&administrator(), "nodes", "", node, None, patch, &options);
        self.settle();
        written.map(|_| ())
    }

    /// Cordons a node and evicts its pods; a pod that a budget protects is tried again every 5 s.
    ///
    /// # Errors
    /// What the server refuses.
    pub fn drain(&mut self, node: &str) -> Result<(), ApiError> {
        self.cordon(node, true)?;
        self.direct(actors::NODES, |actors, _, schedule| actors.nodes.drain(node, schedule));
        Ok(())
    }

    /// Evicts a pod through the API, which asks the disruption budgets.
    ///
    /// # Errors
    /// What the server refuses; 429 when a budget protects the pod.
    pub fn evict_pod(&mut self, namespace: &str, name: &str) -> Result<(), ApiError> {
        let evicted = self.cluster.evict(&administrator(), namespace, name, &DeleteOptions::default());
        self.settle();
        evicted.map(|_| ())
    }

    /// The node evicts a pod for lack of `resource` (such as `memory`): it fails at once, and budgets are not asked.
    ///
    /// # Errors
    /// 404 for a pod that does not exist.
    pub fn evict_pod_by_node(&mut self, namespace: &str, name: &str, resource: &str) -> Result<(), ApiError> {
        let failed =
            self.direct(actors::PODS, |actors, cluster, schedule| actors.pods.evict(&key(namespace, name), resource, cluster, schedule));
        failed.unwrap_or(Ok(()))
    }

    /// Deletes a pod, with its own grace period or another one (in seconds).
    ///
    /// # Errors
    /// What the server refuses.
    pub fn delete_pod(&mut self, namespace: &str, name: &str, grace_period_seconds: Option<i64>) -> Result<(), ApiError> {
        let options = DeleteOptions { grace_period_seconds, ..DeleteOptions::default() };
        let deleted = self.cluster.delete(&administrator(), "pods", namespace, name, &options);
        self.settle();
        deleted.map(|_| ())
    }
}
