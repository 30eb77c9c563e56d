//! The ResourceQuota controller: brings `status` in line with what is really used.
//!
//! Takes quotas and the objects that they count; writes the status of quotas. What comes is charged by the API server's
//! admission; what goes is noticed here.

pub mod count;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use self::count::{resource_of, usage};
use super::backoff::Backoff;
use super::client::Client;
use super::object::{self, is_deleting, key, map};
use super::replica_set::order::has_ended;
use super::{Actor, Commit};
use crate::sim::api_error::ApiError;
use crate::sim::cluster::{Change, Cluster};
use crate::sim::simulation::Schedule;

const QUOTAS: &str = "resourcequotas";

/// The controller.
#[derive(Debug)]
pub struct Quotas {
    client: Client,
    backoff: Backoff,
    /// By namespace and quota: the resources that it counts.
    counted: BTreeMap<String, BTreeMap<String, BTreeSet<String>>>,
}

impl Default for Quotas {
    fn default() -> Self {
        Self { client: Client::controller_manager(), backoff: Backoff::controller(), counted: BTreeMap::new() }
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
        let ended = |object: &Option<std::sync::Arc<Value>>| object.as_deref().is_some_and(|pod| has_ended(pod) || is_deleting(pod));
        let released = commit.change == Change::Deleted || (commit.resource == "pods" && !ended(&commit.before) && ended(&commit.after));
        if released {
            self.enter(&commit.namespace, &commit.resource, schedule);
        }
    }

    fn act(&mut self, key: &str, cluster: &mut Cluster, schedule: &mut Schedule) {
        let (of, called) = object::split_key(key);
        let Some(quota) = cluster.get(QUOTAS, of, called) else {
            self.backoff.succeeded(key);
            return;
        };
        match self.sync(&quota, cluster) {
            Ok(()) => self.backoff.succeeded(key),
            Err(_) => {
                if let Some(delay) = self.backoff.failed(key) {
                    schedule.after(delay, key);
                }
            }
        }
    }
}

impl Quotas {
    fn notice_quota(&mut self, commit: &Commit, schedule: &mut Schedule) {
        let quotas = self.counted.entry(commit.namespace.clone()).or_default();
        let Some(quota) = &commit.after else {
            quotas.remove(&commit.name);
            return;
        };
        let limits = map(quota, &["spec", "hard"]).into_iter().flatten();
        let resources = limits.map(|(limit, _)| resource_of(limit).to_owned()).collect();
        quotas.insert(commit.name.clone(), resources);
        if commit.subresource.as_deref() != Some("status") {
            schedule.soon(&key(&commit.namespace, &commit.name));
        }
    }

    /// Something that counts has gone.
    fn enter(&self, of: &str, resource: &str, schedule: &mut Schedule) {
        for (quota, counted) in self.counted.get(of).into_iter().flatten() {
            if counted.contains(resource) {
                schedule.soon(&key(of, quota));
            }
        }
    }

    fn sync(&self, quota: &Value, cluster: &mut Cluster) -> Result<(), ApiError> {
        let of = object::namespace(quota);
        let used = usage(quota, cluster.now(), |resource| cluster.list(resource, Some(of)));
        let used: serde_json::Map<String, Value> = used.into_iter().map(|(limit, amount)| (limit, json!(amount.to_string()))).collect();
        let status = json!({ "hard": quota["spec"]["hard"], "used": used });
        self.client.update_status(cluster, QUOTAS, quota, status)
    }
}
