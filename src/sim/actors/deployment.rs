//! The Deployment controller.

pub mod bounds;
pub mod revision;
pub mod rolling;
pub mod scaling;
pub mod sets;
pub mod status;
#[cfg(test)]
mod tests;
