//! A histogram's increments: exact counts by upper bound, and quantiles as Prometheus interpolates them.

use std::collections::BTreeMap;

use super::NoData;

/// Cumulative counts by upper bound, in the histogram's unit; the last bound is infinite.
#[derive(Clone, Debug, PartialEq)]
pub struct Buckets {
    /// Bounds rise strictly, counts never fall, there is at least one.
    cumulative: Vec<(f64, u64)>,
}

/// Events above a bound, as exact counts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Above {
    /// Events above `bound`.
    pub part: u64,
    /// All events.
    pub total: u64,
    /// The bound that was used: the lowest one of the histogram that is not below what was asked for.
    pub bound: f64,
}

impl Buckets {
    /// From bounds as they stand in the label `le`, in any order. The same bound in two spellings (`1` and `1.0`, as different
    /// client libraries write it) is one bucket.
    ///
    /// # Errors
    /// [`NoData::Inconsistent`]: a bound that is no number, no bound `+Inf`, counts that fall with rising bounds (series with
    /// different bounds were summed, or a counter started anew in part), more than 2^53 events in a bucket.
    pub fn new<'a>(counts: impl IntoIterator<Item = (&'a str, u64)>) -> Result<Self, NoData> {
        let inconsistent = |text: String| NoData::Inconsistent(text);
        let mut by_bound: BTreeMap<Bound, u64> = BTreeMap::new();
        for (text, count) in counts {
            let bound = Bound::parse(text).ok_or_else(|| inconsistent(format!("the upper bound {text:?} is no number")))?;
            let sum = by_bound.entry(bound).or_default();
            *sum = sum.checked_add(count).ok_or_else(|| inconsistent(format!("too many events up to {text}")))?;
        }
        let cumulative: Vec<(f64, u64)> = by_bound.into_iter().map(|(bound, count)| (bound.0, count)).collect();
        if !cumulative.last().is_some_and(|(bound, _)| *bound == f64::INFINITY) {
            return Err(inconsistent("there is no bucket +Inf".to_owned()));
        }
        if let Some(pair) = cumulative.windows(2).find(|pair| pair[0].1 > pair[1].1) {
            let ((lower, more), (upper, fewer)) = (pair[0], pair[1]);
            return Err(inconsistent(format!("{more} events up to {lower}, but {fewer} up to {upper}")));
        }
        Ok(Self { cumulative })
    }

    /// Upper bound and cumulative count of each bucket, rising; the last bound is infinite.
    #[must_use]
    pub fn cumulative(&self) -> &[(f64, u64)] {
        &self.cumulative
    }

    /// All events.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.cumulative.last().map_or(0, |(_, count)| *count)
    }

    /// The `q`-quantile, 0 to 1, in the histogram's unit, interpolated as Prometheus' `histogram_quantile` does for classic
    /// histograms: linearly inside of the bucket that has the event of rank `q * total`; the lowest bucket begins at 0 if its
    /// bound is positive, and otherwise is its bound; in the bucket `+Inf`, the highest finite bound. (Prometheus documentation,
    /// "Query functions", `histogram_quantile`; `BucketQuantile` in `promql/quantile.go`.)
    ///
    /// # Errors
    /// [`NoData::NoEvents`] without events; [`NoData::Inconsistent`] with the bucket `+Inf` alone, which says nothing of size;
    /// [`NoData::NotANumber`] for a `q` outside of 0 to 1.
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53, and Prometheus computes in floats too")]
    pub fn quantile(&self, q: f64) -> Result<f64, NoData> {
        if !(0.0..=1.0).contains(&q) {
            return Err(NoData::NotANumber);
        }
        if self.total() == 0 {
            return Err(NoData::NoEvents);
        }
        let [.., (highest, _), _] = self.cumulative.as_slice() else {
            return Err(NoData::Inconsistent("the only bucket is +Inf".to_owned()));
        };
        let rank = q * self.total() as f64;
        let at = self.cumulative.iter().position(|(_, count)| *count as f64 >= rank).unwrap_or(self.cumulative.len() - 1);
        let (end, upto) = self.cumulative[at];
        let (start, before) = match at {
            _ if end == f64::INFINITY => return Ok(*highest),
            0 if end <= 0.0 => return Ok(end),
            0 => (0.0, 0),
            _ => self.cumulative[at - 1],
        };
        let inside = (upto - before) as f64;
        // Rank 0 may lie in an empty bucket, where every event is its start.
        let share = if inside > 0.0 { (rank - before as f64) / inside } else { 0.0 };
        Ok(start + (end - start) * share)
    }

    /// How many events were above `bound`, counted at the histogram's next bound from there: exact, and never more than there were.
    ///
    /// # Errors
    /// [`NoData::Inconsistent`] if no finite bound of the histogram reaches `bound`: then nothing can be said.
    pub fn above(&self, bound: f64) -> Result<Above, NoData> {
        let reached = self.cumulative.iter().find(|(upper, _)| upper.is_finite() && *upper >= bound);
        let (bound, upto) = *reached.ok_or_else(|| NoData::Inconsistent(format!("the histogram has no bucket from {bound} on")))?;
        let total = self.total();
        Ok(Above { part: total - upto, total, bound })
    }
}

/// An upper bound: a float that is not NaN, in its natural order; both zeros are the same.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Bound(f64);

impl Bound {
    fn parse(text: &str) -> Option<Self> {
        let bound = match text {
            "+Inf" | "Inf" => f64::INFINITY,
            _ => text.parse::<f64>().ok().filter(|bound| bound.is_finite())?,
        };
        Some(Self(bound + 0.0))
    }
}

impl Eq for Bound {}

impl Ord for Bound {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.total_cmp(&other.0)
    }
}

impl PartialOrd for Bound {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
