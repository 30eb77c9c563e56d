//! A double of a Gateway API implementation: it says what a gateway would say of HTTPRoutes and GRPCRoutes.
//!
//! Takes routes, gateways, gateway classes and Services, and its behaviour as data; writes their status after a lag, and
//! keeps what its data plane would serve ([`Gateways::programmed`]). Rejection, missing features and silence come on
//! demand. It does nothing until the Gateway API's CRDs are installed.

mod status;
pub mod verdict;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::SignedDuration;
use serde_json::Value;

use self::status::{class_status, gateway_status, parents};
use self::verdict::{GROUP, Lookup, backend_namespace, backends};
use super::client::Client;
use super::labels::Selector;
use super::object::{self, is_deleting, items, key, name, namespace, text};
use super::{Actor, Commit};
use crate::sim::api_error::ApiError;
use crate::sim::cluster::{Change, Cluster};
use crate::sim::simulation::Schedule;

const GATEWAYS: &str = "gateways.gateway.networking.k8s.io";
const CLASSES: &str = "gatewayclasses.gateway.networking.k8s.io";
const GRANTS: &str = "referencegrants.gateway.networking.k8s.io";
/// The kinds of routes.
const ROUTES: [&str; 2] = ["httproutes.gateway.networking.k8s.io", "grpcroutes.gateway.networking.k8s.io"];
/// Time until a refused status write is tried again.
const RETRY: SignedDuration = SignedDuration::from_secs(1);

/// How the gateway behaves.
#[derive(Clone, Debug, PartialEq)]
pub struct GatewayBehaviour {
    /// Time from a change to its effect and its status.
    pub lag: SignedDuration,
    /// `controllerName` of its GatewayClass, and in what it says of routes.
    pub controller_name: String,
    /// It serves gateways of every class, in the name of the class's controller; else only of its own.
    pub any_class: bool,
    /// It says and does nothing until this is taken back.
    pub silent: bool,
    /// Routes that it does not accept.
    pub rejections: Vec<Rejection>,
    /// Names of fields and filter types in route rules that it does not support, such as `retry` or `RequestMirror`.
    pub lacks: BTreeSet<String>,
}

/// Routes that are not accepted, and why.
#[derive(Clone, Debug, PartialEq)]
pub struct Rejection {
    /// Which routes, by label; an empty selector takes all.
    pub routes: Selector,
    /// Reason of `Accepted: False`.
    pub reason: String,
    /// Its message.
    pub message: String,
}

impl Default for GatewayBehaviour {
    /// Serves every gateway, with a lag of one second, accepts what the specification lets it accept.
    fn default() -> Self {
        Self {
            lag: SignedDuration::from_secs(1),
            controller_name: "simulation.modelward.dev/gateway".to_owned(),
            any_class: true,
            silent: false,
            rejections: Vec::new(),
            lacks: BTreeSet::new(),
        }
    }
}

/// The gateway double.
#[derive(Debug)]
pub struct Gateways {
    client: Client,
    behaviour: GatewayBehaviour,
    /// Keys of routes by what they refer to: `gateway/<namespace>/<name>` or `service/<namespace>/<name>`.
    referring: BTreeMap<String, BTreeSet<String>>,
    /// What every known route refers to.
    references: BTreeMap<String, BTreeSet<String>>,
    programmed: BTreeMap<String, Arc<Value>>,
    /// How often that has changed.
    programmed_changes: u64,
}

impl Default for Gateways {
    fn default() -> Self {
        Self {
            client: Client::component("gateway-controller"),
            behaviour: GatewayBehaviour::default(),
            referring: BTreeMap::new(),
            references: BTreeMap::new(),
            programmed: BTreeMap::new(),
            programmed_changes: 0,
        }
    }
}

/// Lookups of the verdict, in the cluster.
struct View<'a>(&'a Cluster);

impl Lookup for View<'_> {
    fn service(&self, namespace: &str, name: &str) -> Option<Value> {
        self.0.get("services", namespace, name).map(|service| Value::clone(&service))
    }

    fn namespace(&self, name: &str) -> Option<Value> {
        self.0.get("namespaces", "", name).map(|namespace| Value::clone(&namespace))
    }

    fn granted(&self, kind: &str, from: &str, to: &str, service: &str) -> bool {
        self.0.list(GRANTS, Some(to)).iter().any(|grant| {
            let source =
                |entry: &Value| text(entry, &["group"]) == GROUP && text(entry, &["kind"]) == kind && text(entry, &["namespace"]) == from;
            let target = |entry: &Value| {
                text(entry, &["kind"]) == "Service" && ["", service].contains(&text(entry, &["name"])) && text(entry, &["group"]).is_empty()
            };
            items(grant, &["spec", "from"]).iter().any(source) && items(grant, &["spec", "to"]).iter().any(target)
        })
    }
}

impl Actor for Gateways {
    fn name(&self) -> &'static str {
        "gateway"
    }

    fn notice(&mut self, commit: &Commit, cluster: &Cluster, schedule: &mut Schedule) {
        let own_word = commit.manager == "gateway-controller";
        match commit.resource.as_str() {
            resource if ROUTES.contains(&resource) && !own_word => self.notice_route(commit, schedule),
            GATEWAYS if !own_word => self.notice_gateway(commit, schedule),
            CLASSES if !own_word => {
                schedule.after(self.behaviour.lag, &format!("class//{}", commit.name));
                self.enter_all(cluster, schedule);
            }
            GRANTS | "namespaces" if !self.references.is_empty() => self.enter_all(cluster, schedule),
            "services" if commit.change != Change::Modified || ports(&commit.before) != ports(&commit.after) => {
                self.enter_referring(&format!("service/{}/{}", commit.namespace, commit.name), schedule);
            }
            _ => {}
        }
    }

    /// Keys are `class//<name>`, `gateway/<namespace>/<name>` and `<routes>/<namespace>/<name>`.
    fn act(&mut self, key: &str, cluster: &mut Cluster, schedule: &mut Schedule) {
        let Some((what, place)) = key.split_once('/') else { return };
        if self.behaviour.silent {
            return;
        }
        let (of, called) = object::split_key(place);
        let outcome = match what {
            "class" => self.say_class(called, cluster),
            "gateway" => self.say_gateway(of, called, cluster),
            routes => self.say_route(key, routes, of, called, cluster, schedule),
        };
        if outcome.is_err() {
            schedule.after(RETRY, key);
        }
    }
}

/// A backend of a route exists, may be used, and is a Service with that port.
pub fn is_sound_backend(route: &Value, backend: &Value, cluster: &Cluster) -> bool {
    verdict::backend_problem(route, backend, &View(cluster)).is_none()
}

fn ports(service: &Option<Arc<Value>>) -> Vec<Value> {
    service.as_deref().map(|service| items(service, &["spec", "ports"]).to_vec()).unwrap_or_default()
}

impl Gateways {
    /// Changes how the gateway behaves from now on; call [`Gateways::look_again`] afterwards.
    pub fn set_behaviour(&mut self, behaviour: GatewayBehaviour) {
        self.behaviour = behaviour;
    }

    /// How it behaves.
    pub fn behaviour(&self) -> &GatewayBehaviour {
        &self.behaviour
    }

    /// Judges everything again, after the lag.
    pub fn look_again(&self, cluster: &Cluster, schedule: &mut Schedule) {
        for class in cluster.list(CLASSES, None) {
            schedule.after(self.behaviour.lag, &format!("class//{}", name(&class)));
        }
        self.enter_all(cluster, schedule);
    }

    /// The route as the data plane serves it: the last accepted version that has taken effect. `routes` is the short id,
    /// such as `httproutes.gateway.networking.k8s.io`.
    pub fn programmed(&self, routes: &str, namespace: &str, name: &str) -> Option<&Arc<Value>> {
        self.programmed.get(&format!("{routes}/{namespace}/{name}"))
    }

    /// All routes that the data plane serves, by key `<routes>/<namespace>/<name>`.
    pub fn all_programmed(&self) -> impl Iterator<Item = (&str, &Arc<Value>)> {
        self.programmed.iter().map(|(key, route)| (key.as_str(), route))
    }

    /// How often what the data plane serves has changed.
    pub fn programmed_changes(&self) -> u64 {
        self.programmed_changes
    }

    /// The data plane serves another version of a route from now on, or none.
    fn program(&mut self, key: &str, route: Option<&Arc<Value>>) {
        let before = match route {
            Some(route) => self.programmed.insert(key.to_owned(), Arc::clone(route)),
            None => self.programmed.remove(key),
        };
        let same = match (&before, route) {
            (Some(before), Some(route)) => Arc::ptr_eq(before, route),
            (None, None) => true,
            _ => false,
        };
        self.programmed_changes += u64::from(!same);
    }

    fn notice_route(&mut self, commit: &Commit, schedule: &mut Schedule) {
        let key = format!("{}/{}/{}", commit.resource, commit.namespace, commit.name);
        let former = self.references.remove(&key).unwrap_or_default();
        for target in &former {
            if let Some(routes) = self.referring.get_mut(target) {
                routes.remove(&key);
            }
        }
        if let Some(route) = &commit.after {
            let targets = targets(route);
            for target in &targets {
                self.referring.entry(target.clone()).or_default().insert(key.clone());
            }
            self.references.insert(key.clone(), targets);
        }
        let spec = |route: &Option<Arc<Value>>| route.as_deref().map(object::generation);
        if spec(&commit.before) != spec(&commit.after) || commit.subresource.as_deref() == Some("status") {
            schedule.after(self.behaviour.lag, &key);
            for gateway in former.iter().chain(self.references.get(&key).into_iter().flatten()).filter(|key| key.starts_with("gateway/")) {
                schedule.after(self.behaviour.lag, gateway);
            }
        }
    }

    fn notice_gateway(&self, commit: &Commit, schedule: &mut Schedule) {
        let key = format!("gateway/{}/{}", commit.namespace, commit.name);
        schedule.after(self.behaviour.lag, &key);
        self.enter_referring(&key, schedule);
    }

    fn enter_referring(&self, target: &str, schedule: &mut Schedule) {
        for route in self.referring.get(target).into_iter().flatten() {
            schedule.after(self.behaviour.lag, route);
        }
    }

    fn enter_all(&self, cluster: &Cluster, schedule: &mut Schedule) {
        for gateway in cluster.list(GATEWAYS, None) {
            schedule.after(self.behaviour.lag, &format!("gateway/{}", key(namespace(&gateway), name(&gateway))));
        }
        for route in self.references.keys() {
            schedule.after(self.behaviour.lag, route);
        }
    }

    /// The controller name under which this double serves a gateway; none if it does not.
    fn serves(&self, gateway: &Value, cluster: &Cluster) -> Option<String> {
        let class = cluster.get(CLASSES, "", text(gateway, &["spec", "gatewayClassName"]));
        let named = class.as_deref().map(|class| text(class, &["spec", "controllerName"]).to_owned());
        match named {
            Some(controller) if controller == self.behaviour.controller_name || self.behaviour.any_class => Some(controller),
            None if self.behaviour.any_class => Some(self.behaviour.controller_name.clone()),
            _ => None,
        }
    }

    fn say_class(&self, called: &str, cluster: &mut Cluster) -> Result<(), ApiError> {
        let Some(class) = cluster.get(CLASSES, "", called) else { return Ok(()) };
        if !self.behaviour.any_class && text(&class, &["spec", "controllerName"]) != self.behaviour.controller_name {
            return Ok(());
        }
        let status = class_status(&class, cluster.now());
        self.client.update_status(cluster, CLASSES, &class, status)
    }

    fn say_gateway(&self, of: &str, called: &str, cluster: &mut Cluster) -> Result<(), ApiError> {
        let Some(gateway) = cluster.get(GATEWAYS, of, called) else { return Ok(()) };
        if self.serves(&gateway, cluster).is_none() {
            return Ok(());
        }
        let routes = self.referring.get(&format!("gateway/{of}/{called}")).into_iter().flatten();
        let attached: Vec<Arc<Value>> = routes.filter_map(|route| self.programmed.get(route).cloned()).collect();
        let status = gateway_status(&gateway, &attached, &View(cluster), cluster.now());
        self.client.update_status(cluster, GATEWAYS, &gateway, status)
    }

    fn say_route(
        &mut self,
        key: &str,
        routes: &str,
        of: &str,
        called: &str,
        cluster: &mut Cluster,
        schedule: &mut Schedule,
    ) -> Result<(), ApiError> {
        let Some(route) = cluster.get(routes, of, called).filter(|route| !is_deleting(route)) else {
            self.program(key, None);
            return Ok(());
        };
        let served = |gateway: &Value| self.serves(gateway, cluster);
        let judged = parents(&route, &self.behaviour, served, cluster, &View(cluster));
        self.program(key, judged.accepted.then_some(&route));
        for gateway in self.references.get(key).into_iter().flatten().filter(|key| key.starts_with("gateway/")) {
            schedule.soon(gateway);
        }
        match judged.status {
            Some(status) => self.client.update_status(cluster, routes, &route, status),
            None => Ok(()),
        }
    }
}

/// What a route refers to, as keys of [`Gateways::referring`].
fn targets(route: &Value) -> BTreeSet<String> {
    let mut targets = BTreeSet::new();
    for parent in items(route, &["spec", "parentRefs"]) {
        let of = backend_namespace(route, parent);
        let kind = if text(parent, &["kind"]) == "Service" { "service" } else { "gateway" };
        targets.insert(format!("{kind}/{of}/{}", text(parent, &["name"])));
    }
    targets.extend(backends(route).map(|backend| format!("service/{}/{}", backend_namespace(route, backend), text(backend, &["name"]))));
    targets
}
