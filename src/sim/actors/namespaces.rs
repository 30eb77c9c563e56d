//! ns
pub mod phase;
