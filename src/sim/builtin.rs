//! What the API server knows about its own kinds: amounts, defaults and validation.
//!
//! Works on `serde_json::Value`s that already have the right JSON types. Never reads the cluster or the clock.

pub mod quantity;
