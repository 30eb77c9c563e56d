//! The controllers and machines of a cluster.

pub mod conditions;
pub mod deployment;
pub mod disruption_budget;
pub mod endpoint_slice;
pub mod labels;
pub mod object;
pub mod replica_set;
pub mod resources;
pub mod scheduler;
