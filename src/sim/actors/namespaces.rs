//! Namespaces: what every one of them gets, and how one ends.
//!
//! Takes namespaces; creates the ServiceAccount `default` and the ConfigMap `kube-root-ca.crt` in each, and empties those
//! that are being deleted: pods first, then everything else, then the namespace itself.

pub mod phase;

use jiff::SignedDuration;
use serde_json::{Value, json};

use self::phase::{Remaining, note, wait_seconds};
use super::backoff::Backoff;
use super::client::{Client, unless_terminating};
use super::object::{int, is_deleting, items, name, split_key};
use super::{Actor, Commit};
use crate::sim::api_error::ApiError;
use crate::sim::cluster::{Change, Cluster};
use crate::sim::simulation::Schedule;

/// Time from an event of a terminating namespace to the next pass.
const PASS_DELAY: SignedDuration = SignedDuration::from_secs(5);
/// Estimate for objects that are held by finalizers.
const FINALIZER_ESTIMATE_SECONDS: i64 = 15;
/// Grace period of a pod that names none.
const GRACE_SECONDS: i64 = 30;
const SERVICE_ACCOUNT: &str = "default";
const ROOT_CA: &str = "kube-root-ca.crt";
/// There is no certificate authority to name: loopback is plain HTTP.
const ROOT_CA_TEXT: &str = "# The simulated cluster has no certificate authority.\n";

/// The namespace, service-account and root-ca controllers.
#[derive(Debug)]
pub struct Namespaces {
    client: Client,
    backoff: Backoff,
}

impl Default for Namespaces {
    fn default() -> Self {
        let longest = SignedDuration::from_secs(60);
        Self { client: Client::controller_manager(), backoff: Backoff::new(SignedDuration::from_millis(5), longest) }
    }
}

impl Actor for Namespaces {
    fn name(&self) -> &'static str {
        "namespaces"
    }

    fn notice(&mut self, commit: &Commit, _cluster: &Cluster, schedule: &mut Schedule) {
        match (commit.resource.as_str(), commit.after.as_deref()) {
            ("namespaces", Some(namespace)) if is_deleting(namespace) => schedule.after(PASS_DELAY, &format!("end/{}", commit.name)),
            ("namespaces", Some(_)) => schedule.soon(&format!("furnish/{}", commit.name)),
            ("serviceaccounts", _) if commit.name == SERVICE_ACCOUNT && commit.change == Change::Deleted => {
                schedule.soon(&format!("furnish/{}", commit.namespace));
            }
            ("configmaps", _) if commit.name == ROOT_CA && commit.change != Change::Added => {
                schedule.soon(&format!("furnish/{}", commit.namespace));
            }
            _ => {}
        }
    }

    /// Keys are `furnish/<name>` and `end/<name>`.
    fn act(&mut self, key: &str, cluster: &mut Cluster, schedule: &mut Schedule) {
        let (what, called) = split_key(key);
        let Some(namespace) = cluster.get("namespaces", "", called) else {
            self.backoff.succeeded(key);
            return;
        };
        let outcome = match (what, is_deleting(&namespace)) {
            ("furnish", false) => self.furnish(called, cluster),
            ("end", true) => self.empty(&namespace, key, cluster, schedule),
            _ => Ok(()),
        };
        self.backoff.settle(key, &unless_terminating(outcome), schedule);
    }
}

impl Namespaces {
    fn furnish(&self, of: &str, cluster: &mut Cluster) -> Result<(), ApiError> {
        if cluster.get("serviceaccounts", of, SERVICE_ACCOUNT).is_none() {
            let account = json!({ "apiVersion": "v1", "kind": "ServiceAccount", "metadata": { "name": SERVICE_ACCOUNT, "namespace": of } });
            self.client.create(cluster, "serviceaccounts", of, account)?;
        }
        let data = json!({ "ca.crt": ROOT_CA_TEXT });
        match cluster.get("configmaps", of, ROOT_CA) {
            Some(map) if map.get("data") == Some(&data) => Ok(()),
            Some(map) => {
                let mut map = Value::clone(&map);
                map["data"] = data;
                self.client.update(cluster, "configmaps", map).map(|_| ())
            }
            None => {
                let metadata = json!({ "name": ROOT_CA, "namespace": of });
                let map = json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data });
                self.client.create(cluster, "configmaps", of, map).map(|_| ())
            }
        }
    }

    /// One pass: deletes what is left, says what remains, and lets the namespace go when nothing does.
    fn empty(&mut self, namespace: &Value, key: &str, cluster: &mut Cluster, schedule: &mut Schedule) -> Result<(), ApiError> {
        let of = name(namespace).to_owned();
        let mut remaining = Remaining::default();
        let mut estimate = self.delete_all("pods", &of, cluster, &mut remaining);
        let only_pods = estimate > 0;
        if only_pods {
            // While pods end nothing else is touched, nor counted.
            remaining = Remaining { error: remaining.error, ..Remaining::default() };
        } else {
            for resource in other_resources(cluster) {
                estimate = estimate.max(self.delete_all(&resource, &of, cluster, &mut remaining));
            }
        }
        self.write_conditions(namespace, &remaining, cluster)?;
        if estimate > 0 || remaining.error.is_some() {
            schedule.after(SignedDuration::from_secs(wait_seconds(estimate)), key);
            return Ok(());
        }
        self.finalize(&of, cluster)
    }

    /// Deletes all objects of a resource; gives the seconds that those which stay may take.
    fn delete_all(&self, resource: &str, of: &str, cluster: &mut Cluster, remaining: &mut Remaining) -> i64 {
        for object in cluster.list(resource, Some(of)).iter().filter(|object| !is_deleting(object)) {
            if let Err(error) = self.client.delete_in_background(cluster, resource, object) {
                remaining.error.get_or_insert(error.message);
            }
        }
        let left = cluster.list(resource, Some(of));
        if left.is_empty() {
            return 0;
        }
        let (plural, group) = resource.split_once('.').unwrap_or((resource, ""));
        remaining.objects.insert(format!("{plural}.{group}"), left.len());
        let mut estimate = 0;
        for object in &left {
            for finalizer in items(object, &["metadata", "finalizers"]).iter().filter_map(Value::as_str) {
                *remaining.finalizers.entry(finalizer.to_owned()).or_insert(0) += 1;
            }
            let held = !items(object, &["metadata", "finalizers"]).is_empty();
            let grace = int(object, &["metadata", "deletionGracePeriodSeconds"]).unwrap_or(GRACE_SECONDS);
            estimate = estimate.max(if resource == "pods" && !held { grace.max(1) } else { FINALIZER_ESTIMATE_SECONDS });
        }
        estimate
    }

    fn write_conditions(&self, namespace: &Value, remaining: &Remaining, cluster: &mut Cluster) -> Result<(), ApiError> {
        let mut status = namespace.get("status").cloned().unwrap_or_else(|| json!({}));
        let mut list = items(namespace, &["status", "conditions"]).to_vec();
        if !note(&mut list, remaining, cluster.now()) {
            return Ok(());
        }
        status["conditions"] = json!(list);
        self.client.update_status(cluster, "namespaces", namespace, status)
    }

    fn finalize(&self, called: &str, cluster: &mut Cluster) -> Result<(), ApiError> {
        let Some(live) = cluster.get("namespaces", "", called) else { return Ok(()) };
        let mut released = Value::clone(&live);
        let kept: Vec<&Value> = items(&live, &["spec", "finalizers"]).iter().filter(|item| *item != "kubernetes").collect();
        released["spec"]["finalizers"] = json!(kept);
        self.client.put(cluster, "namespaces", Some("finalize"), released).map(|_| ())
    }
}

/// Every namespaced resource but pods and Events' second view, in key order.
fn other_resources(cluster: &Cluster) -> Vec<String> {
    let all = cluster.kinds().preferred().filter(|resource| resource.namespaced);
    all.map(|resource| resource.key()).filter(|resource| resource != "pods").collect()
}
