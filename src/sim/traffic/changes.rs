//! What was written since traffic last looked, as far as it matters to plans and pods.
//!
//! Takes commits; gives the pods and the Services that they are about, or says that everything has to be looked at. It may name
//! what did not really change, and never leaves out what did. Pure.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::Value;

use crate::sim::actors::object::{self, labels};
use crate::sim::cluster::Commit;

/// Namespace and name.
pub type Place = (String, String);

/// See the module.
#[derive(Debug, Default)]
pub struct Changes {
    /// Something that every plan may depend on.
    pub everything: bool,
    /// Pods, as `namespace/name`.
    pub pods: BTreeSet<String>,
    /// Services that changed, or whose endpoints did.
    pub services: BTreeSet<Place>,
}

impl Changes {
    /// Follows one commit.
    pub fn notice(&mut self, commit: &Commit) {
        match commit.resource.as_str() {
            "pods" => drop(self.pods.insert(object::key(&commit.namespace, &commit.name))),
            "services" => drop(self.services.insert((commit.namespace.clone(), commit.name.clone()))),
            "endpointslices.discovery.k8s.io" => {
                let services = [&commit.before, &commit.after].into_iter().flatten().filter_map(|slice| service_of(slice));
                self.services.extend(services.map(|service| (commit.namespace.clone(), service.to_owned())));
            }
            "gateways.gateway.networking.k8s.io" => self.everything |= spec(commit.before.as_ref()) != spec(commit.after.as_ref()),
            "referencegrants.gateway.networking.k8s.io" | "customresourcedefinitions.apiextensions.k8s.io" => self.everything = true,
            _ => {}
        }
    }
}

/// The Service that an EndpointSlice belongs to.
pub fn service_of(slice: &Value) -> Option<&str> {
    labels(slice)?.get("kubernetes.io/service-name")?.as_str()
}

/// What of a gateway its controller does not write; none without a gateway.
fn spec(gateway: Option<&Arc<Value>>) -> Option<&Value> {
    gateway.map(|gateway| &gateway["spec"])
}
