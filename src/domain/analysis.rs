//! From the answers of a metric source to a verdict on a revision.
//!
//! [`template`] and [`profile`] say what to ask, [`reading`] what an answer says. [`criteria`] is what a spec asks for,
//! [`progress`] what is remembered of an analysis, [`window`] what is due, [`take_in`] how an answer becomes evidence and
//! [`verdict`] what the evidence means. All of it is values in, values out: asking is for others.

pub mod criteria;
pub mod profile;
pub mod progress;
pub mod reading;
pub mod take_in;
pub mod template;
#[cfg(test)]
pub(crate) mod tests;
pub mod threshold;
pub mod verdict;
pub mod window;
