//! Looks that find nothing new are cut short, and nobody can tell: the same play with whole looks only writes the same.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use serde_json::json;

use super::super::PERIOD;
use super::stage::{Stage, ago, epoch};
use crate::sim::metrics_api::Measured;

/// A pod of `web` that has run for so many seconds.
fn pod(stage: &mut Stage, name: &str, age: i64) {
    let labels = json!({ "app": "web" });
    let containers = json!([{ "name": "server", "image": "x", "resources": { "requests": { "cpu": "1" } } }]);
    let made = stage.create("pods", json!({ "metadata": { "name": name, "labels": labels }, "spec": { "containers": containers } }));
    let mut made = (*made).clone();
    let started = ago(age).to_string();
    made["status"] = json!({ "phase": "Running", "startTime": started,
        "conditions": [{ "type": "Ready", "status": "True", "lastTransitionTime": started }] });
    stage.put_status("pods", made);
}

fn begun() -> Stage {
    let mut stage = Stage::new();
    stage.deployment(2, 2);
    let metric =
        json!([{ "type": "Resource", "resource": { "name": "cpu", "target": { "type": "Utilization", "averageUtilization": 50 } } }]);
    stage.autoscaler(1, 6, metric, None);
    pod(&mut stage, "old", 3_600);
    pod(&mut stage, "young", 100);
    stage
}

/// What happens before a look; cpu of both pods changes every fourth time, as in a window of a minute.
fn happens(stage: &mut Stage, round: i64) {
    let busy = [450, 460, 455, 300, 900, 520, 480, 200, 210, 205][usize::try_from(round / 4 % 10).unwrap()];
    stage.metrics.usage = BTreeMap::from([("old".to_owned(), busy), ("young".to_owned(), busy + 20), ("third".to_owned(), busy)]);
    match round {
        // Between two looks that would else be the same.
        22 => pod(stage, "third", 4_000),
        31 => stage.delete("pods", "third"),
        42 => {
            let mut web = (*stage.cluster.get("deployments.apps", "default", "web").unwrap()).clone();
            web["status"]["replicas"] = json!(3);
            stage.put_status("deployments.apps", web);
        }
        51 => {
            // Another one for the same pods: both refuse to scale.
            let target = json!({ "apiVersion": "apps/v1", "kind": "Deployment", "name": "web" });
            let spec = json!({ "scaleTargetRef": target, "maxReplicas": 3 });
            stage.create(super::super::AUTOSCALERS, json!({ "metadata": { "name": "rival" }, "spec": spec }));
            stage.settle();
            let Stage { autoscalers, metrics, cluster, schedule, .. } = stage;
            autoscalers.look("default/rival", metrics, cluster, schedule);
        }
        54 => stage.delete(super::super::AUTOSCALERS, "rival"),
        _ => {}
    }
}

/// What every look wrote, the status after it, whether it keeps the cluster from being quiet; and how many pods were asked for.
fn played(named: bool) -> (Vec<String>, u64) {
    let mut stage = begun();
    let mut seen = Vec::new();
    for round in 0..80 {
        happens(&mut stage, round);
        stage.metrics.measured = named.then(|| Measured { until: epoch() + SignedDuration::from_mins(round / 4), changes: 0 });
        let written = stage.look();
        seen.push(format!("{round} {written:?} {} {} {}", stage.replicas(), stage.status(), stage.schedule.is_quiet()));
        stage.cluster.set_now(stage.cluster.now() + PERIOD);
    }
    (seen, stage.metrics.asked.get())
}

#[test]
fn looks_that_are_cut_short_write_what_whole_looks_write() {
    let ((whole, asked), (cut, asked_less)) = (played(false), played(true));
    for (whole, cut) in whole.iter().zip(&cut) {
        assert_eq!(whole, cut);
    }
    assert!(whole.iter().any(|look| look.contains("/scale")), "something is scaled");
    assert!(asked_less < asked * 7 / 10, "{asked_less} of {asked} samples");
}
