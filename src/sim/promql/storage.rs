//! The samples that the simulated Prometheus has scraped.
//!
//! Takes labels with samples in the order of time; gives the series that matchers select. Sixteen bytes a sample, and what is
//! older than the retention goes by [`Storage::drop_before`], so that a month of virtual time fits when hours are kept.
//! Never reorders, never interpolates, never reads a clock.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound;

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

/// Where a series is, for whoever adds samples to it again and again. The default is nowhere: it is found at the first sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place(usize);

impl Default for Place {
    fn default() -> Self {
        Self(usize::MAX)
    }
}

/// Series by metric name and labels.
#[derive(Clone, Debug, Default)]
pub struct Storage {
    metrics: BTreeMap<Box<str>, Metric>,
    slots: Vec<Slot>,
    /// Slots whose series are gone.
    free: Vec<usize>,
}

/// The series of one name: their slots.
#[derive(Clone, Debug, Default)]
struct Metric {
    series: BTreeMap<Labels, usize>,
    /// The same by the value of [`INDEXED`], those that have it: nearly every query names the pods that it is about.
    by_pod: BTreeMap<Box<str>, BTreeMap<Labels, usize>>,
}

/// The samples of a series, and the very labels by which it was last found.
#[derive(Clone, Debug)]
struct Slot {
    labels: Labels,
    samples: VecDeque<Sample>,
}

/// The label that series are also filed under.
const INDEXED: &str = "pod";

impl Storage {
    /// Nothing scraped yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a sample at the end of a series. The same sample again is taken silently.
    pub fn append(&mut self, labels: &Labels, at_ms: i64, value: f64) -> Result<(), AppendError> {
        let slot = self.slot(labels)?;
        push(&mut self.slots[slot].samples, at_ms, value)
    }

    /// As [`Storage::append`]; `place` is remembered by the caller for these labels, and spares the search.
    pub fn append_at(&mut self, place: &mut Place, labels: &Labels, at_ms: i64, value: f64) -> Result<(), AppendError> {
        if self.slots.get(place.0).is_none_or(|slot| !slot.labels.is_same(labels)) {
            *place = Place(self.slot(labels)?);
            self.slots[place.0].labels = labels.clone();
        }
        push(&mut self.slots[place.0].samples, at_ms, value)
    }

    /// The slot of a series, which is there from now on.
    fn slot(&mut self, labels: &Labels) -> Result<usize, AppendError> {
        let name = labels.metric_name();
        if name.is_empty() {
            return Err(AppendError::NoName);
        }
        // A name is only copied when it is new.
        let metric = match self.metrics.get_mut(name) {
            Some(known) => known,
            None => self.metrics.entry(name.into()).or_default(),
        };
        if let Some(slot) = metric.series.get(labels) {
            return Ok(*slot);
        }
        let fresh = Slot { labels: labels.clone(), samples: VecDeque::new() };
        let slot = if let Some(slot) = self.free.pop() {
            self.slots[slot] = fresh;
            slot
        } else {
            self.slots.push(fresh);
            self.slots.len() - 1
        };
        metric.insert(labels, slot);
        Ok(slot)
    }

    /// Ends a series: from this time on it is not there until it gets a sample again.
    pub fn mark_stale(&mut self, labels: &Labels, at_ms: i64) -> Result<(), AppendError> {
        self.append(labels, at_ms, f64::from_bits(STALE_NAN_BITS))
    }

    /// Ends every living series that carries all of these labels, as when a scraped target goes away. Gives how many ended.
    pub fn mark_target_stale(&mut self, target: &[(&str, &str)], at_ms: i64) -> usize {
        let Self { metrics, slots, .. } = self;
        let hit = metrics.values().flat_map(|metric| &metric.series);
        let hit = hit.filter(|(labels, _)| target.iter().all(|(name, value)| labels.get(name) == *value));
        let mut ended = 0;
        for (_, slot) in hit {
            let samples = &mut slots[*slot].samples;
            if samples.back().is_some_and(|last| last.at_ms < at_ms && !is_stale(last.value)) {
                samples.push_back(Sample { at_ms, value: f64::from_bits(STALE_NAN_BITS) });
                ended += 1;
            }
        }
        ended
    }

    /// Forgets samples before a time, and series that have none left.
    pub fn drop_before(&mut self, at_ms: i64) {
        let Self { metrics, slots, free } = self;
        for metric in metrics.values_mut() {
            let mut empty = Vec::new();
            for (labels, slot) in &metric.series {
                let samples = &mut slots[*slot].samples;
                let old = samples.partition_point(|sample| sample.at_ms < at_ms);
                samples.drain(..old);
                if samples.capacity() > 4 * samples.len().max(16) {
                    samples.shrink_to(2 * samples.len());
                }
                if samples.is_empty() {
                    empty.push(labels.clone());
                }
            }
            for labels in empty {
                free.extend(metric.remove(&labels).inspect(|slot| slots[*slot].labels = Labels::empty()));
            }
        }
        metrics.retain(|_, metric| !metric.series.is_empty());
    }

    /// How many series there are.
    pub fn series_count(&self) -> usize {
        self.metrics.values().map(|metric| metric.series.len()).sum()
    }

    /// How many samples there are, stale markers included.
    pub fn sample_count(&self) -> usize {
        self.metrics.values().flat_map(|metric| metric.series.values()).map(|slot| self.slots[*slot].samples.len()).sum()
    }

    /// The series for which every matcher holds, by name, then by labels.
    pub(super) fn select<'a>(&'a self, matchers: &'a [Matcher]) -> Box<dyn Iterator<Item = SeriesRef<'a>> + 'a> {
        let exact = matchers.iter().find(|matcher| matcher.name() == METRIC_NAME).and_then(Matcher::exact);
        let read = |(labels, slot): (&'a Labels, &'a usize)| -> SeriesRef<'a> { (labels, &self.slots[*slot].samples) };
        let wanted = move |series: &SeriesRef<'a>| matchers.iter().all(|matcher| matcher.matches(series.0.get(matcher.name())));
        let Some(name) = exact else {
            return Box::new(self.metrics.values().flat_map(|metric| &metric.series).map(read).filter(wanted));
        };
        let metric = self.metrics.get(name);
        let prefix = matchers.iter().filter(|matcher| matcher.name() == INDEXED).find_map(Matcher::prefix);
        match prefix {
            Some(prefix) => {
                let mut found: Vec<_> = metric.into_iter().flat_map(|metric| metric.of_pods(prefix)).map(read).filter(wanted).collect();
                found.sort_by(|one, other| one.0.cmp(other.0));
                Box::new(found.into_iter())
            }
            None => Box::new(metric.into_iter().flat_map(|metric| &metric.series).map(read).filter(wanted)),
        }
    }
}

impl Metric {
    fn insert(&mut self, labels: &Labels, slot: usize) {
        self.series.insert(labels.clone(), slot);
        let pod = labels.get(INDEXED);
        if !pod.is_empty() {
            self.by_pod.entry(pod.into()).or_default().insert(labels.clone(), slot);
        }
    }

    fn remove(&mut self, labels: &Labels) -> Option<usize> {
        if let Some(of_pod) = self.by_pod.get_mut(labels.get(INDEXED)) {
            of_pod.remove(labels);
            if of_pod.is_empty() {
                self.by_pod.remove(labels.get(INDEXED));
            }
        }
        self.series.remove(labels)
    }

    /// The series of pods whose names begin like this, in no order.
    fn of_pods<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = (&'a Labels, &'a usize)> {
        let from = self.by_pod.range::<str, _>((Bound::Included(prefix), Bound::Unbounded));
        from.take_while(move |(pod, _)| pod.starts_with(prefix)).flat_map(|(_, series)| series)
    }
}

fn push(samples: &mut VecDeque<Sample>, at_ms: i64, value: f64) -> Result<(), AppendError> {
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
        let slot = storage.metrics["up"].series[&labels("new")];
        assert!(storage.slots[slot].samples.capacity() < 100, "memory is given back");
        storage.drop_before(1000);
        assert!(storage.metrics.is_empty());
    }

    #[test]
    fn a_remembered_place_is_never_another_series() {
        let mut storage = Storage::new();
        let (old, new, twin) = (labels("old"), labels("new"), labels("old"));
        let mut place = Place::default();
        storage.append_at(&mut place, &old, 10, 1.0).unwrap();
        storage.append_at(&mut place, &old, 20, 2.0).unwrap();
        storage.drop_before(30);
        assert_eq!(storage.series_count(), 0);
        // The slot is used again, by another series.
        storage.append_at(&mut Place::default(), &new, 40, 3.0).unwrap();
        storage.append_at(&mut place, &old, 40, 4.0).unwrap();
        storage.append_at(&mut Place::default(), &twin, 50, 5.0).unwrap();
        storage.append_at(&mut place, &old, 60, 6.0).unwrap();
        let matchers = [Matcher::equal("__name__", "up")];
        let found: Vec<(&str, usize)> = storage.select(&matchers).map(|(labels, samples)| (labels.get("pod"), samples.len())).collect();
        assert_eq!(found, [("new", 1), ("old", 3)]);
    }

    #[test]
    fn series_of_some_pods_are_found_as_by_looking_at_all() {
        let mut storage = Storage::new();
        for pod in ["a-1", "a-2", "ab-1", "b-1", ""] {
            for code in ["200", "500"] {
                storage.append(&Labels::new([("__name__", "up"), ("pod", pod), ("code", code)]), 10, 1.0).unwrap();
            }
        }
        storage.drop_before(5);
        let pods = |pattern: &str| {
            let parsed = promql_parser::parser::parse(&format!("up{{{pattern}}}")).unwrap();
            let promql_parser::parser::Expr::VectorSelector(selector) = parsed else { panic!("{parsed}") };
            let matchers = crate::sim::promql::matcher::compile(Some("up"), &selector.matchers).unwrap();
            storage.select(&matchers).map(|(labels, _)| format!("{}/{}", labels.get("code"), labels.get("pod"))).collect::<Vec<_>>()
        };
        assert_eq!(pods(r#"pod=~"a-.+""#), ["200/a-1", "200/a-2", "500/a-1", "500/a-2"]);
        assert_eq!(pods(r#"pod="a-1""#), ["200/a-1", "500/a-1"]);
        assert_eq!(pods(r#"pod=~"ab?-1""#), ["200/a-1", "200/ab-1", "500/a-1", "500/ab-1"]);
        assert_eq!(pods(r#"pod=~"b-1|a-2""#), ["200/a-2", "200/b-1", "500/a-2", "500/b-1"]);
        assert_eq!(pods(r#"pod=~"b{0}""#), ["200/", "500/"]);
        assert_eq!(pods(r#"pod="""#), ["200/", "500/"]);
        assert_eq!(pods(r#"pod!~"a.*""#), ["200/", "200/b-1", "500/", "500/b-1"]);
    }
}
