//! Counts of one version and of a pair of versions.
//!
//! Takes increments of counters, gives sums that are always counts: finite, not negative, no more events than trials.

use crate::domain::statistics::Problem;

/// The greatest count that is handled; below it a 64-bit float still tells neighbours apart.
pub const GREATEST: f64 = 1e15;

/// Some of so many: errors of requests, successes of requests, requests above a bound.
///
/// Real numbers, because increments of scraped counters may be: a sum of values of which each request gives one in 0-1 is as good as
/// a count (a convex function of it lies below its chord). An estimate, however, must not exceed what happened: take raw
/// differences of counters, not extrapolated increases, and round estimates of events and trials with [`Counts::rounded_down`].
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Counts {
    events: f64,
    trials: f64,
}

impl Counts {
    /// `events` of `trials`.
    ///
    /// # Errors
    /// Numbers that are no counts (negative, not finite, above [`GREATEST`]), more events than trials.
    pub fn new(events: f64, trials: f64) -> Result<Self, Problem> {
        for count in [events, trials] {
            if !(0.0..=GREATEST).contains(&count) {
                return Err(Problem::Count(count));
            }
        }
        if events > trials { Err(Problem::MoreThanAll { events, trials }) } else { Ok(Self { events, trials }) }
    }

    /// Whole numbers that do not exceed these: for events and for non-events alike, so that neither is overstated.
    pub fn rounded_down(self) -> Self {
        let events = self.events.floor();
        Self { events, trials: events + (self.trials - self.events).floor() }
    }

    /// What was counted.
    pub fn events(self) -> f64 {
        self.events
    }

    /// Of how many.
    pub fn trials(self) -> f64 {
        self.trials
    }

    /// Share of events, 0-1; none without trials.
    pub fn share(self) -> Option<f64> {
        (self.trials > 0.0).then(|| (self.events / self.trials).clamp(0.0, 1.0))
    }

    /// Failures instead of successes, and the other way round.
    pub fn complement(self) -> Self {
        Self { events: self.trials - self.events, trials: self.trials }
    }

    /// Both together.
    ///
    /// # Errors
    /// A sum above [`GREATEST`].
    pub fn plus(self, more: Self) -> Result<Self, Problem> {
        let trials = self.trials + more.trials;
        // Two roundings upwards may differ by a last bit; events are never more than trials.
        Self::new((self.events + more.events).min(trials), trials)
    }
}

/// What both versions counted over the same interval.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Pair {
    /// The new version.
    pub candidate: Counts,
    /// The version that it is compared with.
    pub stable: Counts,
}

impl Pair {
    /// Both intervals together.
    ///
    /// # Errors
    /// As [`Counts::plus`].
    pub fn plus(self, more: Self) -> Result<Self, Problem> {
        Ok(Self { candidate: self.candidate.plus(more.candidate)?, stable: self.stable.plus(more.stable)? })
    }

    /// Both versions had at least one trial, so that this interval compares something.
    pub fn compares(self) -> bool {
        self.candidate.trials >= 1.0 && self.stable.trials >= 1.0
    }

    /// Failures instead of successes, in both.
    pub fn complement(self) -> Self {
        Self { candidate: self.candidate.complement(), stable: self.stable.complement() }
    }
}
