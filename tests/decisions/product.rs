//! The release as the product judges it: its windows, readings, evidence and verdicts, in virtual time.
//!
//! Takes criteria and traffic; gives how the release ended, when, and what the candidate failed until then. A step ends when
//! its hold is over and the verdict is a pass, as in the planner (`domain::rollout::advance`); pods are there at once.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use modelward::api::model_deployment::{Analysis, ComparedToStable};
use modelward::domain::analysis::criteria::{Criteria, Margin, Metric, OnNoData};
use modelward::domain::analysis::profile::{BuiltIn, Measure, Profiles, Reading};
use modelward::domain::analysis::progress::{Progress, Subject};
use modelward::domain::analysis::reading::{Answer, Sample, Value};
use modelward::domain::analysis::take_in::{self, Answered, Found};
use modelward::domain::analysis::threshold::Threshold;
use modelward::domain::analysis::verdict::{self, Verdict};
use modelward::domain::analysis::window::{self, Question};
use modelward::domain::revision::RevisionName;
use modelward::domain::statistics::error_share;

use super::outcome::{End, Outcome};
use super::world::{Served, Traffic};

/// Weights of the steps, percent.
pub const WEIGHTS: [i32; 3] = [10, 25, 50];
/// Seconds that each is held at least.
pub const HOLD: i64 = 600;
/// Seconds between a weight is written and counts as in effect.
pub const PROPAGATION: i64 = 5;
/// Seconds after which a release that still waits for requests is called held.
pub const CAP: i64 = 6 * 3_600;
/// By how much the candidate may be worse, percent.
pub const MARGIN: f64 = 10.0;
/// The metrics that are compared.
pub const COMPARED: [BuiltIn; 2] = [BuiltIn::ErrorRate, BuiltIn::LatencyP95];

fn metric(name: BuiltIn, threshold: Option<Threshold>, margin: Option<Margin>) -> Metric {
    Metric {
        name: name.to_string(),
        measure: Profiles::built_in().measure("generic", name).unwrap().clone(),
        provider: None,
        better: name.better(),
        threshold,
        margin,
        definition: format!("{name} {threshold:?} {margin:?}"),
    }
}

/// Interval and number of samples as they are by default.
fn criteria(metrics: Vec<Metric>) -> Criteria {
    let defaults = Analysis::default();
    Criteria {
        metrics,
        interval: SignedDuration::try_from(defaults.interval().as_std()).unwrap(),
        minimum_samples: defaults.minimum_samples(),
        data_deadline: None,
        on_no_data: OnNoData::Hold,
        after_promotion: None,
        standby_replicas: 0,
    }
}

/// Both metrics `comparedToStable` with a margin of [`MARGIN`] and the default confidence.
pub fn compared() -> Criteria {
    let confidence = ComparedToStable::default().confidence();
    let alpha = error_share(confidence, COMPARED.len()).unwrap();
    let margin = Some(Margin { max_regression_percent: MARGIN, alpha });
    criteria(COMPARED.iter().map(|name| metric(*name, None, margin)).collect())
}

/// The error rate with a bound, by the default failure limit.
pub fn bounded(max: f64) -> Criteria {
    let threshold = Threshold { min: None, max: Some(max), failure_limit: Analysis::default().failure_limit() };
    criteria(vec![metric(BuiltIn::ErrorRate, Some(threshold), None)])
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn series(labels: &[(&str, &str)], asked: Timestamp, value: u64) -> Sample {
    let labels: BTreeMap<String, String> = labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Sample { labels, at: asked, value: value as f64 }
}

fn answer(samples: Vec<Sample>) -> Answer {
    Answer { value: Value::Vector(samples), warnings: Vec::new(), infos: Vec::new() }
}

/// What a metric source would have answered, as the product reads it.
fn reading(measure: &Measure, traffic: &Traffic, question: &Question, whose: &str, served: Served) -> Reading {
    let asked = question.to;
    let answers = match measure.queries().len() {
        2 => vec![answer(vec![series(&[], asked, served.failed)]), answer(vec![series(&[], asked, served.total)])],
        _ => {
            let buckets = traffic.durations(whose, asked.as_second(), served.total);
            vec![answer(buckets.iter().map(|(bound, count)| series(&[("le", bound)], asked, *count)).collect())]
        }
    };
    measure.read(&answers, asked, question.length()).unwrap()
}

fn ask(criteria: &Criteria, traffic: &Traffic, question: Question, weight: i32) -> Answered {
    let metric = &criteria.metrics[question.metric];
    let served = traffic.between(question.from.as_second(), question.to.as_second(), weight);
    let of = |whose: &str, served: Served| reading(&metric.measure, traffic, &question, whose, served);
    let stable = metric.margin.map(|_| of("stable", served.stable));
    let found = Found { candidate: of("candidate", served.candidate), stable };
    Answered { question, definition: metric.definition.clone(), queries: Vec::new(), found: Ok(found), late: false }
}

/// What a pass of the operator at second `now` finds, and when it looks again.
fn pass(criteria: &Criteria, traffic: &Traffic, progress: &mut Progress, now: i64) -> (Verdict, i64) {
    let (weight, never) = (progress.subject.weight, |_: &str| None);
    for question in window::due(criteria, progress, at(now), &never) {
        take_in::take_in(criteria, progress, &ask(criteria, traffic, question, weight), at(now));
    }
    let next = window::next(criteria, progress, at(now), &never).unwrap();
    (verdict::verdict(criteria, progress, at(now)), next.as_second())
}

/// Plays a release whose first weight is written at second 0.
pub fn play(criteria: &Criteria, traffic: &Traffic) -> Outcome {
    let mut before: Option<Progress> = None;
    let (mut written, mut exposure) = (0, 0);
    for weight in WEIGHTS {
        let since = written + PROPAGATION;
        let mut now = since;
        let end = loop {
            let subject = Subject { revision: RevisionName::new("new"), stable: Some(RevisionName::new("old")), weight, since: at(since) };
            let names = criteria.metrics.iter().map(|metric| (metric.name.clone(), metric.definition.clone()));
            let mut progress = Progress::of(before.as_ref(), subject, names);
            let (verdict, next) = pass(criteria, traffic, &mut progress, now);
            before = Some(progress);
            let held = since + HOLD;
            match verdict {
                Verdict::Fail(grounds) => break Some(End::Found(grounds.metric)),
                Verdict::Pass if now >= held => break None,
                Verdict::Pass | Verdict::Wait(_) if now >= CAP => break Some(End::Held),
                Verdict::Pass | Verdict::Wait(_) => now = if now < held { next.min(held) } else { next },
            }
        };
        exposure += traffic.between(written, now, weight).candidate.failed;
        written = now;
        if let Some(end) = end {
            return Outcome { end, at: now, exposure };
        }
    }
    Outcome { end: End::Passed, at: written, exposure }
}
