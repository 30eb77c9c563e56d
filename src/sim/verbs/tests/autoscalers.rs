//! Autoscalers as a real API server defaults and refuses them: its answers are on record.

use serde_json::{Value, json};

use crate::sim::api_error::ApiError;
use crate::sim::cluster::{Cluster, Identity, WriteOptions};

/// Recorded by `tests/control-plane/autoscalers/record`.
const REQUESTS: &str = include_str!("../../../../tests/control-plane/autoscalers/requests.jsonl");
const ANSWERS: &str = include_str!("../../../../tests/control-plane/autoscalers/answers.jsonl");

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn answer(object: Value) -> Value {
    let mut cluster = Cluster::new(1, "2026-01-01T00:00:00Z".parse().unwrap());
    let options = WriteOptions::manager("test");
    match cluster.create(&Identity::user("tester"), "horizontalpodautoscalers.autoscaling", "default", object, &options) {
        Ok(created) => json!({ "spec": created.object["spec"], "status": created.object["status"] }),
        Err(ApiError { code, message, details, .. }) => {
            let causes = details.and_then(|details| details.get("causes").cloned());
            json!({ "code": code, "message": message, "causes": causes })
        }
    }
}

#[test]
fn autoscalers_are_defaulted_and_refused_as_a_real_server_does() {
    let (requests, answers) = (lines(REQUESTS), lines(ANSWERS));
    assert!(requests.len() == answers.len() && answers.len() >= 40);
    let mut wrong = Vec::new();
    for (request, mut wanted) in requests.into_iter().zip(answers) {
        let case = wanted.as_object_mut().unwrap().remove("case").unwrap();
        assert_eq!(case, request["case"]);
        let found = answer(request["object"].clone());
        if found != wanted {
            wrong.push(format!("{case}\nwanted {wanted}\nfound  {found}"));
        }
    }
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
}
