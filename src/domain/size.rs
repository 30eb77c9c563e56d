//! How many pods each side of a split has. Arithmetic that users argue about, with worked examples.
//!
//! N is the wanted number, S the surge in pods. All in 64 bits inside: weight times replicas must not overflow.

use crate::domain::settings::{FULL_WEIGHT, Settings, Surge, TrafficMode};

/// Pods of both sides once a stage is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StagePods {
    /// Of the candidate.
    pub candidate: i32,
    /// Of stable; the wanted number unless the surge is too small.
    pub stable: i32,
}

/// Pods that may exist above `replicas` while two revisions exist.
///
/// 25 % of 4 is 1; 25 % of 5 is 2 (rounds up); 10 % of 1 is 1 (at least one, or nothing could ever move).
pub fn surge_pods(surge: Surge, replicas: i32) -> i32 {
    match surge {
        Surge::Pods(pods) => pods.max(1),
        Surge::Percent(percent) => narrow(ceil_div(i64::from(replicas) * i64::from(percent), 100)).max(1),
    }
}

/// Pods that a weight needs behind a gateway: min(N, max(1, ceil(N w/100 x headroom))).
///
/// N 4, w 10, headroom 100: 1. N 10, w 25: 3. N 10, w 25, headroom 150: 4. N 4, w 100: 4. A weight of 0 needs none.
pub fn pods_for_weight(replicas: i32, weight: i32, headroom_percent: i32) -> i32 {
    if weight <= 0 {
        return 0;
    }
    let pods = ceil_div(i64::from(replicas) * i64::from(weight) * i64::from(headroom_percent), 10_000);
    narrow(pods).clamp(1, replicas.max(1))
}

/// The greatest weight that so many ready pods cover, in percent: all of it from N pods on.
///
/// N 4: 1 pod covers 25, 3 cover 75, 4 cover 100. N 3: 1 pod covers 33. N 4, headroom 200: 1 pod covers 12.
pub fn weight_covered(replicas: i32, pods: i32, headroom_percent: i32) -> i32 {
    if pods >= replicas {
        return FULL_WEIGHT;
    }
    let weight = i64::from(pods.max(0)) * 10_000 / (i64::from(replicas) * i64::from(headroom_percent)).max(1);
    narrow(weight).clamp(0, FULL_WEIGHT)
}

/// Share of traffic that falls to the candidate when every ready pod gets the same, in percent, rounded down.
pub fn share_by_pods(candidate: i32, stable: i32) -> i32 {
    let all = i64::from(candidate.max(0)) + i64::from(stable.max(0));
    if all == 0 { 0 } else { narrow(i64::from(candidate.max(0)) * 100 / all) }
}

/// Pods of both sides at the stage of `weight`.
///
/// Behind a gateway, N 4, surge 100 %: 10 % is 1 + 4, 50 % is 2 + 4, 100 % is 4 + 4. Surge one pod: 50 % is 2 + 3, 100 %
/// is 4 + 1 (what is left leaves when the candidate has everything).
///
/// By pods, N 4, surge 100 %: 10 % is 1 + 4 (a share of 20), 50 % is 4 + 4; 80 % asks for 16 pods and stays at 4 + 4, a
/// share of 50. Surge one pod: 50 % is 3 + 2.
///
/// A weight of 0 is a preview: N 4 is 4 + 4. With less room than that, as many as it holds beside all of stable.
///
/// Headroom yields to stable: N 4, surge one pod, headroom 400: 25 % is 2 + 3, for stable needs 3 for its 75 %.
pub fn stage_pods(settings: &Settings, weight: i32) -> StagePods {
    let wanted = settings.replicas;
    let surge = surge_pods(settings.max_surge, wanted);
    if wanted == 0 {
        return StagePods { candidate: 0, stable: 0 };
    }
    let candidate = match settings.traffic {
        _ if weight >= FULL_WEIGHT => wanted,
        _ if weight <= 0 => wanted.min(surge),
        TrafficMode::Gateway => {
            let room = wanted.saturating_add(surge) - pods_for_weight(wanted, FULL_WEIGHT - weight, 100);
            pods_for_weight(wanted, weight, settings.headroom_percent).min(room)
        }
        TrafficMode::ReplicaRatio => candidate_by_ratio(wanted, surge, weight),
    };
    StagePods { candidate, stable: wanted.min(wanted.saturating_add(surge) - candidate) }
}

/// Pods of the candidate for a share of `weight` percent (1-99) when stable has N as far as the surge allows.
fn candidate_by_ratio(wanted: i32, surge: i32, weight: i32) -> i32 {
    let beside_all = narrow(ceil_div(i64::from(wanted) * i64::from(weight), i64::from(100 - weight)));
    let beside_all = beside_all.clamp(1, wanted);
    if beside_all <= surge {
        return beside_all;
    }
    let all = i64::from(wanted) + i64::from(surge);
    narrow(ceil_div(all * i64::from(weight), 100)).clamp(1, wanted)
}

fn ceil_div(numerator: i64, denominator: i64) -> i64 {
    (numerator + denominator - 1).div_euclid(denominator)
}

fn narrow(value: i64) -> i32 {
    i32::try_from(value).unwrap_or(if value < 0 { 0 } else { i32::MAX })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn settings(replicas: i32, max_surge: Surge, traffic: TrafficMode, headroom_percent: i32) -> Settings {
        Settings { replicas, max_surge, traffic, headroom_percent, ..Settings::of_tests() }
    }

    #[test]
    fn surge_rounds_up_and_is_at_least_one_pod() {
        let cases = [(Surge::Percent(25), 4, 1), (Surge::Percent(25), 5, 2), (Surge::Percent(10), 1, 1), (Surge::Pods(0), 9, 1)];
        for (surge, replicas, pods) in cases {
            assert_eq!(surge_pods(surge, replicas), pods, "{surge:?} of {replicas}");
        }
        assert_eq!(surge_pods(Surge::Percent(100), i32::MAX), i32::MAX);
    }

    #[test]
    fn stage_sizes_are_those_of_the_worked_examples() {
        use TrafficMode::{Gateway, ReplicaRatio};
        let all = Surge::Percent(100);
        let one = Surge::Pods(1);
        let cases = [
            (4, all, Gateway, 100, 0, (4, 4)),
            (4, one, Gateway, 100, 0, (1, 4)),
            (4, all, ReplicaRatio, 100, 0, (4, 4)),
            (4, all, Gateway, 100, 10, (1, 4)),
            (4, all, Gateway, 100, 50, (2, 4)),
            (4, all, Gateway, 100, 100, (4, 4)),
            (10, all, Gateway, 150, 25, (4, 10)),
            (4, one, Gateway, 400, 25, (2, 3)),
            (4, one, Gateway, 100, 50, (2, 3)),
            (4, one, Gateway, 100, 100, (4, 1)),
            (4, all, ReplicaRatio, 100, 10, (1, 4)),
            (4, all, ReplicaRatio, 100, 50, (4, 4)),
            (4, all, ReplicaRatio, 100, 80, (4, 4)),
            (4, one, ReplicaRatio, 100, 50, (3, 2)),
            (1, all, ReplicaRatio, 100, 10, (1, 1)),
        ];
        for (replicas, surge, traffic, headroom, weight, (candidate, stable)) in cases {
            let pods = stage_pods(&settings(replicas, surge, traffic, headroom), weight);
            assert_eq!(pods, StagePods { candidate, stable }, "{replicas} {surge:?} {traffic:?} {weight}");
        }
    }

    #[test]
    fn covered_weight_is_what_ready_pods_can_take() {
        for (replicas, pods, headroom, weight) in [(4, 1, 100, 25), (3, 1, 100, 33), (4, 1, 200, 12), (4, 4, 200, 100), (500, 1, 100, 0)] {
            assert_eq!(weight_covered(replicas, pods, headroom), weight);
        }
    }

    proptest! {
        #[test]
        fn pods_stay_within_wanted_plus_surge_and_never_below_wanted(
            replicas in 1..i32::MAX / 2, percent in 1..=100, weight in 1..=100, gateway: bool, headroom in 100..=1000,
        ) {
            let traffic = if gateway { TrafficMode::Gateway } else { TrafficMode::ReplicaRatio };
            let settings = settings(replicas, Surge::Percent(percent), traffic, headroom);
            let pods = stage_pods(&settings, weight);
            let surge = i64::from(surge_pods(settings.max_surge, replicas));
            prop_assert!(i64::from(pods.candidate) + i64::from(pods.stable) <= i64::from(replicas) + surge);
            prop_assert!(i64::from(pods.candidate) + i64::from(pods.stable) >= i64::from(replicas));
            prop_assert!(pods.candidate >= 1 && pods.candidate <= replicas);
        }

        #[test]
        fn covered_weight_needs_no_more_pods_than_it_was_computed_from(replicas in 1..100_000, pods in 0..100_000, headroom in 100..=1000) {
            let weight = weight_covered(replicas, pods, headroom);
            prop_assert!(weight == 0 || pods_for_weight(replicas, weight, headroom) <= pods.max(1));
        }
    }
}
