//! The writer and the recorder against the fake API server, in virtual time.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use http::HeaderMap;
use jiff::Timestamp;
use kube::core::{ApiResource, GroupVersionKind};
use serde_json::{Value, json};
use tokio::time::sleep;

use super::{
    events::{Notice, Recorder, Regarding, Severity},
    *,
};
use crate::runtime::{
    cache::{Cache, Watched, WriteObserver},
    clock::VirtualClock,
    driver::{ReconcileError, Retry},
    fake::{Fake, Fault},
    key::ObjectKey,
    telemetry::metrics::Metrics,
};

const WIDGETS: &str = "/apis/example.com/v1/widgets";

struct Widgets;

impl Watched for Widgets {
    type Row = i64;

    fn resource(&self) -> ApiResource {
        ApiResource::from_gvk(&GroupVersionKind::gvk("example.com", "v1", "Widget"))
    }

    fn project(&self, object: &Value) -> Result<i64, String> {
        object["spec"]["replicas"].as_i64().ok_or_else(|| "no replicas".to_owned())
    }
}

struct Bench {
    fake: Fake,
    cache: Arc<Cache<Widgets>>,
    writer: Writer,
}

fn bench() -> Bench {
    let fake = Fake::new();
    let cache = Cache::new(Widgets);
    let writer = Writer::new(fake.client(), [Arc::clone(&cache) as Arc<dyn WriteObserver>]);
    Bench { fake, cache, writer }
}

fn widget(replicas: i64) -> Value {
    json!({
        "apiVersion": "example.com/v1", "kind": "Widget",
        "metadata": {"namespace": "a", "name": "x"}, "spec": {"replicas": replicas},
    })
}

fn x() -> ObjectKey {
    ObjectKey::new("a", "x")
}

impl Bench {
    /// The replicas that the cache knows, without any watch.
    fn cached(&self) -> Option<i64> {
        self.cache.get(&x())?.row.clone().ok()
    }

    fn seen(&self) -> Precondition {
        Precondition::from(&*self.cache.get(&x()).unwrap())
    }

    fn last_request(&self) -> String {
        self.fake.log().pop().unwrap()
    }
}

#[tokio::test(start_paused = true)]
async fn the_answer_to_every_write_is_in_the_cache_when_the_write_returns() {
    let bench = bench();
    let target = Target::of(&widget(0)).unwrap();
    bench.writer.create(widget(1)).await.unwrap();
    assert_eq!(bench.cached(), Some(1));
    bench.writer.apply(widget(2), Some(&bench.seen()), Ownership::Respect).await.unwrap();
    assert_eq!(bench.cached(), Some(2));
    bench.writer.scale(&target, &bench.seen().resource_version, 3).await.unwrap();
    assert_eq!(bench.cached(), Some(3));
    let before = bench.seen();
    let annotations = BTreeMap::from([("note".to_owned(), Some("yes".to_owned()))]);
    bench.writer.annotate(&target, &before, &annotations).await.unwrap();
    assert_ne!(bench.seen(), before);
    bench.writer.delete(&target, &bench.seen(), Propagation::Background).await.unwrap();
    assert_eq!(bench.cached(), None);
}

#[tokio::test(start_paused = true)]
async fn an_apply_says_who_writes_what_it_was_decided_on_and_that_unknown_fields_are_errors() {
    let bench = bench();
    bench.writer.apply(widget(1), None, Ownership::Respect).await.unwrap();
    let created = bench.last_request();
    assert!(created.contains("PATCH") || created.contains("patch"), "{created}");
    assert!(!created.contains("resourceVersion"), "{created}");
    bench.writer.apply(widget(2), Some(&bench.seen()), Ownership::TakeOver).await.unwrap();
    let updated = bench.last_request();
    let expected = "/apis/example.com/v1/namespaces/a/widgets/x?fieldManager=modelward&fieldValidation=Strict&force=true";
    assert!(updated.contains(expected), "{updated}");
    assert!(updated.contains(r#""resourceVersion":"1""#) && updated.contains(r#""uid":"uid-1""#), "{updated}");
}

#[tokio::test(start_paused = true)]
async fn a_write_on_an_old_state_is_a_conflict_and_changes_nothing() {
    let bench = bench();
    bench.writer.create(widget(1)).await.unwrap();
    let target = Target::of(&widget(0)).unwrap();
    let old = bench.seen();
    bench.fake.put(WIDGETS, bench.writer.apply(widget(2), None, Ownership::Respect).await.unwrap());
    let applied = bench.writer.apply(widget(9), Some(&old), Ownership::Respect).await.map(drop);
    let scaled = bench.writer.scale(&target, &old.resource_version, 9).await;
    let deleted = bench.writer.delete(&target, &old, Propagation::Background).await;
    let status = bench.writer.apply_status(&target, &old.resource_version, None, &json!({})).await.map(drop);
    for outcome in [applied, scaled, deleted, status] {
        let error = outcome.unwrap_err();
        assert!(matches!(error, WriteError::Conflict(_)) && error.observe_again(), "{error:?}");
    }
    assert_eq!(bench.cached(), Some(2));
}

#[tokio::test(start_paused = true)]
async fn an_equal_status_is_not_written_and_another_one_replaces_it_whole() {
    let bench = bench();
    let mut object = widget(1);
    object["status"] = json!({"phase": "Old", "left": "over"});
    let object = bench.writer.create(object).await.unwrap();
    let target = Target::of(&object).unwrap();
    let version = object["metadata"]["resourceVersion"].as_str().unwrap();
    let sent = bench.fake.log().len();
    let same = bench.writer.apply_status(&target, version, Some(&object["status"]), &object["status"]).await;
    assert_eq!((same, bench.fake.log().len()), (Ok(None), sent));
    let written = bench.writer.apply_status(&target, version, Some(&object["status"]), &json!({"phase": "New"})).await;
    assert_eq!(written.unwrap().unwrap()["status"], json!({"phase": "New"}));
}

#[tokio::test(start_paused = true)]
async fn a_second_create_finds_the_first_and_a_dry_run_is_told_apart() {
    let bench = bench();
    bench.writer.create(widget(1)).await.unwrap();
    let second = bench.writer.create(widget(1)).await.unwrap_err();
    assert!(matches!(second, WriteError::AlreadyExists(_)), "{second:?}");
    let dry = bench.writer.dry_run_create(widget(1)).await;
    assert!(dry.is_err() && bench.last_request().contains("dryRun=All"));
}

#[tokio::test(start_paused = true)]
async fn what_is_gone_already_counts_as_deleted() {
    let bench = bench();
    bench.writer.create(widget(1)).await.unwrap();
    let seen = bench.seen();
    bench.fake.remove(WIDGETS, "a", "x");
    let target = Target::of(&widget(0)).unwrap();
    assert_eq!(bench.writer.delete(&target, &seen, Propagation::Foreground).await, Ok(()));
    assert!(bench.last_request().contains(r#""propagationPolicy":"Foreground""#));
}

#[tokio::test(start_paused = true)]
async fn a_request_that_is_never_answered_ends_after_65_seconds() {
    let bench = bench();
    bench.fake.fail("create", Fault::Silent);
    let began = tokio::time::Instant::now();
    let error = bench.writer.create(widget(1)).await.unwrap_err();
    assert!(matches!(error, WriteError::Timeout(_)), "{error:?}");
    assert!(began.elapsed() <= Duration::from_secs(66));
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_is_no_success_and_no_second_request() {
    let bench = bench();
    bench.fake.fail("create", Fault::LostAnswer);
    let error = bench.writer.create(widget(1)).await.unwrap_err();
    assert!(matches!(error, WriteError::Timeout(_)) && !error.observe_again(), "{error:?}");
    assert_eq!(bench.fake.count("create"), 1);
}

fn read(code: u16, status: &Value) -> WriteError {
    WriteError::of(code, &HeaderMap::new(), status.to_string().as_bytes())
}

#[test]
fn answers_of_the_api_server_are_told_apart() {
    let causes = |cause: Value| json!({"reason": "Conflict", "message": "m", "details": {"causes": [cause]}});
    let message = || "m".to_owned();
    let cases = [
        (409, json!({"reason": "AlreadyExists", "message": "m"}), WriteError::AlreadyExists(message())),
        (409, json!({"reason": "Conflict", "message": "m"}), WriteError::Conflict(message())),
        (409, causes(json!({"reason": "FieldManagerConflict"})), WriteError::OwnedByOthers(message())),
        (422, causes(json!({"field": "metadata.uid"})), WriteError::Conflict(message())),
        (422, causes(json!({"field": "spec.x"})), WriteError::Invalid(message())),
        (400, json!({"message": "m"}), WriteError::Invalid(message())),
        (403, json!({"message": "m"}), WriteError::Forbidden(message())),
        (404, json!({"message": "m"}), WriteError::NotFound(message())),
        (500, json!({"message": "m"}), WriteError::Unavailable(message())),
        (504, json!({"message": "m"}), WriteError::Timeout(message())),
        (418, json!({"message": "m"}), WriteError::Other { code: 418, message: message() }),
    ];
    for (code, status, expected) in cases {
        assert_eq!(read(code, &status), expected, "{code} {status}");
    }
    let unknown_field = "failed to create typed patch object (/p; /v1, Kind=ConfigMap): .foo: field not declared in schema";
    assert!(matches!(read(500, &json!({"message": unknown_field})), WriteError::Invalid(_)));
}

#[test]
fn a_busy_server_is_given_the_time_it_asks_for() {
    let detail = read(429, &json!({"message": "m", "details": {"retryAfterSeconds": 7}}));
    assert_eq!(detail, WriteError::TooManyRequests { retry_after: Some(Duration::from_secs(7)) });
    assert_eq!(ReconcileError::from(detail).retry, Retry::After(Duration::from_secs(7)));
    let mut headers = HeaderMap::new();
    headers.insert("retry-after", "3".parse().unwrap());
    let text = WriteError::of(429, &headers, b"Too many requests, please try again later.");
    assert_eq!(text, WriteError::TooManyRequests { retry_after: Some(Duration::from_secs(3)) });
}

#[test]
fn a_changed_object_is_looked_at_again_and_a_rejected_one_backs_off() {
    let retry = |error: WriteError| ReconcileError::from(error).retry;
    assert_eq!(retry(WriteError::Conflict(String::new())), Retry::Again);
    assert_eq!(retry(WriteError::Invalid(String::new())), Retry::Backoff);
    assert_eq!(retry(WriteError::OwnedByOthers(String::new())), Retry::Backoff);
}

const EVENTS: &str = "events.k8s.io";

fn recorder(fake: &Fake) -> (Recorder, Arc<Metrics>) {
    let clock = Arc::new(VirtualClock::new(Timestamp::UNIX_EPOCH));
    let metrics = Arc::new(Metrics::default());
    let recorder = Recorder::new(fake.client(), clock, Arc::clone(&metrics), "pod-1");
    tokio::spawn(recorder.clone().run());
    (recorder, metrics)
}

fn notice(name: &str, occasion: &str) -> Notice {
    Notice {
        regarding: Regarding {
            api_version: "example.com/v1".to_owned(),
            kind: "Widget".to_owned(),
            key: ObjectKey::new("a", name),
            uid: format!("uid-of-{name}"),
        },
        severity: Severity::Warning,
        reason: "RolledBack",
        action: "RollBack",
        note: "é".repeat(2000),
        occasion: occasion.to_owned(),
    }
}

fn written(fake: &Fake, verb: &str) -> usize {
    let mine = fake.log().into_iter().filter(|line| line.contains(EVENTS));
    mine.filter(|line| line.split(' ').nth(1) == Some(verb)).count()
}

#[tokio::test(start_paused = true)]
async fn an_event_has_our_time_a_name_that_follows_and_a_note_within_bounds() {
    let fake = Fake::new();
    let (recorder, _) = recorder(&fake);
    sleep(Duration::from_secs(5)).await;
    recorder.publish(&notice("x", "1"));
    assert!(recorder.is_busy());
    sleep(Duration::from_secs(1)).await;
    assert!(!recorder.is_busy());
    let line = fake.log().pop().unwrap();
    let event: Value = serde_json::from_str(line.splitn(4, ' ').nth(3).unwrap()).unwrap();
    assert_eq!(event["eventTime"], "1970-01-01T00:00:05.000000Z");
    assert_eq!(event["type"], "Warning");
    assert_eq!(event["regarding"]["uid"], "uid-of-x");
    assert_eq!(event["note"].as_str().unwrap().len(), 1024);
    let name = event["metadata"]["name"].as_str().unwrap();
    assert!(name.starts_with("x.") && name.len() == "x.".len() + 16, "{name}");
}

#[tokio::test(start_paused = true)]
async fn the_same_occasion_is_the_same_event_also_after_a_restart() {
    let fake = Fake::new();
    let (first, _) = recorder(&fake);
    first.publish(&notice("x", "1"));
    first.publish(&notice("x", "2"));
    sleep(Duration::from_secs(1)).await;
    let (second, metrics) = recorder(&fake);
    second.publish(&notice("x", "1"));
    sleep(Duration::from_secs(1)).await;
    assert_eq!(written(&fake, "create"), 3);
    let page = metrics.render().unwrap();
    assert!(page.contains(r#"modelward_events_total{outcome="known"} 1"#), "{page}");
}

#[tokio::test(start_paused = true)]
async fn a_flood_from_one_object_is_bounded_and_drowns_no_other() {
    let fake = Fake::new();
    let (recorder, _) = recorder(&fake);
    for number in 0..500 {
        recorder.publish(&notice("noisy", &number.to_string()));
    }
    recorder.publish(&notice("quiet", "1"));
    sleep(Duration::from_secs(60)).await;
    assert_eq!(written(&fake, "create"), 26);
    assert!(fake.log().last().unwrap().contains("uid-of-quiet"));
    sleep(Duration::from_secs(300)).await;
    recorder.publish(&notice("noisy", "later"));
    recorder.publish(&notice("noisy", "even later"));
    sleep(Duration::from_secs(1)).await;
    assert_eq!(written(&fake, "create"), 27);
}

#[tokio::test(start_paused = true)]
async fn repetitions_are_counted_in_a_series_that_is_seldom_written() {
    let fake = Fake::new();
    let (recorder, _) = recorder(&fake);
    for _ in 0..1000 {
        recorder.publish(&notice("x", "1"));
    }
    sleep(Duration::from_secs(10)).await;
    assert_eq!((written(&fake, "create"), written(&fake, "patch")), (1, 9));
    assert!(fake.log().last().unwrap().contains(r#""count":512"#));
}

#[tokio::test(start_paused = true)]
async fn an_event_waits_out_a_short_outage_and_is_given_up_in_a_long_one() {
    let fake = Fake::new();
    let (recorder, metrics) = recorder(&fake);
    for _ in 0..2 {
        fake.fail("create", Fault::Status(503, "ServiceUnavailable"));
    }
    recorder.publish(&notice("x", "1"));
    sleep(Duration::from_secs(30)).await;
    for _ in 0..4 {
        fake.fail("create", Fault::Status(503, "ServiceUnavailable"));
    }
    recorder.publish(&notice("x", "2"));
    sleep(Duration::from_secs(60)).await;
    let page = metrics.render().unwrap();
    for outcome in ["written", "failed"] {
        assert!(page.contains(&format!(r#"modelward_events_total{{outcome="{outcome}"}} 1"#)), "{page}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_event_is_not_sent_again_before_the_server_wants_it() {
    let fake = Fake::new();
    let (recorder, _metrics) = recorder(&fake);
    fake.fail("create", Fault::Throttled(20));
    recorder.publish(&notice("x", "1"));
    sleep(Duration::from_secs(19)).await;
    assert_eq!(written(&fake, "create"), 1);
    sleep(Duration::from_secs(2)).await;
    assert_eq!(written(&fake, "create"), 2);
}
