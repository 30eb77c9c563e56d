//! A simulated Kubernetes cluster: one synchronous core over `serde_json::Value`, in virtual time.
//!
//! It knows nothing of Modelward: custom resources reach it as CRD objects, like everything else. Three doors lead to the
//! same core: direct calls ([`cluster::Cluster`]), a tower service for clients in the same process, and loopback HTTP.
//! What it does not simulate it refuses loudly.

pub mod actors;
pub mod admission;
pub mod api_error;
pub mod apply;
pub mod builtin;
pub mod cluster;
pub mod discovery;
pub mod draw;
pub mod gateway_api;
pub mod keda_api;
pub mod kinds;
pub mod listener;
pub mod metrics_api;
pub mod openapi;
pub mod patch;
pub mod promql;
pub mod protobuf;
pub mod routes;
pub mod schema;
pub mod selector;
pub mod service;
pub mod simulation;
pub mod store;
pub mod table;
pub mod traffic;
pub mod verbs;
pub mod world;
