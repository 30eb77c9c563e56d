//! The controllers: observe → validate → decide → apply → status, one step per file.
//!
//! Only `observe` and `apply` touch the cluster. Controllers never call each other: they meet in API objects.

pub mod caches;
pub mod conditions;
pub mod inquiries;
pub mod model;
pub mod model_deployment;
pub mod operator;
pub mod rollback;
