//! Quantiles and fractions of classic histograms: cumulative counts under upper bounds.

use super::super::notes::Notes;

/// Differences between neighbours below this fraction of their sum are rounding, not observations.
const SMALL_DELTA: f64 = 1e-12;

/// Observations up to a bound.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bucket {
    /// The bound, itself included.
    pub upper: f64,
    /// How many, those of lower buckets included.
    pub count: f64,
}

/// The bound that a bucket's label says, if it says one.
pub fn upper_bound(label: &str) -> Option<f64> {
    let bound: f64 = label.parse().ok()?;
    // Rust reads a number that is too large as infinite, Prometheus refuses it.
    let written_infinite = label.to_ascii_lowercase().contains("inf");
    (!bound.is_nan() && (bound.is_finite() || written_infinite)).then_some(bound)
}

/// Buckets by bound, equal bounds put together; nothing unless the last has no upper bound.
fn ordered(mut buckets: Vec<Bucket>) -> Option<Vec<Bucket>> {
    buckets.sort_by(|left, right| left.upper.total_cmp(&right.upper));
    let mut merged: Vec<Bucket> = Vec::with_capacity(buckets.len());
    for bucket in buckets {
        match merged.last_mut() {
            Some(last) if last.upper == bucket.upper => last.count += bucket.count,
            _ => merged.push(bucket),
        }
    }
    (merged.last()?.upper == f64::INFINITY).then_some(merged)
}

fn almost_equal(left: f64, right: f64) -> bool {
    if left == right || (left.is_nan() && right.is_nan()) {
        return true;
    }
    let (sum, difference) = (left.abs() + right.abs(), (left - right).abs());
    if left == 0.0 || right == 0.0 || sum < f64::MIN_POSITIVE {
        return difference < SMALL_DELTA * f64::MIN_POSITIVE;
    }
    difference / sum.min(f64::MAX) < SMALL_DELTA
}

/// Makes counts rise with their bounds. Says whether more than rounding had to be undone.
fn force_monotonic(buckets: &mut [Bucket]) -> bool {
    let mut forced = false;
    let Some(mut before) = buckets.first().map(|bucket| bucket.count) else { return false };
    for bucket in &mut buckets[1..] {
        let rounding = almost_equal(before, bucket.count);
        if rounding || bucket.count < before {
            forced |= !rounding;
            bucket.count = before;
        } else {
            before = bucket.count;
        }
    }
    forced
}

/// A quantile of the observations, linear within a bucket.
pub fn quantile(q: f64, buckets: Vec<Bucket>, notes: &mut Notes) -> f64 {
    if q.is_nan() {
        return f64::NAN;
    }
    if q < 0.0 {
        return f64::NEG_INFINITY;
    }
    if q > 1.0 {
        return f64::INFINITY;
    }
    let Some(mut buckets) = ordered(buckets) else { return f64::NAN };
    if force_monotonic(&mut buckets) {
        notes.inform("the buckets given to histogram_quantile did not rise with their bounds and were made to");
    }
    let last = buckets.len() - 1;
    let observations = buckets[last].count;
    if buckets.len() < 2 || observations == 0.0 {
        return f64::NAN;
    }
    let rank = q * observations;
    let place = first_reaching(&buckets[..last], rank);
    if place == last {
        return buckets[last - 1].upper;
    }
    if place == 0 && buckets[0].upper <= 0.0 {
        return buckets[0].upper;
    }
    let below = if place == 0 { Bucket { upper: 0.0, count: 0.0 } } else { buckets[place - 1] };
    let bucket = buckets[place];
    below.upper + (bucket.upper - below.upper) * ((rank - below.count) / (bucket.count - below.count))
}

/// The first bucket whose count reaches a rank, by the halving that Prometheus does: with NaN counts the way matters.
fn first_reaching(buckets: &[Bucket], rank: f64) -> usize {
    let (mut low, mut high) = (0, buckets.len());
    while low < high {
        let middle = low + (high - low) / 2;
        if buckets[middle].count >= rank {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    low
}

/// The fraction of observations above `low` and up to `high`, linear within a bucket; of unbounded buckets nothing is split.
pub fn fraction(low: f64, high: f64, buckets: Vec<Bucket>) -> f64 {
    let Some(buckets) = ordered(buckets) else { return f64::NAN };
    let Some(total) = buckets.last().map(|bucket| bucket.count) else { return f64::NAN };
    if total == 0.0 || low.is_nan() || high.is_nan() {
        return f64::NAN;
    }
    if low >= high {
        return 0.0;
    }
    let rank = |bound: f64| rank_of(bound, &buckets).map_or(total, |rank| if rank > total { total } else { rank });
    (rank(high) - rank(low)) / total
}

/// How many observations lie up to a bound; nothing if it lies above all buckets.
fn rank_of(bound: f64, buckets: &[Bucket]) -> Option<f64> {
    // With a first bound above zero nothing negative was observed.
    let first_lower = if buckets[0].upper <= 0.0 { f64::NEG_INFINITY } else { 0.0 };
    let mut below = Bucket { upper: first_lower, count: 0.0 };
    for bucket in buckets {
        if below.upper >= bound {
            return Some(below.count);
        }
        if bucket.upper > bound {
            if below.upper == f64::NEG_INFINITY {
                return Some(bucket.count);
            }
            return Some(below.count + (bucket.count - below.count) * (bound - below.upper) / (bucket.upper - below.upper));
        }
        below = *bucket;
    }
    None
}
