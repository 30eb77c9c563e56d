//! The ResourceQuota controller: brings `status` in line with what is really used.
//!
//! Takes quotas and everything that goes; writes the status of quotas. What comes is charged by the API server's
//! admission, which also knows how to count; what goes is noticed here.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Value, json};

use super::backoff::Backoff;
use super::client::Client;
use super::object::{self, key};
use super::replica_set::order::has_ended;
use super::{Actor, Commit};
use crate::sim::admission::quota::used;
use crate::sim::api_error::ApiError;
use crate::sim::cluster::{Change, Cluster};
use crate::sim::simulation::Schedule;

const QUOTAS: &str = "resourcequotas";

/// The controller.
#[derive(Debug)]
pub struct Quotas {
    client: Client,
    backoff: Backoff,
    /// Names of quotas by namespace.
    quotas: BTreeMap<String, BTreeSet<String>>,
}

impl Default for Quotas {
    fn default() -> Self {
        Self { client: Client::controller_manager(), backoff: Backoff::controller(), quotas: BTreeMap::new() }
    }
}

impl Actor for Quotas {
    fn name(&self) -> &'static str {
        "quota"
    }

    fn notice(&mut self, commit: &Commit, _cluster: &Cluster, schedule: &mut Schedule) {
        if commit.resource == QUOTAS {
            self.notice_quota(commit, schedule);
        }
        let ended = |object: &Option<Arc<Value>>| object.as_deref().is_some_and(has_ended);
        let pod_ended = commit.resource == "pods" && !ended(&commit.before) && ended(&commit.after);
        if commit.change == Change::Deleted || pod_ended {
            for quota in self.quotas.get(&commit.namespace).into_iter().flatten() {
                schedule.soon(&key(&commit.namespace, quota));
            }
        }
    }

    fn act(&mut self, key: &str, cluster: &mut Cluster, schedule: &mut Schedule) {
        let (of, called) = object::split_key(key);
        let Some(quota) = cluster.get(QUOTAS, of, called) else {
            self.backoff.succeeded(key);
            return;
        };
        let outcome = self.sync(&quota, cluster);
        self.backoff.settle(key, &outcome, schedule);
    }
}

impl Quotas {
    fn notice_quota(&mut self, commit: &Commit, schedule: &mut Schedule) {
        let quotas = self.quotas.entry(commit.namespace.clone()).or_default();
        if commit.after.is_none() {
            quotas.remove(&commit.name);
            return;
        }
        quotas.insert(commit.name.clone());
        // Charges by admission are exact; everything else that changes a quota asks for a recount.
        if commit.manager != "kube-apiserver" {
            schedule.soon(&key(&commit.namespace, &commit.name));
        }
    }

    fn sync(&self, quota: &Value, cluster: &mut Cluster) -> Result<(), ApiError> {
        let used = used(cluster, object::namespace(quota), quota);
        let status = json!({ "hard": quota["spec"]["hard"], "used": used });
        self.client.update_status(cluster, QUOTAS, quota, status)
    }
}
