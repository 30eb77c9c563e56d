//! sim
pub mod difference;
pub mod end_state;
pub mod line;
pub mod timeline;
