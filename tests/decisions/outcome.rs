//! How releases ended, over many seeds.

/// How a release ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// The candidate was taken back, for this metric.
    Found(String),
    /// It went through all steps.
    Passed,
    /// It still waited for requests when the time was over.
    Held,
}

/// One release.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// How it ended.
    pub end: End,
    /// When, in seconds since the first weight was written.
    pub at: i64,
    /// Requests that the candidate failed until then.
    pub exposure: u64,
}

/// Many releases of one world under one rule.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcomes {
    times: Vec<i64>,
    runs: u64,
    held: u64,
    exposure: u64,
    of_errors: u64,
}

impl Outcomes {
    /// Of these.
    pub fn of(outcomes: &[Outcome]) -> Self {
        let found = |outcome: &&Outcome| matches!(outcome.end, End::Found(_));
        let mut times: Vec<i64> = outcomes.iter().filter(found).map(|outcome| outcome.at).collect();
        times.sort_unstable();
        let count = |end: &End| outcomes.iter().filter(|outcome| outcome.end == *end).count() as u64;
        Self {
            times,
            runs: outcomes.len() as u64,
            held: count(&End::Held),
            exposure: outcomes.iter().map(|outcome| outcome.exposure).sum(),
            of_errors: count(&End::Found("errorRate".to_owned())),
        }
    }

    /// How many took the candidate back.
    pub fn found(&self) -> u64 {
        self.times.len() as u64
    }

    /// Of those, how many for its error rate.
    pub fn found_by_errors(&self) -> u64 {
        self.of_errors
    }

    /// How many still waited at the end.
    pub fn held(&self) -> u64 {
        self.held
    }

    /// Share of releases that took the candidate back.
    pub fn share(&self) -> f64 {
        self.found() as f64 / self.runs as f64
    }

    /// The 95 % interval of [`Self::share`] (Wilson 1927).
    pub fn interval(&self) -> (f64, f64) {
        let (runs, share, z) = (self.runs as f64, self.share(), 1.959_963_985);
        let middle = share + z * z / (2.0 * runs);
        let width = z * (share * (1.0 - share) / runs + z * z / (4.0 * runs * runs)).sqrt();
        let scale = 1.0 + z * z / runs;
        (((middle - width) / scale).max(0.0), ((middle + width) / scale).min(1.0))
    }

    /// Mean seconds until it was taken back, over those that were; none without any.
    pub fn mean_time(&self) -> Option<f64> {
        (!self.times.is_empty()).then(|| self.times.iter().sum::<i64>() as f64 / self.times.len() as f64)
    }

    /// Seconds by which half of all releases were taken back; none if fewer ever were.
    pub fn median_time(&self) -> Option<i64> {
        self.times.get(self.runs.div_ceil(2).saturating_sub(1) as usize).copied()
    }

    /// Requests that the candidate failed until it was taken back, or else until the end of its steps; the mean of all releases.
    pub fn exposure(&self) -> f64 {
        self.exposure as f64 / self.runs as f64
    }
}
