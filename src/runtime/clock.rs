//! What time it is: the wall clock in production, tokio's (possibly paused) clock in a simulation.
//!
//! Gives timestamps only. Waiting is done with tokio's timers everywhere, which follow a paused clock by themselves.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

/// Tells the time of everything that is written, compared or logged.
pub trait Clock: Send + Sync + 'static {
    /// The current time. May go backwards when a wall clock is set.
    fn now(&self) -> Timestamp;
}

/// The wall clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place where the wall clock comes in")]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

/// Virtual time: `epoch` plus what tokio's clock has advanced since this value was made.
///
/// With `tokio::time::pause` it stands still but for tokio's auto-advance; without, it runs in real time from `epoch`.
#[derive(Debug, Clone, Copy)]
pub struct VirtualClock {
    epoch: Timestamp,
    started: tokio::time::Instant,
}

impl VirtualClock {
    /// A clock that shows `epoch` now.
    #[must_use]
    pub fn new(epoch: Timestamp) -> Self {
        Self { epoch, started: tokio::time::Instant::now() }
    }
}

impl Clock for VirtualClock {
    fn now(&self) -> Timestamp {
        after(self.epoch, self.started.elapsed())
    }
}

/// `start` plus `delay`, stopping at the end of time instead of failing.
#[must_use]
pub fn after(start: Timestamp, delay: Duration) -> Timestamp {
    SignedDuration::try_from(delay).ok().and_then(|delay| start.checked_add(delay).ok()).unwrap_or(Timestamp::MAX)
}

/// How long it is from `now` until `due`; zero when `due` has passed.
#[must_use]
pub fn until(now: Timestamp, due: Timestamp) -> Duration {
    Duration::try_from(due.duration_since(now)).unwrap_or(Duration::ZERO)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn virtual_time_moves_with_the_paused_clock_and_only_with_it() {
        let epoch: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let clock = VirtualClock::new(epoch);
        assert_eq!(clock.now(), epoch);
        tokio::time::sleep(Duration::from_secs(3600)).await;
        assert_eq!(clock.now(), "2026-01-01T01:00:00Z".parse().unwrap());
    }

    #[test]
    fn additions_stop_at_the_end_of_time() {
        assert_eq!(after(Timestamp::MAX, Duration::from_secs(1)), Timestamp::MAX);
        assert_eq!(after(Timestamp::UNIX_EPOCH, Duration::MAX), Timestamp::MAX);
    }

    #[test]
    fn time_until_a_past_moment_is_zero() {
        let now = Timestamp::from_second(100).unwrap();
        assert_eq!(until(now, Timestamp::from_second(40).unwrap()), Duration::ZERO);
        assert_eq!(until(now, Timestamp::from_second(160).unwrap()), Duration::from_secs(60));
    }
}
