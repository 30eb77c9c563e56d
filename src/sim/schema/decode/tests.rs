use serde_json::json;

use super::*;
use crate::sim::schema::builtin;

fn refusal(group: &str, kind: &str, object: &Value) -> Option<String> {
    check_types(&builtin::schema(group, "v1", kind), object, kind, "v1").err().map(|error| error.message)
}

#[test]
fn wrong_types_get_the_words_of_the_go_decoder() {
    let table = [
        (
            "",
            "ConfigMap",
            json!({"data": {"a": 1}}),
            "ConfigMap in version \"v1\" cannot be handled as a ConfigMap: json: cannot unmarshal number into Go struct field ConfigMap.data of type string",
        ),
        (
            "apps",
            "Deployment",
            json!({"spec": {"replicas": "2"}}),
            "Deployment in version \"v1\" cannot be handled as a Deployment: json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32",
        ),
        (
            "apps",
            "Deployment",
            json!({"spec": {"replicas": 1.5}}),
            "Deployment in version \"v1\" cannot be handled as a Deployment: json: cannot unmarshal number 1.5 into Go struct field DeploymentSpec.spec.replicas of type int32",
        ),
        (
            "apps",
            "Deployment",
            json!({"spec": {"replicas": 3_000_000_000_u64}}),
            "Deployment in version \"v1\" cannot be handled as a Deployment: json: cannot unmarshal number 3000000000 into Go struct field DeploymentSpec.spec.replicas of type int32",
        ),
        (
            "",
            "Pod",
            json!({"spec": {"containers": {}}}),
            "Pod in version \"v1\" cannot be handled as a Pod: json: cannot unmarshal object into Go struct field PodSpec.spec.containers of type []v1.Container",
        ),
        (
            "",
            "Pod",
            json!({"spec": {"containers": [{"env": [{"name": "A", "value": 1}]}]}}),
            "Pod in version \"v1\" cannot be handled as a Pod: json: cannot unmarshal number into Go struct field EnvVar.spec.containers.env.value of type string",
        ),
        (
            "",
            "Pod",
            json!({"spec": {"containers": [{"resources": {"limits": {"cpu": "x"}}}]}}),
            "Pod in version \"v1\" cannot be handled as a Pod: quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
        ),
        (
            "",
            "Pod",
            json!({"metadata": {"labels": []}}),
            "Pod in version \"v1\" cannot be handled as a Pod: json: cannot unmarshal array into Go struct field ObjectMeta.metadata.labels of type map[string]string",
        ),
        (
            "",
            "Pod",
            json!({"metadata": {"creationTimestamp": "x"}}),
            "Pod in version \"v1\" cannot be handled as a Pod: parsing time \"x\" as \"2006-01-02T15:04:05Z07:00\": cannot parse \"x\" as \"2006\"",
        ),
        (
            "",
            "Secret",
            json!({"data": {"a": "no base64!"}}),
            "Secret in version \"v1\" cannot be handled as a Secret: illegal base64 data at input byte 2",
        ),
    ];
    for (group, kind, object, message) in table {
        assert_eq!(refusal(group, kind, &object).as_deref(), Some(message));
    }
}

#[test]
fn right_types_nulls_and_unknown_fields_pass() {
    let pod = json!({"spec": {"containers": [{"name": "a", "resources": {"limits": {"cpu": 0.5, "memory": "1Gi"}}, "bogus": {}, "ports": null,
        "livenessProbe": {"httpGet": {"port": "http"}}}]}, "metadata": {"creationTimestamp": null, "managedFields": [{"fieldsV1": {"f:a": {}}}]}});
    assert_eq!(refusal("", "Pod", &pod), None);
    let crd = json!({"spec": {"versions": [{"schema": {"openAPIV3Schema": {"type": "object", "properties": {"a": {"default": [1]}}}}}]}});
    assert_eq!(refusal("apiextensions.k8s.io", "CustomResourceDefinition", &crd), None);
}

#[test]
fn metadata_of_custom_resources_is_typed() {
    let error = check_metadata(&json!({"metadata": {"labels": {"a": 1}}}), "W", "v1").unwrap_err();
    assert_eq!(error.code, 400);
    assert!(error.message.contains("ObjectMeta.metadata.labels of type string"), "{}", error.message);
    assert!(check_metadata(&json!({"metadata": {"labels": {"a": "1"}}}), "W", "v1").is_ok());
}
