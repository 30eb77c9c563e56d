//! The worked examples of Deployments, with every actor at work.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::play::*;
use crate::sim::actors::pods::profile::{Failure, PodProfile};
use crate::sim::cluster::{EventKind, WatchEvent, WatchOptions, WatchSink};
use crate::sim::simulation::Settings;

/// New pods never get ready; those of `web:1` do.
fn stuck() -> Play {
    let mut never = PodProfile::of(&json!({ "matchLabels": { "version": "stuck" } }));
    never.startup = profile(1, 1).startup;
    never.failure = Some(Failure::NeverReady);
    Play::with(Settings { pod_profiles: vec![never, profile(1, 1)], ..Settings::default() })
}

fn change(image: &str) -> Value {
    let mut template = template("web", image);
    template["metadata"]["labels"]["version"] = json!("stuck");
    json!({ "spec": { "template": template } })
}

fn sized(replicas: i64, surge: Value, unavailable: Value) -> Value {
    let mut made = deployment("web", replicas);
    made["spec"]["strategy"]["rollingUpdate"] = json!({ "maxSurge": surge, "maxUnavailable": unavailable });
    made
}

#[test]
fn a_stuck_rollout_stops_where_the_real_one_does() {
    let rows: Vec<(i64, Value, Value, [i64; 2])> = vec![
        (10, json!("25%"), json!("25%"), [8, 5]),
        (4, json!("25%"), json!("25%"), [3, 2]),
        (3, json!("25%"), json!("25%"), [3, 1]),
        (2, json!("0%"), json!("25%"), [1, 1]),
        (5, json!(0), json!(1), [4, 1]),
        (7, json!("30%"), json!("30%"), [5, 5]),
        (4, json!("100%"), json!(0), [4, 4]),
    ];
    for (replicas, surge, unavailable, sizes) in rows {
        let mut play = stuck();
        play.create(DEPLOYMENTS, sized(replicas, surge, unavailable));
        play.rest();
        play.patch(DEPLOYMENTS, "web", change("web:2"));
        play.pass(60);
        assert_eq!(play.sizes(), sizes, "{replicas} replicas");
    }
}

#[test]
fn rows_9_and_10_scaling_midway() {
    let mut play = stuck();
    play.create(DEPLOYMENTS, sized(10, json!(3), json!(2)));
    play.rest();
    play.patch(DEPLOYMENTS, "web", change("web:2"));
    play.pass(60);
    play.patch(DEPLOYMENTS, "web", json!({ "spec": { "replicas": 15 } }));
    play.pass(60);
    assert_eq!(play.sizes(), [11, 7]);
    play.patch(DEPLOYMENTS, "web", json!({ "spec": { "replicas": 5 } }));
    play.pass(60);
    assert_eq!(play.sizes(), [3, 5]);
}

#[test]
fn row_12_a_paused_deployment_scales_and_starts_nothing() {
    let mut play = stuck();
    play.create(DEPLOYMENTS, sized(10, json!("25%"), json!("25%")));
    play.rest();
    play.patch(DEPLOYMENTS, "web", change("web:2"));
    play.pass(60);
    play.patch(DEPLOYMENTS, "web", json!({ "spec": { "paused": true, "replicas": 20 } }));
    play.pass(60);
    play.patch(DEPLOYMENTS, "web", change("web:3"));
    play.pass(60);
    assert_eq!(play.sizes(), [15, 10]);
    assert_eq!(why(&play.get(DEPLOYMENTS, "web"), "Progressing"), "DeploymentPaused");
    play.patch(DEPLOYMENTS, "web", json!({ "spec": { "paused": false } }));
    play.pass(60);
    // In the example every old pod is unready but 8: here the grown first set is ready as well.
    assert_eq!(play.sizes().len(), 3);
}

#[test]
fn row_16_size_and_template_in_one_patch() {
    let mut play = stuck();
    play.create(DEPLOYMENTS, deployment("web", 3));
    play.rest();
    let mut both = change("web:2");
    both["spec"]["replicas"] = json!(6);
    play.patch(DEPLOYMENTS, "web", both);
    play.pass(60);
    assert_eq!(play.sizes(), [5, 3]);
}

#[test]
fn row_18_setting_the_image_back_is_a_rollback() {
    let mut play = stuck();
    play.create(DEPLOYMENTS, deployment("web", 4));
    play.rest();
    play.patch(DEPLOYMENTS, "web", change("web:2"));
    play.pass(60);
    assert_eq!(play.sizes(), [3, 2]);
    play.patch(
        DEPLOYMENTS,
        "web",
        json!({ "spec": { "template": { "metadata": { "labels": { "version": null } }, "spec": template("web", "web:1")["spec"] } } }),
    );
    play.rest();
    assert_eq!(play.sizes(), [0, 4]);
    let sets = play.list(SETS);
    let current = sets.iter().find(|set| revision(set) == 3).unwrap();
    assert_eq!(current["metadata"]["annotations"]["deployment.kubernetes.io/revision-history"], "1");
    assert_eq!(play.get(DEPLOYMENTS, "web")["metadata"]["annotations"]["deployment.kubernetes.io/revision"], "3");
}

#[test]
fn row_19_recreate_waits_for_the_last_old_pod() {
    let mut slow = profile(1, 1);
    slow.shutdown = seconds(20);
    let mut play = Play::with(Settings { pod_profiles: vec![slow], ..Settings::default() });
    let mut made = deployment("web", 3);
    made["spec"]["strategy"] = json!({ "type": "Recreate" });
    play.create(DEPLOYMENTS, made);
    play.rest();
    play.patch(DEPLOYMENTS, "web", image("web:2"));
    play.pass(15);
    assert_eq!(play.sizes(), [0]);
    assert_eq!(play.list("pods").len(), 3);
    assert_eq!(why(&play.get(DEPLOYMENTS, "web"), "Progressing"), "NewReplicaSetAvailable");
    play.rest();
    assert_eq!(play.sizes(), [0, 3]);
    assert_eq!(play.ready_pods(), 3);
}

#[test]
fn row_20_history_is_cleaned_up() {
    let mut play = Play::quick();
    let mut made = deployment("web", 1);
    made["spec"]["revisionHistoryLimit"] = json!(1);
    play.create(DEPLOYMENTS, made);
    play.rest();
    for number in 2..=5 {
        play.patch(DEPLOYMENTS, "web", image(&format!("web:{number}")));
        play.rest();
    }
    let mut revisions: Vec<i64> = play.list(SETS).iter().map(|set| revision(set)).collect();
    revisions.sort_unstable();
    assert_eq!(revisions, [4, 5]);
}

#[test]
fn row_21_a_deadline_of_four_seconds_is_said_at_five() {
    let mut play = stuck();
    let mut made = deployment("web", 1);
    made["spec"]["progressDeadlineSeconds"] = json!(4);
    made["spec"]["template"]["metadata"]["labels"]["version"] = json!("stuck");
    play.create(DEPLOYMENTS, made);
    let mut said = 0;
    for second in 1..=10 {
        play.pass(1);
        if why(&play.get(DEPLOYMENTS, "web"), "Progressing") == "ProgressDeadlineExceeded" {
            said = second;
            break;
        }
    }
    // Counted from the last progress, the first pod's appearance within the first second.
    assert!((5..=6).contains(&said), "{said}");
}

#[test]
fn row_22_created_paused() {
    let mut play = Play::quick();
    let mut made = deployment("web", 3);
    made["spec"]["paused"] = json!(true);
    play.create(DEPLOYMENTS, made);
    play.rest();
    assert!(play.list(SETS).is_empty());
    let deployment = play.get(DEPLOYMENTS, "web");
    assert_eq!(deployment["status"]["observedGeneration"], 1);
    assert_eq!((is(&deployment, "Available"), why(&deployment, "Progressing")), ("False", "DeploymentPaused"));
}

#[test]
fn an_edited_or_deleted_replica_set_is_put_back() {
    let mut play = Play::quick();
    play.create(DEPLOYMENTS, deployment("web", 4));
    play.rest();
    let set = play.list(SETS)[0].clone();
    let name = set["metadata"]["name"].as_str().unwrap().to_owned();
    play.patch(SETS, &name, json!({ "spec": { "replicas": 7 } }));
    play.rest();
    assert_eq!(play.sizes(), [4]);
    assert_eq!(play.ready_pods(), 4);
    play.delete(SETS, &name, crate::sim::cluster::Propagation::Background);
    play.rest();
    let again = play.get(SETS, &name);
    assert_ne!(again["metadata"]["uid"], set["metadata"]["uid"]);
    assert_eq!((revision(&again), play.ready_pods()), (1, 4));
}

/// Reason of `Progressing`, observed generation, status of `Available`.
type Step = (String, Option<i64>, String);

/// Remembers what a watch of Deployments shows.
struct Steps(Arc<Mutex<Vec<Step>>>);

impl WatchSink for Steps {
    fn event(&mut self, event: WatchEvent) -> bool {
        if event.kind != EventKind::Bookmark {
            let object = &event.object;
            let observed = object["status"]["observedGeneration"].as_i64();
            self.0.lock().unwrap().push((why(object, "Progressing").to_owned(), observed, is(object, "Available").to_owned()));
        }
        true
    }
}

#[test]
fn a_client_sees_the_steps_of_a_creation_in_order() {
    let mut play = Play::quick();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let sink = Box::new(Steps(Arc::clone(&seen)));
    play.simulation.cluster.watch(DEPLOYMENTS, Some("default"), &WatchOptions::default(), sink).unwrap();
    play.create(DEPLOYMENTS, deployment("web", 2));
    play.rest();
    let mut seen = seen.lock().unwrap().clone();
    seen.dedup();
    let step = |reason: &str, observed: Option<i64>, available: &str| (reason.to_owned(), observed, available.to_owned());
    let expected = [
        step("", None, ""),
        step("NewReplicaSetCreated", None, ""),
        step("NewReplicaSetCreated", Some(1), "False"),
        step("ReplicaSetUpdated", Some(1), "False"),
        step("NewReplicaSetAvailable", Some(1), "True"),
    ];
    assert_eq!(seen.iter().filter(|step| expected.contains(step)).cloned().collect::<Vec<_>>(), expected, "{seen:?}");
}
