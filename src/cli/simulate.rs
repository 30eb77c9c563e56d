//! What a simulated release looks like to people and programs: timeline, end state.

pub mod difference;
pub mod end_state;
pub mod line;
pub mod timeline;
