//! slices
pub mod packing;
