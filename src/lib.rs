//! Modelward releases AI models on Kubernetes.
//!
//! Layers, lowest first: [`api`] (what users write), `domain` (decisions without Kubernetes), `resources` and `traffic`
//! (pure builders of child objects), `metric_source` (asks Prometheus), `controllers` (observe, validate, decide, apply, status), `runtime` and `kube_io`
//! (watches, queue, the only writer), `cli`. Beside them [`sim`]: a simulated cluster that knows nothing of the rest.

pub mod api;
pub mod cli;
pub mod controllers;
pub mod domain;
pub mod kube_io;
pub mod metric_source;
pub mod promql;
pub mod resources;
pub mod runtime;
pub mod sim;
pub mod traffic;
