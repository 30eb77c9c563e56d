//! scheduler
pub mod filter;
pub mod message;
#[cfg(test)]
mod tests;
