//! What has come to rest stays so: no write, and no request but watches and their renewals (L1).

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;

use crate::arena::{Arena, at};
use crate::fixtures::{Split, canary, model, serving, with_startup};
use crate::invariants::OPERATOR;
use crate::numbers::To;
use crate::real;
use crate::simulated::{Stage, runtime};

/// Plays `prepare`, waits until everything has come to rest, and listens for 24 virtual hours.
fn stays_quiet(name: &str, prepare: impl AsyncFnOnce(&Arena)) {
    runtime().block_on(async {
        let stage = Stage::set(1).await;
        stage.make_namespace("play");
        let (operator, _) = stage.start_operator(None);
        let arena = stage.arena("play");
        prepare(&arena).await;
        arena.sleep(arena.pace.rest).await;
        let (revision, events) = stage.cluster(|cluster| (cluster.revision(), cluster.list("events", None).len()));
        let heard = stage.log.lock().unwrap().len();
        arena.sleep(arena.pace.quiet).await;
        // Events go after an hour, each by itself: nothing else has happened.
        let expected = revision + u64::try_from(events).unwrap();
        assert_eq!(stage.cluster(|cluster| cluster.revision()), expected, "{name}: something was written");
        let log = stage.log.lock().unwrap()[heard..].to_vec();
        let others = log.iter().filter(|record| record.info.verb != "watch" || record.who.user != OPERATOR);
        let noise: Vec<String> = others.map(|record| format!("{} {} {}", record.at, record.info.verb, record.info.path)).collect();
        assert_eq!(noise, Vec::<String>::new(), "{name}");
        // Eight caches renew their watches every few minutes.
        assert!(log.len() > 8 * 24, "{name}: only {} watches", log.len());
        stage.check(name);
        stage.stop_operator(&operator);
    });
}

/// A canary of 1.1.0 that holds at 25 % until somebody promotes it.
async fn holding(arena: &Arena, split: Split) {
    serving(arena, split).await;
    let mut object = canary(arena, "1.1.0", split);
    object["spec"]["strategy"]["canary"]["steps"] = json!([{"weight": 25, "holdUntil": "Promoted"}]);
    arena.apply("modeldeployment", object).await;
    arena.holding_at("chat", 25).await;
}

#[test]
fn serving_deployment_is_left_alone() {
    for split in [Split::Pods, Split::Route] {
        stays_quiet(&format!("serving by {split:?}"), async |arena| serving(arena, split).await);
    }
}

#[test]
fn finished_canary_is_left_alone() {
    for split in [Split::Pods, Split::Route] {
        stays_quiet(&format!("finished by {split:?}"), async |arena| {
            serving(arena, split).await;
            arena.apply("modeldeployment", canary(arena, "1.1.0", split)).await;
            let done =
                |object: &serde_json::Value| at(object, "/status/stable/version") == "1.1.0" && at(object, "/status/phase") == "Active";
            arena.until("1.1.0 serves", "modeldeployment", "chat", done).await;
        });
    }
}

#[test]
fn canary_that_waits_for_a_person_is_left_alone() {
    for split in [Split::Pods, Split::Route] {
        stays_quiet(&format!("holding by {split:?}"), async |arena| holding(arena, split).await);
    }
}

#[test]
fn paused_canary_is_left_alone() {
    stays_quiet("paused", async |arena| {
        serving(arena, Split::Route).await;
        arena.apply("modeldeployment", canary(arena, "1.1.0", Split::Route)).await;
        arena.holding_at("chat", 25).await;
        arena.command("chat", "pause:1").await;
    });
}

#[test]
fn aborted_canary_is_left_alone() {
    for split in [Split::Pods, Split::Route] {
        stays_quiet(&format!("aborted by {split:?}"), async |arena| {
            holding(arena, split).await;
            arena.command("chat", "abort:1").await;
            arena.phase("chat", "RolledBack").await;
        });
    }
}

#[test]
fn canary_that_was_given_up_is_left_alone() {
    stays_quiet("given up", async |arena| {
        serving(arena, Split::Route).await;
        arena.apply("modeldeployment", with_startup(canary(arena, "1.1.0", Split::Route), "never", arena.pace.deadline)).await;
        arena.phase("chat", "RolledBack").await;
    });
}

#[test]
fn version_that_its_numbers_took_back_is_left_alone_though_requests_go_on() {
    stays_quiet("taken back by its numbers", async |arena| {
        serving(arena, Split::Route).await;
        arena.numbers.fails("1.1.0", 0.5);
        arena.numbers.requests(&[(To::Everybody, 2.0)]);
        let mut object = canary(arena, "1.1.0", Split::Route);
        object["spec"]["analysis"] = json!({
            "profile": "generic", "minimumSamples": 10, "afterPromotion": "48h", "metrics": [{"name": "errorRate", "max": 0.05}],
        });
        arena.apply("modeldeployment", object).await;
        arena.phase("chat", "RolledBack").await;
        // It would fail again if it were asked: nobody asks.
        arena.numbers.fails("1.0.0", 0.5);
    });
}

#[test]
fn deployment_whose_metrics_nobody_knows_is_left_alone() {
    stays_quiet("metrics unknown", async |arena| {
        arena.apply("model", model()).await;
        let mut object = canary(arena, "1.0.0", Split::Pods);
        object["spec"]["analysis"] = json!({"profile": "generic", "metrics": [{"name": "errorRate", "max": 0.05}]});
        arena.apply("modeldeployment", object).await;
        arena.reason("chat", "AnalysisReady", "NoSeries").await;
    });
}

#[test]
fn deployment_that_waits_for_its_model_is_left_alone() {
    stays_quiet("no model", async |arena| {
        arena.apply("modeldeployment", canary(arena, "1.0.0", Split::Pods)).await;
        arena.phase("chat", "Pending").await;
    });
}

#[test]
fn first_release_that_never_gets_ready_is_left_alone() {
    stays_quiet("degraded", async |arena| {
        arena.apply("model", model()).await;
        arena.apply("modeldeployment", with_startup(canary(arena, "1.0.0", Split::Pods), "never", arena.pace.deadline)).await;
        arena.phase("chat", "Degraded").await;
    });
}

/// Kinds that a namespace of ours holds.
const KINDS: [&str; 11] =
    ["model", "modeldeployment", "deployment", "replicaset", "record", "service", "pod", "event", "budget", "slice", "route"];

/// The resourceVersion of every object of the namespace.
async fn versions(arena: &Arena) -> BTreeMap<String, String> {
    let mut versions = BTreeMap::new();
    for kind in KINDS {
        for object in arena.list(kind, "").await {
            let text = |field: &str| object["metadata"][field].as_str().unwrap().to_owned();
            versions.insert(format!("{kind} {}", text("name")), text("resourceVersion"));
        }
    }
    versions
}

#[test]
fn real_control_plane_sees_no_write_for_two_minutes() {
    let Some(path) = real::kubeconfig() else { return };
    real::play_within(&path, "quiet_for_two_minutes", Duration::from_secs(240), async |arena| {
        holding(arena, Split::Route).await;
        let mut waiting = canary(arena, "1.0.0", Split::Pods);
        waiting["metadata"]["name"] = "waiting".into();
        waiting["spec"]["model"] = "unknown".into();
        arena.apply("modeldeployment", waiting).await;
        arena.phase("waiting", "Pending").await;
        // The counts of pods in status are at most ten seconds old.
        arena.sleep(arena.pace.rest + Duration::from_secs(15)).await;
        let before = versions(arena).await;
        assert!(before.len() > 15, "{before:?}");
        arena.sleep(arena.pace.quiet).await;
        assert_eq!(versions(arena).await, before);
    });
}
