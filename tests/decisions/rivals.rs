//! Other rules, on the same requests: what a release would have done under them.
//!
//! They hold each step for its time and look where the product looks, but know neither a least number of requests nor, for
//! the plain ones, what chance does.

use super::outcome::{End, Outcome};
use super::product::{HOLD, MARGIN, PROPAGATION, WEIGHTS};
use super::world::{Both, Traffic};

/// Seconds of a window, and from its end until it can be read: those of the product.
const WINDOW: i64 = 30;
const SETTLING: i64 = 10;

/// A rule.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Rival {
    /// The error rate of each window against a bound: so many in a row above it take the candidate back.
    Plain {
        /// The greatest rate that is good.
        max: f64,
        /// See above.
        failure_limit: u32,
    },
    /// One z test of two proportions over everything, after the last step.
    AtTheEnd {
        /// Its critical value.
        critical: f64,
    },
    /// The same test after every window, each time as if it were the only one.
    EveryLook {
        /// See above.
        critical: f64,
    },
}

/// A look of a rule: the second, the window that has come, and all that came before.
struct Look {
    now: i64,
    window: Both,
    all: Both,
    last: bool,
}

impl Rival {
    fn takes_back(self, look: &Look, breaches: &mut u32) -> bool {
        match self {
            Self::Plain { max, failure_limit } => {
                let served = look.window.candidate;
                if served.total > 0 {
                    *breaches = if served.failed as f64 > max * served.total as f64 { *breaches + 1 } else { 0 };
                }
                *breaches >= failure_limit
            }
            Self::AtTheEnd { critical } => look.last && z(look.all) >= critical,
            Self::EveryLook { critical } => z(look.all) >= critical,
        }
    }
}

/// How many standard errors the candidate's rate lies above the greatest that the margin allows; 0 where there is nothing to compare.
fn z(all: Both) -> f64 {
    let (candidate, stable) = (all.candidate, all.stable);
    if candidate.total == 0 || stable.total == 0 {
        return 0.0;
    }
    let allowed = 1.0 + MARGIN / 100.0;
    let (n, m) = (candidate.total as f64, stable.total as f64);
    let (p, q) = (candidate.failed as f64 / n, stable.failed as f64 / m);
    let variance = p * (1.0 - p) / n + allowed * allowed * q * (1.0 - q) / m;
    if variance > 0.0 { (p - allowed * q) / variance.sqrt() } else { 0.0 }
}

/// Plays a release under `rule`.
pub fn play(rule: Rival, traffic: &Traffic) -> Outcome {
    let (mut written, mut all, mut breaches, mut exposure) = (0, Both::default(), 0, 0);
    for (step, weight) in WEIGHTS.into_iter().enumerate() {
        let since = written + PROPAGATION;
        let over = since + HOLD;
        for end in (since + WINDOW..=over).step_by(WINDOW as usize) {
            let window = traffic.between(end - WINDOW, end, weight);
            all = all.plus(window);
            let last = step + 1 == WEIGHTS.len() && end == over;
            let look = Look { now: end + SETTLING, window, all, last };
            // What is read after the hold is over comes too late, but for the test at the end.
            let in_time = look.now <= over || last && matches!(rule, Rival::AtTheEnd { .. });
            if in_time && rule.takes_back(&look, &mut breaches) {
                exposure += traffic.between(written, look.now, weight).candidate.failed;
                return Outcome { end: End::Found("errorRate".to_owned()), at: look.now, exposure };
            }
        }
        exposure += traffic.between(written, over, weight).candidate.failed;
        written = over;
    }
    Outcome { end: End::Passed, at: written, exposure }
}
