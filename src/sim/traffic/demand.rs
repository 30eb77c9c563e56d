//! What is asked of a cluster from outside, as data: one stream of alike requests.

use std::collections::BTreeMap;

use jiff::SignedDuration;

use super::arrivals::Arrivals;

/// One stream of requests.
#[derive(Clone, Debug, PartialEq)]
pub struct Demand {
    /// Where they go.
    pub to: Destination,
    /// How many, and when.
    pub arrivals: Arrivals,
    /// What they look like.
    pub request: Request,
    /// How long a client waits for an answer.
    pub patience: SignedDuration,
}

/// Where requests go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destination {
    /// To a gateway, under this name.
    Host(String),
    /// To a Service, from inside the cluster.
    Service {
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
    },
}

/// What a request speaks, which says what kind of route is for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP.
    #[default]
    Http,
    /// gRPC: its path is `/package.Service/Method`.
    Grpc,
}

impl Protocol {
    /// The resource of its routes.
    pub fn routes(self) -> &'static str {
        match self {
            Self::Http => "httproutes.gateway.networking.k8s.io",
            Self::Grpc => "grpcroutes.gateway.networking.k8s.io",
        }
    }
}

/// What of a request routes look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// What it speaks.
    pub protocol: Protocol,
    /// Upper-case method.
    pub method: String,
    /// Path without query.
    pub path: String,
    /// Headers, their names in lower case.
    pub headers: BTreeMap<String, String>,
}

impl Default for Request {
    /// `POST /`.
    fn default() -> Self {
        Self { protocol: Protocol::Http, method: "POST".to_owned(), path: "/".to_owned(), headers: BTreeMap::new() }
    }
}

impl Demand {
    /// Independent users at a steady rate, who wait for 30 s.
    pub fn steady(to: Destination, per_second: f64) -> Self {
        Self { to, arrivals: Arrivals::steady(per_second), request: Request::default(), patience: SignedDuration::from_secs(30) }
    }
}

impl std::fmt::Display for Destination {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Host(host) => formatter.write_str(host),
            Self::Service { namespace, name } => write!(formatter, "{namespace}/{name}"),
        }
    }
}
