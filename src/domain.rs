//! Decisions without Kubernetes: how large, how much traffic, what next, and why.
//!
//! Takes plain values, time included, and gives plain values. Never does I/O, never reads a clock, and knows neither
//! objects nor clients: whoever calls it translates.

pub mod analysis;
pub mod beforehand;
pub mod command;
pub mod gates;
pub mod record;
pub mod revision;
pub mod rollback;
pub mod rollout;
pub mod scaling;
pub mod settings;
pub mod size;
pub mod split;
pub mod statistics;
