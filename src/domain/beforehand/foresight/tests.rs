use jiff::SignedDuration;

use super::*;
use crate::domain::analysis::profile::{BuiltIn, Profiles};
use crate::domain::analysis::tests::support::{error_rate, errors_below_two_percent, success};
use crate::domain::settings::Step;

fn step(weight: i32, minutes: i64) -> Step {
    Step { weight, hold: Hold::For(SignedDuration::from_mins(minutes)) }
}

fn settings(steps: Vec<Step>, traffic: TrafficMode) -> Settings {
    Settings { replicas: 4, steps, traffic, ..Settings::of_tests() }
}

/// The plan of `docs/benchmarks.md`: 10, 25 and 50 % for ten minutes each.
fn of_the_benchmarks() -> Settings {
    settings(vec![step(10, 10), step(25, 10), step(50, 10)], TrafficMode::Gateway)
}

/// Its criteria: two compared metrics, of which this is one.
fn compared() -> Criteria {
    let mut metric = error_rate(None, Some(10.0));
    if let Some(margin) = &mut metric.margin {
        margin.alpha = 0.025;
    }
    Criteria { metrics: vec![metric], ..errors_below_two_percent() }
}

fn said(settings: &Settings, criteria: &Criteria, requests_per_second: f64, failed_share: f64) -> Vec<String> {
    let traffic = Traffic { requests_per_second, failed_share: Some(failed_share) };
    concerns(settings, criteria, &criteria.metrics[0], traffic).iter().map(|concern| concern.words().to_owned()).collect()
}

#[test]
fn cells_of_the_benchmarks_that_cannot_tell_are_those_of_the_plan() {
    let (settings, criteria) = (of_the_benchmarks(), compared());
    let margin = criteria.metrics[0].margin.unwrap();
    let test = comparison(&criteria, &criteria.metrics[0], margin).unwrap();
    let stages = stages(&settings);
    let table = [(2.0, [false, false, true], 0.0263), (20.0, [false, true, true], 0.0103), (200.0, [true, true, true], 0.0070)];
    for (rate, tells, from) in table {
        let plan = Plan { criteria: &criteria, metric: &criteria.metrics[0], rate, stages: &stages };
        let found = [0.01, 0.02, 0.05].map(|candidate| is_found(&test, candidate, 0.005, &plan.planned()).unwrap());
        assert_eq!(found, tells, "{rate}");
        let detectable = detectable(&test, 0.005, &plan.planned()).unwrap().unwrap();
        assert!((detectable - from).abs() < 0.000_05, "{rate}: {detectable}");
    }
}

#[test]
fn traffic_that_cannot_tell_a_doubling_is_said_with_what_it_could() {
    let words = |rate: f64| said(&of_the_benchmarks(), &compared(), rate, 0.005);
    assert_eq!(
        words(2.0),
        [
            "at 2 requests/s the steps give the new version about 969 requests: errorRate of 1 % against 0.5 % would not be told in nine of ten \
          releases; from 2.7 % on it would"
        ]
    );
    assert_eq!(words(20.0).len(), 1);
    assert!(words(20.0)[0].ends_with("from 1.1 % on it would"), "{:?}", words(20.0));
    assert_eq!(words(200.0), Vec::<String>::new());
}

#[test]
fn what_is_worth_finding_follows_the_margin_and_is_one_request_of_a_hundred_at_least() {
    let settings = of_the_benchmarks();
    let against = |margin: f64, stable: f64| {
        let mut criteria = compared();
        criteria.metrics[0].margin = Some(Margin { max_regression_percent: margin, alpha: 0.025 });
        let words = said(&settings, &criteria, 2.0, stable);
        words[0].split(": errorRate of ").nth(1).and_then(|rest| rest.split(" against").next()).unwrap().to_owned()
    };
    assert_eq!(against(10.0, 0.0), "1 %", "no error of stable");
    assert_eq!(against(10.0, 0.001), "1 %");
    assert_eq!(against(10.0, 0.008), "1.6 %");
    assert_eq!(against(100.0, 0.005), "1.5 %");
}

#[test]
fn success_rates_are_said_as_success_rates() {
    let mut criteria = compared();
    let metric = &mut criteria.metrics[0];
    metric.measure = success(&metric.measure);
    metric.name = "successRate".to_owned();
    metric.better = crate::domain::analysis::profile::Better::Higher;
    metric.margin = Some(Margin { max_regression_percent: 1.0, alpha: 0.025 });
    let words = said(&of_the_benchmarks(), &criteria, 2.0, 0.005);
    assert!(words[0].contains("successRate of 97.8 % against 99.5 %"), "{words:?}");
    assert!(words[0].contains(" down it would"), "{words:?}");
}

#[test]
fn step_that_never_gets_its_samples_in_time_says_how_long_it_takes() {
    let criteria = errors_below_two_percent();
    let words = said(&settings(vec![step(10, 10), step(50, 10)], TrafficMode::Gateway), &criteria, 0.1, 0.0);
    assert_eq!(words[0], "at 0.1 requests/s the step of 10 % takes 2h 47m to get 100 requests for errorRate, not the 10m of its hold");
    let fast = said(&settings(vec![step(10, 10)], TrafficMode::Gateway), &criteria, 1.7, 0.0);
    assert_eq!(fast, Vec::<String>::new(), "100 requests in 588 s");
    let slow = said(&settings(vec![step(10, 10)], TrafficMode::Gateway), &criteria, 1.6, 0.0);
    assert!(slow[0].contains("takes 10m 25s"), "{slow:?}");
}

#[test]
fn comparison_waits_for_the_rarer_version() {
    let criteria = compared();
    let mut plan = settings(vec![step(90, 10)], TrafficMode::Gateway);
    assert!(said(&plan, &criteria, 1.0, 0.005)[0].contains("takes 16m 40s"), "stable has a tenth");
    plan.steps = vec![step(10, 10)];
    assert!(said(&plan, &criteria, 1.0, 0.005)[0].contains("takes 16m 40s"), "the new version has a tenth");
}

#[test]
fn shares_are_those_of_the_pods_without_a_gateway() {
    let criteria = errors_below_two_percent();
    // 10 % of 4 pods is one beside four: a fifth.
    let words = said(&settings(vec![step(10, 10)], TrafficMode::ReplicaRatio), &criteria, 0.1, 0.0);
    assert!(words[0].contains("takes 1h 23m"), "{words:?}");
}

#[test]
fn bound_that_is_never_measured_within_an_hour_has_no_say() {
    let mut criteria = errors_below_two_percent();
    criteria.minimum_samples = 1;
    let plan = settings(vec![step(10, 10), step(50, 10)], TrafficMode::Gateway);
    let words = said(&plan, &criteria, 0.02, 0.0);
    let last = words.last().unwrap();
    assert_eq!(
        last,
        "at 0.02 requests/s the new version gets at most 36 requests in an hour: the bound of errorRate needs 50 to have a say"
    );
    assert_eq!(said(&plan, &criteria, 0.03, 0.0), Vec::<String>::new(), "54 requests");
}

#[test]
fn nobody_asks_is_said_as_such() {
    let words = said(&of_the_benchmarks(), &compared(), 0.0, 0.0);
    assert_eq!(words, ["nobody asks the stable version: no step would have its 100 requests for errorRate"]);
}

#[test]
fn quantiles_need_so_many_requests_that_anything_can_be_shown() {
    let p99 = |rate: f64| {
        let mut criteria = compared();
        criteria.minimum_samples = 10;
        let metric = &mut criteria.metrics[0];
        metric.name = "latencyP99".to_owned();
        metric.measure = Profiles::built_in().measure("generic", BuiltIn::LatencyP99).unwrap().clone();
        said(&of_the_benchmarks(), &criteria, rate, 0.0)
    };
    assert!(p99(0.2).iter().any(|words| words.contains("to compare latencyP99 at all takes")), "{:?}", p99(0.2));
    assert_eq!(p99(5.0), Vec::<String>::new());
}

#[test]
fn previews_and_gauges_are_nobodys_traffic() {
    let preview = settings(vec![step(0, 10)], TrafficMode::Gateway);
    assert_eq!(said(&preview, &compared(), 0.0, 0.0), Vec::<String>::new());
    let mut own = compared();
    own.metrics[0].measure = Profiles::built_in().measure("vllm", BuiltIn::QueueDepth).unwrap().clone();
    assert_eq!(said(&of_the_benchmarks(), &own, 0.0, 0.0), Vec::<String>::new());
}

#[test]
fn metric_that_no_step_looks_at_is_never_judged() {
    let direct = settings(Vec::new(), TrafficMode::Gateway);
    assert!(said(&direct, &compared(), 100.0, 0.005)[0].contains("never compared"));
    let mut bounded = errors_below_two_percent();
    assert!(said(&direct, &bounded, 100.0, 0.005)[0].contains("never measured"));
    bounded.after_promotion = Some(SignedDuration::from_hours(1));
    assert_eq!(said(&direct, &bounded, 100.0, 0.005), Vec::<String>::new());
}
