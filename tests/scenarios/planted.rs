//! The watchdog sees what it is there for: for each invariant, a write in the operator's name that breaks it, and it alone.

mod bookkeeping;
mod evidence;
mod faults;
mod ownership;
mod requests;
mod rollbacks;
mod scalers;
mod traffic;

use std::collections::BTreeSet;
use std::time::Duration;

use modelward::sim::cluster::{Cluster, DeleteOptions, Identity, Patch, WriteOptions};
use serde_json::{Value, json};

use crate::arena::{Arena, at};
use crate::fixtures::{Split, canary, serving};
use crate::invariants::OPERATOR;
use crate::invariants::sight::Delivered;
use crate::numbers::To;
use crate::simulated::{Stage, runtime};

const DEPLOYMENTS: &str = "modeldeployments.modelward.dev";
const ROUTES: &str = "httproutes.gateway.networking.k8s.io";
const WORKLOADS: &str = "deployments.apps";

/// Where the plant grows.
enum Ground {
    /// Version 1.0.0 serves, by a route.
    Serving,
    /// Version 1.1.0 has 25 % of a route, and one pod, for a minute.
    Quarter,
    /// Version 1.1.0 has 50 % of a route, and two pods, for a minute.
    Half,
    /// Version 1.1.0 has 25 % of a route, for a minute; both versions have scalers, and stable four pods.
    Scaled,
    /// Version 1.1.0 has 25 % of a route and passes its analysis, by a bound and by a comparison.
    Judged,
}

/// Numbers of the invariants that were seen broken once `plant` has grown; before that, none is.
fn seen(ground: Ground, plant: impl AsyncFnOnce(&Stage)) -> BTreeSet<String> {
    runtime().block_on(async {
        let stage = Stage::set(1).await;
        stage.watchdog.lock().unwrap().delivered = Some(Delivered::default());
        stage.make_namespace("play");
        let (operator, _) = stage.start_operator(None);
        prepare(&stage, ground).await;
        stage.check("before anything is planted");
        stage.stop_operator(&operator);
        tokio::time::sleep(Duration::from_secs(60)).await;
        plant(&stage).await;
        stage.violations().iter().map(|violation| violation[..3].to_owned()).collect()
    })
}

async fn prepare(stage: &Stage, ground: Ground) {
    let arena = stage.arena("play");
    serving(&arena, Split::Route).await;
    let held = match ground {
        Ground::Serving => return,
        Ground::Quarter => 25,
        Ground::Half => 50,
        Ground::Judged => return judged(&arena).await,
        Ground::Scaled => return crate::autoscaling::released(&arena).await,
    };
    let mut object = canary(&arena, "1.1.0", Split::Route);
    object["spec"]["strategy"]["canary"]["steps"] = json!([{"weight": held, "holdUntil": "Promoted"}]);
    arena.apply("modeldeployment", object).await;
    arena.holding_at("chat", held).await;
}

async fn judged(arena: &Arena) {
    arena.numbers.requests(&[(To::Everybody, 40.0)]);
    let mut object = canary(arena, "1.1.0", Split::Route);
    object["spec"]["strategy"]["canary"]["steps"] = json!([{"weight": 25, "holdUntil": "Promoted"}]);
    object["spec"]["analysis"] = json!({
        "profile": "generic",
        "metrics": [{"name": "errorRate", "max": 0.05}, {"name": "latencyP95", "comparedToStable": {"maxRegression": 20}}],
    });
    arena.apply("modeldeployment", object).await;
    let passes = |object: &Value| {
        let metrics = at(object, "/status/analysis/metrics").as_array().cloned().unwrap_or_default();
        metrics.len() == 2 && metrics.iter().all(|metric| metric["phase"] == "Passing")
    };
    arena.until("both metrics pass", "modeldeployment", "chat", passes).await;
}

/// What the operator's identity may do behind the operator's back.
struct Hand<'a>(&'a mut Cluster);

impl Hand<'_> {
    fn who() -> Identity {
        Identity::user(OPERATOR)
    }

    /// Merges `patch` into an object, through a subresource or not.
    fn merge(&mut self, kind: &str, name: &str, subresource: Option<&str>, patch: Value) {
        let options = WriteOptions::manager("modelward");
        self.0.patch(&Self::who(), kind, "play", name, subresource, Patch::Merge(patch), &options).unwrap();
    }

    fn create(&mut self, kind: &str, object: Value) {
        self.0.create(&Self::who(), kind, "play", object, &WriteOptions::manager("modelward")).unwrap();
    }

    fn delete(&mut self, kind: &str, name: &str) {
        self.0.delete(&Self::who(), kind, "play", name, &DeleteOptions::default()).unwrap();
    }

    fn get(&self, kind: &str, name: &str) -> Value {
        (*self.0.get(kind, "play", name).unwrap()).clone()
    }

    /// Name of the revision of a version.
    fn revision(&self, version: &str) -> String {
        let all = self.0.list(WORKLOADS, Some("play"));
        let found = all.iter().find(|workload| workload["metadata"]["labels"]["modelward.dev/version"] == version);
        found.unwrap()["metadata"]["name"].as_str().unwrap().to_owned()
    }

    /// Owner references of a child of ours.
    fn owners(&self) -> Value {
        self.get("services", "chat")["metadata"]["ownerReferences"].clone()
    }
}

/// A plant that is one write or a few, at one moment.
fn planted(ground: Ground, plant: impl FnOnce(&mut Hand<'_>)) -> BTreeSet<String> {
    seen(ground, async |stage| stage.cluster(|cluster| plant(&mut Hand(cluster))))
}

fn only(number: &str) -> BTreeSet<String> {
    BTreeSet::from([number.to_owned()])
}

#[test]
fn clean_runs_break_nothing() {
    for ground in [Ground::Serving, Ground::Quarter, Ground::Half, Ground::Judged] {
        assert_eq!(seen(ground, async |_| tokio::time::sleep(Duration::from_secs(600)).await), BTreeSet::new());
    }
}
