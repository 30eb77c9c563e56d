//! Behaviour of server-side apply, as observed on a real API server.

#![expect(clippy::unwrap_used, reason = "tests")]

mod built_in;
mod fields;
mod items;
mod layers;
mod ownership;
mod properties;
mod scaling;
mod world;
