//! PromQL over the metrics of the simulated cluster, answered as Prometheus 3 answers.
//!
//! Takes series of samples ([`Storage`]), a query text and the virtual time it is asked for; gives a value with Prometheus'
//! warnings, or an error with Prometheus' error type. [`respond`] is the HTTP API over it, without a server. Ranges and the
//! lookback are open on the left, rates extrapolate, counters reset, stale markers end a series. What is experimental in
//! Prometheus, native histograms among it, is refused by name. Never reads a clock, never changes what is stored by answering.
//!
//! The order of answers: the text becomes an [`plan::Expr`] (types checked, times resolved), which the evaluator plays over
//! all steps at once; one file per family of functions holds the arithmetic.

mod answer;
mod eval;
mod functions;
mod http;
mod labels;
mod matcher;
mod notes;
mod plan;
mod query;
mod storage;

pub use self::answer::{Answer, Instant, Points, Range, Response};
pub use self::http::respond;
pub use self::labels::Labels;
pub use self::matcher::Matcher;
pub use self::query::{ErrorType, Options, QueryError, label_names, label_values, query, query_range, series};
pub use self::storage::{AppendError, Place, STALE_NAN_BITS, Storage, is_stale};

#[cfg(test)]
mod tests;
