//! Time spans of a scenario: hours in virtual time, seconds on a real control plane.

use std::time::Duration;

/// See the module.
#[derive(Clone, Debug)]
pub struct Pace {
    /// How long a step holds.
    pub hold: &'static str,
    /// How long pods may take.
    pub deadline: &'static str,
    /// Longer than `deadline`.
    pub past_deadline: Duration,
    /// A deadline that nobody reaches.
    pub long_deadline: &'static str,
    /// How long old requests may take.
    pub drain: &'static str,
    /// How long a gateway takes.
    pub propagation: &'static str,
    /// Time between two measurements of an analysis.
    pub interval: &'static str,
    /// Measurements out of bounds that fail a metric.
    pub failure_limit: i64,
    /// Long enough for what has begun to be seen by the metric source.
    pub scraped: Duration,
    /// How long a metric may be without data.
    pub data_deadline: &'static str,
    /// Longer than an analysis takes to take in a measurement.
    pub past_measurement: Duration,
    /// Time between two looks.
    pub poll: Duration,
    /// Looks before a wait is given up.
    pub polls_max: usize,
    /// Long enough for everything to come to rest.
    pub rest: Duration,
    /// How long nothing may happen.
    pub quiet: Duration,
}

/// Virtual time.
pub fn virtual_time() -> Pace {
    Pace {
        hold: "10m",
        deadline: "10m",
        past_deadline: Duration::from_secs(900),
        long_deadline: "2h",
        drain: "30s",
        propagation: "5s",
        interval: "30s",
        failure_limit: 3,
        scraped: Duration::from_secs(30),
        data_deadline: "3m",
        past_measurement: Duration::from_secs(300),
        poll: Duration::from_secs(1),
        polls_max: 20_000,
        rest: Duration::from_secs(1_800),
        quiet: Duration::from_secs(24 * 3_600),
    }
}

/// A real control plane: at most 90 s for a scenario.
pub fn real_time() -> Pace {
    Pace {
        hold: "3s",
        deadline: "8s",
        past_deadline: Duration::from_secs(10),
        long_deadline: "10m",
        drain: "1s",
        propagation: "500ms",
        interval: "10s",
        failure_limit: 2,
        scraped: Duration::from_secs(3),
        data_deadline: "5s",
        past_measurement: Duration::from_secs(21),
        poll: Duration::from_millis(150),
        polls_max: 400,
        rest: Duration::from_secs(6),
        quiet: Duration::from_secs(120),
    }
}
