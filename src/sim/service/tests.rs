use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::StreamExt;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use kube::api::{Api, DeleteParams, ListParams, ObjectMeta, Patch, PatchParams, PostParams, WatchEvent, WatchParams};
use serde_json::json;
use tokio::time::Instant;

use super::{LATENCY, SimServer, SimService};
use crate::sim::cluster::{Cluster, Identity, WatchEvent as CoreEvent};
use crate::sim::routes::RequestInfo;
use crate::sim::routes::access::{Decision, Delivery, Failure, Interceptor, Observer, RequestRecord, StreamInterceptor};
use crate::sim::simulation::Simulation;

fn start() -> (SimServer<Cluster>, SimService) {
    SimServer::start(Cluster::new(1, "2026-01-01T00:00:00Z".parse().unwrap()))
}

fn config_map(name: &str) -> ConfigMap {
    ConfigMap { metadata: ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() }, ..ConfigMap::default() }
}

fn maps(service: &SimService) -> Api<ConfigMap> {
    Api::default_namespaced(service.client("default"))
}

#[tokio::test(start_paused = true)]
async fn a_kube_client_creates_lists_applies_and_deletes() {
    let (_server, service) = start();
    let api = maps(&service);
    api.create(&PostParams::default(), &config_map("a")).await.unwrap();
    let apply = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "b"}, "data": {"k": "v"}});
    let applied = api.patch("b", &PatchParams::apply("me"), &Patch::Apply(&apply)).await.unwrap();
    assert_eq!(applied.data.unwrap()["k"], "v");
    let names: Vec<String> = api.list(&ListParams::default()).await.unwrap().into_iter().filter_map(|map| map.metadata.name).collect();
    assert_eq!(names, ["a", "b"]);
    api.delete("a", &DeleteParams::default()).await.unwrap();
    assert!(api.get_opt("a").await.unwrap().is_none());
    let error = api.create(&PostParams::default(), &config_map("b")).await.unwrap_err();
    assert!(matches!(error, kube::Error::Api(status) if status.code == 409 && status.reason == "AlreadyExists"));
}

#[tokio::test(start_paused = true)]
async fn every_answer_takes_one_latency_of_virtual_time() {
    let (_server, service) = start();
    let api = maps(&service);
    let before = Instant::now();
    api.create(&PostParams::default(), &config_map("a")).await.unwrap();
    assert_eq!(before.elapsed(), LATENCY);
    tokio::time::sleep(Duration::from_secs(3600)).await;
    let later = api.create(&PostParams::default(), &config_map("b")).await.unwrap();
    assert_eq!(later.metadata.creation_timestamp.unwrap().0.to_string(), "2026-01-01T01:00:00Z");
}

#[tokio::test(start_paused = true)]
async fn watches_deliver_events_and_end_after_their_virtual_timeout() {
    let (_server, service) = start();
    let api = maps(&service);
    let mut events = api.watch(&WatchParams::default().timeout(30), "0").await.unwrap().boxed();
    let started = Instant::now();
    api.create(&PostParams::default(), &config_map("a")).await.unwrap();
    let mut seen = Vec::new();
    while let Some(event) = events.next().await {
        match event.unwrap() {
            WatchEvent::Added(map) => seen.push(map.metadata.name.unwrap()),
            WatchEvent::Bookmark(_) => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(seen, ["a"]);
    assert_eq!(started.elapsed().as_secs(), 30);
}

struct Record(Arc<Mutex<Vec<String>>>);

impl Observer for Record {
    fn answered(&mut self, record: &RequestRecord) {
        self.0.lock().unwrap().push(format!("{} {} {}", record.who.user_agent, record.info.verb, record.info.name));
    }
}

/// What the server saw when these names were asked for in this order, all at once.
async fn order_served(names: &[&str]) -> Vec<String> {
    let (server, service) = start();
    let log = Arc::new(Mutex::new(Vec::new()));
    server.with(|state| state.front.observers.push(Box::new(Record(Arc::clone(&log)))));
    let other = service.identified(Identity { user_agent: "other".to_owned(), ..Identity::user("o") });
    let (one, two) = (maps(&service), maps(&other));
    futures::future::join_all(names.iter().flat_map(|name| [one.get_opt(name), two.get_opt(name)])).await;
    log.lock().unwrap().clone()
}

#[tokio::test(start_paused = true)]
async fn requests_of_one_instant_are_served_in_the_same_order_however_they_came() {
    let first = order_served(&["c", "a", "b"]).await;
    assert_eq!(first, order_served(&["b", "c", "a"]).await);
    assert_eq!(first, [" get a", " get b", " get c", "other get a", "other get b", "other get c"]);
}

struct LosesSecondReply;

impl Interceptor for LosesSecondReply {
    fn before(&mut self, index: u64, _: &Identity, _: &RequestInfo) -> Decision {
        match index {
            1 => Decision::FailAfter(Failure::Reset),
            2 => Decision::Late(Duration::from_secs(60)),
            _ => Decision::Pass,
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_interceptor_loses_one_reply_and_delays_another() {
    let (server, service) = start();
    server.with(|state| state.front.interceptor = Some(Box::new(LosesSecondReply)));
    let api = maps(&service);
    api.create(&PostParams::default(), &config_map("a")).await.unwrap();
    assert!(matches!(api.create(&PostParams::default(), &config_map("b")).await, Err(kube::Error::Service(_))));
    let before = Instant::now();
    assert!(api.get_opt("b").await.unwrap().is_some(), "committed, though the reply was lost");
    assert_eq!(before.elapsed(), Duration::from_secs(60) + LATENCY);
}

#[tokio::test(start_paused = true)]
async fn writes_through_the_handle_reach_open_watches() {
    let (server, service) = start();
    let api = maps(&service);
    let mut events = api.watch(&WatchParams::default(), "0").await.unwrap().boxed();
    server.with(|state| {
        let who = Identity::user("direct");
        let map = json!({"metadata": {"name": "d"}});
        state.world.create(&who, "configmaps", "default", map, &crate::sim::cluster::WriteOptions::default()).unwrap();
    });
    loop {
        match events.next().await.unwrap().unwrap() {
            WatchEvent::Added(map) => break assert_eq!(map.metadata.name.as_deref(), Some("d")),
            WatchEvent::Bookmark(_) => {}
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn requests_to_a_dropped_server_fail() {
    let (server, service) = start();
    let api = maps(&service);
    api.get_opt("a").await.unwrap();
    drop(server);
    assert!(api.get_opt("a").await.is_err());
}

struct Hangs;

impl Interceptor for Hangs {
    fn before(&mut self, index: u64, _: &Identity, _: &RequestInfo) -> Decision {
        let stall = Failure::Stall(Duration::from_secs(90));
        match index {
            0 => Decision::FailBefore(stall),
            1 => Decision::FailAfter(stall),
            _ => Decision::Pass,
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_hangs_breaks_late_whether_or_not_the_request_was_carried_out() {
    let (server, service) = start();
    server.with(|state| state.front.interceptor = Some(Box::new(Hangs)));
    let api = maps(&service);
    for name in ["lost", "done"] {
        let before = Instant::now();
        assert!(matches!(api.create(&PostParams::default(), &config_map(name)).await, Err(kube::Error::Service(_))));
        assert_eq!(before.elapsed(), Duration::from_secs(90) + LATENCY);
    }
    assert!(api.get_opt("lost").await.unwrap().is_none());
    assert!(api.get_opt("done").await.unwrap().is_some());
}

struct SlowStream;

impl StreamInterceptor for SlowStream {
    fn event(&mut self, _: &Identity, _: &RequestInfo, event: CoreEvent) -> Delivery {
        let late = event.object["metadata"]["name"] == "late";
        Delivery { delay: if late { Duration::from_secs(30) } else { Duration::ZERO }, ..Delivery::pass(event) }
    }
}

#[tokio::test(start_paused = true)]
async fn late_events_hold_back_what_follows_them() {
    let (server, service) = start();
    server.with(|state| state.front.stream_interceptor = Some(Arc::new(Mutex::new(SlowStream))));
    let api = maps(&service);
    let mut events = api.watch(&WatchParams::default().disable_bookmarks(), "0").await.unwrap().boxed();
    let start = Instant::now();
    for name in ["late", "early"] {
        api.create(&PostParams::default(), &config_map(name)).await.unwrap();
    }
    let mut seen = Vec::new();
    for _ in 0..2 {
        let Some(Ok(WatchEvent::Added(map))) = events.next().await else { panic!("no event") };
        seen.push((map.metadata.name.unwrap(), start.elapsed().as_secs()));
    }
    assert_eq!(seen, [("late".to_owned(), 30), ("early".to_owned(), 30)]);
}

/// What a world with actors was asked and showed while a watcher followed a rollout, and clients rushed at it in this order.
async fn trace(order: impl Iterator<Item = u32>) -> Vec<String> {
    let (server, service) = SimServer::start(Simulation::new(7, "2026-01-01T00:00:00Z".parse().unwrap()));
    let log = Arc::new(Mutex::new(Vec::new()));
    server.with(|state| state.front.observers.push(Box::new(Record(Arc::clone(&log)))));
    let pods: Api<Pod> = Api::default_namespaced(service.client("default"));
    let maps = maps(&service);
    let follow = async {
        let mut seen = Vec::new();
        let mut stream = kube::runtime::watcher(pods, kube::runtime::watcher::Config::default()).boxed();
        while let Ok(Some(event)) = tokio::time::timeout(Duration::from_secs(60), stream.next()).await {
            if let Ok(kube::runtime::watcher::Event::Apply(pod)) = event {
                seen.push(format!("{:?} {:?}", pod.metadata.name, pod.metadata.resource_version));
            }
        }
        seen
    };
    let rush = async {
        let deployment: Deployment = serde_json::from_value(json!({
            "metadata": {"name": "d"},
            "spec": {"replicas": 3, "selector": {"matchLabels": {"a": "b"}}, "template": {
                "metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}},
        }))
        .unwrap();
        Api::<Deployment>::default_namespaced(service.client("default")).create(&PostParams::default(), &deployment).await.unwrap();
        let writes = order.map(|number| {
            let maps = maps.clone();
            async move { maps.create(&PostParams::default(), &config_map(&format!("m{number}"))).await.unwrap().metadata.resource_version }
        });
        futures::future::join_all(writes).await
    };
    let (mut seen, _) = futures::future::join(follow, rush).await;
    assert!(seen.len() >= 6, "three pods, created and started: {seen:?}");
    seen.extend(log.lock().unwrap().clone());
    seen
}

#[tokio::test(start_paused = true)]
async fn the_same_world_gives_the_same_trace_however_tasks_are_scheduled() {
    assert_eq!(trace(0..20).await, trace((0..20).rev()).await);
}
