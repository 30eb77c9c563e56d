//! budgets
pub mod arithmetic;
