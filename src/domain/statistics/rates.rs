//! The test for shares of which less is better: a bet on which version the next error comes from.
//!
//! The null: in every interval the candidate's share of errors is at most `b = 1 + margin` times stable's. Let an interval have
//! `n` requests of the candidate and `m` of stable, both fixed before their outcomes, with `x` and `y` errors. Under the null at most the share
//! `h = n b / (n b + m)` of the errors is due to the candidate. Betting that its rate is `r` > 1 times the allowed one multiplies the wealth by
//! `r^x / (1 + h (r - 1))^(x + y)`. For one request that errs with probability `p`, `E[l^error] = 1 + p (l - 1) <= exp(p (l - 1))`; the exponents of
//! all requests of the interval sum to at most 0 when candidate's share is at most `b` times stable's. So the product over intervals
//! is a nonnegative supermartingale of mean at most 1 under every point of the null, and by Ville's inequality (1939) it ever reaches 1/alpha
//! with probability at most alpha: exactly, with few errors or none, for weights that move, and for rates that move with the time
//! of day as long as both versions see the same day. It is the conditional test of two Poisson rates (Przyborowski and Wilenski 1940) played as a
//! bet (Shafer 2021, "Testing by betting", section 2); mixing over `r` keeps the mean (Robbins 1970).
//!
//! Intervals of a step are kept as sums only: errors and the sum of `h (x + y)`. As `-ln(1 + h (r - 1))` is convex in `h`, putting the mean
//! `h` in the place of each can only lower the wealth: the promise stays.

use crate::domain::statistics::counts::Pair;
use crate::domain::statistics::grid::Alternative;
use crate::domain::statistics::log_sum_exp;

/// Errors of one step.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tally {
    /// Of the candidate.
    pub(super) candidate: f64,
    /// Of both versions.
    pub(super) both: f64,
    /// At most so many of both are the candidate's on average while the null holds.
    pub(super) allowed: f64,
}

/// Share of errors that the candidate may have at most on average, when its rate may be `bound` times stable's.
pub(super) fn allowed_share(pair: Pair, bound: f64) -> f64 {
    let weighted = pair.candidate.trials() * bound;
    weighted / (weighted + pair.stable.trials())
}

/// Logarithm of the wealth of all bets.
pub(super) fn log_e_value(tallies: &[Tally], alternatives: &[Alternative]) -> f64 {
    let terms: Vec<f64> = alternatives.iter().map(|alternative| alternative.log_weight + log_wealth(tallies, alternative.ratio)).collect();
    log_sum_exp(&terms)
}

fn log_wealth(tallies: &[Tally], ratio: f64) -> f64 {
    let of_step = |tally: &Tally| {
        let share = if tally.both > 0.0 { (tally.allowed / tally.both).clamp(0.0, 1.0) } else { 0.0 };
        tally.candidate * ratio.ln() - tally.both * (share * (ratio - 1.0)).ln_1p()
    };
    tallies.iter().map(of_step).sum()
}
