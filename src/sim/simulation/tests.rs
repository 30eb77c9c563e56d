//! The actors together, in a simulated cluster: what a user of it would see.

mod play;
mod workloads;
