//! The arithmetic of PromQL: one file per family of functions, each on plain numbers.
//!
//! Takes values, samples or buckets; gives numbers. Never sees labels, steps or storage.

pub mod aggregate;
pub mod dates;
pub mod histogram;
pub mod kahan;
pub mod maps;
pub mod operators;
pub mod over_time;
pub mod quantile;
pub mod rate;
pub mod regression;
pub mod window;

pub use self::aggregate::{AGGREGATIONS, Aggregation};
pub use self::dates::{DATE_FUNCTIONS, DateFunction};
pub use self::maps::{MAP_FUNCTIONS, MapFunction};
pub use self::window::{WINDOW_FUNCTIONS, Window, WindowFunction};
