//! The scene of a simulation, as data: nodes, requests, how pods behave, what happens when, and what is
//! expected.
//!
//! Takes YAML documents; gives a [`World`], or every mistake with file, line and column. A world is about pods, nodes,
//! objects and time; it knows nothing of what the objects mean. Nothing in a document is ever ignored: what is not simulated is
//! refused with the reason.

pub mod document;
pub mod duration;
pub mod event;
pub mod expectation;
pub mod fields;
pub mod node;
pub mod place;
pub mod play;
pub mod pod;
pub mod rules;
pub mod scene;
pub mod serving;
pub mod sources;
pub mod traffic;
pub mod usage;

/// `apiVersion` of a world.
pub const API_VERSION: &str = "simulation.modelward.dev/v1alpha1";
/// `kind` of a world.
pub const KIND: &str = "World";
