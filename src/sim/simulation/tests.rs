//! The actors together, in a simulated cluster: what a user of it would see.

mod autoscaling;
mod autoscaling_on_record;
mod deletion;
mod gateways;
mod keda;
mod machines;
mod metrics_apis;
mod play;
mod rollouts;
mod scale;
mod services;
mod workloads;
