//! What an autoscaler writes and says, word for word.

use serde_json::{Value, json};

use super::super::{AUTOSCALERS, PERIOD};
use super::stage::{Stage, epoch};
use crate::sim::cluster::{Identity, Patch, WriteOptions};

fn share() -> Value {
    let metric = json!({ "name": "depth", "selector": { "matchLabels": { "queue": "jobs" } } });
    json!([{ "type": "External", "external": { "metric": metric, "target": { "type": "AverageValue", "averageValue": "10" } } }])
}

fn stage(depth: Option<i64>) -> Stage {
    let mut stage = Stage::new();
    stage.deployment(2, 2);
    stage.autoscaler(1, 10, share(), None);
    stage.metrics.external = depth.map(|depth| vec![depth * 1000]);
    stage
}

#[test]
fn a_rescale_is_one_write_of_the_scale_one_event_and_one_status() {
    let mut stage = stage(Some(35));
    let written = stage.look();
    assert_eq!(written, ["deployments.apps/scale", "events/", "horizontalpodautoscalers.autoscaling/status"]);
    assert_eq!(stage.replicas(), 4);
    let words =
        "external metric depth(&LabelSelector{MatchLabels:map[string]string{queue: jobs,},MatchExpressions:[]LabelSelectorRequirement{},})";
    assert_eq!(stage.events(), [format!("SuccessfulRescale New size: 4; reason: {words} above target")]);
    let condition = |kind: &str, status: &str, reason: &str, message: &str| json!({ "type": kind, "status": status, "reason": reason, "message": message, "lastTransitionTime": "2026-11-21T08:00:00Z" });
    assert_eq!(
        stage.status(),
        json!({
            "currentReplicas": 2, "desiredReplicas": 4, "lastScaleTime": "2026-11-21T08:00:00Z",
            "currentMetrics": [{ "type": "External", "external": {
                "metric": { "name": "depth", "selector": { "matchLabels": { "queue": "jobs" } } },
                "current": { "averageValue": "17500m" },
            } }],
            "conditions": [
                condition("AbleToScale", "True", "SucceededRescale", "the HPA controller was able to update the target scale to 4"),
                condition("ScalingActive", "True", "ValidMetricFound",
                    &format!("the HPA was able to successfully calculate a replica count from {words}")),
                condition("ScalingLimited", "False", "DesiredWithinRange", "the desired count is within the acceptable range"),
            ],
        })
    );
    let deployment = stage.cluster.get("deployments.apps", "default", "web").unwrap();
    let managers: Vec<String> = deployment["metadata"]["managedFields"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| format!("{}/{}", entry["manager"].as_str().unwrap(), entry["subresource"].as_str().unwrap_or_default()))
        .collect();
    assert!(managers.contains(&"kube-controller-manager/scale".to_owned()), "{managers:?}");
}

#[test]
fn nothing_is_written_when_nothing_changes() {
    let mut stage = stage(Some(20));
    assert_eq!(stage.look(), ["horizontalpodautoscalers.autoscaling/status"]);
    for _ in 0..3 {
        stage.cluster.set_now(stage.cluster.now() + PERIOD);
        assert_eq!(stage.look(), Vec::<String>::new());
    }
    assert!(stage.schedule.is_quiet() && !stage.schedule.is_empty(), "it goes on looking");
}

#[test]
fn what_cannot_be_asked_for_is_said_in_the_words_of_the_real_controller() {
    let mut stage = stage(None);
    stage.look();
    let words = "&LabelSelector{MatchLabels:map[string]string{queue: jobs,},MatchExpressions:[]LabelSelectorRequirement{},}";
    let inner = format!(
        "unable to get external metric default/depth/{words}: unable to fetch metrics from external metrics API: the server could not find \
         the metric depth for external metrics"
    );
    assert_eq!(
        stage.events(),
        [
            format!("FailedGetExternalMetric {inner}"),
            format!(
                "FailedComputeMetricsReplicas invalid metrics (1 invalid out of 1), first error is: failed to get depth external metric \
                 value: failed to get depth external metric: {inner}"
            ),
        ]
    );
    let status = stage.status();
    assert_eq!(status["currentMetrics"], json!([{ "type": "" }]));
    assert_eq!(status["conditions"][1]["message"], json!(format!("the HPA was unable to compute the replica count: {inner}")));
    assert_eq!((&status["currentReplicas"], &status["desiredReplicas"]), (&json!(2), &json!(0)));
}

#[test]
fn a_target_that_is_not_there_or_has_no_scale_is_named() {
    let message = |kind: &str, version: &str, name: &str| {
        let mut stage = stage(Some(20));
        let target = json!({ "kind": kind, "apiVersion": version, "name": name });
        let patch = Patch::Merge(json!({ "spec": { "scaleTargetRef": target } }));
        let options = WriteOptions::manager("test");
        stage.cluster.patch(&Identity::user("tester"), AUTOSCALERS, "default", "web", None, patch, &options).unwrap();
        stage.look();
        assert_eq!(stage.condition("AbleToScale"), Some(("False".to_owned(), "FailedGetScale".to_owned())));
        assert_eq!(stage.status()["currentMetrics"], Value::Null);
        stage.events().remove(0)
    };
    assert_eq!(message("Deployment", "apps/v1", "gone"), "FailedGetScale deployments.apps \"gone\" not found");
    assert_eq!(message("Rocket", "space/v1", "web"), "FailedGetScale no matches for kind \"Rocket\" in group \"space\"");
    assert!(message("Lease", "coordination.k8s.io/v1", "web").contains("could not find the requested resource"));
}

#[test]
fn two_autoscalers_of_the_same_pods_stop_and_say_so() {
    let mut stage = stage(Some(50));
    let pod = json!({ "metadata": { "name": "web-0", "labels": { "app": "web" } }, "spec": { "containers": [{ "name": "server", "image": "x" }] } });
    stage.create("pods", pod);
    let spec = stage.cluster.get(AUTOSCALERS, "default", "web").unwrap()["spec"].clone();
    stage.create(AUTOSCALERS, json!({ "metadata": { "name": "other" }, "spec": spec }));
    stage.settle();
    stage.look();
    assert_eq!(stage.replicas(), 4, "the first to look does not know of the other one yet");
    stage.autoscalers.look("default/other", &stage.metrics, &mut stage.cluster, &mut stage.schedule);
    stage.look();
    assert_eq!(stage.condition("ScalingActive").unwrap().1, "AmbiguousSelector");
    let wanted = "AmbiguousSelector pods by selector app=web are controlled by multiple HPAs: [{other default} {web default}]";
    assert!(stage.events().contains(&wanted.to_owned()), "{:?}", stage.events());
    stage.delete(AUTOSCALERS, "other");
    stage.look();
    assert_eq!(stage.condition("ScalingActive").unwrap().1, "ValidMetricFound");
}

#[test]
fn an_autoscaler_is_looked_at_a_period_after_it_was_made_and_forgotten_with_it() {
    let mut stage = stage(Some(20));
    stage.settle();
    assert_eq!(stage.schedule.next_due(), Some(epoch() + PERIOD));
    stage.look();
    assert_eq!(stage.autoscalers.memories.len(), 1);
    stage.delete(AUTOSCALERS, "web");
    stage.look();
    assert!(stage.autoscalers.memories.is_empty());
}
