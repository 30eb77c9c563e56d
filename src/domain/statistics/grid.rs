//! The alternatives over which a test for rates is mixed.

/// One alternative: the candidate's rate is `ratio` times the greatest that the margin allows.
#[derive(Clone, Copy, Debug)]
pub(super) struct Alternative {
    /// Above 1.
    pub(super) ratio: f64,
    /// Logarithm of its weight in the mixture; the weights sum to 1.
    pub(super) log_weight: f64,
}

/// How many alternatives there are.
const POINTS: u32 = 24;

/// Ratio of the logarithms of neighbouring alternatives: a true ratio between two of them loses about 3 % of the growth.
const SPACING: f64 = 1.35;

/// Alternatives whose logarithms form a geometric series from 0.5 % above the margin to about 150 times it. Weights fall off from a doubling
/// to both sides: what a rollout should see soon is worth more than what only millions of requests show.
pub(super) fn alternatives() -> Vec<Alternative> {
    let logs = (0..POINTS).map(|point| 0.005 * SPACING.powi(point as i32));
    let raw: Vec<(f64, f64)> = logs.map(|log| (log, weight(log))).collect();
    let total: f64 = raw.iter().map(|(_, weight)| weight).sum();
    raw.into_iter().map(|(log, weight)| Alternative { ratio: log.exp(), log_weight: (weight / total).ln() }).collect()
}

fn weight(log: f64) -> f64 {
    let distance = (log / std::f64::consts::LN_2).ln();
    1.0 / (1.0 + 3.0 * distance * distance)
}
