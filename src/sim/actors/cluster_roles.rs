//! The controller that aggregates ClusterRoles: a role with an `aggregationRule` holds the rules of the roles that it selects.
//!
//! Takes ClusterRoles; writes `rules` of those that gather, in the order of the names of what they gather, each rule once.
//! Never touches others. What somebody writes into gathered rules is overwritten.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::backoff::Backoff;
use super::client::Client;
use super::labels::Selector;
use super::object::{self, items, map};
use super::{Actor, Commit};
use crate::sim::api_error::ApiError;
use crate::sim::cluster::{Cluster, Patch, WriteOptions};
use crate::sim::simulation::Schedule;

const ROLES: &str = "clusterroles.rbac.authorization.k8s.io";
const MANAGER: &str = "clusterrole-aggregation-controller";

/// The controller.
#[derive(Debug)]
pub struct ClusterRoles {
    client: Client,
    backoff: Backoff,
    /// Names of the roles that gather.
    gathering: BTreeSet<String>,
}

impl Default for ClusterRoles {
    fn default() -> Self {
        Self { client: Client::controller_manager(), backoff: Backoff::controller(), gathering: BTreeSet::new() }
    }
}

impl Actor for ClusterRoles {
    fn name(&self) -> &'static str {
        "cluster-roles"
    }

    fn notice(&mut self, commit: &Commit, _cluster: &Cluster, schedule: &mut Schedule) {
        if commit.resource != ROLES {
            return;
        }
        let gathers = commit.after.as_deref().is_some_and(|role| role["aggregationRule"].is_object());
        if gathers {
            self.gathering.insert(commit.name.clone());
        } else {
            self.gathering.remove(&commit.name);
        }
        for name in &self.gathering {
            schedule.soon(name);
        }
    }

    fn act(&mut self, key: &str, cluster: &mut Cluster, schedule: &mut Schedule) {
        let outcome = match cluster.get(ROLES, "", key) {
            Some(role) => self.sync(&role, cluster),
            None => Ok(()),
        };
        self.backoff.settle(key, &outcome, schedule);
    }
}

impl ClusterRoles {
    fn sync(&self, role: &Value, cluster: &mut Cluster) -> Result<(), ApiError> {
        if !role["aggregationRule"].is_object() {
            return Ok(());
        }
        let rules = gathered(role, cluster);
        if items(role, &["rules"]) == rules {
            return Ok(());
        }
        let name = object::name(role);
        let object = json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": { "name": name }, "rules": rules,
        });
        let (who, options) = (self.client.identity().clone(), WriteOptions::manager(MANAGER));
        cluster.patch(&who, ROLES, "", name, None, Patch::Apply { object, force: true }, &options).map(|_| ())
    }
}

/// The rules of all roles that a role selects, itself excluded.
fn gathered(role: &Value, cluster: &Cluster) -> Vec<Value> {
    let mut rules: Vec<Value> = Vec::new();
    for selector in items(role, &["aggregationRule", "clusterRoleSelectors"]) {
        let selector = Selector::of(Some(selector));
        for other in cluster.list(ROLES, None) {
            if object::name(&other) == object::name(role) || !selector.matches(map(&other, &["metadata", "labels"])) {
                continue;
            }
            for rule in items(&other, &["rules"]) {
                if !rules.contains(rule) {
                    rules.push(rule.clone());
                }
            }
        }
    }
    rules
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::ROLES;
    use crate::sim::cluster::{Identity, Patch, WriteOptions};
    use crate::sim::routes::rbac::bootstrap;
    use crate::sim::simulation::Simulation;

    fn rules(simulation: &Simulation, name: &str) -> Vec<Value> {
        simulation.cluster.get(ROLES, "", name).unwrap()["rules"].as_array().cloned().unwrap_or_default()
    }

    fn rest(simulation: &mut Simulation) {
        let limit = simulation.cluster.now() + jiff::SignedDuration::from_secs(600);
        simulation.run_until_quiet(limit);
    }

    #[test]
    fn gathered_rules_follow_the_roles_that_are_selected() {
        let mut simulation = Simulation::new(1, "2026-01-01T00:00:00Z".parse().unwrap());
        bootstrap(&mut simulation.cluster).unwrap();
        rest(&mut simulation);
        let count = |simulation: &Simulation, name| rules(simulation, name).len();
        let (view, edit, admin) = (count(&simulation, "view"), count(&simulation, "edit"), count(&simulation, "admin"));
        assert!(view > 5 && edit > view && admin > edit, "{view} {edit} {admin}");
        let rule = json!({"apiGroups": ["example.com"], "resources": ["widgets"], "verbs": ["get"]});
        let labels = json!({"rbac.authorization.k8s.io/aggregate-to-view": "true"});
        let role = json!({"metadata": {"name": "widgets", "labels": labels}, "rules": [rule]});
        let (who, options) = (Identity::component("test"), WriteOptions::manager("test"));
        simulation.cluster.create(&who, ROLES, "", role, &options).unwrap();
        rest(&mut simulation);
        for name in ["view", "edit", "admin"] {
            assert!(rules(&simulation, name).contains(&rule), "{name}");
        }
        // What others write there does not last.
        let patch = Patch::Merge(json!({"rules": []}));
        simulation.cluster.patch(&who, ROLES, "", "view", None, patch, &options).unwrap();
        rest(&mut simulation);
        assert!(rules(&simulation, "view").contains(&rule));
        let unlabelled = Patch::Merge(json!({"metadata": {"labels": null}}));
        simulation.cluster.patch(&who, ROLES, "", "widgets", None, unlabelled, &options).unwrap();
        rest(&mut simulation);
        assert!(!rules(&simulation, "view").contains(&rule) && !rules(&simulation, "admin").contains(&rule));
    }
}
