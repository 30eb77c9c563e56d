//! The writer, the recorder and the caches against the simulated cluster, which answers as a real API server does.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use jiff::Timestamp;
use kube::core::{ApiResource, GroupVersionKind, Selector};
use serde_json::{Value, json};
use tokio::time::sleep;

use super::{
    events::{Notice, Recorder, Regarding, Severity},
    *,
};
use crate::{
    runtime::{
        cache::{AnyCache, Cache, CacheState, WatchContext, Watched, WriteObserver},
        clock::{Clock, VirtualClock},
        key::ObjectKey,
        telemetry::metrics::Metrics,
    },
    sim::{
        cluster::{Cluster, Identity, WriteOptions},
        service::SimServer,
    },
};

struct Deployments;

impl Watched for Deployments {
    type Row = (i64, Value);

    fn resource(&self) -> ApiResource {
        ApiResource::from_gvk(&GroupVersionKind::gvk("apps", "v1", "Deployment"))
    }

    fn selector(&self) -> Selector {
        Selector::from_iter([("app", "ours")])
    }

    fn project(&self, object: &Value) -> Result<(i64, Value), String> {
        let replicas = object["spec"]["replicas"].as_i64().ok_or_else(|| "no replicas".to_owned())?;
        Ok((replicas, object["status"].clone()))
    }
}

struct Bench {
    server: SimServer<Cluster>,
    cache: Arc<Cache<Deployments>>,
    writer: Writer,
    recorder: Recorder,
}

async fn bench() -> Bench {
    let epoch: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
    let (server, service) = SimServer::start(Cluster::new(1, epoch));
    let (client, metrics) = (service.client("default"), Arc::new(Metrics::default()));
    let clock: Arc<dyn Clock> = Arc::new(VirtualClock::new(epoch));
    let cache = Cache::new(Deployments);
    let writer = Writer::new(client.clone(), [Arc::clone(&cache) as Arc<dyn WriteObserver>]);
    let recorder = Recorder::new(client.clone(), Arc::clone(&clock), Arc::clone(&metrics), "pod");
    tokio::spawn(recorder.clone().run());
    let context = WatchContext { client, clock, metrics, salt: 0 };
    tokio::spawn((Arc::clone(&cache) as Arc<dyn AnyCache>).feed(context));
    sleep(Duration::from_secs(2)).await;
    assert_eq!(cache.state(), CacheState::Synced);
    Bench { server, cache, writer, recorder }
}

fn deployment(image: &str) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"namespace": "default", "name": "x", "labels": {"app": "ours"}},
        "spec": {
            "selector": {"matchLabels": {"app": "ours"}},
            "template": {"metadata": {"labels": {"app": "ours"}}, "spec": {"containers": [{"name": "m", "image": image}]}},
        },
    })
}

fn x() -> ObjectKey {
    ObjectKey::new("default", "x")
}

impl Bench {
    fn seen(&self) -> Precondition {
        Precondition::from(&*self.cache.get(&x()).unwrap())
    }

    fn stored(&self) -> Option<Value> {
        self.server.with(|state| state.world.get("deployments.apps", "default", "x")).map(|object| (*object).clone())
    }

    /// The cache holds what the cluster holds.
    fn check(&self) {
        let stored = self.stored().unwrap();
        assert_eq!(self.seen().resource_version, stored["metadata"]["resourceVersion"]);
    }

    /// Lets the watch deliver, and checks that it changed nothing.
    async fn settle(&self) {
        self.check();
        sleep(Duration::from_secs(1)).await;
        self.check();
    }
}

#[tokio::test(start_paused = true)]
async fn every_write_is_answered_as_the_writer_expects_and_is_in_the_cache_at_once() {
    let bench = bench().await;
    let target = Target::of(&deployment("a")).unwrap();
    let mut first = deployment("a");
    first["spec"]["replicas"] = json!(2);
    bench.writer.create(first.clone()).await.unwrap();
    bench.settle().await;
    assert!(matches!(bench.writer.create(first).await.unwrap_err(), WriteError::AlreadyExists(_)));

    bench.writer.apply(deployment("a"), Some(&bench.seen()), Ownership::Respect).await.unwrap();
    bench.settle().await;

    bench.writer.scale(&target, &bench.seen().resource_version, 5).await.unwrap();
    bench.settle().await;
    assert_eq!(bench.cache.get(&x()).unwrap().row.as_ref().unwrap().0, 5);

    let status = json!({"observedGeneration": 2, "replicas": 5});
    let written = bench.writer.apply_status(&target, &bench.seen().resource_version, None, &status).await.unwrap();
    assert_eq!(written.unwrap()["status"], status);
    bench.settle().await;

    let annotations = BTreeMap::from([("example.com/note".to_owned(), Some("yes".to_owned()))]);
    bench.writer.annotate(&target, &bench.seen(), &annotations).await.unwrap();
    bench.settle().await;

    bench.writer.delete(&target, &bench.seen(), Propagation::Background).await.unwrap();
    assert!(bench.cache.get(&x()).is_none() && bench.stored().is_none());
    sleep(Duration::from_secs(1)).await;
    assert!(bench.cache.is_empty());
}

#[tokio::test(start_paused = true)]
async fn whatever_changed_since_it_was_seen_is_a_conflict() {
    let bench = bench().await;
    let target = Target::of(&deployment("a")).unwrap();
    bench.writer.create(deployment("a")).await.unwrap();
    let old = bench.seen();
    bench.writer.apply(deployment("a"), None, Ownership::TakeOver).await.unwrap();
    let annotations = BTreeMap::new();
    let stale = [
        bench.writer.apply(deployment("b"), Some(&old), Ownership::TakeOver).await.map(drop),
        bench.writer.scale(&target, &old.resource_version, 9).await,
        bench.writer.apply_status(&target, &old.resource_version, None, &json!({"replicas": 1})).await.map(drop),
        bench.writer.annotate(&target, &old, &annotations).await.map(drop),
        bench.writer.delete(&target, &old, Propagation::Background).await,
    ];
    for (number, outcome) in stale.into_iter().enumerate() {
        assert!(matches!(outcome, Err(WriteError::Conflict(_))), "{number}: {outcome:?}");
    }
    let another = Precondition { uid: "other".to_owned(), ..bench.seen() };
    let outcome = bench.writer.apply(deployment("b"), Some(&another), Ownership::TakeOver).await;
    assert!(matches!(outcome, Err(WriteError::Conflict(_))), "{outcome:?}");
    let seen = bench.seen();
    bench.writer.delete(&target, &seen, Propagation::Background).await.unwrap();
    let outcome = bench.writer.apply(deployment("b"), Some(&seen), Ownership::TakeOver).await;
    assert!(matches!(outcome, Err(WriteError::Conflict(_))), "an apply must not make it anew: {outcome:?}");
    assert!(bench.stored().is_none());
}

#[tokio::test(start_paused = true)]
async fn a_namesake_keeps_its_fields_and_a_wrong_object_is_rejected() {
    let bench = bench().await;
    let user = Identity::user("someone");
    let options = WriteOptions { field_manager: "someone".to_owned(), ..WriteOptions::default() };
    bench.server.with(|state| state.world.create(&user, "deployments.apps", "default", deployment("theirs"), &options)).unwrap();
    let outcome = bench.writer.apply(deployment("ours"), None, Ownership::Respect).await;
    assert!(matches!(outcome, Err(WriteError::OwnedByOthers(_))), "{outcome:?}");
    let mut unknown = deployment("theirs");
    unknown["spec"]["replica"] = json!(3);
    let outcome = bench.writer.apply(unknown.clone(), None, Ownership::Respect).await;
    assert!(matches!(outcome, Err(WriteError::Invalid(_))), "{outcome:?}");
    unknown["metadata"]["name"] = json!("y");
    let outcome = bench.writer.dry_run_create(unknown.clone()).await;
    assert!(matches!(outcome, Err(WriteError::Invalid(_))), "{outcome:?}");
    unknown["spec"].as_object_mut().unwrap().remove("replica");
    let stored = bench.writer.dry_run_create(unknown).await.unwrap();
    assert_eq!(stored["metadata"]["name"], "y");
    assert_eq!(bench.cache.len(), 1, "a dry run makes nothing");
    let mut elsewhere = deployment("a");
    elsewhere["metadata"]["namespace"] = json!("nowhere");
    let outcome = bench.writer.create(elsewhere).await;
    assert!(matches!(outcome, Err(WriteError::NotFound(_))), "{outcome:?}");
}

#[tokio::test(start_paused = true)]
async fn events_are_accepted_and_count_their_repetitions() {
    let bench = bench().await;
    let notice = Notice {
        regarding: Regarding { api_version: "apps/v1".to_owned(), kind: "Deployment".to_owned(), key: x(), uid: "u".to_owned() },
        severity: Severity::Normal,
        reason: "Stepped",
        action: "Step",
        note: "one step".to_owned(),
        occasion: "1".to_owned(),
    };
    for _ in 0..4 {
        bench.recorder.publish(&notice);
    }
    sleep(Duration::from_secs(1)).await;
    let events = bench.server.with(|state| state.world.list("events.events.k8s.io", Some("default")));
    assert_eq!(events.len(), 1);
    assert_eq!((events[0]["note"].as_str(), events[0]["series"]["count"].as_i64()), (Some("one step"), Some(4)));
}
