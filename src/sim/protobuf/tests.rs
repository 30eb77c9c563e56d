use serde_json::{Value, json};

use super::{base64, decode, root_message};
use crate::sim::discovery::REVIEWS;
use crate::sim::kinds::Kinds;

/// A length-delimited entry.
fn part(number: u8, bytes: &[u8]) -> Vec<u8> {
    assert!(number < 16 && bytes.len() < 128);
    let mut entry = vec![(number << 3) | 2, u8::try_from(bytes.len()).unwrap()];
    entry.extend_from_slice(bytes);
    entry
}

/// A small number.
fn number(field: u8, value: u8) -> Vec<u8> {
    vec![field << 3, value]
}

fn body(api_version: &str, kind: &str, message: &[u8]) -> Vec<u8> {
    let type_meta = [part(1, api_version.as_bytes()), part(2, kind.as_bytes())].concat();
    [b"k8s\0".to_vec(), part(1, &type_meta), part(2, message), part(3, b""), part(4, b"")].concat()
}

#[test]
fn a_config_map_becomes_json() {
    let entry = |key: &[u8], value: &[u8]| [part(1, key), part(2, value)].concat();
    let metadata = [part(1, b"settings"), part(8, b""), part(11, &entry(b"app", b"x"))].concat();
    let message =
        [part(1, &metadata), part(2, &entry(b"a", b"1")), part(2, &entry(b"b", b"2")), part(3, &entry(b"raw", &[0, 255]))].concat();
    let expected = json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "settings", "labels": {"app": "x"}},
        "data": {"a": "1", "b": "2"}, "binaryData": {"raw": "AP8="},
    });
    assert_eq!(decode(&body("v1", "ConfigMap", &message)).unwrap(), expected);
}

#[test]
fn zero_of_a_pointer_is_a_value_and_zero_of_a_plain_field_is_absent() {
    let spec = [number(1, 0), number(5, 0), number(7, 0)].concat();
    let decoded = decode(&body("apps/v1", "Deployment", &part(2, &spec))).unwrap();
    assert_eq!(decoded["spec"], json!({"replicas": 0}));
}

#[test]
fn inline_messages_ports_and_quantities_are_flattened_and_read() {
    let handler = part(2, &[part(1, b"/ready"), part(2, &[number(1, 1), number(2, 0), part(3, b"http")].concat())].concat());
    let probe = [part(1, &handler), number(4, 10)].concat();
    let limits = [part(1, b"cpu"), part(2, &part(1, b"500m"))].concat();
    let container = [part(1, b"c"), part(8, &part(1, &limits)), part(11, &probe)].concat();
    let template = part(2, &part(2, &container));
    let decoded = decode(&body("apps/v1", "Deployment", &part(2, &part(3, &template)))).unwrap();
    let expected = json!({
        "name": "c", "resources": {"limits": {"cpu": "500m"}},
        "readinessProbe": {"httpGet": {"path": "/ready", "port": "http"}, "periodSeconds": 10},
    });
    assert_eq!(decoded["spec"]["template"]["spec"]["containers"], json!([expected]));
}

#[test]
fn times_are_rfc_3339_with_six_decimals_where_go_has_micro_time() {
    let time = [vec![0x08], varint(1_700_000_000), number(2, 0)].concat();
    let spec = [part(1, b"holder"), number(2, 15), part(4, &time)].concat();
    let decoded = decode(&body("coordination.k8s.io/v1", "Lease", &part(2, &spec))).unwrap();
    assert_eq!(decoded["spec"]["renewTime"], json!("2023-11-14T22:13:20.000000Z"));
    assert_eq!(decoded["spec"]["leaseDurationSeconds"], json!(15));
}

fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 128 {
        bytes.push(u8::try_from(value & 127).unwrap() | 128);
        value >>= 7;
    }
    bytes.push(u8::try_from(value).unwrap());
    bytes
}

#[test]
fn delete_options_are_read_whatever_version_they_claim() {
    let message = [number(1, 5), part(4, b"Background"), part(2, &part(1, b"u-1"))].concat();
    let decoded = decode(&body("apps/v1", "DeleteOptions", &message)).unwrap();
    assert_eq!(decoded["gracePeriodSeconds"], json!(5));
    assert_eq!(decoded["propagationPolicy"], json!("Background"));
    assert_eq!(decoded["preconditions"], json!({"uid": "u-1"}));
}

#[test]
fn bytes_that_are_no_protobuf_and_kinds_without_table_are_refused() {
    assert_eq!(decode(b"{}").unwrap_err().code, 400);
    assert_eq!(decode(&body("v1", "ConfigMap", &[0x0a, 0x7f])).unwrap_err().code, 400);
    assert_eq!(decode(&body("example.com/v1", "Widget", b"")).unwrap_err().code, 415);
    assert_eq!(decode(&body("v1", "Nonsense", b"")).unwrap_err().code, 415);
}

#[test]
fn base64_pads() {
    assert_eq!(["", "f", "fo", "foo", "foob"].map(|text| base64(text.as_bytes())), ["", "Zg==", "Zm8=", "Zm9v", "Zm9vYg=="]);
}

#[test]
fn unsigned_wire_numbers_are_signed_in_json() {
    let message = [vec![0x08], varint((-1i64).cast_unsigned())].concat();
    let decoded = decode(&body("v1", "DeleteOptions", &message)).unwrap();
    assert_eq!(decoded["gracePeriodSeconds"], Value::from(-1));
}

/// Clients in Go write built-in kinds as protobuf; kubectl and Helm write these two as JSON.
#[test]
fn every_kind_that_is_served_is_read_but_volumes_and_definitions() {
    let kinds = Kinds::builtin();
    let stored = kinds.all().map(|resource| (resource.id.api_version(), resource.kind.clone()));
    let reviews = REVIEWS.iter().map(|review| (format!("{}/{}", review.group, review.version), review.kind.to_owned()));
    let unread: Vec<String> =
        stored.chain(reviews).filter(|(version, kind)| root_message(version, kind).is_none()).map(|(_, kind)| kind).collect();
    assert_eq!(unread, ["PersistentVolume", "CustomResourceDefinition"]);
}

#[test]
fn a_priority_class_of_zero_has_its_value() {
    let metadata = part(1, &part(1, b"low"));
    let object = decode(&body("scheduling.k8s.io/v1", "PriorityClass", &[metadata, number(2, 0), part(4, b"d")].concat())).unwrap();
    assert_eq!((&object["value"], &object["description"], object.get("globalDefault")), (&json!(0), &json!("d"), None));
}
