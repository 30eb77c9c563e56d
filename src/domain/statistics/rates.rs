//! The test of two shares: a bet on which version the next error comes from.
//!
//! The null: in every interval the candidate's share of errors is at most `offset + factor` times stable's: `0` and `1 + margin` for error
//! rates; for success rates, which may fall to `1 - margin` times stable's, `margin` and `1 - margin` bound the failures. Let an interval have
//! `n` requests of the candidate and `m` of stable, both fixed before their outcomes, with `x` and `y` errors, and
//! `h = n factor / (n factor + m)`. A bet that the candidate errs `r` > 1 times too often multiplies the wealth by `l^x k^y exp(-offset n (l - 1))` where
//! `k = 1 / (1 + h (r - 1))` and `l = r k`. For one request that errs with probability `p`, `E[l^error] = 1 + p (l - 1) <= exp(p (l - 1))`, and
//! since `n factor (l - 1) + m (k - 1) = 0` the exponents of all requests of the interval sum to at most 0 under the null. So the product
//! over intervals is a nonnegative supermartingale of mean at most 1 under every point of the null, and by Ville's inequality (1939) it
//! ever reaches `1 / alpha` with probability at most `alpha`: exactly, with few errors or none, for weights that move, and for rates that move with
//! the time of day as long as both versions see the same day. Without offset it is the conditional test of two Poisson rates
//! (Przyborowski and Wilenski 1940) played as a bet (Shafer 2021, "Testing by betting"); mixing over `r` keeps the mean (Robbins 1970).
//!
//! Intervals of a step are kept as sums only. Of the errors, the sum of `h (x + y)`: `-ln(1 + h (r - 1))` is convex in `h`, so the mean `h` in the
//! place of each can only lower the wealth. Of the requests, `v = n (1 - h)` and the moments of `h` by it: with `d = r - 1` and the mean `g`,
//! `1 / (1 + h d) <= 1 / (1 + g d) - d (h - g) / (1 + g d)^2 + d^2 (h - g)^2 / (1 + g d)^2`, so the sum of `v / (1 + h d)` is bounded from above, and
//! the wealth again from below. The promise stays, and what is stored does not grow with the number of looks.

use crate::domain::statistics::counts::Pair;
use crate::domain::statistics::grid::Alternative;
use crate::domain::statistics::log_sum_exp;

/// The candidate's share of errors is at most `offset + factor` times stable's.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Null {
    pub(super) offset: f64,
    pub(super) factor: f64,
}

impl Null {
    /// `h`: the candidate's part of the requests, its own weighted by `factor`.
    fn part(self, pair: Pair) -> f64 {
        let weighted = pair.candidate.trials() * self.factor;
        weighted / (weighted + pair.stable.trials())
    }
}

/// Sums over the intervals of a step, sufficient to bound the wealth of every bet from below.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Tally {
    /// Errors of the candidate.
    pub candidate: f64,
    /// Errors of both versions.
    pub both: f64,
    /// Errors of both versions times the candidate's part of the requests, interval by interval: so many would be the candidate's at the margin of
    /// an error rate.
    pub allowed: f64,
    /// Requests of the candidate times stable's part of the requests.
    pub exposure: f64,
    /// The same, times the candidate's part.
    pub exposure_part: f64,
    /// The same, times the square of the candidate's part.
    pub exposure_square: f64,
}

impl Tally {
    /// One interval of counts of errors; both versions have requests.
    pub(super) fn of(errors: Pair, null: Null) -> Self {
        Self::from(errors.candidate.events(), errors.stable.events(), errors.candidate.trials(), null.part(errors))
    }

    /// What so many requests would add on average.
    pub(super) fn expected(candidate: f64, of_candidate: f64, stable: f64, of_stable: f64, null: Null) -> Self {
        let weighted = candidate * null.factor;
        Self::from(candidate * of_candidate, stable * of_stable, candidate, weighted / (weighted + stable))
    }

    fn from(candidate: f64, stable: f64, requests: f64, part: f64) -> Self {
        let both = candidate + stable;
        let exposure = requests * (1.0 - part);
        Self { candidate, both, allowed: both * part, exposure, exposure_part: exposure * part, exposure_square: exposure * part * part }
    }

    pub(super) fn plus(self, more: Self) -> Self {
        let Self { candidate, both, allowed, exposure, exposure_part, exposure_square } = more;
        Self {
            candidate: self.candidate + candidate,
            both: self.both + both,
            allowed: self.allowed + allowed,
            exposure: self.exposure + exposure,
            exposure_part: self.exposure_part + exposure_part,
            exposure_square: self.exposure_square + exposure_square,
        }
    }

    /// Some intervals may lead to these sums: finite, each at most what it is a part of.
    pub(super) fn is_possible(self) -> bool {
        let ordered =
            |parts: [f64; 3]| parts[0] >= 0.0 && parts[2].is_finite() && parts.windows(2).all(|pair| pair[0] <= pair[1] * (1.0 + 1e-9));
        let spread = self.exposure_part * self.exposure_part <= self.exposure * self.exposure_square * (1.0 + 1e-9);
        ordered([0.0, self.candidate, self.both])
            && ordered([0.0, self.allowed, self.both])
            && ordered([self.exposure_square, self.exposure_part, self.exposure])
            && spread
    }

    /// Logarithm of the wealth that a bet on `ratio` has at least.
    fn log_wealth(&self, ratio: f64, null: Null) -> f64 {
        let more = ratio - 1.0;
        let part = if self.both > 0.0 { (self.allowed / self.both).clamp(0.0, 1.0) } else { 0.0 };
        let won = self.candidate * ratio.ln() - self.both * (part * more).ln_1p();
        won - null.offset * more * self.stakes(more)
    }

    /// The sum of `v / (1 + h d)`, bounded from above.
    fn stakes(&self, more: f64) -> f64 {
        if self.exposure <= 0.0 {
            return 0.0;
        }
        let mean = self.exposure_part / self.exposure;
        let variance = (self.exposure_square / self.exposure - mean * mean).max(0.0);
        let divisor = 1.0 + mean * more;
        // No term can be above v itself.
        self.exposure * (1.0 / divisor + variance * (more / divisor) * (more / divisor)).min(1.0)
    }
}

/// Mean and standard deviation of the logarithm of a bet's wealth when these are the expected counts, and they vary as Poisson counts do.
pub(super) fn planned_wealth(tallies: &[Tally], null: Null, ratio: f64) -> (f64, f64) {
    let mean = tallies.iter().map(|tally| tally.log_wealth(ratio, null)).sum();
    let variance = |tally: &Tally| {
        let lost = if tally.both > 0.0 { (tally.allowed / tally.both * (ratio - 1.0)).ln_1p() } else { 0.0 };
        tally.candidate * (ratio.ln() - lost).powi(2) + (tally.both - tally.candidate) * lost * lost
    };
    (mean, tallies.iter().map(variance).sum::<f64>().sqrt())
}

/// Logarithm of the wealth of all bets together.
pub(super) fn log_e_value(tallies: &[Tally], null: Null, alternatives: &[Alternative]) -> f64 {
    let wealth = |ratio: f64| tallies.iter().map(|tally| tally.log_wealth(ratio, null)).sum::<f64>();
    let terms: Vec<f64> = alternatives.iter().map(|alternative| alternative.log_weight + wealth(alternative.ratio)).collect();
    log_sum_exp(&terms)
}
