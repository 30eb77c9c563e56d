//! sim
mod schedule;
pub use schedule::{Reaction, Schedule};
