//! A scaler decides how many pods there are: at rest, through a release, and when it is taken away. S14, S15, S21.

use serde_json::{Value, json};

use crate::arena::{Arena, at, condition};
use crate::fixtures::{CHILDREN, Split, canary, model, name, route_weights, workload};
use crate::load::{metric, trigger};
use crate::{real, simulated};

/// A deployment `chat` of `version` with 2 to 10 pods, one for each ten that wait, held at 25 % until somebody promotes.
fn scaled(arena: &Arena, version: &str, split: Split) -> Value {
    let mut object = canary(arena, version, split);
    object["spec"].as_object_mut().unwrap().remove("replicas");
    object["spec"]["strategy"]["canary"]["steps"] = json!([{"weight": 25, "holdUntil": "Promoted"}]);
    object["spec"]["autoscaling"] = by_hpa();
    object
}

/// 2 to 10 pods, one for each ten that wait.
pub fn by_hpa() -> Value {
    // At once: an autoscaler by default waits five minutes before it takes pods away.
    let behavior = json!({"scaleDown": {"stabilizationWindowSeconds": 0}});
    json!({"minReplicas": 2, "maxReplicas": 10, "hpa": {"metrics": [metric()], "behavior": behavior}})
}

/// The same, by KEDA and from nothing.
fn scaled_by_keda(arena: &Arena, version: &str) -> Value {
    let mut object = scaled(arena, version, Split::Route);
    let behavior = json!({"scaleDown": {"stabilizationWindowSeconds": 0}});
    let keda = json!({"triggers": [trigger()], "pollingInterval": 5, "cooldownPeriod": 5, "behavior": behavior});
    object["spec"]["autoscaling"] = json!({"minReplicas": 0, "maxReplicas": 10, "keda": keda});
    object
}

/// Version 1.0.0 has four pods by its scaler, and 1.1.0 holds at 25 % of a route.
pub async fn released(arena: &Arena) {
    arena.apply("model", model()).await;
    arena.apply("modeldeployment", scaled(arena, "1.0.0", Split::Route)).await;
    arena.phase("chat", "Active").await;
    arena.queue("1.0.0", 38).await;
    grows_to(arena, "1.0.0", 4).await;
    arena.apply("modeldeployment", scaled(arena, "1.1.0", Split::Route)).await;
    arena.queue("1.1.0", 1).await;
    arena.holding_at("chat", 25).await;
}

/// What serves gets a scaler of each kind, with other bounds meanwhile, and loses it.
pub async fn every_request(arena: &Arena) {
    arena.install_keda().await;
    let version = arena.get("modeldeployment", "chat").await.unwrap()["spec"]["version"].as_str().unwrap().to_owned();
    for (object, by) in [(scaled(arena, &version, Split::Route), "HPA"), (scaled_by_keda(arena, &version), "KEDA")] {
        for most in [10, 9] {
            let mut object = object.clone();
            object["spec"]["autoscaling"]["maxReplicas"] = most.into();
            arena.apply("modeldeployment", object).await;
            arena.until(by, "modeldeployment", "chat", |object| owner(object, "stable") == by).await;
            arena.sleep(std::time::Duration::from_secs(30)).await;
        }
    }
    arena.apply("modeldeployment", canary(arena, &version, Split::Route)).await;
    arena.until("the operator", "modeldeployment", "chat", |object| owner(object, "stable") == "Operator").await;
}

/// Pods that the workload of `version` asks for, 0 without one.
async fn asked(arena: &Arena, version: &str) -> i64 {
    let selector = format!("{CHILDREN},modelward.dev/version={version}");
    let workloads = arena.list("deployment", &selector).await;
    workloads.iter().map(|workload| workload["spec"]["replicas"].as_i64().unwrap()).sum()
}

/// Waits until `version` asks for so many pods, and all of them are ready.
async fn grows_to(arena: &Arena, version: &str, pods: i64) {
    let selector = format!("{CHILDREN},modelward.dev/version={version}");
    let ready = async || {
        let workloads = arena.list("deployment", &selector).await;
        workloads
            .iter()
            .any(|workload| workload["spec"]["replicas"] == pods && at(workload, "/status/readyReplicas").as_i64().unwrap_or(0) == pods)
    };
    arena.eventually(&format!("{version} has {pods} pods"), ready).await;
}

fn owner<'a>(object: &'a Value, side: &str) -> &'a Value {
    at(object, &format!("/status/{side}/replicasOwner"))
}

/// The bounds of the autoscaler of `version`.
async fn bounds(arena: &Arena, version: &str) -> Option<(i64, i64)> {
    let child = workload(arena, version).await;
    let hpa = arena.get("hpa", name(&child)).await?;
    Some((hpa["spec"]["minReplicas"].as_i64().unwrap(), hpa["spec"]["maxReplicas"].as_i64().unwrap()))
}

#[test]
fn autoscaler_of_each_revision_follows_its_load_and_keeps_what_a_release_needs() {
    play("autoscaled_canary", async |arena| {
        released(arena).await;
        let object = arena.get("modeldeployment", "chat").await.unwrap();
        assert_eq!((owner(&object, "stable"), owner(&object, "candidate")), (&json!("HPA"), &json!("HPA")));
        assert_eq!(at(&object, "/status/releaseReplicas"), 4);
        assert_eq!((bounds(arena, "1.0.0").await, bounds(arena, "1.1.0").await), (Some((4, 10)), Some((1, 10))));

        arena.queue("1.0.0", 1).await;
        arena.sleep(arena.pace.rest).await;
        assert_eq!(asked(arena, "1.0.0").await, 4, "what may have to take everything back was taken away");

        // Stable's scaler asks for more: the candidate's part grows with it.
        arena.queue("1.0.0", 80).await;
        grows_to(arena, "1.0.0", 8).await;
        grows_to(arena, "1.1.0", 2).await;
        arena.until("N follows", "modeldeployment", "chat", |object| at(object, "/status/releaseReplicas") == 8).await;

        arena.queue("1.1.0", 30).await;
        arena.holding_at("chat", 25).await;
        arena.command("chat", "promote:1").await;
        let done = arena.until("promoted", "modeldeployment", "chat", |object| {
            at(object, "/status/stable/version") == "1.1.0" && at(object, "/status/phase") == "Active"
        });
        let done = done.await;
        assert_eq!(*at(&done, "/status/releaseReplicas"), Value::Null);
        arena.eventually("the old version's scaler went with it", async || arena.list("hpa", CHILDREN).await.len() == 1).await;
        grows_to(arena, "1.1.0", 3).await;
        assert_eq!(bounds(arena, "1.1.0").await, Some((2, 10)));
    });
}

#[test]
fn candidate_whose_scaler_asks_for_more_makes_all_of_the_release_larger() {
    play("autoscaled_candidate", async |arena| {
        arena.apply("model", model()).await;
        arena.apply("modeldeployment", scaled(arena, "1.0.0", Split::Route)).await;
        arena.phase("chat", "Active").await;
        arena.queue("1.0.0", 15).await;
        arena.apply("modeldeployment", scaled(arena, "1.1.0", Split::Route)).await;
        arena.queue("1.1.0", 20).await;
        arena.holding_at("chat", 25).await;
        // Two pods at a quarter of the traffic: eight for all of it, in case it all comes back.
        grows_to(arena, "1.1.0", 2).await;
        grows_to(arena, "1.0.0", 8).await;
        arena.command("chat", "abort:1").await;
        arena.phase("chat", "RolledBack").await;
        arena.eventually("its scaler is gone with it", async || arena.list("hpa", CHILDREN).await.len() == 1).await;
        grows_to(arena, "1.0.0", 2).await;
    });
}

#[test]
fn candidate_that_shares_a_service_follows_stable_until_it_has_everything() {
    play("autoscaled_by_pods", async |arena| {
        arena.apply("model", model()).await;
        arena.apply("modeldeployment", scaled(arena, "1.0.0", Split::Pods)).await;
        arena.phase("chat", "Active").await;
        arena.queue("1.0.0", 30).await;
        grows_to(arena, "1.0.0", 3).await;
        arena.apply("modeldeployment", scaled(arena, "1.1.0", Split::Pods)).await;
        let object = arena.holding_at("chat", 25).await;
        assert_eq!((owner(&object, "stable"), owner(&object, "candidate")), (&json!("HPA"), &json!("Operator")));
        assert_eq!(asked(arena, "1.1.0").await, 1);
        assert_eq!(arena.list("hpa", CHILDREN).await.len(), 1);
        arena.queue("1.0.0", 60).await;
        grows_to(arena, "1.0.0", 6).await;
        grows_to(arena, "1.1.0", 2).await;
        // Pods that join a shared Service are a raise of their own.
        arena
            .until("two pods hold", "modeldeployment", "chat", |object| {
                at(object, "/status/candidate/replicas") == 2
                    && at(object, "/status/phase") == "Holding"
                    && at(object, "/status/step/appliedAt").is_string()
            })
            .await;
        arena.command("chat", "promote:1").await;
        let done = arena.until("promoted", "modeldeployment", "chat", |object| {
            at(object, "/status/stable/version") == "1.1.0" && owner(object, "stable") == "HPA" && at(object, "/status/phase") == "Active"
        });
        done.await;
        arena.queue("1.1.0", 0).await;
        grows_to(arena, "1.1.0", 2).await;
    });
}

#[test]
fn number_of_pods_is_handed_over_and_back() {
    play("autoscaling_handed_over", async |arena| {
        arena.apply("model", model()).await;
        let mut fixed = canary(arena, "1.0.0", Split::Route);
        fixed["spec"]["replicas"] = 3.into();
        arena.apply("modeldeployment", fixed.clone()).await;
        arena.phase("chat", "Active").await;
        let mut both = scaled(arena, "1.0.0", Split::Route);
        both["spec"]["replicas"] = 3.into();
        arena.apply("modeldeployment", both.clone()).await;
        arena.until("the scaler owns it", "modeldeployment", "chat", |object| owner(object, "stable") == "HPA").await;
        arena.queue("1.0.0", 50).await;
        grows_to(arena, "1.0.0", 5).await;
        let refusal = arena.try_scale("modeldeployment", "chat", 7).await.unwrap_err();
        assert_eq!((refusal.code, refusal.reason.as_str()), (422, "Invalid"), "{refusal:?}");
        assert!(refusal.message.contains("autoscaling's to decide"), "{}", refusal.message);
        arena.apply("modeldeployment", fixed).await;
        arena.until("the operator owns it", "modeldeployment", "chat", |object| owner(object, "stable") == "Operator").await;
        grows_to(arena, "1.0.0", 3).await;
        assert!(arena.list("hpa", CHILDREN).await.is_empty());
    });
}

#[test]
fn version_at_rest_sleeps_wakes_and_is_released_while_it_sleeps() {
    with_keda("keda", async |arena| {
        arena.install_keda().await;
        arena.apply("model", model()).await;
        arena.apply("modeldeployment", scaled_by_keda(arena, "1.0.0")).await;
        arena.queue("1.0.0", 0).await;
        let object = arena.phase("chat", "Idle").await;
        assert_eq!((owner(&object, "stable"), at(&object, "/status/replicas")), (&json!("KEDA"), &json!(0)));
        let conditions = ["Ready", "Available", "ScalingActive"].map(|kind| condition(&object, kind)["status"] == "True");
        assert_eq!(conditions, [true; 3], "{object}");
        arena.queue("1.0.0", 35).await;
        arena.phase("chat", "Active").await;
        grows_to(arena, "1.0.0", 4).await;
        arena.queue("1.0.0", 0).await;
        arena.phase("chat", "Idle").await;

        // A release wakes what it replaces: it might have to come back.
        arena.apply("modeldeployment", scaled_by_keda(arena, "1.1.0")).await;
        let object = arena.holding_at("chat", 25).await;
        assert_eq!((at(&object, "/status/stable/ready"), at(&object, "/status/candidate/ready")), (&json!(1), &json!(1)));
        arena.queue("1.1.0", 0).await;
        arena.command("chat", "promote:1").await;
        let asleep = |object: &Value| at(object, "/status/stable/version") == "1.1.0" && at(object, "/status/phase") == "Idle";
        arena.until("the new version sleeps", "modeldeployment", "chat", asleep).await;
        arena.eventually("one scaler", async || arena.list("scaledobject", CHILDREN).await.len() == 1).await;
        arena.remove_keda().await;
    });
}

#[test]
fn keda_that_is_not_there_is_said_before_anything_moves() {
    with_keda("no_keda", async |arena| {
        arena.apply("model", model()).await;
        arena.apply("modeldeployment", scaled_by_keda(arena, "1.0.0")).await;
        let object = arena.reason("chat", "Ready", "KedaNotInstalled").await;
        assert_eq!(at(&object, "/status/phase"), "Pending");
        assert!(arena.list("deployment", CHILDREN).await.is_empty());
        arena.install_keda().await;
        arena.until("it begins", "modeldeployment", "chat", |object| owner(object, "stable") == "KEDA").await;
        arena.remove_keda().await;
    });
}

#[test]
fn keda_taken_away_in_mid_release_leaves_the_pods_and_the_release_goes_on_with_it() {
    with_keda("keda_taken_away", async |arena| {
        arena.install_keda().await;
        arena.apply("model", model()).await;
        arena.apply("modeldeployment", scaled_by_keda(arena, "1.0.0")).await;
        arena.queue("1.0.0", 40).await;
        grows_to(arena, "1.0.0", 4).await;
        arena.apply("modeldeployment", scaled_by_keda(arena, "1.1.0")).await;
        arena.queue("1.1.0", 1).await;
        arena.holding_at("chat", 25).await;
        arena.remove_keda().await;
        let object = arena.reason("chat", "ScalingActive", "KedaNotInstalled").await;
        assert_eq!(owner(&object, "stable"), "Operator");
        arena.command("chat", "promote:1").await;
        arena.sleep(arena.pace.rest).await;
        let object = arena.get("modeldeployment", "chat").await.unwrap();
        assert_eq!(at(&object, "/status/candidate/weight"), 25, "a release went on without what should scale it");
        assert_eq!((asked(arena, "1.0.0").await, asked(arena, "1.1.0").await), (4, 1));
        arena.install_keda().await;
        let done = |object: &Value| at(object, "/status/stable/version") == "1.1.0" && owner(object, "stable") == "KEDA";
        arena.until("it went on", "modeldeployment", "chat", done).await;
        arena.remove_keda().await;
    });
}

/// Plays a scenario on the arms that there are. Autoscalers look every few seconds, and a scenario waits for a dozen of their looks.
fn play(name: &str, body: impl AsyncFn(&Arena)) {
    simulated::play(&[], name, &body);
    if let Some(path) = real::kubeconfig() {
        // That a kind is gone is believed only when the API server has said so twice, half a minute apart.
        real::play_within(&path, name, std::time::Duration::from_secs(360), &body);
    }
}

/// Plays `body` while no other scenario installs or removes KEDA in a cluster that both see.
fn with_keda(name: &str, body: impl AsyncFn(&Arena)) {
    static ALONE: std::sync::Mutex<()> = std::sync::Mutex::new(());
    let _alone = ALONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let body = async |arena: &Arena| {
        // One that failed before may have left it.
        arena.remove_keda().await;
        body(arena).await;
    };
    play(name, body);
}

/// Evicts a pod as `kubectl drain` does, if its budget allows that now.
async fn evict(arena: &Arena, pod: &str) {
    let path = format!("/api/v1/namespaces/{}/pods/{pod}/eviction", arena.namespace);
    let body = json!({"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod, "namespace": arena.namespace}});
    let (code, answer) = arena.raw("POST", &path, "application/json", &body.to_string()).await;
    assert!(matches!(code, 200 | 201 | 404 | 429), "{code}: {answer}");
}

/// Pods of a version that take requests.
async fn ready(arena: &Arena, version: &str) -> usize {
    let pods = arena.list("pod", &format!("{CHILDREN},modelward.dev/version={version}")).await;
    let takes = |pod: &&Value| condition(pod, "Ready")["status"] == "True" && pod["metadata"]["deletionTimestamp"].is_null();
    pods.iter().filter(takes).count()
}

/// Names of the pods of a version.
async fn pods(arena: &Arena, version: &str) -> Vec<String> {
    let pods = arena.list("pod", &format!("{CHILDREN},modelward.dev/version={version}")).await;
    pods.iter().map(|pod| name(pod).to_owned()).collect()
}

#[test]
fn storm_of_evictions_takes_one_pod_at_a_time_and_the_release_goes_on() {
    play("eviction_storm", async |arena| {
        released(arena).await;
        let weights = route_weights(arena).await;
        let before: Vec<String> = [pods(arena, "1.0.0").await, pods(arena, "1.1.0").await].concat();
        assert_eq!(before.len(), 5);
        let mut left = before;
        for _ in 0..arena.pace.polls_max {
            for pod in &left {
                evict(arena, pod).await;
            }
            let there: Vec<String> = [pods(arena, "1.0.0").await, pods(arena, "1.1.0").await].concat();
            left.retain(|pod| there.contains(pod));
            let ready = ready(arena, "1.0.0").await;
            assert!(ready >= 3, "{ready} of 4 pods are left");
            if left.is_empty() {
                break;
            }
            arena.sleep(arena.pace.poll).await;
        }
        assert!(left.is_empty(), "{left:?} stay");
        grows_to(arena, "1.0.0", 4).await;
        grows_to(arena, "1.1.0", 1).await;
        arena.holding_at("chat", 25).await;
        assert_eq!(route_weights(arena).await, weights);
        arena.command("chat", "promote:1").await;
        let done = |object: &Value| at(object, "/status/stable/version") == "1.1.0" && at(object, "/status/phase") == "Active";
        arena.until("it went on", "modeldeployment", "chat", done).await;
    });
}
