//! Functions of the samples in a span of time: what they are given, and the table of them.

use super::{over_time, rate, regression};
use crate::sim::promql::storage::Sample;

/// The samples of one series in a span of time, open on the left. There is at least one, and none is a stale marker.
#[derive(Clone, Copy, Debug)]
pub struct Window<'a> {
    /// In the order of time.
    pub samples: &'a [Sample],
    /// Where the span begins, itself excluded, in milliseconds.
    pub start_ms: i64,
    /// Where the span ends, itself included.
    pub end_ms: i64,
    /// The time of the step that asks.
    pub step_ms: i64,
    /// The scalar argument; NaN for functions without one.
    pub parameter: f64,
}

impl<'a> Window<'a> {
    /// The values alone.
    pub fn values(&self) -> impl Iterator<Item = f64> + 'a {
        self.samples.iter().map(|sample| sample.value)
    }
}

/// A function of a span of time.
#[derive(Debug)]
pub struct WindowFunction {
    /// As it is written in a query.
    pub name: &'static str,
    /// The value, if there is one.
    pub apply: fn(&Window<'_>) -> Option<f64>,
    /// Which of two arguments is a scalar.
    pub parameter_at: Option<usize>,
    /// It looks back only, so the result is still that metric.
    pub keeps_name: bool,
    /// It expects a counter.
    pub of_counter: bool,
    /// Its scalar is a quantile.
    pub of_quantile: bool,
    /// Its value depends on the time of the step, not only on the span.
    pub of_step_time: bool,
}

const fn plain(name: &'static str, apply: fn(&Window<'_>) -> Option<f64>) -> WindowFunction {
    WindowFunction { name, apply, parameter_at: None, keeps_name: false, of_counter: false, of_quantile: false, of_step_time: false }
}

const fn look_back(name: &'static str, apply: fn(&Window<'_>) -> Option<f64>) -> WindowFunction {
    WindowFunction { keeps_name: true, ..plain(name, apply) }
}

const fn counter(name: &'static str, apply: fn(&Window<'_>) -> Option<f64>) -> WindowFunction {
    WindowFunction { of_counter: true, ..plain(name, apply) }
}

/// All of them but `absent_over_time`, which looks at what is not there.
pub static WINDOW_FUNCTIONS: [WindowFunction; 20] = [
    plain("avg_over_time", over_time::mean),
    plain("changes", over_time::changes),
    plain("count_over_time", over_time::count),
    plain("delta", rate::delta),
    plain("deriv", regression::deriv),
    look_back("first_over_time", over_time::first),
    plain("idelta", rate::idelta),
    counter("increase", rate::increase),
    plain("irate", rate::irate),
    look_back("last_over_time", over_time::last),
    plain("max_over_time", over_time::max),
    plain("min_over_time", over_time::min),
    WindowFunction { parameter_at: Some(1), of_step_time: true, ..plain("predict_linear", regression::predict_linear) },
    plain("present_over_time", over_time::present),
    WindowFunction { parameter_at: Some(0), of_quantile: true, ..plain("quantile_over_time", over_time::quantile) },
    counter("rate", rate::rate),
    plain("resets", over_time::resets),
    plain("stddev_over_time", over_time::stddev),
    plain("stdvar_over_time", over_time::stdvar),
    plain("sum_over_time", over_time::sum),
];
