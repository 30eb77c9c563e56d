//! The EndpointSlice controller, and the older Endpoints controller beside it.
//!
//! Takes Services with a selector, pods and nodes; writes EndpointSlices and one v1 `Endpoints` object per Service.
//! IPv4 only.

pub mod endpoint;
pub mod packing;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Map, Value, json};

use self::endpoint::{Group, groups, is_endpoint, is_headless, is_selecting, ports_key, subsets};
use self::packing::{Slice, pack};
use super::backoff::Backoff;
use super::client::{Client, unless_terminating};
use super::labels::{LabelIndex, Selector, SelectorIndex};
use super::object::{self, at, controller_reference, items, key, labels, map, name, namespace, text, uid};
use super::orphans::dependents;
use super::{Actor, Commit};
use crate::sim::api_error::ApiError;
use crate::sim::cluster::{Change, Cluster};
use crate::sim::simulation::Schedule;

const SLICES: &str = "endpointslices.discovery.k8s.io";
const MANAGED_BY: &str = "endpointslice.kubernetes.io/managed-by";
const CONTROLLER: &str = "endpointslice-controller.k8s.io";
const SERVICE_NAME: &str = "kubernetes.io/service-name";
const HEADLESS: &str = "service.kubernetes.io/headless";
const TRIGGER_TIME: &str = "endpoints.kubernetes.io/last-change-trigger-time";
/// Time until the edit of a slice by somebody else is undone.
const FOREIGN_EDIT: jiff::SignedDuration = jiff::SignedDuration::from_secs(1);
/// Retries after which a key waits for the next change.
const RETRIES_MAX: u32 = 15;

/// The controllers and their indexes.
#[derive(Debug)]
pub struct EndpointSlices {
    client: Client,
    backoff: Backoff,
    services: SelectorIndex,
    pods: LabelIndex,
    /// Services that skipped a pod because its node is not known yet.
    waiting: BTreeSet<String>,
}

impl Default for EndpointSlices {
    fn default() -> Self {
        Self {
            client: Client::controller_manager(),
            backoff: Backoff::new(jiff::SignedDuration::from_secs(1), jiff::SignedDuration::from_secs(100)).giving_up_after(RETRIES_MAX),
            services: SelectorIndex::default(),
            pods: LabelIndex::default(),
            waiting: BTreeSet::new(),
        }
    }
}

impl Actor for EndpointSlices {
    fn name(&self) -> &'static str {
        "endpoint-slice"
    }

    fn notice(&mut self, commit: &Commit, _cluster: &Cluster, schedule: &mut Schedule) {
        match commit.resource.as_str() {
            "services" => self.notice_service(commit, schedule),
            "pods" => self.notice_pod(commit, schedule),
            SLICES if commit.manager != "kube-controller-manager" => notice_foreign(commit, schedule),
            "nodes" if commit.change == Change::Added => {
                for service in std::mem::take(&mut self.waiting) {
                    schedule.soon(&service);
                }
            }
            _ => {}
        }
    }

    fn act(&mut self, key: &str, cluster: &mut Cluster, schedule: &mut Schedule) {
        let outcome = unless_terminating(self.sync(key, cluster));
        self.backoff.settle(key, &outcome, schedule);
    }
}

fn notice_foreign(commit: &Commit, schedule: &mut Schedule) {
    let slice = commit.after.as_deref().or(commit.before.as_deref());
    let service = slice.and_then(labels).and_then(|labels| labels.get(SERVICE_NAME)).and_then(Value::as_str);
    if let Some(service) = service {
        schedule.after(FOREIGN_EDIT, &key(&commit.namespace, service));
    }
}

/// What of a pod endpoints look at. The phase is not among it: a pod that fails while Ready stays until something here
/// changes, as upstream.
fn facets(pod: &Value) -> [Option<&Value>; 5] {
    let metadata = |field| at(pod, &["metadata", field]);
    let ready = object::condition(pod, "Ready").and_then(|ready| ready.get("status"));
    [metadata("labels"), metadata("deletionTimestamp"), at(pod, &["status", "podIP"]), at(pod, &["spec", "nodeName"]), ready]
}

impl EndpointSlices {
    fn notice_service(&mut self, commit: &Commit, schedule: &mut Schedule) {
        let selecting = commit.after.as_deref().filter(|service| is_selecting(service));
        let selector = selecting.map(|service| Selector::of_map(map(service, &["spec", "selector"])));
        self.services.note(&commit.namespace, &commit.name, selector);
        schedule.soon(&key(&commit.namespace, &commit.name));
    }

    fn notice_pod(&mut self, commit: &Commit, schedule: &mut Schedule) {
        let (before, after) = (commit.before.as_deref(), commit.after.as_deref());
        if before.map(facets) == after.map(facets) {
            return;
        }
        if before.and_then(labels) != after.and_then(labels) || before.is_none() || after.is_none() {
            self.pods.note(&commit.namespace, &commit.name, before, after);
        }
        for pod in before.iter().chain(&after) {
            for service in self.services.selecting(&commit.namespace, labels(pod)) {
                schedule.soon(&key(&commit.namespace, &service));
            }
        }
    }

    fn sync(&mut self, key: &str, cluster: &mut Cluster) -> Result<(), ApiError> {
        let (of, called) = object::split_key(key);
        let Some(service) = cluster.get("services", of, called) else {
            self.waiting.remove(key);
            return self.remove_endpoints(cluster, of, called);
        };
        if !is_selecting(&service) {
            return Ok(());
        }
        let pods = self.selected(&service, cluster);
        self.wait_for_nodes(key, &pods, cluster);
        let pods: Vec<Arc<Value>> = pods.into_iter().filter(|pod| has_node(pod, cluster)).collect();
        self.sync_slices(&service, &pods, cluster)?;
        self.sync_endpoints(&service, &pods, cluster)
    }

    /// The pods that the Service selects, in name order.
    fn selected(&self, service: &Value, cluster: &Cluster) -> Vec<Arc<Value>> {
        let selector = Selector::of_map(map(service, &["spec", "selector"]));
        let candidates = self.pods.candidates(namespace(service), &selector);
        let pods = candidates.iter().filter_map(|name| cluster.get("pods", namespace(service), name));
        pods.filter(|pod| selector.matches(labels(pod))).collect()
    }

    fn wait_for_nodes(&mut self, key: &str, pods: &[Arc<Value>], cluster: &Cluster) {
        if pods.iter().any(|pod| is_endpoint(pod) && !has_node(pod, cluster)) {
            self.waiting.insert(key.to_owned());
        } else {
            self.waiting.remove(key);
        }
    }

    fn sync_slices(&self, service: &Value, pods: &[Arc<Value>], cluster: &mut Cluster) -> Result<(), ApiError> {
        let zone = |node: &str| {
            let node = cluster.get("nodes", "", node)?;
            labels(&node)?.get("topology.kubernetes.io/zone")?.as_str().map(str::to_owned)
        };
        let wanted = groups(service, pods, zone);
        let slices = dependents(cluster, SLICES, uid(service));
        let own = |slice: &Arc<Value>| labels(slice).and_then(|labels| labels.get(MANAGED_BY)).is_some_and(|value| value == CONTROLLER);
        let slices: Vec<Arc<Value>> = slices.into_iter().filter(|slice| own(slice) && !object::is_deleting(slice)).collect();
        let changes = plan(service, wanted, &slices);
        for slice in changes.delete {
            self.client.delete_in_background(cluster, SLICES, &slice)?;
        }
        for (slice, group) in changes.update {
            let mut updated = filled(service, &group, cluster);
            updated["metadata"]["name"] = slice["metadata"]["name"].clone();
            updated["metadata"]["resourceVersion"] = slice["metadata"]["resourceVersion"].clone();
            self.client.update(cluster, SLICES, updated)?;
        }
        for group in changes.create {
            let mut created = filled(service, &group, cluster);
            created["metadata"]["generateName"] = json!(format!("{}-", name(service)));
            self.client.create(cluster, SLICES, namespace(service), created)?;
        }
        Ok(())
    }

    fn sync_endpoints(&self, service: &Value, pods: &[Arc<Value>], cluster: &mut Cluster) -> Result<(), ApiError> {
        let subsets = subsets(service, pods);
        let mut wanted_labels = labels(service).cloned().unwrap_or_default();
        wanted_labels.insert("endpoints.kubernetes.io/managed-by".to_owned(), json!("endpoint-controller"));
        if is_headless(service) {
            wanted_labels.insert(HEADLESS.to_owned(), json!(""));
        }
        let live = cluster.get("endpoints", namespace(service), name(service));
        if let Some(live) = &live
            && items(live, &["subsets"]) == subsets
            && labels(live) == Some(&wanted_labels)
        {
            return Ok(());
        }
        let mut endpoints = json!({
            "apiVersion": "v1", "kind": "Endpoints",
            "metadata": {
                "name": name(service), "namespace": namespace(service), "labels": wanted_labels,
                "annotations": { TRIGGER_TIME: cluster.now().to_string() },
            },
        });
        if !subsets.is_empty() {
            endpoints["subsets"] = json!(subsets);
        }
        match live {
            Some(_) => self.client.update(cluster, "endpoints", endpoints).map(|_| ()),
            None => self.client.create(cluster, "endpoints", namespace(service), endpoints).map(|_| ()),
        }
    }

    /// The `Endpoints` of a Service that is gone; slices are owned and go by garbage collection.
    fn remove_endpoints(&self, cluster: &mut Cluster, of: &str, called: &str) -> Result<(), ApiError> {
        let managed =
            |endpoints: &Arc<Value>| labels(endpoints).is_some_and(|labels| labels.contains_key("endpoints.kubernetes.io/managed-by"));
        match cluster.get("endpoints", of, called).filter(managed) {
            Some(endpoints) => self.client.delete_in_background(cluster, "endpoints", &endpoints),
            None => Ok(()),
        }
    }
}

fn has_node(pod: &Value, cluster: &Cluster) -> bool {
    let node = text(pod, &["spec", "nodeName"]);
    node.is_empty() || cluster.get("nodes", "", node).is_some()
}

/// What is written for one Service.
#[derive(Default)]
struct Changes {
    create: Vec<Group>,
    update: Vec<(Arc<Value>, Group)>,
    delete: Vec<Arc<Value>>,
}

/// Packs every port list by itself; then new slices take the place of doomed ones, so that there is no empty moment.
fn plan(service: &Value, wanted: BTreeMap<String, Group>, slices: &[Arc<Value>]) -> Changes {
    let mut changes = Changes::default();
    let mut kept = 0;
    let by_name: BTreeMap<&str, &Arc<Value>> = slices.iter().map(|slice| (name(slice), slice)).collect();
    let mut existing: BTreeMap<String, Vec<Slice>> = BTreeMap::new();
    for slice in slices {
        let entry = Slice { name: name(slice).to_owned(), endpoints: items(slice, &["endpoints"]).to_vec() };
        existing.entry(ports_key(items(slice, &["ports"]))).or_default().push(entry);
    }
    for (ports_key, group) in wanted {
        let packing = pack(existing.remove(&ports_key).unwrap_or_default(), group.endpoints);
        let of = |endpoints: Vec<Value>| Group { ports: group.ports.clone(), endpoints };
        changes.create.extend(packing.create.into_iter().map(of));
        let found = |called: &str| by_name.get(called).map(|slice| Arc::clone(slice));
        changes.update.extend(packing.update.into_iter().filter_map(|slice| Some((found(&slice.name)?, of(slice.endpoints)))));
        changes.delete.extend(packing.delete.iter().filter_map(|called| found(called)));
        for slice in packing.keep {
            kept += 1;
            let stale = found(&slice.name).filter(|live| labels(live) != Some(&slice_labels(service)));
            changes.update.extend(stale.map(|live| (live, of(slice.endpoints))));
        }
    }
    let doomed = existing.into_values().flatten().filter_map(|slice| by_name.get(slice.name.as_str()).map(|slice| Arc::clone(slice)));
    changes.delete.extend(doomed);
    if changes.create.is_empty() && changes.update.is_empty() && kept == 0 {
        keep_placeholder(service, &mut changes);
    }
    while !changes.create.is_empty() && !changes.delete.is_empty() {
        let (slice, group) = (changes.delete.remove(0), changes.create.remove(0));
        changes.update.push((slice, group));
    }
    changes
}

/// A Service has at least one slice, if only an empty one.
fn keep_placeholder(service: &Value, changes: &mut Changes) {
    let is_placeholder = |slice: &Arc<Value>| {
        items(slice, &["endpoints"]).is_empty() && items(slice, &["ports"]).is_empty() && labels(slice) == Some(&slice_labels(service))
    };
    match changes.delete.iter().position(is_placeholder) {
        Some(index) => drop(changes.delete.remove(index)),
        None => changes.create.push(Group::default()),
    }
}

fn slice_labels(service: &Value) -> Map<String, Value> {
    let mut all = labels(service).cloned().unwrap_or_default();
    all.insert(SERVICE_NAME.to_owned(), json!(name(service)));
    all.insert(MANAGED_BY.to_owned(), json!(CONTROLLER));
    if is_headless(service) {
        all.insert(HEADLESS.to_owned(), json!(""));
    }
    all
}

/// A slice with its content, without a name.
fn filled(service: &Value, group: &Group, cluster: &Cluster) -> Value {
    json!({
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
        "metadata": {
            "namespace": namespace(service), "labels": slice_labels(service), "ownerReferences": [controller_reference(service)],
            "annotations": { TRIGGER_TIME: cluster.now().to_string() },
        },
        "endpoints": group.endpoints, "ports": group.ports,
    })
}
