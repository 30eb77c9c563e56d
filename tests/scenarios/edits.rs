//! S23: somebody else edits children. What they change is repaired or reported within seconds, and no request goes to a
//! place that was not decided.

use serde_json::{Value, json};

use crate::arena::{Arena, at};
use crate::fixtures::{CHILDREN, Split, canary, name, route_weights, serving, workload};
use crate::{play, play_despite};

const IMAGE: &str = "/spec/template/spec/containers/0/image";
const OURS: &str = "vllm/vllm-openai:v0.11.0";

#[test]
fn edited_deployment_gets_its_pods_back_as_they_were_decided() {
    play("edited_deployment", async |arena| {
        serving(arena, Split::Pods).await;
        let child = workload(arena, "1.0.0").await;
        let child = name(&child);
        arena.patch("deployment", child, json!([{"op": "replace", "path": IMAGE, "value": "example.com/other:1"}])).await;
        arena.until("the image is ours again", "deployment", child, |object| at(object, IMAGE) == OURS).await;
        let sidecar =
            json!([{"op": "add", "path": "/spec/template/spec/containers/-", "value": {"name": "spy", "image": "example.com/spy:1"}}]);
        arena.patch("deployment", child, sidecar).await;
        arena.until("the container is expelled", "deployment", child, one_container).await;
        arena.scale("deployment", child, 1).await;
        arena.until("it has its size again", "deployment", child, |object| at(object, "/spec/replicas") == 4).await;
        let whole = |object: &Value| at(object, "/status/stable/ready") == 4 && at(object, "/status/phase") == "Active";
        arena.until("all pods are ready", "modeldeployment", "chat", whole).await;
        arena.eventually("all pods have our image and nothing else", async || all_pods_are_ours(arena).await).await;
    });
}

fn one_container(object: &Value) -> bool {
    at(object, "/spec/template/spec/containers").as_array().is_some_and(|containers| containers.len() == 1)
}

async fn all_pods_are_ours(arena: &Arena) -> bool {
    let pods = arena.list("pod", CHILDREN).await;
    let ours = |pod: &Value| at(pod, "/spec/containers/0/image") == OURS && at(pod, "/spec/containers/1").is_null();
    pods.len() == 4 && pods.iter().all(ours)
}

#[test]
fn edited_service_selects_what_was_decided_and_answers_at_no_foreign_address() {
    for (split, holding) in [(Split::Pods, true), (Split::Pods, false), (Split::Route, true)] {
        play(&format!("edited_service_{split:?}_{holding}").to_lowercase(), async |arena| {
            serving(arena, split).await;
            if holding {
                arena.apply("modeldeployment", canary(arena, "1.1.0", split)).await;
                arena.holding_at("chat", 25).await;
            }
            let decided = arena.get("service", "chat").await.unwrap()["spec"]["selector"].clone();
            for foreign in [json!({"app": "other"}), json!({"modelward.dev/deployment": "chat", "added": "key"})] {
                let edit = json!([{"op": "replace", "path": "/spec/selector", "value": foreign}]);
                arena.patch("service", "chat", edit).await;
                arena.until("the selector is back", "service", "chat", |object| object["spec"]["selector"] == decided).await;
            }
            arena.merge("service", "chat", json!({"spec": {"externalIPs": ["192.0.2.7"]}})).await;
            let none = |object: &Value| at(object, "/spec/externalIPs").as_array().is_none_or(Vec::is_empty);
            arena.until("no foreign address", "service", "chat", none).await;
        });
    }
}

#[test]
fn edited_route_has_the_decided_weights_again_and_no_other_rule() {
    play("edited_route", async |arena| {
        serving(arena, Split::Route).await;
        arena.apply("modeldeployment", held(arena)).await;
        arena.holding_at("chat", 25).await;
        let decided = route_weights(arena).await;
        assert_eq!(decided.as_object().unwrap().len(), 2, "{decided}");
        let weight = json!([{"op": "replace", "path": "/spec/rules/0/backendRefs/1/weight", "value": 90}]);
        arena.patch("route", "chat", weight).await;
        arena.eventually("the weights are back", async || route_weights(arena).await == decided).await;
        let rule =
            json!({"matches": [{"path": {"type": "PathPrefix", "value": "/elsewhere"}}], "backendRefs": [{"name": "other", "port": 80}]});
        arena.patch("route", "chat", json!([{"op": "add", "path": "/spec/rules/-", "value": rule}])).await;
        arena
            .until("the rule is gone", "route", "chat", |object| at(object, "/spec/rules").as_array().is_some_and(|rules| rules.len() == 1))
            .await;
        assert_eq!(route_weights(arena).await, decided);
        let elsewhere = json!([{"op": "replace", "path": "/spec/parentRefs/0/name", "value": "elsewhere"}]);
        arena.patch("route", "chat", elsewhere).await;
        arena.until("the gateway is ours", "route", "chat", |object| at(object, "/spec/parentRefs/0/name") == "public").await;
        arena.command("chat", "promote-full:1").await;
        arena.phase("chat", "Active").await;
    });
}

/// A canary that holds until somebody promotes.
fn held(arena: &Arena) -> Value {
    let mut object = canary(arena, "1.1.0", Split::Route);
    object["spec"]["strategy"]["canary"]["steps"] = json!([{"weight": 25, "holdUntil": "Promoted"}]);
    object
}

#[test]
fn deleted_children_are_made_again() {
    play("deleted_children", async |arena| {
        serving(arena, Split::Route).await;
        arena.apply("modeldeployment", held(arena)).await;
        arena.holding_at("chat", 25).await;
        let decided = route_weights(arena).await;
        let mut children = Vec::new();
        for short in ["service", "route", "budget"] {
            children.extend(arena.list(short, CHILDREN).await.into_iter().map(|child| (short, child)));
        }
        children.push(("deployment", workload(arena, "1.1.0").await));
        children.push(("deployment", workload(arena, "1.0.0").await));
        for (short, child) in &children {
            arena.delete(short, name(child)).await;
            let another = |object: &Value| !object.is_null() && object["metadata"]["uid"] != child["metadata"]["uid"];
            arena.until("it is made again", short, name(child), another).await;
        }
        let whole = |object: &Value| {
            let ready = |side: &str| at(object, &format!("/status/{side}/ready")).clone();
            ready("stable") == 4 && ready("candidate") == 1 && at(object, "/status/candidate/weight") == 25
        };
        arena.until("all is as before", "modeldeployment", "chat", whole).await;
        assert_eq!(route_weights(arena).await, decided);
    });
}

#[test]
fn lost_labels_of_children_come_back() {
    // I23: what has lost our labels is not seen, so the unforced apply that makes it finds it without naming it.
    play_despite(&["I23"], "lost_labels", async |arena| {
        serving(arena, Split::Route).await;
        for key in ["modelward.dev/deployment", "app.kubernetes.io/managed-by", "modelward.dev/revision"] {
            for short in ["deployment", "service", "budget", "route"] {
                for child in arena.list(short, CHILDREN).await {
                    let Some(value) = child["metadata"]["labels"].get(key).cloned() else { continue };
                    arena.label(short, name(&child), key, None).await;
                    let labelled = |object: &Value| object["metadata"]["labels"][key] == value;
                    arena.until("the label is back", short, name(&child), labelled).await;
                }
            }
        }
        let object = arena.phase("chat", "Active").await;
        assert_eq!(at(&object, "/status/stable/ready"), 4);
        assert_eq!(arena.list("deployment", "").await.len(), 1);
    });
}

#[test]
fn child_without_its_owner_is_reported_and_goes_on_serving() {
    play("lost_owner", async |arena| {
        serving(arena, Split::Route).await;
        let before = workload(arena, "1.0.0").await;
        for (short, child) in [("deployment", name(&before)), ("service", "chat"), ("route", "chat")] {
            let owners = arena.get(short, child).await.unwrap()["metadata"]["ownerReferences"].clone();
            arena.merge(short, child, json!({"metadata": {"ownerReferences": null}})).await;
            let object = arena.reason("chat", "Ready", "NameTaken").await;
            let message = crate::arena::condition(&object, "Ready")["message"].as_str().unwrap().to_owned();
            assert!(message.contains(child), "{message}");
            arena.merge(short, child, json!({"metadata": {"ownerReferences": owners}})).await;
            arena.reason("chat", "Ready", "AsSpecified").await;
        }
        let after = workload(arena, "1.0.0").await;
        assert_eq!(after["metadata"]["uid"], before["metadata"]["uid"]);
        assert_eq!(at(&after, "/spec/replicas"), 4);
    });
}
