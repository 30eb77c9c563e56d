//! How long requests take, and how they fall into buckets.
//!
//! Takes two quantiles, a wait that comes before every request and a limit; gives the mass and the mean of each cell of a
//! fixed grid, and from a count the counts of all cells. The grid holds the bucket bounds of every server that is exposed, so
//! that one draw serves all histograms of the same requests, and they agree. Pure.

use std::sync::OnceLock;

use super::sampling::Stream;

/// The 99th percentile of the standard normal distribution.
const Z99: f64 = 2.326_347_874_040_841;

/// Bucket bounds of OpenTelemetry's HTTP server, in seconds.
pub const OPENTELEMETRY: [f64; 14] = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];
/// Bucket bounds of Envoy, and so of Istio, in seconds; exposed in milliseconds.
pub const ENVOY: [f64; 19] =
    [0.0005, 0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 600.0, 1800.0, 3600.0];
/// Bucket bounds of vLLM for whole requests, in seconds.
pub const VLLM_REQUEST: [f64; 21] =
    [0.3, 0.5, 0.8, 1.0, 1.5, 2.0, 2.5, 5.0, 10.0, 15.0, 20.0, 30.0, 40.0, 50.0, 60.0, 120.0, 240.0, 480.0, 960.0, 1920.0, 7680.0];

/// A log-normal duration in seconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LogNormal {
    mu: f64,
    sigma: f64,
}

impl LogNormal {
    /// From the median and the 99th percentile, in seconds: more than 0, the second not below the first.
    pub fn of(p50: f64, p99: f64) -> Self {
        let p50 = p50.max(1e-9);
        Self { mu: p50.ln(), sigma: (p99.max(p50) / p50).ln() / Z99 }
    }

    /// Mean, in seconds.
    pub fn mean(&self) -> f64 {
        (self.mu + self.sigma * self.sigma / 2.0).exp()
    }

    /// Variance over the square of the mean.
    pub fn squared_variation(&self) -> f64 {
        (self.sigma * self.sigma).exp_m1()
    }

    /// Probability of at most `seconds`.
    pub fn cdf(&self, seconds: f64) -> f64 {
        self.phi(seconds, 0.0)
    }

    /// Mean of the part up to `seconds`, times its probability.
    fn part(&self, seconds: f64) -> f64 {
        self.mean() * self.phi(seconds, self.sigma * self.sigma)
    }

    fn phi(&self, seconds: f64, shift: f64) -> f64 {
        if seconds <= 0.0 {
            return 0.0;
        }
        let distance = seconds.ln() - self.mu - shift;
        if self.sigma < 1e-9 { f64::from(u8::from(distance >= 0.0)) } else { normal_cdf(distance / self.sigma) }
    }
}

/// Probability that a standard normal number is at most `z`, by the series of its integral (Marsaglia 2004).
fn normal_cdf(z: f64) -> f64 {
    if z.abs() > 8.0 {
        return f64::from(u8::from(z > 0.0));
    }
    let (mut term, mut sum, mut divisor) = (z, z, 1.0);
    while term.abs() > 1e-17 * sum.abs() {
        divisor += 2.0;
        term *= z * z / divisor;
        sum += term;
    }
    let density = (-0.5 * z * z).exp() / std::f64::consts::TAU.sqrt();
    (0.5 + sum * density).clamp(0.0, 1.0)
}

/// All bounds, in order. Cell `i` ends at bound `i`; one more cell has no end.
pub fn grid() -> &'static [f64] {
    static GRID: OnceLock<Vec<f64>> = OnceLock::new();
    GRID.get_or_init(|| {
        let mut bounds: Vec<f64> = OPENTELEMETRY.iter().chain(&ENVOY).chain(&VLLM_REQUEST).copied().collect();
        bounds.sort_by(f64::total_cmp);
        bounds.dedup();
        bounds
    })
}

/// Requests by how long they took.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Lot {
    /// Requests in each cell of the bounds that the lot was drawn for.
    pub cells: Vec<u64>,
    /// All of their durations, in seconds.
    pub seconds: f64,
    /// How many.
    pub count: u64,
}

impl Lot {
    /// Requests that all took the same time, in the cells of `bounds`.
    pub fn at(bounds: &[f64], seconds: f64, count: u64) -> Self {
        let mut cells = vec![0; bounds.len() + 1];
        cells[bounds.partition_point(|bound| *bound < seconds)] = count;
        Self { cells, seconds: seconds * count as f64, count }
    }

    /// Requests that took at most each of `wanted`, which are among `bounds`.
    pub fn cumulated(&self, bounds: &[f64], wanted: &[f64]) -> Vec<u64> {
        let mut sums = Vec::with_capacity(wanted.len());
        let (mut sum, mut cell) = (0, 0);
        for bound in wanted {
            while cell < bounds.len() && bounds[cell] <= *bound {
                sum += self.cells.get(cell).copied().unwrap_or(0);
                cell += 1;
            }
            sums.push(sum);
        }
        sums
    }
}

/// The masses of all cells: for durations that wait first, and are at most a limit.
#[derive(Clone, Debug, PartialEq)]
pub struct Spread {
    masses: Vec<f64>,
    means: Vec<f64>,
    /// Probability of more than the limit.
    pub beyond: f64,
}

impl Spread {
    /// `wait` and `limit` in seconds.
    pub fn of(service: &LogNormal, wait: f64, limit: f64, bounds: &[f64]) -> Self {
        let beyond = 1.0 - service.cdf(limit - wait);
        let (mut masses, mut means) = (Vec::new(), Vec::new());
        let (mut below, mut part_below) = (0.0, 0.0);
        for bound in bounds.iter().copied().chain([f64::INFINITY]) {
            let end = bound.min(limit) - wait;
            let (upto, part) = if end.is_infinite() { (1.0, service.mean()) } else { (service.cdf(end), service.part(end)) };
            let mass = (upto - below).max(0.0);
            masses.push(mass);
            means.push(if mass > 1e-12 { wait + (part - part_below) / mass } else { wait });
            (below, part_below) = (upto.max(below), part.max(part_below));
        }
        Self { masses, means, beyond }
    }

    /// Draws the durations of so many requests, none beyond the limit.
    pub fn draw(&self, stream: &mut Stream, count: u64) -> Lot {
        let cells = stream.split(count, &self.masses);
        let seconds = cells.iter().zip(&self.means).map(|(cell, mean)| *cell as f64 * mean).sum();
        let count = cells.iter().sum();
        Lot { cells, seconds, count }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::draw::Draws;

    fn stream(n: u64) -> Stream {
        Stream::new(&Draws::new(3), "latency", "x", n)
    }

    #[test]
    fn quantiles_are_kept() {
        let service = LogNormal::of(0.12, 0.48);
        assert!((service.cdf(0.12) - 0.5).abs() < 1e-12);
        assert!((service.cdf(0.48) - 0.99).abs() < 1e-9);
        assert!((normal_cdf(1.959_963_984_540_054) - 0.975).abs() < 1e-12);
        assert!(normal_cdf(-9.0) == 0.0 && normal_cdf(9.0) == 1.0);
    }

    #[test]
    fn the_grid_holds_the_bounds_of_every_server() {
        let holds = |bounds: &[f64]| bounds.iter().all(|bound| grid().contains(bound));
        assert!(holds(&OPENTELEMETRY) && holds(&ENVOY) && holds(&VLLM_REQUEST));
        assert!(grid().windows(2).all(|pair| pair[0] < pair[1]));
    }

    #[test]
    fn cells_add_up_to_the_count_and_their_sum_to_the_mean() {
        let service = LogNormal::of(0.12, 0.48);
        let lot = Spread::of(&service, 0.0, f64::INFINITY, grid()).draw(&mut stream(0), 200_000);
        assert_eq!((lot.cells.iter().sum::<u64>(), lot.count), (200_000, 200_000));
        assert!((lot.seconds / 200_000.0 / service.mean() - 1.0).abs() < 0.01);
        let below = lot.cumulated(grid(), &OPENTELEMETRY);
        assert!((below[6] as f64 / 200_000.0 - service.cdf(0.25)).abs() < 0.005);
        assert!(below.windows(2).all(|pair| pair[0] <= pair[1]));
    }

    #[test]
    fn a_wait_shifts_all_and_the_limit_cuts_them() {
        let service = LogNormal::of(0.12, 0.48);
        let spread = Spread::of(&service, 1.0, 1.12, grid());
        assert!((spread.beyond - 0.5).abs() < 1e-9);
        let lot = spread.draw(&mut stream(1), 1000);
        let below = lot.cumulated(grid(), &OPENTELEMETRY);
        assert_eq!((below[9], below[10]), (0, 1000));
        assert!(lot.seconds > 1000.0 && lot.seconds < 1120.0);
    }

    #[test]
    fn constant_durations_fall_into_one_cell() {
        let lot = Spread::of(&LogNormal::of(0.2, 0.2), 0.0, 30.0, grid()).draw(&mut stream(2), 10);
        assert!(lot.cells.contains(&10) && (lot.seconds - 2.0).abs() < 1e-9);
        assert_eq!(lot.cells, Lot::at(grid(), 0.2, 10).cells);
    }
}
