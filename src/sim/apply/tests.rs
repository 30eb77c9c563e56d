//! Behaviour of server-side apply, as observed on a real API server.

mod built_in;
mod deduced;
mod fields;
mod items;
mod layers;
mod ownership;
mod properties;
mod scaling;
mod world;
