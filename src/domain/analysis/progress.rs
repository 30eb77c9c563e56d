//! What is remembered of an analysis: enough to go on after a restart, and to compute every verdict again.

use jiff::Timestamp;

use crate::domain::revision::RevisionName;
use crate::domain::statistics::evidence::Evidence;
use crate::domain::statistics::quantiles::QuantileEvidence;

/// Values kept of each metric; at least the greatest failure limit, so that the breaches that failed it are among them.
pub const VALUES_MAX: usize = 10;

/// Who is judged, at which weight.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// The revision that is judged.
    pub revision: RevisionName,
    /// The one that it is compared with; none after its promotion.
    pub stable: Option<RevisionName>,
    /// Its weight, percent.
    pub weight: i32,
    /// Since when that weight is in effect: nothing from before counts.
    pub since: Timestamp,
}

/// An analysis.
#[derive(Clone, Debug, PartialEq)]
pub struct Progress {
    /// Who is judged.
    pub subject: Subject,
    /// One for each metric of the criteria, in their order.
    pub metrics: Vec<MetricProgress>,
}

/// One metric of an analysis.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MetricProgress {
    /// As the user calls it.
    pub name: String,
    /// The definition that everything in here was judged by.
    pub definition: String,
    /// End of the last window that was measured at the present weight; none before the first.
    pub until: Option<Timestamp>,
    /// It was measured at an earlier weight of this rollout, so that the candidate's series are there already.
    pub continued: bool,
    /// Events of the candidate at the present weight.
    pub samples: u64,
    /// Events of the stable revision in the same time; 0 without a comparison.
    pub stable_samples: u64,
    /// Breaches of the threshold in a row.
    pub breaches: u32,
    /// The last values, oldest first, at most [`VALUES_MAX`].
    pub values: Vec<Measured>,
    /// What the comparison has seen.
    pub compared: Option<Compared>,
    /// There is no data now.
    pub missing: Option<Missing>,
    /// The queries of the last measurement, as they were sent for the candidate.
    pub queries: Vec<String>,
}

/// One measurement.
#[derive(Clone, Debug, PartialEq)]
pub struct Measured {
    /// End of its window.
    pub at: Timestamp,
    /// Length of its window in seconds.
    pub seconds: i64,
    /// The candidate's value in the metric's unit; finite.
    pub value: f64,
    /// Events behind it; none for a metric without events.
    pub samples: Option<u64>,
    /// It broke a bound.
    pub breach: bool,
    /// Stable's value in the same window, where it was measured.
    pub stable: Option<f64>,
}

/// Evidence of a comparison.
#[derive(Clone, Debug, PartialEq)]
pub enum Compared {
    /// Of shares.
    Shares(Evidence),
    /// Of a quantile: with the upper bounds of the buckets, in the histogram's unit.
    Quantiles {
        /// Finite, rising.
        bounds: Vec<f64>,
        /// What was counted.
        evidence: QuantileEvidence,
    },
}

/// Data that is not there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// Since when.
    pub since: Timestamp,
    /// Why, in words.
    pub message: String,
}

impl Progress {
    /// The analysis of `subject` that goes on from `before`: evidence stays only for the same revisions and definitions, counts of a step
    /// only for the same weight since the same moment. `metrics` are names and definitions.
    pub fn of(before: Option<&Self>, subject: Subject, metrics: impl Iterator<Item = (String, String)>) -> Self {
        let same_rollout = before.filter(|before| before.subject.revision == subject.revision);
        let same_pair = same_rollout.is_some_and(|before| before.subject.stable == subject.stable);
        let same_step = same_pair && same_rollout.is_some_and(|before| before.subject == subject);
        let progress = |(name, definition): (String, String)| {
            let found =
                same_rollout.and_then(|before| before.metrics.iter().find(|old| (&old.name, &old.definition) == (&name, &definition)));
            match found {
                Some(old) if same_step => old.clone(),
                Some(old) => old.at_another_weight(same_pair),
                None => MetricProgress { name, definition, ..MetricProgress::default() },
            }
        };
        Self { metrics: metrics.map(progress).collect(), subject }
    }
}

impl MetricProgress {
    /// What stays when the weight is another one, or was in effect anew.
    fn at_another_weight(&self, same_pair: bool) -> Self {
        let Self { name, definition, until, continued, samples: _, stable_samples: _, breaches, values, compared, missing, queries } = self;
        Self {
            name: name.clone(),
            definition: definition.clone(),
            until: None,
            continued: *continued || until.is_some(),
            samples: 0,
            stable_samples: 0,
            breaches: *breaches,
            values: values.clone(),
            compared: compared.clone().filter(|_| same_pair),
            missing: missing.clone(),
            queries: queries.clone(),
        }
    }

    /// Keeps the newest values only.
    pub(super) fn push(&mut self, measured: Measured) {
        self.values.push(measured);
        let surplus = self.values.len().saturating_sub(VALUES_MAX);
        self.values.drain(..surplus);
    }
}
