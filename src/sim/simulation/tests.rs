//! The actors together, in a simulated cluster: what a user of it would see.

mod deletion;
mod gateways;
mod machines;
mod play;
mod rollouts;
mod scale;
mod services;
mod workloads;
