//! x
pub mod request;
pub mod negotiate;
pub mod body;
/// v
pub const VERSION: &str = "v1.35.4";
