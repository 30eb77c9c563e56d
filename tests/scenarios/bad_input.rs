//! Bad input: each is refused with a clear message, by whoever sees it first, and nothing changes. The verdict is the same
//! on both arms.

use serde_json::{Value, json};

use crate::arena::{Arena, Refusal, at, condition};
use crate::fixtures::{CHILDREN, Split, canary, model, serving};
use crate::play;

/// What may not change by bad input: everything but Events and pods' own state.
async fn state(arena: &Arena) -> Vec<Value> {
    let mut all = Vec::new();
    for short in ["model", "modeldeployment", "deployment", "service", "budget", "record", "route"] {
        for object in arena.list(short, "").await.into_iter().filter(|object| object["metadata"]["name"] != "kubernetes") {
            all.push(json!([
                short,
                object["metadata"]["name"],
                object["metadata"]["uid"],
                object["metadata"]["generation"],
                object["spec"]
            ]));
        }
    }
    all
}

/// `refusal` has the code and reason, and says all of `words`.
fn says(what: &str, refusal: &Refusal, code: u16, reason: &str, words: &[&str]) {
    assert_eq!((refusal.code, refusal.reason.as_str()), (code, reason), "{what}: {refusal:?}");
    for word in words {
        assert!(refusal.message.contains(word), "{what}: {word} is not in {}", refusal.message);
    }
}

/// A canary to 1.1.0 with `value` at `pointer` of its spec.
fn with(arena: &Arena, pointer: &str, value: Value) -> Value {
    let mut object = canary(arena, "1.1.0", Split::Route);
    set(&mut object["spec"], pointer, value);
    object
}

fn set(object: &mut Value, pointer: &str, value: Value) {
    let mut place = object;
    for key in pointer.trim_start_matches('/').split('/') {
        place = match key.parse::<usize>() {
            Ok(index) => &mut place[index],
            Err(_) => &mut place[key],
        };
    }
    *place = value;
}

#[test]
fn spec_that_breaks_a_rule_of_the_schema_is_refused_with_what_to_do() {
    play("bad_fields", async |arena| {
        serving(arena, Split::Route).await;
        let before = state(arena).await;
        let weights = |weights: &[i64]| json!(weights.iter().map(|weight| json!({"weight": weight})).collect::<Vec<_>>());
        let table: [(&str, Value, &[&str]); 12] = [
            ("/strategy/canary/steps", weights(&[101]), &["spec.strategy.canary.steps[0].weight", "100"]),
            ("/strategy/canary/steps", weights(&[0]), &["spec.strategy.canary.steps[0].weight", "1"]),
            ("/strategy/canary/steps", weights(&[50, 25]), &["spec.strategy.canary.steps", "rise from step to step"]),
            ("/strategy/canary/steps", weights(&[25, 25]), &["rise from step to step"]),
            ("/strategy/canary/steps/0/holdUntil", json!("Promoted"), &["holdFor or holdUntil, not both"]),
            ("/strategy/type", json!("Immediate"), &["canary is only for type Canary"]),
            ("/strategy/type", json!("Sudden"), &["spec.strategy.type", "Immediate"]),
            ("/replicas", json!(-1), &["spec.replicas", "0"]),
            ("/version", json!("latest"), &["spec.version"]),
            ("/model", json!("m".repeat(64)), &["spec.model", "63"]),
            ("/traffic/headroom", json!(5), &["spec.traffic.headroom", "100"]),
            ("/progressDeadline", json!("soon"), &["spec.progressDeadline"]),
        ];
        for (pointer, value, words) in table {
            let what = format!("{pointer} = {value}");
            let refusal = arena.try_apply("modeldeployment", with(arena, pointer, value)).await.expect_err(&what);
            says(&what, &refusal, 422, "Invalid", words);
        }
        assert_eq!(state(arena).await, before);
    });
}

#[test]
fn field_that_does_not_exist_and_value_of_a_wrong_type_are_refused_by_their_place() {
    play("bad_types", async |arena| {
        serving(arena, Split::Route).await;
        let before = state(arena).await;
        let unknown = arena.try_apply("modeldeployment", with(arena, "/strategi", json!({}))).await.unwrap_err();
        assert!(unknown.message.contains("strategi"), "{unknown:?}");
        assert_eq!((unknown.code, unknown.reason.as_str()), (500, ""), "{unknown:?}");
        let posted = |spec: Value| {
            json!({"apiVersion": "modelward.dev/v1alpha1", "kind": "ModelDeployment", "metadata": {"name": "other"}, "spec": spec})
                .to_string()
        };
        let path = format!("/apis/modelward.dev/v1alpha1/namespaces/{}/modeldeployments?fieldValidation=Strict", arena.namespace);
        let table = [
            (json!({"model": "chat", "version": "1.0.0", "strategi": {}}), 400, "BadRequest", "unknown field \"spec.strategi\""),
            (json!({"model": "chat", "version": "1.0.0", "replicas": "four"}), 422, "Invalid", "spec.replicas"),
            (json!({"model": "chat", "version": 1}), 422, "Invalid", "spec.version"),
            (json!({"model": "chat", "version": "1.0.0", "strategy": []}), 422, "Invalid", "spec.strategy"),
            (json!({"version": "1.0.0"}), 422, "Invalid", "spec.model"),
        ];
        for (spec, code, reason, word) in table {
            let (answered, status) = arena.raw("POST", &path, "application/json", &posted(spec.clone())).await;
            assert_eq!((answered, &status["reason"]), (code, &json!(reason)), "{spec}: {status}");
            assert!(status["message"].as_str().unwrap().contains(word), "{spec}: {status}");
        }
        assert_eq!(state(arena).await, before);
    });
}

#[test]
fn body_that_is_no_yaml_or_names_a_field_twice_is_refused() {
    play("bad_yaml", async |arena| {
        serving(arena, Split::Route).await;
        let before = state(arena).await;
        let path = format!("/apis/modelward.dev/v1alpha1/namespaces/{}/modeldeployments", arena.namespace);
        let strict = "fieldValidation=Strict";
        let head = "apiVersion: modelward.dev/v1alpha1\nkind: ModelDeployment\nmetadata: {name: other}\n";
        let unbalanced = format!("{head}spec: {{model: chat, version: [1.0.0\n");
        let tab = format!("{head}spec:\n\tmodel: chat\n");
        let twice = format!("{head}spec: {{model: chat, model: chat, version: 1.0.0}}\n");
        let apply = "application/apply-patch+yaml";
        for (what, body) in [("unbalanced", &unbalanced), ("tab", &tab)] {
            let (code, status) = arena.raw("POST", &format!("{path}?{strict}"), "application/yaml", body).await;
            assert_eq!((code, &status["reason"]), (400, &json!("BadRequest")), "{what}: {status}");
            let (code, status) = arena.raw("PATCH", &format!("{path}/other?fieldManager=me&{strict}"), apply, body).await;
            assert_eq!((code, &status["reason"]), (400, &json!("BadRequest")), "{what}: {status}");
            assert!(status["message"].as_str().unwrap().contains("yaml"), "{what}: {status}");
        }
        let (code, status) = arena.raw("POST", &format!("{path}?{strict}"), "application/yaml", &twice).await;
        assert_eq!(code, 400, "{status}");
        assert!(status["message"].as_str().unwrap().contains("model"), "{status}");
        let (code, status) = arena.raw("POST", &format!("{path}?{strict}"), "application/json", "{\"kind\": ").await;
        assert_eq!((code, &status["reason"]), (400, &json!("BadRequest")), "{status}");
        let (code, _) = arena.raw("POST", &format!("{path}?{strict}"), "text/plain", "hello").await;
        assert_eq!(code, 415);
        assert_eq!(state(arena).await, before);
    });
}

#[test]
fn name_that_cannot_become_a_child_name_is_refused() {
    play("bad_names", async |arena| {
        serving(arena, Split::Route).await;
        let before = state(arena).await;
        for name in ["a".repeat(47), "4chat".to_owned(), "chat.v2".to_owned(), "chat-".to_owned(), "Chat".to_owned()] {
            let mut object = canary(arena, "1.0.0", Split::Route);
            object["metadata"]["name"] = name.clone().into();
            let refusal = arena.try_apply("modeldeployment", object).await.expect_err(&name);
            says(&name, &refusal, 422, "Invalid", &[&name]);
        }
        let mut long = canary(arena, "1.0.0", Split::Route);
        long["metadata"]["name"] = "a".repeat(47).into();
        let refusal = arena.try_apply("modeldeployment", long).await.unwrap_err();
        says("47 letters", &refusal, 422, "Invalid", &["at most 46", "metadata.name"]);
        let mut object = model();
        object["metadata"]["name"] = "m".repeat(64).into();
        let refusal = arena.try_apply("model", object).await.unwrap_err();
        says("a Model of 64 letters", &refusal, 422, "Invalid", &["at most 63"]);
        assert_eq!(state(arena).await, before);
        let mut longest = canary(arena, "1.0.0", Split::Route);
        longest["metadata"]["name"] = "a".repeat(46).into();
        arena.apply("modeldeployment", longest).await;
        arena.phase(&"a".repeat(46), "Active").await;
    });
}

#[test]
fn version_listed_twice_or_changed_is_refused() {
    play("bad_versions", async |arena| {
        serving(arena, Split::Route).await;
        let before = state(arena).await;
        let path = format!("/apis/modelward.dev/v1alpha1/namespaces/{}/models/chat", arena.namespace);
        let mut twice = model();
        twice["spec"]["versions"][2]["version"] = "1.1.0".into();
        let patch = json!({"spec": {"versions": twice["spec"]["versions"]}}).to_string();
        let (code, status) = arena.raw("PATCH", &path, "application/merge-patch+json", &patch).await;
        assert_eq!((code, &status["reason"]), (422, &json!("Invalid")), "{status}");
        let message = status["message"].as_str().unwrap();
        assert!(message.contains("spec.versions[2]") && message.contains("Duplicate value"), "{message}");
        let table = [
            ("/versions/0/artifact/uri", json!("s3://elsewhere"), "the artifact of a version never changes"),
            ("/versions/0/artifact/digest", json!(format!("sha256:{}", "0".repeat(64))), "the artifact of a version never changes"),
            ("/versions/0/image", json!("example.com/other:1"), "the image of a version never changes"),
            ("/versions/0/version", json!("1.0.0+build"), "spec.versions[0].version"),
            ("/versions/1/parent", json!("1.1.0"), "cannot be its own parent"),
        ];
        for (pointer, value, word) in table {
            let mut object = model();
            set(&mut object["spec"], pointer, value);
            let refusal = arena.try_apply("model", object).await.expect_err(pointer);
            says(pointer, &refusal, 422, "Invalid", &[word]);
        }
        assert_eq!(state(arena).await, before);
    });
}

#[test]
fn object_of_a_mebibyte_is_refused_and_harms_nobody() {
    play("big_object", async |arena| {
        serving(arena, Split::Route).await;
        let before = state(arena).await;
        let long = with(arena, "/container/args", json!(["x".repeat(1 << 20)]));
        let refusal = arena.try_apply("modeldeployment", long).await.unwrap_err();
        says("one long argument", &refusal, 422, "Invalid", &["spec.container.args[0]"]);
        let note = json!({"metadata": {"annotations": {"example.com/note": "x".repeat(1 << 20)}}}).to_string();
        let path = format!("/apis/modelward.dev/v1alpha1/namespaces/{}/modeldeployments/chat", arena.namespace);
        let (code, status) = arena.raw("PATCH", &path, "application/merge-patch+json", &note).await;
        assert_eq!((code, &status["reason"]), (422, &json!("Invalid")), "{code}");
        assert!(status["message"].as_str().unwrap().contains("metadata.annotations"), "{status}");
        let huge = json!({"spec": {"description": "x".repeat(4 << 20)}}).to_string();
        let path = format!("/apis/modelward.dev/v1alpha1/namespaces/{}/models/chat", arena.namespace);
        let (code, _) = arena.raw("PATCH", &path, "application/merge-patch+json", &huge).await;
        assert_eq!(code, 413, "more than the API server reads");
        assert_eq!(state(arena).await, before);
        arena.apply("modeldeployment", canary(arena, "1.1.0", Split::Route)).await;
        arena.holding_at("chat", 25).await;
    });
}

/// What runs is as it was, and the deployment says why it does not do what the spec asks.
async fn held(arena: &Arena, reason: &str, words: &[&str]) {
    let told = |object: &Value| {
        let ready = condition(object, "Ready");
        let message = ready["message"].as_str().unwrap_or_default();
        let current = ready["observedGeneration"] == object["metadata"]["generation"];
        current && ready["reason"] == reason && words.iter().all(|word| message.contains(word))
    };
    let object = arena.until(&format!("{reason}: {words:?}"), "modeldeployment", "chat", told).await;
    assert_eq!(condition(&object, "Ready")["status"], "False");
    assert_eq!(condition(&object, "Stalled")["status"], "True");
}

#[test]
fn model_or_version_that_does_not_exist_leaves_what_runs_alone() {
    play("unknown_version", async |arena| {
        serving(arena, Split::Route).await;
        let before = arena.list("deployment", CHILDREN).await;
        arena.apply("modeldeployment", with(arena, "/version", json!("9.9.9"))).await;
        held(arena, "VersionNotFound", &["9.9.9", "1.2.0"]).await;
        arena.apply("modeldeployment", with(arena, "/model", json!("absent"))).await;
        held(arena, "ModelNotFound", &["absent"]).await;
        untouched(arena, &before).await;
        arena.apply("modeldeployment", canary(arena, "1.0.0", Split::Route)).await;
        arena.phase("chat", "Active").await;
    });
}

/// The one child Deployment is as it was, and available.
async fn untouched(arena: &Arena, before: &[Value]) {
    arena.sleep(arena.pace.rest).await;
    let after = arena.list("deployment", CHILDREN).await;
    let specs = |list: &[Value]| list.iter().map(|object| object["spec"].clone()).collect::<Vec<_>>();
    assert_eq!(specs(&after), specs(before));
    let object = arena.get("modeldeployment", "chat").await.unwrap();
    assert_eq!(condition(&object, "Available")["status"], "True");
    assert_eq!(at(&object, "/status/stable/version"), "1.0.0");
    assert_eq!(at(&object, "/status/stable/ready"), 4);
    assert_eq!(at(&object, "/status/candidate"), &Value::Null);
}

/// Overlays that make a pod which no API server takes, and what is said of them.
fn broken_overlays() -> [(Value, &'static [&'static str]); 4] {
    [
        (
            json!({"spec": {"containers": [{"name": "model", "volumeMounts": [{"name": "none", "mountPath": "/x"}]}]}}),
            &["volumeMounts", "none"],
        ),
        (json!({"spec": {"containers": [{"name": "Not A Name", "image": "example.com/a:1"}]}}), &["containers[1].name"]),
        (json!({"spec": {"restartPolicy": "Never"}}), &["restartPolicy"]),
        (json!({"spec": {"terminationGracePeriodSecond": 3}}), &["terminationGracePeriodSecond"]),
    ]
}

#[test]
fn overlay_that_breaks_the_pod_is_refused_before_anything_moves() {
    play("broken_overlay", async |arena| {
        serving(arena, Split::Route).await;
        let before = arena.list("deployment", CHILDREN).await;
        for (overlay, words) in broken_overlays() {
            arena.apply("modeldeployment", with(arena, "/podTemplate", overlay)).await;
            held(arena, "InvalidPodTemplate", words).await;
        }
        let labelled = |key: &str| with(arena, "/podTemplate", json!({"metadata": {"labels": {key: "mine"}}}));
        let refusal = arena.try_apply("modeldeployment", labelled("modelward.dev/revision")).await.unwrap_err();
        says("a label of ours", &refusal, 422, "Invalid", &["spec.podTemplate.metadata.labels", "choose another prefix"]);
        arena.apply("modeldeployment", labelled("app.kubernetes.io/managed-by")).await;
        held(arena, "InvalidPodTemplate", &["app.kubernetes.io/managed-by"]).await;
        untouched(arena, &before).await;
        assert_eq!(arena.list("record", CHILDREN).await.len(), 1, "nothing is recorded of what was refused");
        arena.apply("modeldeployment", canary(arena, "1.1.0", Split::Route)).await;
        arena.holding_at("chat", 25).await;
    });
}

#[test]
fn first_release_with_an_overlay_that_breaks_the_pod_makes_nothing() {
    play("broken_first_overlay", async |arena| {
        arena.apply("model", model()).await;
        for (overlay, words) in broken_overlays() {
            let mut object = canary(arena, "1.0.0", Split::Route);
            object["spec"]["podTemplate"] = overlay;
            arena.apply("modeldeployment", object).await;
            held(arena, "InvalidPodTemplate", words).await;
        }
        for short in ["deployment", "service", "route", "record", "budget"] {
            assert_eq!(arena.list(short, CHILDREN).await, Vec::<Value>::new(), "{short}");
        }
        arena.apply("modeldeployment", canary(arena, "1.0.0", Split::Route)).await;
        arena.phase("chat", "Active").await;
    });
}
