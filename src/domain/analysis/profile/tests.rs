use std::collections::BTreeMap;

use jiff::SignedDuration;

use super::*;
use crate::domain::analysis::reading::{Sample, Value};
use crate::domain::analysis::template::{Parameters, Placeholder};

fn asked() -> Timestamp {
    Timestamp::from_second(1_700_000_000).unwrap()
}

fn parameters() -> Parameters {
    Parameters::of_llama(Duration::from_secs(30))
}

fn answer(samples: &[(&str, f64)]) -> Answer {
    let sample = |(bound, value): &(&str, f64)| {
        let labels = if bound.is_empty() { BTreeMap::new() } else { BTreeMap::from([("le".to_owned(), (*bound).to_owned())]) };
        Sample { labels, at: asked(), value: *value }
    };
    Answer { value: Value::Vector(samples.iter().map(sample).collect()), warnings: Vec::new(), infos: Vec::new() }
}

fn read(profile: &str, metric: BuiltIn, answers: &[Answer]) -> Result<Reading, NoData> {
    Profiles::built_in().measure(profile, metric).unwrap().read(answers, asked(), Duration::from_secs(30))
}

#[test]
fn every_query_of_every_profile_is_about_one_revision_and_one_window() {
    for profile in Profiles::built_in().iter() {
        for (metric, measure) in &profile.measures {
            for query in measure.queries().into_iter().chain(&measure.freshness) {
                let text = query.render(&parameters()).unwrap();
                assert!(query.uses(Placeholder::Namespace), "{} {metric}: {text}", profile.name);
                assert!(query.uses(Placeholder::Pods) != query.uses(Placeholder::Service), "{} {metric}: {text}", profile.name);
                assert!(!text.contains("{{"), "{text}");
                let counts = !matches!(measure.kind, Kind::Gauge { .. }) && Some(query) != measure.freshness.as_ref();
                assert_eq!(query.uses(Placeholder::Window), counts, "{} {metric}: {text}", profile.name);
            }
        }
    }
}

#[test]
fn a_counter_is_read_as_what_it_gained_over_the_window() {
    let profiles = Profiles::built_in();
    let measure = profiles.measure("vllm", BuiltIn::Throughput).unwrap();
    let series = r#"http_requests_total{namespace="shop",pod=~"llama-6fd8-.+",method="POST"}"#;
    let end = format!("last_over_time({series}[1h])");
    assert_eq!(
        measure.queries()[0].render(&parameters()).unwrap(),
        format!("sum(({end} - last_over_time({series}[1h] offset 30s) >= 0 or {end}))")
    );
    assert_eq!(measure.freshness.as_ref().unwrap().render(&parameters()).unwrap(), format!("time() - max(timestamp({series}))"));
}

#[test]
fn sums_of_several_counters_keep_apart_what_looks_alike() {
    let profiles = Profiles::built_in();
    let text = profiles.measure("triton", BuiltIn::Throughput).unwrap().queries()[0].render(&parameters()).unwrap();
    assert!(text.starts_with("sum(sum((") && text.ends_with(r#", "part", "2", "", ""))"#), "{text}");
}

#[test]
fn each_profile_has_what_its_server_or_gateway_measures() {
    let profiles = Profiles::built_in();
    let has = |profile: &str| BuiltIn::ALL.into_iter().filter(|metric| profiles.measure(profile, *metric).is_ok()).count();
    let counts = ["generic", "vllm", "triton", "istio", "envoy-gateway"].map(has);
    assert_eq!(counts, [6, 9, 5, 6, 6]);
}

#[test]
fn a_metric_that_a_profile_lacks_is_refused_with_the_profiles_that_have_it() {
    let profiles = Profiles::built_in();
    let error = profiles.measure("generic", BuiltIn::TimeToFirstToken).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the metric profile generic has no timeToFirstToken: profiles that have it are triton, vllm; or write a query of your own"
    );
    let error = profiles.measure("tgi", BuiltIn::ErrorRate).unwrap_err().to_string();
    assert!(error.contains("\"tgi\"") && error.contains("envoy-gateway, generic, istio, triton, vllm"), "{error}");
    let error = BuiltIn::parse("errorrate").unwrap_err().to_string();
    assert!(error.contains("\"errorrate\"") && BuiltIn::ALL.iter().all(|metric| error.contains(metric.name())), "{error}");
}

#[test]
fn names_of_metrics_read_back() {
    for metric in BuiltIn::ALL {
        assert_eq!(BuiltIn::parse(metric.name()), Ok(metric));
    }
}

#[test]
fn error_and_success_rate_come_from_the_same_counts() {
    let answers = [answer(&[("", 3.0)]), answer(&[("", 200.0)])];
    let errors = read("generic", BuiltIn::ErrorRate, &answers).unwrap();
    assert_eq!((errors.value, errors.samples), (Some(0.015), Some(200)));
    let successes = read("generic", BuiltIn::SuccessRate, &answers).unwrap();
    assert_eq!((successes.value, &successes.evidence), (Some(0.985), &errors.evidence));
}

#[test]
fn no_requests_are_no_value_and_no_samples_but_no_series_are_no_data() {
    let none = read("generic", BuiltIn::ErrorRate, &[answer(&[]), answer(&[("", 0.0)])]).unwrap();
    assert_eq!((none.value, none.samples), (None, Some(0)));
    assert_eq!(read("generic", BuiltIn::ErrorRate, &[answer(&[]), answer(&[])]), Err(NoData::Empty));
    let none = read("vllm", BuiltIn::LatencyP99, &[answer(&[("1", 0.0), ("+Inf", 0.0)])]).unwrap();
    assert_eq!((none.value, none.samples), (None, Some(0)));
}

#[test]
fn latencies_are_milliseconds_whatever_the_histogram_counts_in() {
    let seconds = read("vllm", BuiltIn::LatencyP50, &[answer(&[("0.2", 10.0), ("+Inf", 10.0)])]).unwrap();
    assert_eq!((seconds.value, seconds.samples), (Some(100.0), Some(10)));
    let milliseconds = read("istio", BuiltIn::LatencyP50, &[answer(&[("200", 10.0), ("+Inf", 10.0)])]).unwrap();
    assert_eq!(milliseconds.value, Some(100.0));
}

#[test]
fn throughput_is_per_second_and_queue_depth_is_as_it_is() {
    assert_eq!(read("istio", BuiltIn::Throughput, &[answer(&[("", 60.0)])]).unwrap().value, Some(2.0));
    let depth = read("vllm", BuiltIn::QueueDepth, &[answer(&[("", 2.5)])]).unwrap();
    assert_eq!((depth.value, depth.samples, depth.evidence), (Some(2.5), None, Evidence::Number));
}

#[test]
fn answers_that_do_not_fit_the_queries_are_no_data() {
    assert!(matches!(read("istio", BuiltIn::ErrorRate, &[answer(&[("", 60.0)])]), Err(NoData::WrongType(_))));
}

#[test]
fn the_freshness_of_a_measure_says_whether_its_source_lives() {
    let limit = SignedDuration::from_secs(120);
    assert_eq!(reading::fresh(&answer(&[("", 14.2)]), asked(), limit), Ok(()));
    assert!(matches!(reading::fresh(&answer(&[("", 250.0)]), asked(), limit), Err(NoData::Stale { .. })));
}

#[test]
fn definitions_of_the_wrong_kind_or_with_mistakes_are_refused() {
    let counter = |selector: &str| Definition::Counter { count: vec![selector.to_owned()] };
    assert!(matches!(counter("x_total").measure(BuiltIn::ErrorRate), Err(DefinitionError::WrongKind { needed: "a Proportion", .. })));
    assert!(matches!(counter("x_total").measure(BuiltIn::LatencyP50), Err(DefinitionError::WrongKind { needed: "a Histogram", .. })));
    assert!(matches!(counter("x_total").measure(BuiltIn::QueueDepth), Err(DefinitionError::WrongKind { needed: "a Gauge", .. })));
    assert!(counter("x:total{a=\"}\"} ").measure(BuiltIn::Throughput).is_ok());
    assert!(counter("x_total").measure(BuiltIn::Throughput).is_ok());
    for wrong in ["x{a=\"b\"}[5m]", "x[5m]", "x offset 5m", "rate(x{a=\"b\"}[5m])", "x{a=\"b\"} offset {{window}}", "sum(x)"] {
        assert!(matches!(counter(wrong).measure(BuiltIn::Throughput), Err(DefinitionError::NotInstant { .. })), "{wrong}");
    }
    let error = counter("x{a=\"{{podz}}\"}").measure(BuiltIn::Throughput).unwrap_err().to_string();
    assert!(error.contains("column 6") && error.contains("{{podz}}"), "{error}");
    assert_eq!(Definition::Counter { count: Vec::new() }.measure(BuiltIn::Throughput), Err(DefinitionError::NoSelector));
}

#[test]
fn a_query_of_a_user_is_one_number_and_nothing_else() {
    let measure = Measure::of_query(Template::parse("max(x{pod=~\"{{pods}}\"})").unwrap());
    assert_eq!(measure.queries()[0].render(&parameters()).unwrap(), "max(x{pod=~\"llama-6fd8-.+\"})");
    let read = |answer| measure.read(&[answer], asked(), Duration::from_secs(30));
    assert_eq!(read(answer(&[("", 0.25)])).unwrap().value, Some(0.25));
    assert_eq!(read(answer(&[("1", 0.25), ("2", 0.5)])), Err(NoData::ManySeries(2)));
}

#[test]
fn a_profile_is_never_replaced() {
    let mut profiles = Profiles::built_in();
    let own = Profile { name: "tgi".to_owned(), measures: BTreeMap::new() };
    profiles.add(own.clone()).unwrap();
    assert_eq!(profiles.add(own), Err(ProfileError::Duplicate { name: "tgi".to_owned() }));
    assert!(profiles.add(Profile { name: "vllm".to_owned(), measures: BTreeMap::new() }).is_err());
}
