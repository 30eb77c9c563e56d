//! Draws from distributions, each from a stream of its own.
//!
//! Takes a key (seed, what is drawn, for whom, the how-manieth); gives counts and numbers that depend on nothing else. Counts
//! are exact: they are found by adding up probabilities from the most likely count outwards, which takes as many steps as the
//! standard deviation, not as the count. Never asks the machine for chance.

use crate::sim::draw::Draws;

/// Odd constant of the mixing step: 2^64 divided by the golden ratio.
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

/// A stream of draws.
#[derive(Clone, Debug)]
pub struct Stream {
    state: u64,
}

impl Stream {
    /// The stream of a key.
    pub fn new(draws: &Draws, domain: &str, identity: &str, n: u64) -> Self {
        Self { state: draws.u64(domain, identity, n) }
    }

    /// Sixty-four bits (SplitMix64).
    fn bits(&mut self) -> u64 {
        self.state = self.state.wrapping_add(STEP);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number above 0 and below 1.
    pub fn fraction(&mut self) -> f64 {
        ((self.bits() >> 11) as f64 + 0.5) / (1u64 << 53) as f64
    }

    /// A standard normal number (Box and Muller).
    pub fn normal(&mut self) -> f64 {
        let radius = (-2.0 * self.fraction().ln()).sqrt();
        radius * (std::f64::consts::TAU * self.fraction()).cos()
    }

    /// A gamma number of this shape and scale 1, so with mean `shape` (Marsaglia and Tsang 2000). 0 for a shape that is not
    /// more than 0.
    pub fn gamma(&mut self, shape: f64) -> f64 {
        if shape.is_nan() || shape <= 0.0 {
            return 0.0;
        }
        if shape < 1.0 {
            let lifted = self.gamma(shape + 1.0);
            return lifted * self.fraction().powf(1.0 / shape);
        }
        let d = shape - 1.0 / 3.0;
        let c = 1.0 / (9.0 * d).sqrt();
        loop {
            let x = self.normal();
            let v = (1.0 + c * x).powi(3);
            if v > 0.0 && self.fraction().ln() < 0.5 * x * x + d * (1.0 - v + v.ln()) {
                return d * v;
            }
        }
    }

    /// A Poisson count.
    pub fn poisson(&mut self, mean: f64) -> u64 {
        if mean.is_nan() || mean <= 0.0 {
            return 0;
        }
        let mode = mean.floor() as u64;
        let at_mode = (mode as f64 * mean.ln() - mean - ln_factorial(mode)).exp();
        outwards(self.fraction(), mode, at_mode, u64::MAX, |count| mean / (count as f64 + 1.0))
    }

    /// How many of `n` happen, each with probability `p`.
    pub fn binomial(&mut self, n: u64, p: f64) -> u64 {
        if n == 0 || p.is_nan() || p <= 0.0 {
            return 0;
        }
        if p >= 1.0 {
            return n;
        }
        let mode = (((n + 1) as f64 * p).floor() as u64).min(n);
        let odds = p / (1.0 - p);
        let ways = ln_factorial(n) - ln_factorial(mode) - ln_factorial(n - mode);
        let at_mode = (ways + mode as f64 * p.ln() + (n - mode) as f64 * (-p).ln_1p()).exp();
        outwards(self.fraction(), mode, at_mode, n, |count| (n - count) as f64 / (count as f64 + 1.0) * odds)
    }

    /// Splits `n` over weights; the parts add up to `n` exactly. Without any weight nothing is split off.
    pub fn split(&mut self, n: u64, weights: &[f64]) -> Vec<u64> {
        let mut left = n;
        let mut weight_left: f64 = weights.iter().sum();
        let last = weights.iter().rposition(|weight| *weight > 0.0);
        let mut parts = vec![0; weights.len()];
        for (index, weight) in weights.iter().enumerate() {
            if left == 0 || *weight <= 0.0 {
                continue;
            }
            let part = if Some(index) == last { left } else { self.binomial(left, weight / weight_left) };
            parts[index] = part;
            left -= part;
            weight_left -= weight;
        }
        parts
    }
}

/// Inverts a distribution with one peak, from the peak outwards; `ratio(k)` is the probability of `k + 1` over that of `k`.
fn outwards(mut share: f64, mode: u64, at_mode: f64, highest: u64, ratio: impl Fn(u64) -> f64) -> u64 {
    if share < at_mode {
        return mode;
    }
    share -= at_mode;
    let (mut low, mut p_low) = (mode, at_mode);
    let (mut high, mut p_high) = (mode, at_mode);
    loop {
        let mut possible = false;
        if high < highest {
            p_high *= ratio(high);
            high += 1;
            if share < p_high {
                return high;
            }
            share -= p_high;
            possible |= p_high > 0.0;
        }
        if low > 0 {
            low -= 1;
            p_low /= ratio(low);
            if share < p_low {
                return low;
            }
            share -= p_low;
            possible |= p_low > 0.0;
        }
        // What rounding left over belongs to nobody: the likeliest count takes it.
        if !possible {
            return mode;
        }
    }
}

/// Natural logarithm of `n!`, by Stirling's series from 16 on (error below 1e-12).
fn ln_factorial(n: u64) -> f64 {
    if n < 16 {
        return (2..=n).map(|factor| factor as f64).product::<f64>().ln();
    }
    let x = n as f64;
    let square = x * x;
    let correction = (1.0 / 12.0 - (1.0 / 360.0 - 1.0 / (1260.0 * square)) / square) / x;
    (x + 0.5) * x.ln() - x + 0.5 * std::f64::consts::TAU.ln() + correction
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(n: u64) -> Stream {
        Stream::new(&Draws::new(7), "test", "x", n)
    }

    /// Mean and variance of 20,000 draws.
    fn moments(mut draw: impl FnMut(&mut Stream) -> f64) -> (f64, f64) {
        let values: Vec<f64> = (0..20_000).map(|n| draw(&mut stream(n))).collect();
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        (mean, values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / values.len() as f64)
    }

    fn near(found: f64, wanted: f64, share: f64) {
        assert!((found - wanted).abs() <= share * wanted, "{found} is not {wanted}");
    }

    #[test]
    fn poisson_counts_have_their_mean_as_variance() {
        for mean in [0.3, 4.0, 200.0, 5000.0] {
            let (found, variance) = moments(|stream| stream.poisson(mean) as f64);
            // Four standard errors of the mean.
            near(found, mean, 4.0 / (20_000.0 * mean).sqrt());
            near(variance, mean, 0.06);
        }
        assert_eq!(stream(0).poisson(0.0), 0);
    }

    #[test]
    fn binomial_counts_have_their_moments_and_never_exceed_their_number() {
        for (n, p) in [(1, 0.3), (40, 0.02), (1000, 0.7), (20_000, 0.999)] {
            let (mean, variance) = moments(|stream| stream.binomial(n, p) as f64);
            near(mean, n as f64 * p, 0.05);
            near(variance, n as f64 * p * (1.0 - p), 0.1);
            assert!((0..2000).all(|number| stream(number).binomial(n, p) <= n));
        }
        assert_eq!((stream(0).binomial(9, 0.0), stream(0).binomial(9, 1.0), stream(0).binomial(0, 0.5)), (0, 9, 0));
    }

    #[test]
    fn gamma_numbers_have_their_shape_as_mean_and_variance() {
        for shape in [0.2, 1.0, 30.0] {
            let (mean, variance) = moments(|stream| stream.gamma(shape));
            near(mean, shape, 0.05);
            near(variance, shape, 0.12);
        }
    }

    #[test]
    fn parts_add_up_and_follow_their_weights() {
        let mut sums = [0u64; 4];
        for n in 0..2000 {
            let parts = stream(n).split(100, &[1.0, 0.0, 3.0, 6.0]);
            assert_eq!(parts.iter().sum::<u64>(), 100);
            parts.iter().zip(&mut sums).for_each(|(part, sum)| *sum += part);
        }
        assert_eq!(sums[1], 0);
        near(sums[0] as f64, 20_000.0, 0.05);
        near(sums[3] as f64, 120_000.0, 0.02);
        assert_eq!(stream(0).split(5, &[0.0, 0.0]), [0, 0]);
    }

    #[test]
    fn logarithms_of_factorials_are_exact_where_the_series_begins() {
        let exact = |n: u64| (2..=n).map(|factor| (factor as f64).ln()).sum::<f64>();
        for n in [0, 1, 15, 16, 17, 100, 5000] {
            assert!((ln_factorial(n) - exact(n)).abs() < 1e-8, "{n}");
        }
    }
}
