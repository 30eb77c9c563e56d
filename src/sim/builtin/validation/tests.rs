use std::sync::LazyLock;

use serde_json::json;

use super::*;
use crate::sim::builtin::defaults;

/// `field: message` for every cause of an object with defaults applied.
fn causes(resource: &str, object: &Value, old: Option<&Value>) -> Vec<String> {
    let filled = |object: &Value| {
        let mut object = object.clone();
        defaults::apply(resource, &mut object);
        object
    };
    let old = old.map(filled);
    validate(resource, &filled(object), old.as_ref()).into_iter().map(|cause| format!("{}: {}", cause.field, cause.message)).collect()
}

fn with(mut object: Value, path: &str, value: Value) -> Value {
    let (parent, name) = path.rsplit_once('/').unwrap();
    let parent = object.pointer_mut(parent).unwrap_or_else(|| panic!("no {parent}"));
    match name.parse::<usize>() {
        Ok(index) => parent[index] = value,
        Err(_) => parent[name] = value,
    }
    object
}

fn pod() -> Value {
    json!({"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "a:1", "ports": [{"name": "http", "containerPort": 80}],
        "env": [{"name": "A", "value": "b"}], "resources": {"limits": {"cpu": "1"}}, "readinessProbe": {"httpGet": {"port": "http"}},
        "volumeMounts": [{"name": "v", "mountPath": "/v"}]}], "volumes": [{"name": "v"}]}})
}

fn deployment() -> Value {
    json!({"metadata": {"name": "d"}, "spec": {"selector": {"matchLabels": {"a": "b"}}, "template": {"metadata": {"labels": {"a": "b"}}, "spec": pod()["spec"]}}})
}

fn service() -> Value {
    json!({"metadata": {"name": "s"}, "spec": {"selector": {"a": "b"}, "clusterIP": "10.0.0.1", "ports": [{"name": "http", "port": 80}]}})
}

fn autoscaler() -> Value {
    json!({"spec": {"scaleTargetRef": {"kind": "Deployment", "name": "d", "apiVersion": "apps/v1"}, "minReplicas": 1, "maxReplicas": 3}})
}

#[test]
fn good_objects_have_no_causes() {
    let table = [
        ("pods", pod()),
        ("deployments.apps", deployment()),
        ("replicasets.apps", deployment()),
        ("daemonsets.apps", deployment()),
        ("statefulsets.apps", with(deployment(), "/spec/serviceName", json!("s"))),
        ("services", service()),
        ("services", json!({"spec": {"clusterIP": "None", "selector": {"a": "b"}}})),
        ("horizontalpodautoscalers.autoscaling", autoscaler()),
        ("poddisruptionbudgets.policy", json!({"spec": {"minAvailable": "50%", "selector": {"matchLabels": {"a": "b"}}}})),
        ("leases.coordination.k8s.io", json!({"spec": {"holderIdentity": "", "leaseDurationSeconds": 15, "leaseTransitions": 0}})),
        (
            "resourcequotas",
            json!({"spec": {"hard": {"pods": "3", "requests.cpu": "1", "requests.nvidia.com/gpu": "2", "count/deployments.apps": "1"}}}),
        ),
        ("configmaps", json!({"data": {"a.b": "c"}})),
        ("secrets", json!({"stringData": {"a": "c"}})),
        ("roles.rbac.authorization.k8s.io", json!({"rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]})),
        (
            "endpointslices.discovery.k8s.io",
            json!({"addressType": "IPv4", "endpoints": [{"addresses": ["10.0.0.1"]}], "ports": [{"name": "http", "port": 80}]}),
        ),
        ("networkpolicies.networking.k8s.io", json!({"spec": {"podSelector": {}, "ingress": [{"from": [{"podSelector": {}}]}]}})),
        ("nodes", json!({"metadata": {"name": "n"}})),
    ];
    for (resource, object) in table {
        assert_eq!(causes(resource, &object, None), Vec::<String>::new(), "{resource}");
        assert_eq!(causes(resource, &object, Some(&object)), Vec::<String>::new(), "{resource} on update");
    }
}

/// What is wrong, where, and how the server says it.
static PODS: LazyLock<Vec<(Value, &str)>> = LazyLock::new(|| {
    let c = |field: &str, value: Value| with(pod(), &format!("/spec/containers/0/{field}"), value);
    vec![
        (with(pod(), "/spec/containers", json!([])), "spec.containers: Required value"),
        (c("name", json!("")), "spec.containers[0].name: Required value"),
        (c("image", json!("")), "spec.containers[0].image: Required value"),
        (c("image", json!(" a")), "spec.containers[0].image: Invalid value: \" a\": must not have leading or trailing whitespace"),
        (
            c("imagePullPolicy", json!("Sometimes")),
            "spec.containers[0].imagePullPolicy: Unsupported value: \"Sometimes\": supported values: \"Always\", \"IfNotPresent\", \"Never\"",
        ),
        (c("ports", json!([{"containerPort": 0}])), "spec.containers[0].ports[0].containerPort: Required value"),
        (
            c("ports", json!([{"containerPort": 70000}])),
            "spec.containers[0].ports[0].containerPort: Invalid value: 70000: must be between 1 and 65535, inclusive",
        ),
        (
            c("ports", json!([{"containerPort": 1, "protocol": "HTTP"}])),
            "spec.containers[0].ports[0].protocol: Unsupported value: \"HTTP\": supported values: \"SCTP\", \"TCP\", \"UDP\"",
        ),
        (c("env", json!([{"name": ""}])), "spec.containers[0].env[0].name: Required value"),
        (
            c("env", json!([{"name": "A", "value": "x", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}])),
            "spec.containers[0].env[0].valueFrom: Invalid value: \"\": may not be specified when `value` is not empty",
        ),
        (
            c("env", json!([{"name": "A", "valueFrom": {"secretKeyRef": {"name": "s"}}}])),
            "spec.containers[0].env[0].valueFrom.secretKeyRef.key: Required value",
        ),
        (c("volumeMounts", json!([{"name": "w", "mountPath": "/w"}])), "spec.containers[0].volumeMounts[0].name: Not found: \"w\""),
        (
            c("volumeMounts", json!([{"name": "v", "mountPath": "/v"}, {"name": "v", "mountPath": "/v"}])),
            "spec.containers[0].volumeMounts[1].mountPath: Invalid value: \"/v\": must be unique",
        ),
        (c("readinessProbe", json!({})), "spec.containers[0].readinessProbe: Required value: must specify a handler type"),
        (
            c("readinessProbe", json!({"exec": {"command": ["a"]}, "tcpSocket": {"port": 1}})),
            "spec.containers[0].readinessProbe.tcpSocket: Forbidden: may not specify more than 1 handler type",
        ),
        (
            c("livenessProbe", json!({"exec": {"command": ["a"]}, "successThreshold": 2})),
            "spec.containers[0].livenessProbe.successThreshold: Invalid value: 2: must be 1",
        ),
        (
            c("readinessProbe", json!({"httpGet": {"port": 0}})),
            "spec.containers[0].readinessProbe.httpGet.port: Invalid value: 0: must be between 1 and 65535, inclusive",
        ),
        (
            c("resources", json!({"limits": {"cpu": "-1"}, "requests": {"cpu": "-1"}})),
            "spec.containers[0].resources.limits[cpu]: Invalid value: \"-1\": must be greater than or equal to 0",
        ),
        (
            c("resources", json!({"limits": {"cpu": "1"}, "requests": {"cpu": "2"}})),
            "spec.containers[0].resources.requests: Invalid value: \"2\": must be less than or equal to cpu limit of 1",
        ),
        (
            c("resources", json!({"limits": {"nvidia.com/gpu": "1500m"}})),
            "spec.containers[0].resources.limits[nvidia.com/gpu]: Invalid value: \"1500m\": must be an integer",
        ),
        (
            c("resources", json!({"limits": {"nvidia.com/gpu": "2"}, "requests": {"nvidia.com/gpu": "1"}})),
            "spec.containers[0].resources.requests: Invalid value: \"1\": must be equal to nvidia.com/gpu limit of 2",
        ),
        (
            c("resources", json!({"requests": {"nvidia.com/gpu": "1"}})),
            "spec.containers[0].resources.limits: Required value: Limit must be set for non overcommitable resources",
        ),
        (
            c("resources", json!({"limits": {"gpu": "1"}})),
            "spec.containers[0].resources.limits[gpu]: Invalid value: \"gpu\": must be a standard resource type or fully qualified",
        ),
        (
            with(pod(), "/spec/restartPolicy", json!("Maybe")),
            "spec.restartPolicy: Unsupported value: \"Maybe\": supported values: \"Always\", \"OnFailure\", \"Never\"",
        ),
        (
            with(pod(), "/spec/volumes", json!([{"name": "v", "emptyDir": {}, "hostPath": {"path": "/x"}}])),
            "spec.volumes[0].hostPath: Forbidden: may not specify more than 1 volume type",
        ),
        (
            with(pod(), "/spec/volumes", json!([{"name": "v", "hostPath": {"path": "/x/../y"}}])),
            "spec.volumes[0].hostPath.path: Invalid value: \"/x/../y\": must not contain '..'",
        ),
        (with(pod(), "/spec/volumes", json!([{"name": "v"}, {"name": "v"}])), "spec.volumes[1].name: Duplicate value: \"v\""),
        (
            with(pod(), "/spec/activeDeadlineSeconds", json!(0)),
            "spec.activeDeadlineSeconds: Invalid value: 0: must be between 1 and 2147483647, inclusive",
        ),
        (
            with(pod(), "/spec/tolerations", json!([{"operator": "Equal"}])),
            "spec.tolerations[0].operator: Invalid value: \"Equal\": operator must be Exists when `key` is empty, which means \"match all values and all keys\"",
        ),
        (
            with(
                pod(),
                "/spec/topologySpreadConstraints",
                json!([{"maxSkew": 0, "topologyKey": "z", "whenUnsatisfiable": "DoNotSchedule"}]),
            ),
            "spec.topologySpreadConstraints[0].maxSkew: Invalid value: 0: must be greater than zero",
        ),
        (
            with(
                pod(),
                "/spec/affinity",
                json!({"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [{"topologyKey": ""}]}}),
            ),
            "spec.affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution[0].topologyKey: Required value: can not be empty",
        ),
    ]
});

#[test]
fn every_mistake_in_a_pod_has_the_words_of_the_server() {
    for (object, expected) in PODS.iter() {
        let found = causes("pods", object, None);
        assert!(found.iter().any(|one| one == expected), "{expected}\nfound {found:#?}");
    }
}

#[test]
fn names_of_containers_and_ports_are_unique() {
    let twice = with(pod(), "/spec/containers", json!([{"name": "c", "image": "a"}, {"name": "c", "image": "a"}]));
    assert_eq!(causes("pods", &twice, None), ["spec.containers[1].name: Duplicate value: \"c\""]);
    let init = with(pod(), "/spec/initContainers", json!([{"name": "c", "image": "a", "readinessProbe": {"exec": {"command": ["x"]}}}]));
    assert_eq!(
        causes("pods", &init, None),
        [
            "spec.initContainers[0].name: Duplicate value: \"c\"",
            "spec.initContainers[0].readinessProbe: Forbidden: may not be set for init containers without restartPolicy=Always",
        ]
    );
    let ports = with(
        pod(),
        "/spec/containers/0/ports",
        json!([{"name": "http", "containerPort": 1, "hostPort": 9}, {"name": "http", "containerPort": 2, "hostPort": 9}]),
    );
    assert_eq!(
        causes("pods", &ports, None),
        [
            "spec.containers[0].ports[1].name: Duplicate value: \"http\"",
            "spec.containers[0].ports[1].hostPort: Duplicate value: \"TCP//9\"",
        ]
    );
}

#[test]
fn of_a_pod_only_a_few_fields_may_change() {
    let allowed = [
        with(pod(), "/spec/containers/0/image", json!("a:2")),
        with(pod(), "/spec/tolerations", json!([{"key": "x", "operator": "Exists"}])),
        with(pod(), "/spec/activeDeadlineSeconds", json!(5)),
        with(pod(), "/metadata/labels", json!({"a": "b"})),
    ];
    for object in allowed {
        assert_eq!(causes("pods", &object, Some(&pod())), Vec::<String>::new());
    }
    let renamed = causes("pods", &with(pod(), "/spec/containers/0/env", json!([])), Some(&pod()));
    assert_eq!(renamed.len(), 1);
    assert!(
        renamed[0].starts_with("spec: Forbidden: pod updates may not change fields other than `spec.containers[*].image`"),
        "{renamed:?}"
    );
    assert!(renamed[0].ends_with("changed: containers"), "{renamed:?}");
    let moved = causes("pods", &with(pod(), "/spec/nodeName", json!("n")), Some(&pod()));
    assert!(moved[0].ends_with("changed: nodeName"), "{moved:?}");
    let more = with(pod(), "/spec/containers", json!([{"name": "c", "image": "a:1"}, {"name": "d", "image": "a:1"}]));
    assert_eq!(causes("pods", &more, Some(&pod())), ["spec.containers: Forbidden: pod updates may not add or remove containers"]);
    let tolerating = with(pod(), "/spec/tolerations", json!([{"key": "x", "operator": "Exists"}]));
    assert_eq!(
        causes("pods", &pod(), Some(&tolerating)),
        ["spec.tolerations: Forbidden: existing toleration can not be modified except its tolerationSeconds"]
    );
    let deadline = with(pod(), "/spec/activeDeadlineSeconds", json!(5));
    assert_eq!(
        causes("pods", &with(pod(), "/spec/activeDeadlineSeconds", json!(6)), Some(&deadline)),
        ["spec.activeDeadlineSeconds: Invalid value: 6: must be less than or equal to previous value"]
    );
}

#[test]
fn every_mistake_in_a_deployment_has_the_words_of_the_server() {
    let d = |path: &str, value: Value| with(deployment(), path, value);
    let table = [
        (d("/spec/replicas", json!(-1)), "spec.replicas: Invalid value: -1: must be greater than or equal to 0"),
        (d("/spec/selector", json!(null)), "spec.selector: Required value"),
        (d("/spec/selector", json!({})), "spec.selector: Invalid value: {}: empty selector is invalid for deployment"),
        (
            d("/spec/selector", json!({"matchLabels": {"a": "c"}})),
            "spec.template.metadata.labels: Invalid value: {\"a\":\"b\"}: `selector` does not match template `labels`",
        ),
        (
            d("/spec/strategy", json!({"rollingUpdate": {"maxUnavailable": 0, "maxSurge": "0%"}})),
            "spec.strategy.rollingUpdate.maxUnavailable: Invalid value: 0: may not be 0 when `maxSurge` is 0",
        ),
        (
            d("/spec/strategy", json!({"rollingUpdate": {"maxUnavailable": "200%"}})),
            "spec.strategy.rollingUpdate.maxUnavailable: Invalid value: \"200%\": must not be greater than 100%",
        ),
        (
            d("/spec/strategy", json!({"type": "Recreate", "rollingUpdate": {}})),
            "spec.strategy.rollingUpdate: Forbidden: may not be specified when strategy `type` is 'Recreate'",
        ),
        (
            d("/spec/strategy", json!({"type": "BlueGreen"})),
            "spec.strategy.type: Unsupported value: \"BlueGreen\": supported values: \"Recreate\", \"RollingUpdate\"",
        ),
        (
            d("/spec/progressDeadlineSeconds", json!(0)),
            "spec.progressDeadlineSeconds: Invalid value: 0: must be greater than minReadySeconds",
        ),
        (
            d("/spec/template/spec/restartPolicy", json!("Never")),
            "spec.template.spec.restartPolicy: Unsupported value: \"Never\": supported values: \"Always\"",
        ),
        (d("/spec/template/spec/containers/0/image", json!("")), "spec.template.spec.containers[0].image: Required value"),
        (
            d("/spec/template/metadata/labels", json!({"a": "b", "x": "-"})),
            "spec.template.metadata.labels: Invalid value: \"-\": a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')",
        ),
    ];
    for (object, expected) in table {
        assert_eq!(causes("deployments.apps", &object, None), [expected]);
    }
    let unsound = d("/spec/selector", json!({"matchExpressions": [{"key": "a", "operator": "In"}]}));
    let why = "spec.selector.matchExpressions[0].values: Required value: must be specified when `operator` is 'In' or 'NotIn'";
    let shown = "spec.selector: Invalid value: {\"matchExpressions\":[{\"key\":\"a\",\"operator\":\"In\"}]}: invalid label selector";
    assert_eq!(causes("deployments.apps", &unsound, None), [why, shown]);
}

#[test]
fn selectors_of_workloads_never_change() {
    let other =
        with(with(deployment(), "/spec/selector", json!({"matchLabels": {"a": "c"}})), "/spec/template/metadata/labels", json!({"a": "c"}));
    for resource in ["deployments.apps", "replicasets.apps", "daemonsets.apps"] {
        let found = causes(resource, &other, Some(&deployment()));
        assert_eq!(found, ["spec.selector: Invalid value: {\"matchLabels\":{\"a\":\"c\"}}: field is immutable"], "{resource}");
    }
    let found = causes("statefulsets.apps", &other, Some(&deployment()));
    assert!(found[0].starts_with("spec: Forbidden: updates to statefulset spec for fields other than 'replicas'"), "{found:?}");
}

#[test]
fn every_mistake_in_a_service_has_the_words_of_the_server() {
    let s = |path: &str, value: Value| with(service(), path, value);
    let table = [
        (s("/spec/ports", json!([])), "spec.ports: Required value"),
        (s("/spec/ports", json!([{"name": "a", "port": 1}, {"port": 2}])), "spec.ports[1].name: Required value"),
        (s("/spec/ports", json!([{"name": "a", "port": 1}, {"name": "a", "port": 2}])), "spec.ports[1].name: Duplicate value: \"a\""),
        (
            s("/spec/ports", json!([{"name": "a", "port": 1}, {"name": "b", "port": 1}])),
            "spec.ports[1]: Duplicate value: {\"port\":1,\"protocol\":\"TCP\"}",
        ),
        (
            s("/spec/ports", json!([{"port": 1, "targetPort": "a_b"}])),
            "spec.ports[0].targetPort: Invalid value: \"a_b\": must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)",
        ),
        (
            s("/spec/type", json!("Magic")),
            "spec.type: Unsupported value: \"Magic\": supported values: \"ClusterIP\", \"ExternalName\", \"LoadBalancer\", \"NodePort\"",
        ),
        (
            s("/spec/ports", json!([{"port": 1, "nodePort": 30000}])),
            "spec.ports[0].nodePort: Forbidden: may not be used when `type` is 'ClusterIP'",
        ),
    ];
    for (object, expected) in table {
        let found = causes("services", &object, None);
        assert!(found.contains(&expected.to_owned()), "{expected}\nfound {found:#?}");
    }
    let moved = s("/spec/clusterIP", json!("10.0.0.2"));
    assert_eq!(
        causes("services", &moved, Some(&service())),
        ["spec.clusterIPs[0]: Invalid value: [\"10.0.0.2\"]: may not change once set"]
    );
}

/// What is wrong, where, and how the server says it.
static OTHERS: LazyLock<Vec<(&str, Value, &str)>> = LazyLock::new(|| {
    vec![
        (
            "poddisruptionbudgets.policy",
            json!({"spec": {"minAvailable": 1, "maxUnavailable": 1}}),
            "spec: Invalid value: {\"maxUnavailable\":1,\"minAvailable\":1}: minAvailable and maxUnavailable cannot be both set",
        ),
        (
            "poddisruptionbudgets.policy",
            json!({"spec": {"minAvailable": -1}}),
            "spec.minAvailable: Invalid value: -1: must be greater than or equal to 0",
        ),
        (
            "horizontalpodautoscalers.autoscaling",
            with(autoscaler(), "/spec/minReplicas", json!(5)),
            "spec.maxReplicas: Invalid value: 3: must be greater than or equal to `minReplicas`",
        ),
        (
            "horizontalpodautoscalers.autoscaling",
            with(autoscaler(), "/spec/minReplicas", json!(0)),
            "spec.minReplicas: Invalid value: 0: must be greater than or equal to 1",
        ),
        (
            "horizontalpodautoscalers.autoscaling",
            with(autoscaler(), "/spec/metrics", json!([{"type": "Resource"}])),
            "spec.metrics[0].resource: Required value: must populate information for the given metric source",
        ),
        (
            "horizontalpodautoscalers.autoscaling",
            with(autoscaler(), "/spec/behavior", json!({"scaleUp": {"policies": [{"type": "Pods", "value": 0, "periodSeconds": 1}]}})),
            "spec.behavior.scaleUp.policies[0].value: Invalid value: 0: must be greater than zero",
        ),
        (
            "leases.coordination.k8s.io",
            json!({"spec": {"leaseDurationSeconds": 0}}),
            "spec.leaseDurationSeconds: Invalid value: 0: must be greater than 0",
        ),
        ("resourcequotas", json!({"spec": {"hard": {"pods": "1500m"}}}), "spec.hard[pods]: Invalid value: \"1500m\": must be an integer"),
        (
            "configmaps",
            json!({"data": {"a/b": ""}}),
            "data[a/b]: Invalid value: \"a/b\": a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')",
        ),
        ("configmaps", json!({"data": {"a": "x".repeat(1_048_577)}}), ": Too long: may not be more than 1048576 bytes"),
        ("secrets", json!({"stringData": {"a": "x".repeat(1_048_577)}}), "data: Too long: may not be more than 1048576 bytes"),
        ("secrets", json!({"type": "kubernetes.io/tls", "stringData": {"tls.crt": "x"}}), "data[tls.key]: Required value"),
        (
            "roles.rbac.authorization.k8s.io",
            json!({"rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": []}]}),
            "rules[0].verbs: Required value: verbs must contain at least one value",
        ),
        (
            "endpointslices.discovery.k8s.io",
            json!({"addressType": "IPv4", "endpoints": [{"addresses": ["::1"]}]}),
            "endpoints[0].addresses[0]: Invalid value: \"::1\": must be a valid IPv4 address",
        ),
        ("persistentvolumeclaims", json!({"spec": {"accessModes": ["ReadWriteOnce"]}}), "spec.resources[storage]: Required value"),
        (
            "priorityclasses.scheduling.k8s.io",
            json!({"metadata": {"name": "p"}, "value": 2_000_000_000}),
            "value: Forbidden: maximum allowed value of a user defined priority is 1000000000",
        ),
        (
            "limitranges",
            json!({"spec": {"limits": [{"type": "Container", "min": {"cpu": "2"}, "max": {"cpu": "1"}}]}}),
            "spec.limits[0].min[cpu]: Invalid value: \"2\": min value 2 is greater than max value 1",
        ),
        ("controllerrevisions.apps", json!({"revision": 1}), "data: Required value: data is mandatory"),
    ]
});

#[test]
fn the_other_kinds_are_checked_with_the_words_of_the_server() {
    for (resource, object, expected) in OTHERS.iter() {
        let found = causes(resource, object, None);
        assert!(found.iter().any(|one| one == expected), "{resource}: {expected}\nfound {found:#?}");
    }
}

#[test]
fn what_is_immutable_stays() {
    let table = [
        (
            "controllerrevisions.apps",
            json!({"data": {"a": 1}, "revision": 1}),
            json!({"data": {"a": 2}, "revision": 2}),
            "data: Invalid value: {\"a\":2}: field is immutable",
        ),
        ("secrets", json!({"type": "a"}), json!({"type": "b"}), "type: Invalid value: \"b\": field is immutable"),
        (
            "configmaps",
            json!({"immutable": true, "data": {"a": "1"}}),
            json!({"immutable": true, "data": {"a": "2"}}),
            "data: Forbidden: field is immutable when `immutable` is set",
        ),
        ("configmaps", json!({"immutable": true}), json!({}), "immutable: Forbidden: field is immutable when `immutable` is set"),
        (
            "priorityclasses.scheduling.k8s.io",
            json!({"value": 1}),
            json!({"value": 2}),
            "value: Forbidden: may not be changed in an update.",
        ),
    ];
    for (resource, old, new, expected) in table {
        assert_eq!(causes(resource, &new, Some(&old)), [expected], "{resource}");
    }
}

#[test]
fn jobs_need_pods_that_end_and_keep_their_template() {
    let job = json!({"spec": {"selector": {"matchLabels": {"a": "b"}}, "template": with(deployment(), "/spec/template/spec/restartPolicy", json!("Never"))["spec"]["template"]}});
    assert_eq!(causes("jobs.batch", &job, None), Vec::<String>::new());
    let always = with(job.clone(), "/spec/template/spec/restartPolicy", json!("Always"));
    assert_eq!(
        causes("jobs.batch", &always, None),
        ["spec.template.spec.restartPolicy: Unsupported value: \"Always\": supported values: \"Never\", \"OnFailure\""]
    );
    let changed = with(job.clone(), "/spec/template/spec/containers/0/image", json!("b:1"));
    let found = causes("jobs.batch", &changed, Some(&job));
    assert_eq!(found.len(), 1);
    assert!(found[0].starts_with("spec.template: Invalid value: {") && found[0].ends_with(": field is immutable"), "{found:?}");
}
