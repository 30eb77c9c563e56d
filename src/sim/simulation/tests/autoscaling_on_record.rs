//! The same autoscalers before the real controller and before the simulated one: what the real one made of them is on record.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::play::*;
use crate::sim::actors::object::text;
use crate::sim::builtin::quantity::Quantity;
use crate::sim::world::document::parse;

const AUTOSCALERS: &str = "horizontalpodautoscalers.autoscaling";
/// Recorded by `tests/control-plane/autoscalers/controller`.
const RECORD: &str = include_str!("../../../../tests/control-plane/autoscalers/controller.jsonl");

fn documents(text: &str) -> Vec<Value> {
    parse("documents.yaml", text).unwrap().iter().map(|document| document.to_json()).collect()
}

/// Series that every selector of the record takes.
fn set_values(play: &mut Play) {
    let values: Value = serde_json::from_str(include_str!("../../../../tests/control-plane/autoscalers/values.json")).unwrap();
    for (metric, series) in values.as_object().unwrap() {
        play.simulation.set_external_metric("default", metric, &[], None);
        for (index, value) in series.as_array().unwrap().iter().enumerate() {
            let millis = Quantity::parse(value.as_str().unwrap()).unwrap().millis();
            play.simulation.set_external_metric("default", metric, &[("queue", "jobs"), ("series", &index.to_string())], Some(millis));
        }
    }
}

/// Status without times, and Events.
fn outcome(play: &Play, autoscaler: &Value) -> Value {
    let mut status = autoscaler["status"].clone();
    status.as_object_mut().unwrap().remove("lastScaleTime");
    for condition in status["conditions"].as_array_mut().into_iter().flatten() {
        condition.as_object_mut().unwrap().remove("lastTransitionTime");
    }
    let events = play.list("events");
    let name = text(autoscaler, &["metadata", "name"]);
    let own = events
        .iter()
        .filter(|event| event["involvedObject"]["kind"] == "HorizontalPodAutoscaler" && event["involvedObject"]["name"] == name);
    let told = |event: &Value| ["type", "reason", "message"].map(|field| text(event, &[field]).to_owned()).join(" ");
    let events: BTreeSet<String> = own.map(|event| told(event)).collect();
    json!({ "name": name, "status": status, "events": events })
}

#[test]
fn autoscalers_come_out_as_before_the_real_controller() {
    let mut play = Play::quick();
    for target in documents(include_str!("../../../../tests/control-plane/autoscalers/targets.yaml")) {
        play.create(DEPLOYMENTS, target);
    }
    play.rest();
    set_values(&mut play);
    for autoscaler in documents(include_str!("../../../../tests/control-plane/autoscalers/autoscalers.yaml")) {
        play.create(AUTOSCALERS, autoscaler);
    }
    play.pass(180);
    let record: Vec<Value> = RECORD.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(record.len() >= 14, "{}", record.len());
    let mut wrong = Vec::new();
    for wanted in record {
        let found = outcome(&play, &play.get(AUTOSCALERS, wanted["name"].as_str().unwrap()));
        if found != wanted {
            wrong.push(format!("wanted {wanted}\nfound  {found}"));
        }
    }
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
}
