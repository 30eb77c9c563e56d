//! Where the requests of a demand go, by what the stored objects really say.
//!
//! Takes a demand, the cluster and the routes that the gateway's data plane serves; gives branches with weights and the pods
//! behind each. A host goes through the routes of a gateway that are for its protocol, HTTPRoutes or GRPCRoutes; a Service through those
//! that name it as their parent (a mesh), else straight to its ready endpoints. As the Gateway API says: a share whose backend is not valid is answered
//! with 500, one without ready endpoints with 503. Writes nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;

use super::changes::service_of;
use super::demand::{Demand, Destination};
use super::matching::{HostRank, best, host_rank};
use crate::sim::actors::gateway::is_sound_backend;
use crate::sim::actors::gateway::verdict::backend_namespace;
use crate::sim::actors::object::{at, flag, int, items, key, name, namespace, text};
use crate::sim::cluster::Cluster;
use crate::sim::world::duration;

const GATEWAYS: &str = "gateways.gateway.networking.k8s.io";
const SLICES: &str = "endpointslices.discovery.k8s.io";

/// The way of a share of requests.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Via {
    /// The gateway, as `namespace/name`; none: from inside the cluster.
    pub gateway: Option<String>,
    /// The Service's namespace.
    pub namespace: String,
    /// The Service's name.
    pub service: String,
    /// What Envoy calls the upstream.
    pub upstream: String,
    /// A copy, whose answer nobody reads.
    pub mirror: bool,
}

/// What becomes of a share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// One of these pods gets it, as `namespace/name`; none ready: 503.
    Pods(Vec<String>),
    /// The backend is not valid: 500.
    Invalid,
}

/// A share of the requests.
#[derive(Clone, Debug, PartialEq)]
pub struct Branch {
    /// Its way.
    pub via: Arc<Via>,
    /// Its weight among the branches; of a mirror, the share of the requests of its branch that are copied.
    pub weight: f64,
    /// What becomes of it.
    pub fate: Fate,
    /// Copies of it.
    pub mirrors: Vec<Branch>,
}

/// Where the requests of a demand go at present.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    /// Something takes them; otherwise they are answered with 404, or there is no such name.
    pub found: bool,
    /// The shares. None, or without any weight: every request is answered with 500.
    pub branches: Vec<Branch>,
    /// The gateway gives up after so many seconds.
    pub timeout: Option<f64>,
}

/// The routes that the data plane serves, by key `<routes>/<namespace>/<name>`.
pub type Routes = BTreeMap<String, Arc<Value>>;

impl Plan {
    /// The plan of `demand` follows from one of these Services or their endpoints.
    pub fn rests_on(&self, demand: &Demand, services: &BTreeSet<(String, String)>) -> bool {
        let asked = match &demand.to {
            Destination::Service { namespace, name } => services.iter().any(|(of, called)| of == namespace && called == name),
            Destination::Host(_) => false,
        };
        let all = self.branches.iter().flat_map(|branch| std::iter::once(branch).chain(&branch.mirrors));
        asked
            || all
                .into_iter()
                .any(|branch| services.iter().any(|(of, called)| *of == branch.via.namespace && *called == branch.via.service))
    }
}

/// A route has a say in where a demand goes: it names its host (or none, which may be any), or its Service. May be said of one
/// that does not take it in the end.
pub fn may_take(route: &Value, demand: &Demand) -> bool {
    match &demand.to {
        Destination::Host(host) => {
            let hostnames = items(route, &["spec", "hostnames"]);
            hostnames.is_empty() || hostnames.iter().filter_map(Value::as_str).any(|pattern| host_rank(pattern, host).is_some())
        }
        Destination::Service { namespace, name } => names_service(route, namespace, name),
    }
}

fn names_service(route: &Value, of: &str, called: &str) -> bool {
    items(route, &["spec", "parentRefs"])
        .iter()
        .any(|parent| text(parent, &["kind"]) == "Service" && text(parent, &["name"]) == called && backend_namespace(route, parent) == of)
}

/// Makes the plan of a demand.
pub fn plan(demand: &Demand, cluster: &Cluster, routes: &Routes) -> Plan {
    let kind = demand.request.protocol.routes();
    let own = routes.iter().filter(|(key, _)| key.split('/').next() == Some(kind)).map(|(_, route)| &**route);
    let routes: Vec<&Value> = own.filter(|route| may_take(route, demand)).collect();
    match &demand.to {
        Destination::Host(host) => through_gateway(demand, host, &routes, cluster),
        Destination::Service { namespace, name } => inside(demand, namespace, name, &routes, cluster),
    }
}

fn through_gateway(demand: &Demand, host: &str, routes: &[&Value], cluster: &Cluster) -> Plan {
    let taken: Vec<(&Value, HostRank, String)> =
        routes.iter().filter_map(|route| gateway_of(route, host, cluster).map(|(rank, gateway)| (*route, rank, gateway))).collect();
    let Some(found) = best(taken.iter().map(|(route, rank, _)| (*route, *rank)), &demand.request) else { return Plan::default() };
    let gateway = taken.iter().find(|(route, ..)| std::ptr::eq(*route, found.route)).map(|(.., gateway)| gateway.clone());
    rule_plan(found.route, found.rule, gateway, cluster)
}

/// The first gateway that serves a route for a host, and how well the names fit.
fn gateway_of(route: &Value, host: &str, cluster: &Cluster) -> Option<(HostRank, String)> {
    let hostnames = items(route, &["spec", "hostnames"]);
    let by_route = hostnames.iter().filter_map(Value::as_str).filter_map(|pattern| host_rank(pattern, host)).max();
    if by_route.is_none() && !hostnames.is_empty() {
        return None;
    }
    let parents = items(route, &["spec", "parentRefs"]).iter().filter(|parent| text(parent, &["kind"]) != "Service");
    parents.into_iter().find_map(|parent| {
        let (of, called) = (backend_namespace(route, parent), text(parent, &["name"]));
        let gateway = cluster.get(GATEWAYS, of, called)?;
        let by_listener =
            items(&gateway, &["spec", "listeners"]).iter().filter_map(|listener| listener_rank(listener, parent, host)).max()?;
        Some((by_route.unwrap_or(by_listener), key(of, called)))
    })
}

fn listener_rank(listener: &Value, parent: &Value, host: &str) -> Option<HostRank> {
    let section = text(parent, &["sectionName"]);
    let port = int(parent, &["port"]);
    let named = (section.is_empty() || section == text(listener, &["name"])) && (port.is_none() || port == int(listener, &["port"]));
    let http = ["HTTP", "HTTPS", ""].contains(&text(listener, &["protocol"]));
    match text(listener, &["hostname"]) {
        _ if !named || !http => None,
        "" => Some((0, 0)),
        pattern => host_rank(pattern, host),
    }
}

fn inside(demand: &Demand, of: &str, called: &str, routes: &[&Value], cluster: &Cluster) -> Plan {
    if !routes.is_empty() {
        let found = best(routes.iter().map(|route| (*route, (0, 0))), &demand.request);
        return found.map_or_else(Plan::default, |found| rule_plan(found.route, found.rule, None, cluster));
    }
    if cluster.get("services", of, called).is_none() {
        return Plan::default();
    }
    let via = Arc::new(Via { namespace: of.to_owned(), service: called.to_owned(), ..Via::default() });
    let fate = Fate::Pods(ready_pods(of, called, cluster));
    Plan { found: true, branches: vec![Branch { via, weight: 1.0, fate, mirrors: Vec::new() }], timeout: None }
}

fn rule_plan(route: &Value, number: usize, gateway: Option<String>, cluster: &Cluster) -> Plan {
    let Some(rule) = items(route, &["spec", "rules"]).get(number) else { return Plan::default() };
    let backends = items(rule, &["backendRefs"]);
    // Envoy Gateway makes one cluster of a rule, unless a backend of it has filters.
    let apart = backends.iter().any(|backend| !items(backend, &["filters"]).is_empty());
    let kind = text(route, &["kind"]).to_ascii_lowercase();
    let cluster_name = format!("{kind}/{}/{}/rule/{number}", namespace(route), name(route));
    let shared: Vec<Branch> = mirrors(route, rule, gateway.as_ref(), &cluster_name, cluster);
    let branches = backends.iter().enumerate().map(|(index, backend)| {
        let upstream = if apart { format!("{cluster_name}/backend/{index}") } else { cluster_name.clone() };
        let weight = int(backend, &["weight"]).unwrap_or(1).max(0) as f64;
        let mut branch = branch(route, backend, weight, gateway.as_ref(), upstream, false, cluster);
        branch.mirrors = shared.iter().cloned().chain(mirrors(route, backend, gateway.as_ref(), &cluster_name, cluster)).collect();
        branch
    });
    let limits = ["request", "backendRequest"].iter().filter_map(|limit| duration::parse(text(rule, &["timeouts", limit])));
    let timeout = limits.filter(|limit| !limit.is_zero()).min().map(|limit| limit.as_secs_f64());
    Plan { found: true, branches: branches.collect(), timeout }
}

/// Copies that the filters of a rule or of a backend ask for.
fn mirrors(route: &Value, of: &Value, gateway: Option<&String>, cluster_name: &str, cluster: &Cluster) -> Vec<Branch> {
    let filters = items(of, &["filters"]).iter().filter_map(|filter| at(filter, &["requestMirror"]));
    let copies = filters.enumerate().filter_map(|(index, mirror)| {
        let backend = at(mirror, &["backendRef"])?;
        let fraction = at(mirror, &["fraction"]).map(|fraction| {
            int(fraction, &["numerator"]).unwrap_or(0) as f64 / int(fraction, &["denominator"]).unwrap_or(100).max(1) as f64
        });
        let share = fraction.or_else(|| int(mirror, &["percent"]).map(|percent| percent as f64 / 100.0)).unwrap_or(1.0);
        Some(branch(route, backend, share.clamp(0.0, 1.0), gateway, format!("{cluster_name}-mirror-{index}"), true, cluster))
    });
    copies.collect()
}

fn branch(
    route: &Value,
    backend: &Value,
    weight: f64,
    gateway: Option<&String>,
    upstream: String,
    mirror: bool,
    cluster: &Cluster,
) -> Branch {
    let (of, service) = (backend_namespace(route, backend), text(backend, &["name"]));
    let fate = if is_sound_backend(route, backend, cluster) { Fate::Pods(ready_pods(of, service, cluster)) } else { Fate::Invalid };
    let via = Via { gateway: gateway.cloned(), namespace: of.to_owned(), service: service.to_owned(), upstream, mirror };
    Branch { via: Arc::new(via), weight, fate, mirrors: Vec::new() }
}

/// The pods behind the ready endpoints of a Service, in name order.
fn ready_pods(of: &str, service: &str, cluster: &Cluster) -> Vec<String> {
    let own = |slice: &Value| service_of(slice) == Some(service);
    let mut pods = Vec::new();
    for slice in cluster.list(SLICES, Some(of)).iter().filter(|slice| own(slice)) {
        let ready = |endpoint: &&Value| at(endpoint, &["conditions", "ready"]).is_none() || flag(endpoint, &["conditions", "ready"]);
        let targets = items(slice, &["endpoints"]).iter().filter(ready).filter_map(|endpoint| at(endpoint, &["targetRef"]));
        pods.extend(targets.filter(|target| text(target, &["kind"]) == "Pod").map(|target| key(of, text(target, &["name"]))));
    }
    pods.sort();
    pods.dedup();
    pods
}
