//! From what metrics ask for to what is done: stabilisation, rates, and the bounds of the autoscaler.
//!
//! Takes a recommendation with the present count, the spec and the memory of earlier looks; gives replicas, and the conditions
//! that say what held them back. Without `behavior` the older rules hold: scaling down follows the highest recommendation of 5
//! minutes, scaling up at most doubles (from 4 on). Writes only to the memory.

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::memory::{Direction, Memory};
use crate::sim::actors::object::{count, int, items, text};

/// Window of scaling down when nothing else is said, in seconds.
const DOWN_WINDOW: i64 = 300;

/// What is to be limited.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// `spec` of the autoscaler.
    pub spec: &'a Value,
    /// Replicas now.
    pub current: i64,
    /// Replicas that the metrics ask for.
    pub desired: i64,
    /// `minReplicas`, filled in.
    pub least: i64,
    /// The time.
    pub now: Timestamp,
}

/// Status, reason and message of a condition.
pub type Said = (bool, &'static str, &'static str);

/// What is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limited {
    /// Replicas.
    pub replicas: i64,
    /// Condition `AbleToScale`.
    pub able: Said,
    /// Condition `ScalingLimited`.
    pub limited: Said,
}

impl Limited {
    /// The same metrics would change something at a later look.
    pub fn is_pending(&self) -> bool {
        self.able.1 != READY.1 || self.limited.1.ends_with("Limit")
    }
}

const READY: Said = (true, "ReadyForNewScale", "recommended size matches current size");
const DOWN_STABILIZED: Said =
    (true, "ScaleDownStabilized", "recent recommendations were higher than current one, applying the highest recent recommendation");
const UP_STABILIZED: Said =
    (true, "ScaleUpStabilized", "recent recommendations were lower than current one, applying the lowest recent recommendation");
const WITHIN: (&str, &str) = ("DesiredWithinRange", "the desired count is within the acceptable range");
const TOO_FAST_UP: (&str, &str) = ("ScaleUpLimit", "the desired replica count is increasing faster than the maximum scale rate");
const TOO_MANY: (&str, &str) = ("TooManyReplicas", "the desired replica count is more than the maximum replica count");
const TOO_FAST_DOWN: (&str, &str) = ("ScaleDownLimit", "the desired replica count is decreasing faster than the maximum scale rate");
const TOO_FEW: (&str, &str) = ("TooFewReplicas", "the desired replica count is less than the minimum replica count");

/// Replicas and conditions.
pub fn limit(wanted: &Wanted<'_>, memory: &mut Memory) -> Limited {
    let with_behavior = wanted.spec["behavior"].is_object();
    let (stable, stabilized) = if with_behavior { stabilize_both(wanted, memory) } else { stabilize_down(wanted, memory) };
    let able = if stable == wanted.desired { READY } else { stabilized };
    let (replicas, (reason, message)) = if with_behavior { by_policies(wanted, stable, memory) } else { by_doubling(wanted, stable) };
    Limited { replicas, able, limited: (replicas != stable, reason, message) }
}

/// The highest recommendation of the last 5 minutes.
fn stabilize_down(wanted: &Wanted<'_>, memory: &mut Memory) -> (i64, Said) {
    let cutoff = wanted.now - SignedDuration::from_secs(DOWN_WINDOW);
    let recent = memory.recommendations().filter(|(_, at)| *at >= cutoff).map(|(replicas, _)| replicas);
    let highest = recent.max().map_or(wanted.desired, |recent| recent.max(wanted.desired));
    memory.recommend(wanted.desired, wanted.now, |at| at < cutoff);
    (highest, DOWN_STABILIZED)
}

fn most(wanted: &Wanted<'_>) -> i64 {
    count(wanted.spec, &["maxReplicas"])
}

/// Bounds without `behavior`.
fn by_doubling(wanted: &Wanted<'_>, stable: i64) -> (i64, (&'static str, &'static str)) {
    let fast = (2 * wanted.current).max(4);
    let (highest, why) = if most(wanted) > fast { (fast, TOO_FAST_UP) } else { (most(wanted), TOO_MANY) };
    if stable < wanted.least {
        (wanted.least, TOO_FEW)
    } else if stable > highest {
        (highest, why)
    } else {
        (stable, WITHIN)
    }
}

fn rules<'a>(wanted: &Wanted<'a>, direction: Direction) -> &'a Value {
    &wanted.spec["behavior"][if direction == Direction::Up { "scaleUp" } else { "scaleDown" }]
}

fn window(wanted: &Wanted<'_>, direction: Direction) -> SignedDuration {
    let usual = if direction == Direction::Up { 0 } else { DOWN_WINDOW };
    SignedDuration::from_secs(int(rules(wanted, direction), &["stabilizationWindowSeconds"]).unwrap_or(usual))
}

/// The present count, moved as little as the recommendations of both windows ask.
fn stabilize_both(wanted: &Wanted<'_>, memory: &mut Memory) -> (i64, Said) {
    let Wanted { current, desired, now, .. } = *wanted;
    let (up_cutoff, down_cutoff) = (now - window(wanted, Direction::Up), now - window(wanted, Direction::Down));
    let (mut lowest, mut highest) = (desired, desired);
    for (replicas, at) in memory.recommendations() {
        if at > up_cutoff {
            lowest = lowest.min(replicas);
        }
        if at > down_cutoff {
            highest = highest.max(replicas);
        }
    }
    memory.recommend(desired, now, |at| at < up_cutoff && at < down_cutoff);
    (current.max(lowest).min(highest), if desired >= current { UP_STABILIZED } else { DOWN_STABILIZED })
}

/// Bounds and rates of `behavior`.
fn by_policies(wanted: &Wanted<'_>, stable: i64, memory: &Memory) -> (i64, (&'static str, &'static str)) {
    let current = wanted.current;
    if stable > current {
        let fast = farthest(wanted, Direction::Up, memory).max(current);
        let (highest, why) = if most(wanted) > fast { (fast, TOO_FAST_UP) } else { (most(wanted), TOO_MANY) };
        if stable > highest { (highest, why) } else { (stable, WITHIN) }
    } else if stable < current {
        let fast = farthest(wanted, Direction::Down, memory).min(current);
        let (lowest, why) = if wanted.least < fast { (fast, TOO_FAST_DOWN) } else { (wanted.least, TOO_FEW) };
        if stable < lowest { (lowest, why) } else { (stable, WITHIN) }
    } else {
        (stable, WITHIN)
    }
}

/// How far the policies of a direction allow to go.
fn farthest(wanted: &Wanted<'_>, direction: Direction, memory: &Memory) -> i64 {
    let (rules, current) = (rules(wanted, direction), wanted.current);
    let select = text(rules, &["selectPolicy"]);
    if select == "Disabled" {
        return current;
    }
    let limits = items(rules, &["policies"]).iter().map(|policy| {
        let changed = |direction| memory.changed_within(direction, count(policy, &["periodSeconds"]), wanted.now);
        let start = current - changed(Direction::Up) + changed(Direction::Down);
        let value = count(policy, &["value"]);
        match (text(policy, &["type"]), direction) {
            ("Percent", Direction::Up) => (start as f64 * (1.0 + value as f64 / 100.0)).ceil() as i64,
            ("Percent", Direction::Down) => (start as f64 * (1.0 - value as f64 / 100.0)) as i64,
            (_, Direction::Up) => start + value,
            (_, Direction::Down) => start - value,
        }
    });
    // The policy with the smallest change is the lowest limit upwards, and the highest one downwards.
    let found = if (select == "Min") == (direction == Direction::Up) { limits.min() } else { limits.max() };
    found.unwrap_or(current)
}

/// Remembers a change; without `behavior` nobody asks for it.
pub fn remember(spec: &Value, before: i64, after: i64, now: Timestamp, memory: &mut Memory) {
    if !spec["behavior"].is_object() {
        return;
    }
    let (direction, field) = if after > before { (Direction::Up, "scaleUp") } else { (Direction::Down, "scaleDown") };
    let periods = items(spec, &["behavior", field, "policies"]).iter().map(|policy| count(policy, &["periodSeconds"]));
    memory.changed(direction, (after - before).abs(), periods.max().unwrap_or(0), now);
}
