//! What an operator of the operator sees: metrics, logs, and the count of API requests.
//!
//! Labels are bounded: kinds, resources, verbs, codes, outcomes; never names of objects or texts of errors.

pub mod logs;
pub mod metrics;
pub mod requests;
