//! How long a key waits after a failure.
//!
//! Takes failures and successes of keys; gives delays, and schedules the attempts after them.

use std::collections::BTreeMap;

use jiff::SignedDuration;

use crate::sim::api_error::ApiError;
use crate::sim::simulation::Schedule;

/// Failures in a row, by key.
#[derive(Clone, Debug)]
pub struct Backoff {
    failures: BTreeMap<String, u32>,
    first: SignedDuration,
    longest: SignedDuration,
    retries_max: u32,
}

impl Backoff {
    /// The queue of most controllers: 5 ms, doubling up to 1000 s.
    pub fn controller() -> Self {
        Self::new(SignedDuration::from_millis(5), SignedDuration::from_secs(1000))
    }

    /// From `first`, doubling up to `longest`.
    pub fn new(first: SignedDuration, longest: SignedDuration) -> Self {
        Self { failures: BTreeMap::new(), first, longest, retries_max: u32::MAX }
    }

    /// Gives up after so many retries, until the key is noticed again.
    pub fn giving_up_after(self, retries_max: u32) -> Self {
        Self { retries_max, ..self }
    }

    /// Notes a failure; gives the delay before the next attempt, or none when it gives up.
    pub fn failed(&mut self, key: &str) -> Option<SignedDuration> {
        let failures = self.failures.entry(key.to_owned()).or_insert(0);
        if *failures >= self.retries_max {
            self.failures.remove(key);
            return None;
        }
        let doubled = self.first.checked_mul(1_i32.checked_shl(*failures).filter(|factor| *factor > 0).unwrap_or(i32::MAX));
        *failures += 1;
        Some(doubled.unwrap_or(self.longest).min(self.longest))
    }

    /// Notes how an attempt ended; a failed one is made again after its delay, unless the backoff gives up.
    pub fn settle(&mut self, key: &str, outcome: &Result<(), ApiError>, schedule: &mut Schedule) {
        if outcome.is_ok() {
            self.succeeded(key);
        } else if let Some(delay) = self.failed(key) {
            schedule.after(delay, key);
        }
    }

    /// Notes a success.
    pub fn succeeded(&mut self, key: &str) {
        self.failures.remove(key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_up_to_the_longest_and_begin_anew_after_a_success() {
        let mut backoff = Backoff::controller();
        let delays: Vec<i128> = (0..4).map(|_| backoff.failed("k").unwrap().as_millis()).collect();
        assert_eq!(delays, [5, 10, 20, 40]);
        for _ in 0..100 {
            assert!(backoff.failed("k").unwrap() <= SignedDuration::from_secs(1000));
        }
        assert_eq!(backoff.failed("k"), Some(SignedDuration::from_secs(1000)));
        backoff.succeeded("k");
        assert_eq!(backoff.failed("k"), Some(SignedDuration::from_millis(5)));
    }

    #[test]
    fn a_limited_backoff_gives_up() {
        let mut backoff = Backoff::controller().giving_up_after(2);
        assert!(backoff.failed("k").is_some() && backoff.failed("k").is_some());
        assert_eq!(backoff.failed("k"), None);
    }
}
