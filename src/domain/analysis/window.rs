//! Which windows of which metrics are due.
//!
//! Windows of a metric follow each other without gap or overlap from the moment when the weight was in effect, in whole multiples of
//! the interval: nothing is counted twice, and after an interruption one longer window takes in what was missed. A gap of more than
//! [`WINDOW_MAX`] is not bridged, because a counter that was silent for so long cannot be told from a new one: then what lies before
//! the last interval is left out.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::domain::analysis::criteria::Criteria;
use crate::domain::analysis::profile::SETTLING;
use crate::domain::analysis::progress::{MetricProgress, Progress};

/// The longest window.
pub const WINDOW_MAX: SignedDuration = SignedDuration::from_hours(1);

/// What is to be asked of one metric.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// Place of the metric in the criteria.
    pub metric: usize,
    /// The window is (from, to].
    pub from: Timestamp,
    /// See `from`.
    pub to: Timestamp,
    /// What must have been seen alive at the start, or its counters would be taken for new ones.
    pub alive_at_start: Alive,
}

/// Revisions whose series must have fresh samples.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Alive {
    /// The candidate.
    pub candidate: bool,
    /// The stable revision.
    pub stable: bool,
}

impl Question {
    /// Length of the window.
    #[must_use]
    pub fn length(&self) -> Duration {
        Duration::try_from(self.to.duration_since(self.from)).unwrap_or_default()
    }
}

/// Questions that can be answered `now`. `asked` says up to which moment a metric was asked for, whether
/// anything came of it or not.
pub fn due(criteria: &Criteria, progress: &Progress, now: Timestamp, asked: &dyn Fn(&str) -> Option<Timestamp>) -> Vec<Question> {
    let all = progress.metrics.iter().enumerate();
    let questions = all.filter_map(|(metric, state)| question(criteria, progress, metric, state, now));
    let is_news = |question: &Question| asked(&progress.metrics[question.metric].name).is_none_or(|before| before < question.to);
    questions.filter(is_news).collect()
}

/// When the next question can be asked; none without metrics. `asked` as for [`due`].
pub fn next(criteria: &Criteria, progress: &Progress, now: Timestamp, asked: &dyn Fn(&str) -> Option<Timestamp>) -> Option<Timestamp> {
    let next_of = |state: &MetricProgress| {
        let start = state.until.unwrap_or(progress.subject.since);
        let known = asked(&state.name).map_or(start, |before| before.max(start));
        let steps = elapsed(start, known, criteria.interval) + 1;
        let end = start + times(criteria.interval, steps);
        // Of a window that could be asked for already, the next one counts.
        let settled = end + SETTLING;
        if settled > now {
            settled
        } else {
            start + times(criteria.interval, elapsed(start, now - SETTLING, criteria.interval) + 1) + SETTLING
        }
    };
    progress.metrics.iter().map(next_of).min()
}

fn question(criteria: &Criteria, progress: &Progress, metric: usize, state: &MetricProgress, now: Timestamp) -> Option<Question> {
    let start = state.until.unwrap_or(progress.subject.since);
    let steps = elapsed(start, now - SETTLING, criteria.interval);
    if steps < 1 {
        return None;
    }
    let to = start + times(criteria.interval, steps);
    let bridged = to.duration_since(start) <= WINDOW_MAX.max(criteria.interval);
    let from = if bridged { start } else { to - criteria.interval };
    let unknown = state.until.is_none() || !bridged;
    // The first series of who is judged may come after the window began, also of who took over at once and was not measured on its
    // way; those of a revision that served before must be there.
    let grown = state.continued || !bridged;
    let alive_at_start = Alive { candidate: unknown && grown, stable: unknown };
    Some(Question { metric, from, to, alive_at_start })
}

/// Whole intervals between two moments.
fn elapsed(from: Timestamp, to: Timestamp, interval: SignedDuration) -> i64 {
    let (passed, step) = (to.duration_since(from).as_millis(), interval.as_millis().max(1));
    i64::try_from(passed.div_euclid(step)).unwrap_or(0)
}

fn times(interval: SignedDuration, steps: i64) -> SignedDuration {
    interval.checked_mul(i32::try_from(steps).unwrap_or(i32::MAX)).unwrap_or(SignedDuration::MAX)
}
