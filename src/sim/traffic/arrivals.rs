//! How many requests arrive, and when.
//!
//! Takes the shape of a demand and a window of virtual time; gives a rate and a count. The rate follows a cosine over the day
//! and a factor for the weekend, in UTC. Counts are gamma-mixed Poisson (negative binomial): with burstiness `b` the variance
//! of the count in any window is `b` times its mean, as independent bursts make it; 1 is plain Poisson, independent users.

use jiff::{SignedDuration, Timestamp};

use super::sampling::Stream;
use crate::sim::draw::Draws;

/// Seconds of a day.
const DAY: i64 = 86_400;

/// The shape of a demand.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Arrivals {
    /// Requests per second, the mean over a weekday.
    pub per_second: f64,
    /// Time of day, in UTC, at which most arrive.
    pub daily_peak: SignedDuration,
    /// Rate at the peak over the rate twelve hours from it; 1: the same all day.
    pub peak_to_trough: f64,
    /// Rate on Saturdays and Sundays over that of other days.
    pub weekend: f64,
    /// Variance of the count in a window over its mean, at least 1.
    pub burstiness: f64,
}

impl Arrivals {
    /// The same rate at all times, independent users.
    pub fn steady(per_second: f64) -> Self {
        Self { per_second, daily_peak: SignedDuration::from_hours(14), peak_to_trough: 1.0, weekend: 1.0, burstiness: 1.0 }
    }

    /// Requests per second at a time.
    pub fn rate(&self, at: Timestamp) -> f64 {
        let second = at.as_second().rem_euclid(DAY) as f64;
        let phase = std::f64::consts::TAU * (second - self.daily_peak.as_secs_f64()) / DAY as f64;
        let swing = (self.peak_to_trough - 1.0) / (self.peak_to_trough + 1.0);
        // The epoch was a Thursday.
        let weekday = (at.as_second().div_euclid(DAY) + 3).rem_euclid(7);
        let week = if weekday >= 5 { self.weekend } else { 1.0 };
        self.per_second * (1.0 + swing * phase.cos()) * week
    }

    /// How many arrive in the window that begins at `from`. The same key and window give the same count.
    pub fn count(&self, draws: &Draws, identity: &str, window: u64, from: Timestamp, length: SignedDuration) -> u64 {
        let mean = self.rate(from + length / 2) * length.as_secs_f64();
        let mut stream = Stream::new(draws, "arrivals", identity, window);
        let excess = self.burstiness - 1.0;
        // Poisson with a gamma-distributed mean of scale b - 1 has variance b times its mean.
        let mean = if excess > 1e-9 { stream.gamma(mean / excess) * excess } else { mean };
        stream.poisson(mean)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: SignedDuration = SignedDuration::from_secs(5);

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn counts(arrivals: &Arrivals, seed: u64) -> Vec<f64> {
        let start = at("2026-01-01T00:00:00Z");
        let draws = Draws::new(seed);
        (0..4000u64).map(|n| arrivals.count(&draws, "0/a", n, start + WINDOW * i32::try_from(n).unwrap(), WINDOW) as f64).collect()
    }

    #[test]
    fn the_rate_peaks_at_its_hour_and_keeps_its_daily_mean() {
        let arrivals = Arrivals { peak_to_trough: 3.0, ..Arrivals::steady(40.0) };
        let (peak, trough) = (arrivals.rate(at("2026-01-01T14:00:00Z")), arrivals.rate(at("2026-01-01T02:00:00Z")));
        assert!((peak - 60.0).abs() < 1e-9 && (trough - 20.0).abs() < 1e-9, "{peak} {trough}");
        let start = at("2026-01-01T00:00:00Z");
        let mean = (0..1440).map(|minute| arrivals.rate(start + SignedDuration::from_mins(minute))).sum::<f64>() / 1440.0;
        assert!((mean - 40.0).abs() < 1e-6, "{mean}");
    }

    #[test]
    fn weekends_have_their_own_rate() {
        let arrivals = Arrivals { weekend: 0.25, ..Arrivals::steady(8.0) };
        let rates = ["2026-01-02", "2026-01-03", "2026-01-04", "2026-01-05"].map(|day| arrivals.rate(at(&format!("{day}T12:00:00Z"))));
        assert_eq!(rates, [8.0, 2.0, 2.0, 8.0]);
    }

    #[test]
    fn burstiness_is_the_variance_over_the_mean() {
        for burstiness in [1.0, 2.0, 8.0] {
            let found = counts(&Arrivals { burstiness, ..Arrivals::steady(20.0) }, 1);
            let mean = found.iter().sum::<f64>() / found.len() as f64;
            let variance = found.iter().map(|count| (count - mean).powi(2)).sum::<f64>() / found.len() as f64;
            assert!((mean / 100.0 - 1.0).abs() < 0.03, "{mean}");
            assert!((variance / mean / burstiness - 1.0).abs() < 0.12, "{burstiness}: {}", variance / mean);
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_counts_and_another_one_others() {
        let arrivals = Arrivals { burstiness: 2.0, ..Arrivals::steady(20.0) };
        assert_eq!(counts(&arrivals, 1), counts(&arrivals, 1));
        assert_ne!(counts(&arrivals, 1), counts(&arrivals, 2));
    }
}
