//! The ReplicaSet controller.

pub mod order;
pub mod status;
#[cfg(test)]
mod tests;
