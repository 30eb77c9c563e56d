//! The pure steps of a pass, on objects as caches hold them.

use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::api::ModelDeployment;
use crate::api::model_deployment::ModelDeploymentStatus;
use crate::controllers::caches::{Children, Ours, Pods};
use crate::domain::analysis::progress::{Compared, Measured, MetricProgress, Missing, Progress, Subject};
use crate::domain::analysis::verdict::Grounds;
use crate::domain::record::{Acknowledged, Candidate, Cause, Decision, Override, Record, Retreat, Served};
use crate::domain::revision::RevisionName;
use crate::domain::split::Split;
use crate::domain::statistics::counts::{Counts, Pair};
use crate::domain::statistics::evidence::Evidence;
use crate::domain::statistics::proportions::{Better, Comparison};
use crate::domain::statistics::quantiles::{Histogram, HistogramPair, QuantileEvidence};
use crate::runtime::cache::{Cache, WriteObserver};

fn caches() -> Caches {
    Caches {
        deployments: Cache::new(Ours::new(None)),
        models: Cache::new(Ours::new(None)),
        workloads: Cache::new(Children::workloads(None)),
        services: Cache::new(Children::services(None)),
        budgets: Cache::new(Children::budgets(None)),
        autoscalers: Cache::new(Children::autoscalers(None)),
        scaled_objects: Cache::new(Children::scaled_objects(None)),
        records: Cache::new(Children::records(None)),
        routes: Cache::new(Children::routes(None)),
        grpc_routes: Cache::new(Children::grpc_routes(None)),
        pods: Cache::new(Pods::new(None)),
        rollbacks: Cache::new(Ours::new(None)),
    }
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn object(spec: &Value) -> Value {
    json!({
        "apiVersion": "modelward.dev/v1alpha1", "kind": "ModelDeployment",
        "metadata": {"name": "chat", "namespace": "n", "uid": "u", "resourceVersion": "1", "generation": 3}, "spec": spec,
    })
}

fn spec() -> Value {
    json!({"model": "chat", "version": "1.0.0", "replicas": 4, "strategy": {"type": "Canary"}})
}

/// What is observed when these children, too, are there.
fn observed(object: &Value, workloads: &[Value]) -> Observed {
    let caches = caches();
    caches.deployments.wrote(object);
    for workload in workloads {
        caches.workloads.wrote(workload);
    }
    observe::observe(&caches, &ObjectKey::new("n", "chat"), at(1_000)).unwrap()
}

fn workload(revision: &str) -> Value {
    let labels = crate::resources::labels::of_revision("chat", revision, "chat", "1.0.0");
    let owner =
        json!([{"apiVersion": "modelward.dev/v1alpha1", "kind": "ModelDeployment", "name": "chat", "uid": "u", "controller": true}]);
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "spec": {"replicas": 4},
        "metadata": {"name": revision, "namespace": "n", "uid": revision, "resourceVersion": "2", "labels": labels, "ownerReferences": owner},
    })
}

fn valid(object: &Value) -> Valid {
    let deployment: ModelDeployment = serde_json::from_value(object.clone()).unwrap();
    validate::validate(&deployment.spec, None, &Profiles::built_in())
}

fn name(text: &str) -> RevisionName {
    RevisionName::new(text)
}

fn grounds() -> Option<Grounds> {
    Some(Grounds {
        metric: "errorRate".to_owned(),
        message: "too many".to_owned(),
        value: Some(0.1),
        stable_value: Some(1.0 / 3.0),
        max: Some(0.02),
        min: None,
        p_value: Some(1e-9),
        alpha: Some(0.025),
        samples: 600,
        at: Some(at(900)),
        queries: vec!["sum(a)".to_owned()],
    })
}

/// An analysis with everything in it: both sorts of comparisons, missing data, values.
fn analysis() -> Progress {
    let pair = |events: f64| Pair { candidate: Counts::new(events, 100.0).unwrap(), stable: Counts::new(1.0, 900.0).unwrap() };
    let comparison = Comparison::new(Better::Lower, 20.0, 0.05, 100.0).unwrap();
    let mut shares = Evidence::default();
    for (step, events) in [(10, 3.0), (10, 30.0), (50, 7.0)] {
        shares.add(step, pair(events), &comparison).unwrap();
    }
    shares.add(50, Pair { candidate: Counts::new(1.0, 2.0).unwrap(), stable: Counts::default() }, &comparison).unwrap();
    let histogram = |scale: f64| Histogram::new(&[scale, 2.0 * scale], 3.0 * scale).unwrap();
    let sum = HistogramPair { candidate: histogram(1.0), stable: histogram(9.0) };
    let quantiles = QuantileEvidence::restored(sum, 10, [3.0, 27.0], 0.5).unwrap();
    let value = Measured { at: at(930), seconds: 30, value: 0.1, samples: Some(60), breach: true, stable: Some(0.01) };
    let gauge = Measured { samples: None, breach: false, stable: None, ..value.clone() };
    let metric = |name: &str, compared: Option<Compared>| MetricProgress {
        name: name.to_owned(),
        definition: "0123456789abcdef".to_owned(),
        until: Some(at(930)),
        continued: true,
        samples: 600,
        stable_samples: if compared.is_some() { 5_400 } else { 0 },
        breaches: 1,
        values: vec![value.clone(), gauge.clone()],
        compared,
        missing: None,
        queries: vec!["sum(a)".to_owned(), "sum(b)".to_owned()],
    };
    let missing = Some(Missing { since: at(940), message: "down".to_owned() });
    Progress {
        subject: Subject { revision: name("chat-b"), stable: Some(name("chat-a")), weight: 10, since: at(900) },
        metrics: vec![
            metric("errorRate", Some(Compared::Shares(shares))),
            metric("latencyP95", Some(Compared::Quantiles { bounds: vec![0.1, 0.25], evidence: quantiles })),
            MetricProgress { missing, until: None, ..metric("refusals", None) },
        ],
    }
}

prop_compose! {
    fn overriding()(set: bool, since in 0..1_000_i64, words in ".{0,256}") -> Option<Override> {
        let by = "progressDeadline".to_owned();
        set.then(|| Override { revision: name("chat-a"), against: name("chat-b"), by, since: at(since), reason: words, grounds: grounds(), left: name("chat-b"), number: since, recorded: since % 2 == 0 })
    }
}

prop_compose! {
    fn decision(number: i64)(
        cause in prop_oneof![Just(Cause::Advance), Just(Cause::NotReady), Just(Cause::Abort), Just(Cause::Rollback), Just(Cause::Superseded)],
        weight in 0..=100, stage_weight in 1..=100, alone: bool, other: bool, words in ".{0,256}",
        nonce in proptest::option::of(".{1,63}"), overriding in overriding(),
    ) -> Decision {
        let candidate = name(if other { "chat-z" } else { "chat-b" });
        let split = if alone { Split::all(name("chat-a")) } else { Split::between(name("chat-a"), candidate, weight) };
        Decision { number, generation: 2, split, stage_weight, cause, reason: words, nonce, overriding }
    }
}

prop_compose! {
    fn candidate()(stage_weight in 1..=100, pods in 0..=9, begun in 0..1_000_i64, waiting in 0..1_000_i64,
        reached in proptest::option::of(0..2_000_i64), blocked: bool, hold_ended: bool) -> Candidate {
        // While the clock stands still it has no reading: it is that of the moment.
        let waiting_since = if blocked { at(1_000) } else { at(waiting) };
        Candidate {
            revision: name("chat-b"), stage_weight, pods, begun: at(begun), waiting_since, blocked,
            reached: reached.map(at), hold_ended, retreat: None,
        }
    }
}

prop_compose! {
    fn record()(
        settled in decision(4), next in proptest::option::of(decision(5)), candidate in proptest::option::of(candidate()),
        zero_since in proptest::option::of(0..1_000_i64), restarted in proptest::option::of(0..1_000_i64), overriding in overriding(),
        paused: bool, done: bool, judged: bool, since in 0..1_000_i64, served in proptest::collection::vec(0..1_000_i64, 0..10),
        command in proptest::option::of((".{1,63}", ".{0,63}", ".{0,256}")),
    ) -> Record {
        let for_good = settled.cause != Cause::Advance && (settled.cause != Cause::NotReady || settled.overriding.is_some());
        let about_it = settled.split.candidate.as_ref().is_some_and(|share| share.revision == name("chat-b"));
        let retreat = (for_good && about_it && next.is_none()).then(|| Retreat {
            cause: settled.cause,
            reason: settled.reason.clone(),
            grounds: settled.overriding.as_ref().and_then(|overriding| overriding.grounds.clone()),
        });
        Record {
            decision: next.unwrap_or_else(|| settled.clone()),
            settled,
            stable: name("chat-a"),
            candidate: candidate.map(|candidate| Candidate { retreat, ..candidate }),
            zero_since: zero_since.map(at),
            overriding,
            paused,
            restarted_at: restarted.map(at),
            command: command.map(|(nonce, verb, message)| Acknowledged { nonce, verb, done, message }),
            history: served.into_iter().map(|since| Served { revision: name("chat-a"), version: "1.0.0".to_owned(), since: at(since) }).collect(),
            since: at(since),
            rollback: judged.then(|| "uid".to_owned()),
            analysis: judged.then(analysis),
            replicas: judged.then_some(7),
        }
    }
}

fn plan(record: Record) -> Plan {
    Plan {
        workloads: Vec::new(),
        split: None,
        scale: Vec::new(),
        scalers: BTreeMap::new(),
        remove: Vec::new(),
        marks: Vec::new(),
        record: Some(record),
        state: State::Progressing,
        reason: Reason::new("Advance", "x".repeat(5_000)),
        look_at: None,
        notes: Vec::new(),
        due: None,
        announce: None,
    }
}

/// Every text in `value`, with its place.
fn texts<'a>(value: &'a Value, place: String, into: &mut Vec<(String, &'a str)>) {
    match value {
        Value::String(text) => into.push((place, text)),
        Value::Array(items) => items.iter().for_each(|item| texts(item, place.clone(), into)),
        Value::Object(fields) => fields.iter().for_each(|(field, value)| texts(value, format!("{place}.{field}"), into)),
        _ => {}
    }
}

proptest! {
    #[test]
    fn what_is_remembered_comes_back_from_status_as_it_was(record in record()) {
        let object = object(&spec());
        // One that retires: the time of its last weight is told beside it.
        let observed = observed(&object, &[workload("chat-a"), workload("chat-b"), workload("chat-old")]);
        let status = json!(status::status(&observed, &valid(&object), &plan(record.clone()), &[]));
        let mut long = Vec::new();
        texts(&status, String::new(), &mut long);
        for (place, text) in long {
            let most = if place.ends_with("reason") || place.ends_with("message") || place.ends_with("selector") { 1024 } else { 64 };
            prop_assert!(text.chars().count() <= most, "{place} has {} characters", text.chars().count());
        }
        let read: ModelDeploymentStatus = serde_json::from_value(status).unwrap();
        prop_assert_eq!(memory::from_status(Some(&read), at(1_000)), Some(record));
    }

    #[test]
    fn status_of_what_has_not_changed_is_the_same_later(record in record()) {
        let mut object = object(&spec());
        let children = [workload("chat-a"), workload("chat-b"), workload("chat-old")];
        let plan = plan(record);
        let first = json!(status::status(&observed(&object, &children), &valid(&object), &plan, &[]));
        object["status"] = first.clone();
        let mut later = observed(&object, &children);
        later.now = at(5_000);
        prop_assert_eq!(json!(status::status(&later, &valid(&object), &plan, &[])), first);
    }
}

#[test]
fn version_that_came_back_as_something_else_is_refused_while_it_runs() {
    let recorded = |uri: &str| crate::resources::revision::recorded("chat", "chat-a", input(uri));
    let caches = caches();
    caches.deployments.wrote(&object(&spec()));
    caches.workloads.wrote(&workload("chat-a"));
    let owner = crate::resources::Owner { namespace: "n".to_owned(), name: "chat".to_owned(), uid: "u".to_owned() };
    let mut record = crate::resources::revision::record(&owner, "chat-a", 1, &recorded("s3://old"));
    record["metadata"]["uid"] = json!("r");
    record["metadata"]["resourceVersion"] = json!("3");
    caches.records.wrote(&record);
    let observed = observe::observe(&caches, &ObjectKey::new("n", "chat"), at(1)).unwrap();
    assert_eq!(decide::changed(&observed, &input("s3://old")), None);
    assert_eq!(decide::changed(&observed, &input("s3://new")).unwrap().code, reason::VERSION_CHANGED);
}

fn input(uri: &str) -> crate::resources::revision::Input {
    crate::resources::revision::Input {
        model: "chat".to_owned(),
        version: "1.0.0".to_owned(),
        uri: uri.to_owned(),
        image: "i".to_owned(),
        ..Default::default()
    }
}

/// The decision with an override that is sound, and then changed.
fn overridden(decision: &Decision, change: impl FnOnce(&mut Override)) -> Decision {
    let (revision, against, left) = (name("chat-a"), name("chat-b"), name("chat-b"));
    let by = "analysis".to_owned();
    let reason = "too many".to_owned();
    let mut given = Override { revision, against, left, by, since: at(1), reason, grounds: grounds(), number: 3, recorded: true };
    assert!(Decision { overriding: Some(given.clone()), ..decision.clone() }.is_sound());
    change(&mut given);
    Decision { overriding: Some(given), ..decision.clone() }
}

#[test]
fn decision_of_an_older_operator_is_read() {
    let text = r#"{"number":3,"generation":1,"split":{"stable":"chat-a"},"stageWeight":100,"cause":"Abort","reason":"aborted",
        "override":{"revision":"chat-a","against":"chat-b","by":"abort","since":"2026-01-01T00:00:00Z","reason":"aborted"}}"#;
    let decision: Decision = serde_json::from_str(text).unwrap();
    assert!(decision.is_sound());
}

#[test]
fn forged_decision_is_not_believed() {
    let decision = Decision {
        number: 3,
        generation: 1,
        split: Split::between(name("chat-a"), name("chat-b"), 10),
        stage_weight: 10,
        cause: Cause::Advance,
        reason: "as it should be".to_owned(),
        nonce: Some("1".to_owned()),
        overriding: None,
    };
    assert!(decision.is_sound());
    let forged = [
        Decision { number: i64::MAX, ..decision.clone() },
        Decision { nonce: Some("n".repeat(64)), ..decision.clone() },
        Decision { reason: "r".repeat(2_000), ..decision.clone() },
        Decision { stage_weight: -1, ..decision.clone() },
        Decision { stage_weight: 101, ..decision.clone() },
        Decision { split: Split::between(name("chat-a"), name("chat-a"), 10), ..decision.clone() },
        Decision { split: Split::all(name(&"x".repeat(64))), ..decision.clone() },
        overridden(&decision, |given| given.left = name(&"x".repeat(64))),
        overridden(&decision, |given| given.number = -1),
        overridden(&decision, |given| given.grounds.as_mut().unwrap().message = "m".repeat(2_000)),
        overridden(&decision, |given| given.grounds.as_mut().unwrap().queries = vec!["q".repeat(2_000)]),
    ];
    for (place, decision) in forged.iter().enumerate() {
        assert!(!decision.is_sound(), "{place}");
    }
}
