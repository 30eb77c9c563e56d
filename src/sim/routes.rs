//! x
pub mod body;
pub mod negotiate;
pub mod request;
