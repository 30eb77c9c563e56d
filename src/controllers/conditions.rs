//! Conditions of our kinds: what is wanted, merged with what stands there.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

/// A condition as it should be, without times.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    kind: &'static str,
    status: &'static str,
    reason: &'static str,
    message: String,
}

impl Wanted {
    /// A condition from its parts.
    pub fn new(kind: &'static str, status: bool, reason: &'static str, message: &str) -> Self {
        Self { kind, status: if status { "True" } else { "False" }, reason, message: message.to_owned() }
    }

    /// A condition of which nothing is known.
    pub fn unknown(kind: &'static str, reason: &'static str, message: &str) -> Self {
        Self { kind, status: "Unknown", reason, message: message.to_owned() }
    }
}

/// The wanted conditions with their times: the transition time changes only with the status. Conditions of others stay.
pub fn merge(before: &[Condition], wanted: Vec<Wanted>, generation: i64, now: Timestamp) -> Vec<Condition> {
    let mut merged: Vec<Condition> = Vec::new();
    for condition in wanted {
        let status = condition.status;
        let same = before.iter().find(|old| old.type_ == condition.kind && old.status == status);
        merged.push(Condition {
            last_transition_time: same.map_or(Time(now), |old| old.last_transition_time.clone()),
            message: condition.message,
            observed_generation: Some(generation),
            reason: condition.reason.to_owned(),
            status: status.to_owned(),
            type_: condition.kind.to_owned(),
        });
    }
    let others = before.iter().filter(|old| merged.iter().all(|new| new.type_ != old.type_));
    let others: Vec<Condition> = others.cloned().collect();
    merged.extend(others);
    merged
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transition_time_changes_only_with_the_status() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let first = merge(&[], vec![Wanted::new("Ready", false, "A", "a")], 1, at(1));
        let second = merge(&first, vec![Wanted::new("Ready", false, "B", "b")], 2, at(2));
        let third = merge(&second, vec![Wanted::new("Ready", true, "C", "c")], 2, at(3));
        let times: Vec<Timestamp> = [first, second, third].iter().map(|list| list[0].last_transition_time.0).collect();
        assert_eq!(times, [at(1), at(1), at(3)]);
    }
}
