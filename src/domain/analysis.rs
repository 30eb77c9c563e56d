//! How metrics are asked for and what their answers mean.
//!
//! Takes query templates, metric profiles and answers as plain values; gives query texts, counts, quantiles, and whether a
//! threshold was broken often enough. Never asks anybody: whoever calls it sends the queries and says what time it is. What is
//! no clear number is [`reading::NoData`] with its reason, and never a verdict.

pub mod profile;
pub mod reading;
pub mod template;
pub mod threshold;
