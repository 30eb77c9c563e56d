use jiff::Timestamp;
use serde_json::{Value, json};

use super::builtin;
use super::{IncludeObject, Printer, custom_cell};
use crate::sim::kinds::Kinds;

fn now() -> Timestamp {
    "2026-01-01T01:00:00Z".parse().unwrap()
}

fn cells(key: &str, object: &Value) -> Vec<Value> {
    let (headers, row) = builtin::printer(key);
    let cells = row(object, now());
    assert_eq!(headers.len(), cells.len(), "{key}");
    cells
}

#[test]
fn every_built_in_row_has_a_cell_for_each_heading_even_of_an_empty_object() {
    for resource in Kinds::builtin().all() {
        cells(&resource.key(), &json!({}));
    }
}

#[test]
fn a_table_of_pods_shows_readiness_status_and_restarts() {
    let pod = json!({
        "metadata": {"name": "p", "creationTimestamp": "2026-01-01T00:55:00Z"},
        "spec": {"containers": [{"name": "a"}, {"name": "b"}], "nodeName": "n1"},
        "status": {"phase": "Running", "podIP": "10.0.0.1", "containerStatuses": [
            {"name": "a", "ready": true, "restartCount": 1, "state": {"running": {}}, "lastState": {"terminated": {"finishedAt": "2026-01-01T00:58:00Z"}}},
            {"name": "b", "ready": false, "restartCount": 2, "state": {"waiting": {"reason": "CrashLoopBackOff"}}},
        ]},
    });
    let expected = json!(["p", "1/2", "CrashLoopBackOff", "3 (2m ago)", "5m", "10.0.0.1", "n1", "<none>", "<none>"]);
    assert_eq!(Value::Array(cells("pods", &pod)), expected);
}

#[test]
fn status_of_pods_tells_init_deletion_and_end() {
    let status = |pod: Value| cells("pods", &pod)[2].clone();
    assert_eq!(status(json!({"metadata": {"deletionTimestamp": "x"}, "status": {"phase": "Running"}})), json!("Terminating"));
    let init = json!({"spec": {"initContainers": [{"name": "i"}, {"name": "j"}]}, "status": {"phase": "Pending", "initContainerStatuses": [
        {"name": "i", "state": {"terminated": {"exitCode": 0}}}, {"name": "j", "state": {"running": {}}}]}});
    assert_eq!(status(init), json!("Init:1/2"));
    let ended = json!({"status": {"phase": "Failed", "containerStatuses": [{"state": {"terminated": {"exitCode": 3}}}]}});
    assert_eq!(status(ended), json!("ExitCode:3"));
    assert_eq!(status(json!({"status": {"phase": "Failed", "reason": "Evicted"}})), json!("Evicted"));
}

#[test]
fn rows_of_workloads_and_services_read_like_kubectl() {
    let deployment = json!({
        "metadata": {"name": "d", "creationTimestamp": "2026-01-01T00:59:30Z"},
        "spec": {"replicas": 3, "selector": {"matchLabels": {"b": "2", "a": "1"}}, "template": {"spec": {"containers": [{"name": "c", "image": "i:1"}]}}},
        "status": {"readyReplicas": 2, "updatedReplicas": 3, "availableReplicas": 2},
    });
    assert_eq!(Value::Array(cells("deployments.apps", &deployment)), json!(["d", "2/3", 3, 2, "30s", "c", "i:1", "a=1,b=2"]));
    let service = json!({
        "metadata": {"name": "s", "creationTimestamp": "2026-01-01T00:00:00Z"},
        "spec": {"type": "NodePort", "clusterIP": "10.1.0.1", "ports": [{"port": 80, "nodePort": 30080, "protocol": "TCP"}, {"port": 53, "protocol": "UDP"}]},
    });
    let expected = json!(["s", "NodePort", "10.1.0.1", "<none>", "80:30080/TCP,53/UDP", "60m", "<none>"]);
    assert_eq!(Value::Array(cells("services", &service)), expected);
    let scaler = json!({
        "metadata": {"name": "h"},
        "spec": {"scaleTargetRef": {"kind": "Deployment", "name": "d"}, "minReplicas": 1, "maxReplicas": 5, "metrics": [
            {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}}},
            {"type": "Pods", "pods": {"metric": {"name": "q"}, "target": {"type": "AverageValue", "averageValue": "10"}}},
            {"type": "External"}]},
        "status": {"currentReplicas": 2, "currentMetrics": [{"type": "Resource", "resource": {"current": {"averageUtilization": 50}}}]},
    });
    assert_eq!(cells("horizontalpodautoscalers.autoscaling", &scaler)[2], json!("cpu: 50%/80%, <unknown>/10 + 1 more..."));
}

#[test]
fn events_of_both_shapes_lead_with_the_time() {
    let core = json!({
        "metadata": {"name": "e"}, "type": "Normal", "reason": "Scaled", "message": "up\n", "count": 4,
        "involvedObject": {"kind": "Deployment", "name": "d"}, "source": {"component": "x"},
        "firstTimestamp": "2026-01-01T00:00:00Z", "lastTimestamp": "2026-01-01T00:59:00Z",
    });
    let expected = json!(["60s", "Normal", "Scaled", "deployment/d", "", "x", "up", "60m", 4, "e"]);
    assert_eq!(Value::Array(cells("events", &core)), expected);
    let new = json!({
        "metadata": {"name": "e"}, "type": "Normal", "reason": "Scaled", "note": "up", "eventTime": "2026-01-01T00:59:00.000000Z",
        "regarding": {"kind": "Deployment", "name": "d"}, "reportingController": "x",
    });
    assert_eq!(
        Value::Array(cells("events.events.k8s.io", &new)),
        json!(["60s", "Normal", "Scaled", "deployment/d", "", "x", "up", "60s", 1, "e"])
    );
}

#[test]
fn custom_cells_follow_the_type_of_their_column() {
    for (kind, value, expected) in [
        ("string", json!("x"), json!("x")),
        ("string", json!({"a": 1}), json!("{\"a\":1}")),
        ("string", json!(3), json!("3")),
        ("integer", json!(3), json!(3)),
        ("integer", json!(3.9), json!(3)),
        ("integer", json!("3"), Value::Null),
        ("number", json!(2), json!(2.0)),
        ("boolean", json!(true), json!(true)),
        ("boolean", json!("true"), Value::Null),
        ("date", json!("2026-01-01T00:50:00Z"), json!("10m")),
        ("date", json!("soon"), json!("<invalid>")),
        ("string", Value::Null, Value::Null),
    ] {
        assert_eq!(custom_cell(kind, Some(&value), now()), expected, "{kind} {value}");
    }
}

#[test]
fn a_table_carries_headings_once_and_metadata_or_object_per_row() {
    let kinds = Kinds::builtin();
    let printer = Printer::new(kinds.by_key("configmaps").unwrap());
    let object = json!({"metadata": {"name": "c"}, "data": {"a": "1"}});
    let table = printer.table(&[&object], json!({"resourceVersion": "7"}), IncludeObject::Metadata, true, now());
    assert_eq!(
        table["columnDefinitions"][0],
        json!({"name": "Name", "type": "string", "format": "name", "description": "Name", "priority": 0})
    );
    assert_eq!(table["rows"][0]["object"]["kind"], "PartialObjectMetadata");
    assert_eq!(table["rows"][0]["object"]["metadata"]["name"], "c");
    let later = printer.table(&[&object], json!({}), IncludeObject::None, false, now());
    assert_eq!((&later["columnDefinitions"], &later["rows"][0]["object"]), (&Value::Null, &Value::Null));
    assert_eq!(printer.table(&[&object], json!({}), IncludeObject::Object, true, now())["rows"][0]["object"], object);
}
