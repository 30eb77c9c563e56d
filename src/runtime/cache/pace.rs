//! Growing delays with a jitter that is computed, not drawn.

use std::{hash::Hasher, time::Duration};

use siphasher::sip::SipHasher13;

/// The delays of one watch. Equal names and salts give equal delays.
#[derive(Debug)]
pub(super) struct Pace {
    seed: u64,
    first: Duration,
    max: Duration,
    /// Delays given since the last reset.
    attempts: u32,
    /// Delays given ever.
    given: u64,
}

impl Pace {
    /// From `first`, doubling, to `max`; up to a quarter of each is taken off.
    pub(super) fn new(name: &str, salt: u64, first: Duration, max: Duration) -> Self {
        let mut hasher = SipHasher13::new_with_keys(salt, 0);
        hasher.write(name.as_bytes());
        Self { seed: hasher.finish(), first, max, attempts: 0, given: 0 }
    }

    /// The next delay.
    pub(super) fn next(&mut self) -> Duration {
        let doublings = self.attempts.min(20);
        self.attempts = self.attempts.saturating_add(1);
        let full = self.first.saturating_mul(1 << doublings).min(self.max);
        full - full.mul_f64(self.fraction() / 4.0)
    }

    /// As [`Pace::next`], but none the first time.
    pub(super) fn next_but_first(&mut self) -> Duration {
        if self.attempts == 0 {
            self.attempts = 1;
            return Duration::ZERO;
        }
        self.next()
    }

    /// Starts over with the first delay.
    pub(super) fn reset(&mut self) {
        self.attempts = 0;
    }

    /// At least 0, below 1.
    fn fraction(&mut self) -> f64 {
        self.given += 1;
        let mut hasher = SipHasher13::new_with_keys(self.seed, self.given);
        hasher.write_u8(0);
        let bits = u32::try_from(hasher.finish() >> 32).unwrap_or(0);
        f64::from(bits) / (f64::from(u32::MAX) + 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delays(name: &str, salt: u64) -> Vec<Duration> {
        let mut pace = Pace::new(name, salt, Duration::from_millis(800), Duration::from_secs(30));
        (0..12).map(|_| pace.next()).collect()
    }

    #[test]
    fn delays_double_up_to_the_bound_and_lose_at_most_a_quarter() {
        let mut full = Duration::from_millis(800);
        for delay in delays("pods", 7) {
            assert!(delay <= full && delay > full.mul_f64(0.75), "{delay:?} of {full:?}");
            full = (full * 2).min(Duration::from_secs(30));
        }
    }

    #[test]
    fn delays_depend_on_name_and_salt_only() {
        assert_eq!(delays("pods", 7), delays("pods", 7));
        assert_ne!(delays("pods", 7), delays("services", 7));
        assert_ne!(delays("pods", 7), delays("pods", 8));
    }

    #[test]
    fn after_a_reset_the_first_delay_comes_again() {
        let mut pace = Pace::new("pods", 0, Duration::from_secs(1), Duration::from_secs(60));
        for _ in 0..5 {
            pace.next();
        }
        pace.reset();
        assert!(pace.next() <= Duration::from_secs(1));
        pace.reset();
        assert_eq!(pace.next_but_first(), Duration::ZERO);
        assert!(pace.next_but_first() > Duration::ZERO);
    }
}
