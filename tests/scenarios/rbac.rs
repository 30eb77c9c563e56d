//! The chart's role: what is asked for is granted (I32, checked in every simulated scenario), and what is granted is asked for.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, OnceLock};

use modelward::sim::cluster::Identity;
use modelward::sim::routes::access::{Attributes, Authorizer, RequestRecord};
use serde_json::{Value, json};

use crate::arena::{Arena, at};
use crate::fixtures::{Split, canary, name, serving, with_startup, workload};
use crate::invariants::{OPERATOR, Watchdog};
use crate::simulated::{Stage, runtime};

const HELPERS: &str = include_str!("../../charts/modelward/templates/_helpers.tpl");

/// API group, resource with its subresource, verb.
type Right = (String, String, String);

/// What the shipped role grants: the rules stand as plain YAML in one helper of the chart.
fn granted() -> &'static BTreeSet<Right> {
    static GRANTED: OnceLock<BTreeSet<Right>> = OnceLock::new();
    GRANTED.get_or_init(|| {
        let (_, rest) = HELPERS.split_once("{{- define \"modelward.rules\" -}}").unwrap();
        let (rules, _) = rest.split_once("{{- end }}").unwrap();
        let rules: Vec<Value> = serde_saphyr::from_str(rules).unwrap();
        rules.iter().flat_map(rights_of_rule).collect()
    })
}

fn rights_of_rule(rule: &Value) -> Vec<Right> {
    let list =
        |field: &str| -> Vec<String> { rule[field].as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect() };
    let fields: BTreeSet<&str> = rule.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(fields, BTreeSet::from(["apiGroups", "resources", "verbs"]), "a rule that this test cannot judge: {rule}");
    let mut rights = Vec::new();
    for group in list("apiGroups") {
        for resource in list("resources") {
            rights.extend(list("verbs").into_iter().map(|verb| (group.clone(), resource.clone(), verb)));
        }
    }
    rights
}

fn right(group: &str, resource: &str, subresource: &str, verb: &str) -> Right {
    let resource = if subresource.is_empty() { resource.to_owned() } else { format!("{resource}/{subresource}") };
    (group.to_owned(), resource, verb.to_owned())
}

/// Lets the operator do what the shipped role grants, and everybody else everything. A refusal is a violation.
pub struct ShippedRole(pub Arc<Mutex<Watchdog>>);

impl Authorizer for ShippedRole {
    fn allows(&self, who: &Identity, attributes: &Attributes<'_>) -> bool {
        // Every account may discover what there is.
        let discovery = attributes.resource.is_empty() && attributes.verb == "get";
        if who.user != OPERATOR || discovery {
            return true;
        }
        let Attributes { verb, group, resource, subresource, .. } = *attributes;
        let wanted = right(group, resource, subresource, verb);
        let allowed = granted().contains(&wanted);
        if !allowed {
            self.0.lock().unwrap().violations.push(format!("I32: the shipped role does not grant {wanted:?}"));
        }
        allowed
    }
}

/// What a request needs. An apply that makes an object needs `create` as well: the API server asks for both.
fn needed(record: &RequestRecord) -> Vec<Right> {
    let info = &record.info;
    let right = |verb: &str| right(&info.group, &info.resource, &info.subresource, verb);
    let made = info.verb == "patch" && record.code == 201;
    if made { vec![right("patch"), right("create")] } else { vec![right(&info.verb)] }
}

/// Everything that the operator ever has to do.
async fn everything(arena: &Arena) {
    serving(arena, Split::Route).await;
    arena.apply("modeldeployment", canary(arena, "1.1.0", Split::Route)).await;
    serves(arena, "1.1.0").await;
    meddle(arena).await;
    // The same thing told twice is one Event, counted.
    for nonce in 1..=2 {
        arena.command("chat", &format!("retry:{nonce}")).await;
        let refused = |object: &Value| at(object, "/status/lastCommand/nonce") == nonce.to_string().as_str();
        arena.until("refused", "modeldeployment", "chat", refused).await;
        arena.sleep(std::time::Duration::from_secs(60)).await;
    }
    arena.command("chat", "restart:3").await;
    arena.sleep(std::time::Duration::from_secs(600)).await;
    crate::autoscaling::every_request(arena).await;
    rollbacks(arena).await;
    // Another kind of route takes over.
    let mut grpc = canary(arena, "1.1.0", Split::Route);
    grpc["spec"]["traffic"]["protocol"] = "GRPC".into();
    arena.apply("modeldeployment", grpc).await;
    arena.until("the HTTPRoute is gone", "route", "chat", Value::is_null).await;
    // One record is kept besides the one that serves, and the gateway is given up.
    let mut last = canary(arena, "1.2.0", Split::Pods);
    last["spec"]["revisionHistoryLimit"] = 1.into();
    arena.apply("modeldeployment", last).await;
    serves(arena, "1.2.0").await;
    arena.sleep(arena.pace.rest).await;
    assert_eq!(arena.list("record", "").await.len(), 2);
    assert_eq!(arena.get("grpcroute", "chat").await, None);
}

/// Two releases are taken back, of which one record is kept.
async fn rollbacks(arena: &Arena) {
    for image in ["a", "b"] {
        let mut broken = with_startup(canary(arena, "1.2.0", Split::Route), "never", arena.pace.deadline);
        broken["spec"]["rollbackHistoryLimit"] = 1.into();
        broken["spec"]["container"]["args"] = json!([image]);
        arena.apply("modeldeployment", broken).await;
        arena.phase("chat", "RolledBack").await;
        arena.sleep(arena.pace.rest).await;
    }
    assert_eq!(arena.list("rollback", "").await.len(), 1);
}

async fn serves(arena: &Arena, version: &str) {
    let done = |object: &Value| at(object, "/status/stable/version") == version && at(object, "/status/phase") == "Active";
    arena.until(version, "modeldeployment", "chat", done).await;
}

/// Somebody puts a container into the pods, and takes a record's labels; the one has to go again, the others come back.
async fn meddle(arena: &Arena) {
    let child = workload(arena, "1.1.0").await;
    let container = json!([{"op": "add", "path": "/spec/template/spec/containers/-", "value": {"name": "miner", "image": "miner:1"}}]);
    arena.patch("deployment", name(&child), container).await;
    let alone = |object: &Value| at(object, "/spec/template/spec/containers").as_array().is_some_and(|list| list.len() == 1);
    arena.until("the container is gone", "deployment", name(&child), alone).await;
    let before = arena.get("record", name(&child)).await.unwrap();
    arena.label("record", name(&child), "app.kubernetes.io/managed-by", None).await;
    let found = |object: &Value| object["metadata"]["labels"] == before["metadata"]["labels"] && object["revision"] == before["revision"];
    arena.until("the record is found again", "record", name(&child), found).await;
}

#[test]
fn shipped_role_grants_what_is_asked_for_and_nothing_else() {
    runtime().block_on(async {
        let stage = Stage::set(1).await;
        stage.make_namespace("play");
        let (operator, _) = stage.start_operator(None);
        everything(&stage.arena("play")).await;
        stage.check("everything");
        stage.stop_operator(&operator);
        let log = stage.log.lock().unwrap();
        let ours = log.iter().filter(|record| record.who.user == OPERATOR && record.info.is_resource);
        let needed: BTreeSet<Right> = ours.flat_map(needed).collect();
        let missing: Vec<&Right> = needed.difference(granted()).collect();
        let unused: Vec<&Right> = granted().difference(&needed).collect();
        assert_eq!((missing, unused), (Vec::new(), Vec::new()), "missing and unused rights");
    });
}

#[test]
fn right_that_the_role_does_not_grant_is_refused_and_seen() {
    runtime().block_on(async {
        let stage = Stage::set(1).await;
        stage.make_namespace("play");
        let secrets: kube::Api<k8s_openapi::api::core::v1::Secret> = kube::Api::namespaced(stage.impostor(), "play");
        let answer = secrets.list(&kube::api::ListParams::default()).await;
        assert!(matches!(answer, Err(kube::Error::Api(status)) if status.code == 403));
        assert!(stage.violations().iter().any(|violation| violation.starts_with("I32")));
    });
}
