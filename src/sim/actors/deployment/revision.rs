//! Templates, names and revision numbers of a Deployment's ReplicaSets.
//!
//! Takes Deployments and ReplicaSets; gives the ReplicaSet that belongs to a template, and what its metadata must say.
//! Pure.

use serde_json::{Map, Value, json};

use super::bounds::{Bounds, min_ready_seconds};
use super::sets::{DESIRED_REPLICAS, MAX_REPLICAS, REVISION, REVISION_HISTORY, TEMPLATE_HASH};
use crate::sim::actors::object::{self, annotation, annotation_number, at, map, name, namespace};

/// Annotations of a Deployment that its ReplicaSets do not get.
const NOT_COPIED: [&str; 6] = [
    "kubectl.kubernetes.io/last-applied-configuration",
    "deprecated.deployment.rollback.to",
    REVISION,
    REVISION_HISTORY,
    DESIRED_REPLICAS,
    MAX_REPLICAS,
];

/// Longest history annotation, in bytes.
const HISTORY_BYTES_MAX: usize = 2000;

/// The ReplicaSet was made from the Deployment's template as it is now.
pub fn is_current(deployment: &Value, set: &Value) -> bool {
    plain_template(deployment) == plain_template(set)
}

/// The pod template without the hash label and without what JSON may say or omit.
fn plain_template(object: &Value) -> Value {
    let mut template = at(object, &["spec", "template"]).cloned().unwrap_or_else(|| json!({}));
    let Some(fields) = template.as_object_mut() else { return template };
    let metadata = fields.entry("metadata").or_insert_with(|| json!({}));
    if let Some(metadata) = metadata.as_object_mut() {
        metadata.retain(|_, value| !value.is_null());
        if let Some(labels) = metadata.get_mut("labels").and_then(Value::as_object_mut) {
            labels.remove(TEMPLATE_HASH);
        }
        metadata.retain(|_, value| value.as_object().is_none_or(|entries| !entries.is_empty()));
    }
    template
}

/// The hash that names the ReplicaSet of a template: 1 to 10 characters that form no words.
pub fn template_hash(deployment: &Value) -> String {
    let template = plain_template(deployment).to_string();
    let collisions = object::int(deployment, &["status", "collisionCount"]);
    let bytes = collisions.map(i64::to_le_bytes).unwrap_or_default();
    let salt: &[u8] = if collisions.is_some() { &bytes } else { &[] };
    let fold = |hash: u32, byte: &u8| (hash ^ u32::from(*byte)).wrapping_mul(16_777_619);
    let hash = template.as_bytes().iter().chain(salt).fold(2_166_136_261, fold);
    hash.to_string().chars().map(safe_digit).collect()
}

/// Digits as the server writes them in names, so that no hash spells a word or looks like a number.
fn safe_digit(digit: char) -> char {
    match digit {
        '0' => '4',
        '1' => '5',
        '2' => '6',
        '3' => '7',
        '4' => '8',
        '5' => '9',
        '6' => 'b',
        '7' => 'c',
        '8' => 'd',
        _ => 'f',
    }
}

/// The ReplicaSet of the Deployment's template, at a size and revision.
pub fn new_set(deployment: &Value, replicas: i64, revision: i64) -> Value {
    let hash = template_hash(deployment);
    let mut template = at(deployment, &["spec", "template"]).cloned().unwrap_or_else(|| json!({}));
    template["metadata"]["labels"][TEMPLATE_HASH] = json!(hash);
    let mut selector = at(deployment, &["spec", "selector"]).cloned().unwrap_or_else(|| json!({}));
    selector["matchLabels"][TEMPLATE_HASH] = json!(hash);
    let mut annotations = copied_annotations(deployment);
    annotations.insert(REVISION.to_owned(), json!(revision.to_string()));
    annotations.extend(size_annotations(&Bounds::of(deployment)));
    let mut set = json!({
        "apiVersion": "apps/v1", "kind": "ReplicaSet",
        "metadata": {
            "name": format!("{}-{hash}", name(deployment)), "namespace": namespace(deployment),
            "labels": template["metadata"]["labels"], "annotations": annotations,
            "ownerReferences": [object::controller_reference(deployment)],
        },
        "spec": { "replicas": replicas, "selector": selector, "template": template },
    });
    if min_ready_seconds(deployment) != 0 {
        set["spec"]["minReadySeconds"] = json!(min_ready_seconds(deployment));
    }
    set
}

fn copied_annotations(deployment: &Value) -> Map<String, Value> {
    let all = map(deployment, &["metadata", "annotations"]).cloned().unwrap_or_default();
    all.into_iter().filter(|(key, _)| !NOT_COPIED.contains(&key.as_str())).collect()
}

/// The annotations that record for which size a ReplicaSet was sized.
pub fn size_annotations(bounds: &Bounds) -> [(String, Value); 2] {
    [(DESIRED_REPLICAS.to_owned(), json!(bounds.replicas.to_string())), (MAX_REPLICAS.to_owned(), json!(bounds.most().to_string()))]
}

/// The current ReplicaSet with the Deployment's annotations, revision and minReadySeconds; none if it has them.
///
/// A revision is only ever raised; the former one goes to the history, so that a rollback keeps its trace.
pub fn synced_set(deployment: &Value, set: &Value, revision: i64) -> Option<Value> {
    let mut annotations = map(set, &["metadata", "annotations"]).cloned().unwrap_or_default();
    annotations.extend(copied_annotations(deployment));
    let former = annotation_number(set, REVISION).unwrap_or(0);
    if former < revision {
        annotations.insert(REVISION.to_owned(), json!(revision.to_string()));
        if former != 0 {
            annotations.insert(REVISION_HISTORY.to_owned(), json!(longer_history(set, former)));
        }
    }
    let same_annotations = map(set, &["metadata", "annotations"]).is_some_and(|present| *present == annotations);
    if same_annotations && min_ready_seconds(set) == min_ready_seconds(deployment) {
        return None;
    }
    let mut synced = set.clone();
    synced["metadata"]["annotations"] = Value::Object(annotations);
    if let Some(spec) = synced["spec"].as_object_mut() {
        match min_ready_seconds(deployment) {
            0 => spec.remove("minReadySeconds"),
            seconds => spec.insert("minReadySeconds".to_owned(), json!(seconds)),
        };
    }
    Some(synced)
}

/// Former revisions, newest last; the oldest are forgotten when the text gets too long.
fn longer_history(set: &Value, former: i64) -> String {
    let known = annotation(set, REVISION_HISTORY).unwrap_or("");
    let mut revisions: Vec<String> = known.split(',').filter(|text| !text.is_empty()).map(str::to_owned).collect();
    revisions.push(former.to_string());
    while revisions.join(",").len() > HISTORY_BYTES_MAX {
        revisions.remove(0);
    }
    revisions.join(",")
}
