//! The samples that the simulated Prometheus has scraped.
//!
//! Takes labels with samples in the order of time; gives the series that matchers select. Sixteen bytes a sample, and what is
//! older than the retention goes by [`Storage::drop_before`], so that a month of virtual time fits when hours are kept.
//! Never reorders, never interpolates, never reads a clock.

use std::collections::{BTreeMap, VecDeque};

use super::labels::{Labels, METRIC_NAME};
use super::matcher::Matcher;

/// The bits of the not-a-number that says: from here on the series is gone. Prometheus tells it from every other NaN.
pub const STALE_NAN_BITS: u64 = 0x7ff0_0000_0000_0002;

/// Whether a value is the stale marker.
pub fn is_stale(value: f64) -> bool {
    value.to_bits() == STALE_NAN_BITS
}

/// One sample.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    /// Milliseconds since the epoch.
    pub at_ms: i64,
    /// The value, or the stale marker.
    pub value: f64,
}

/// Why a sample was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// An earlier time than the series' last sample.
    #[error("out of order sample: the series has a later one")]
    OutOfOrder,
    /// Another value at the time of the last sample.
    #[error("duplicate sample for timestamp: the series has another value there")]
    Duplicate,
    /// A series needs a name.
    #[error("the series has no metric name")]
    NoName,
}

/// One series: its labels and its samples in the order of time.
pub type SeriesRef<'a> = (&'a Labels, &'a VecDeque<Sample>);

/// Series by metric name and labels.
#[derive(Clone, Debug, Default)]
pub struct Storage {
    metrics: BTreeMap<Box<str>, BTreeMap<Labels, VecDeque<Sample>>>,
}

impl Storage {
    /// Nothing scraped yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a sample at the end of a series. The same sample again is taken silently.
    pub fn append(&mut self, labels: &Labels, at_ms: i64, value: f64) -> Result<(), AppendError> {
        let name = labels.metric_name();
        if name.is_empty() {
            return Err(AppendError::NoName);
        }
        // One search each: a name is only copied when it is new, a clone of labels costs a counter.
        let metric = match self.metrics.get_mut(name) {
            Some(known) => known,
            None => self.metrics.entry(name.into()).or_default(),
        };
        let samples = metric.entry(labels.clone()).or_default();
        match samples.back() {
            Some(last) if last.at_ms > at_ms => Err(AppendError::OutOfOrder),
            Some(last) if last.at_ms == at_ms && last.value.to_bits() == value.to_bits() => Ok(()),
            Some(last) if last.at_ms == at_ms => Err(AppendError::Duplicate),
            _ => {
                samples.push_back(Sample { at_ms, value });
                Ok(())
            }
        }
    }

    /// Ends a series: from this time on it is not there until it gets a sample again.
    pub fn mark_stale(&mut self, labels: &Labels, at_ms: i64) -> Result<(), AppendError> {
        self.append(labels, at_ms, f64::from_bits(STALE_NAN_BITS))
    }

    /// Ends every living series that carries all of these labels, as when a scraped target goes away. Gives how many ended.
    pub fn mark_target_stale(&mut self, target: &[(&str, &str)], at_ms: i64) -> usize {
        let series = self.metrics.values_mut().flat_map(BTreeMap::iter_mut);
        let hit = series.filter(|(labels, _)| target.iter().all(|(name, value)| labels.get(name) == *value));
        let living = hit.filter(|(_, samples)| samples.back().is_some_and(|last| last.at_ms < at_ms && !is_stale(last.value)));
        living.map(|(_, samples)| samples.push_back(Sample { at_ms, value: f64::from_bits(STALE_NAN_BITS) })).count()
    }

    /// Forgets samples before a time, and series that have none left.
    pub fn drop_before(&mut self, at_ms: i64) {
        for metric in self.metrics.values_mut() {
            for samples in metric.values_mut() {
                let old = samples.partition_point(|sample| sample.at_ms < at_ms);
                samples.drain(..old);
                if samples.capacity() > 4 * samples.len().max(16) {
                    samples.shrink_to(2 * samples.len());
                }
            }
            metric.retain(|_, samples| !samples.is_empty());
        }
        self.metrics.retain(|_, metric| !metric.is_empty());
    }

    /// How many series there are.
    pub fn series_count(&self) -> usize {
        self.metrics.values().map(BTreeMap::len).sum()
    }

    /// How many samples there are, stale markers included.
    pub fn sample_count(&self) -> usize {
        self.metrics.values().flat_map(BTreeMap::values).map(VecDeque::len).sum()
    }

    /// The series for which every matcher holds, by name, then by labels.
    pub(super) fn select<'a>(&'a self, matchers: &'a [Matcher]) -> Box<dyn Iterator<Item = SeriesRef<'a>> + 'a> {
        let exact = matchers.iter().find(|matcher| matcher.name() == METRIC_NAME).and_then(Matcher::exact);
        let wanted = move |series: &SeriesRef<'a>| matchers.iter().all(|matcher| matcher.matches(series.0.get(matcher.name())));
        match exact {
            Some(name) => Box::new(self.metrics.get(name).into_iter().flatten().filter(wanted)),
            None => Box::new(self.metrics.values().flatten().filter(wanted)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(pod: &str) -> Labels {
        Labels::new([("__name__", "up"), ("pod", pod)])
    }

    #[test]
    fn samples_come_in_the_order_of_time() {
        let mut storage = Storage::new();
        assert_eq!(storage.append(&labels("a"), 10, 1.0), Ok(()));
        assert_eq!(storage.append(&labels("a"), 10, 1.0), Ok(()));
        assert_eq!(storage.append(&labels("a"), 10, 2.0), Err(AppendError::Duplicate));
        assert_eq!(storage.append(&labels("a"), 9, 2.0), Err(AppendError::OutOfOrder));
        assert_eq!(storage.append(&Labels::new([("pod", "a")]), 9, 2.0), Err(AppendError::NoName));
        assert_eq!((storage.series_count(), storage.sample_count()), (1, 1));
    }

    #[test]
    fn a_target_that_goes_away_ends_its_living_series_once() {
        let mut storage = Storage::new();
        for pod in ["a", "b"] {
            storage.append(&labels(pod), 10, 1.0).unwrap();
        }
        assert_eq!(storage.mark_target_stale(&[("pod", "a")], 20), 1);
        assert_eq!(storage.mark_target_stale(&[("pod", "a")], 30), 0);
        assert_eq!(storage.sample_count(), 3);
    }

    #[test]
    fn what_is_too_old_is_forgotten_and_empty_series_with_it() {
        let mut storage = Storage::new();
        storage.append(&labels("old"), 10, 1.0).unwrap();
        for at in 0..1000 {
            storage.append(&labels("new"), at, 1.0).unwrap();
        }
        storage.drop_before(990);
        assert_eq!((storage.series_count(), storage.sample_count()), (1, 10));
        assert!(storage.metrics["up"][&labels("new")].capacity() < 100, "memory is given back");
        storage.drop_before(1000);
        assert!(storage.metrics.is_empty());
    }
}
