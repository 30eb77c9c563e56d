//! The how-to about traffic: its objects are read, its policies attach to the route that the operator writes, its numbers are
//! those of the arithmetic.

use std::collections::BTreeSet;

use modelward::api::ModelDeployment;
use modelward::domain::settings::{Settings, Surge, TrafficMode};
use modelward::domain::size::{share_by_pods, stage_pods};
use serde_json::Value;

use super::{page, rows, section};

/// The objects in the YAML examples.
fn objects(page: &str) -> Vec<Value> {
    let blocks = page.split("```yaml\n").skip(1).map(|rest| rest.split("```").next().unwrap_or_default());
    blocks.flat_map(|block| serde_saphyr::from_multiple::<Value>(block).unwrap()).collect()
}

fn deployments(objects: &[Value]) -> Vec<ModelDeployment> {
    let of_kind = objects.iter().filter(|object| object["kind"] == "ModelDeployment");
    of_kind.map(|object| serde_json::from_value(object.clone()).unwrap()).collect()
}

/// Every field below `given` is in `read`, too: it was not passed over.
fn is_within(given: &Value, read: &Value) -> bool {
    match (given, read) {
        (Value::Object(given), Value::Object(read)) => {
            given.iter().all(|(field, value)| read.get(field).is_some_and(|read| is_within(value, read)))
        }
        (Value::Array(given), Value::Array(read)) => {
            given.len() == read.len() && given.iter().zip(read).all(|(given, read)| is_within(given, read))
        }
        (given, read) => given == read,
    }
}

#[test]
fn every_deployment_of_the_page_is_read_with_all_its_fields() {
    let objects = objects(&page("how-to/traffic.md"));
    let read = deployments(&objects);
    assert_eq!(read.len(), 4);
    for (deployment, given) in read.iter().zip(objects.iter().filter(|object| object["kind"] == "ModelDeployment")) {
        let written = serde_json::to_value(&deployment.spec).unwrap();
        assert!(is_within(&given["spec"], &written), "{given} is read as {written}");
    }
}

#[test]
fn every_policy_of_the_page_attaches_to_the_route_of_a_deployment_of_the_page() {
    let objects = objects(&page("how-to/traffic.md"));
    let deployments = deployments(&objects);
    let routes: BTreeSet<(String, String)> = deployments
        .iter()
        .map(|deployment| {
            let protocol = deployment.spec.traffic.as_ref().unwrap().protocol;
            (modelward::traffic::route::kind(protocol).to_owned(), deployment.metadata.name.clone().unwrap())
        })
        .collect();
    let policies: Vec<&Value> = objects.iter().filter(|object| object["kind"] != "ModelDeployment").collect();
    assert_eq!(
        policies.iter().map(|policy| policy["kind"].as_str().unwrap()).collect::<Vec<_>>(),
        ["SecurityPolicy", "BackendTrafficPolicy"]
    );
    for target in policies.iter().flat_map(|policy| policy["spec"]["targetRefs"].as_array().unwrap()) {
        let text = |field: &str| target[field].as_str().unwrap().to_owned();
        assert_eq!(text("group"), "gateway.networking.k8s.io");
        assert!(routes.contains(&(text("kind"), text("name"))), "{target} is no route of {routes:?}");
    }
}

#[test]
fn shares_by_pods_are_those_of_the_arithmetic() {
    let text = page("how-to/traffic.md");
    let table = rows(section(&text, "Shares by pods"));
    assert!(table.len() >= 10);
    for row in &table {
        let number = |place: usize| row[place].parse::<i32>().unwrap();
        let surge = match row[1].strip_suffix('%') {
            Some(percent) => Surge::Percent(percent.parse().unwrap()),
            None => Surge::Pods(number(1)),
        };
        let pods = stage_pods(&settings(number(0), surge), number(2));
        assert_eq!((pods.candidate, pods.stable, share_by_pods(pods.candidate, pods.stable)), (number(3), number(4), number(5)), "{row:?}");
    }
}

fn settings(replicas: i32, max_surge: Surge) -> Settings {
    let spec = modelward::api::model_deployment::ModelDeploymentSpec::default();
    let defaults = modelward::controllers::model_deployment::validate::validate(
        &spec,
        None,
        &modelward::domain::analysis::profile::Profiles::built_in(),
    )
    .settings;
    Settings { replicas, max_surge, traffic: TrafficMode::ReplicaRatio, ..defaults }
}
