use serde_json::json;

use super::*;

fn defaulted(resource: &str, object: Value) -> Value {
    let mut object = object;
    apply(resource, &mut object);
    let again = {
        let mut again = object.clone();
        apply(resource, &mut again);
        again
    };
    assert_eq!(object, again, "defaults of {resource} change a second time");
    object
}

fn container_defaults() -> Value {
    json!({"name": "c", "image": "a:1", "imagePullPolicy": "IfNotPresent", "resources": {},
        "terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File"})
}

fn pod_spec_defaults() -> Value {
    json!({"containers": [container_defaults()], "restartPolicy": "Always", "terminationGracePeriodSeconds": 30, "dnsPolicy": "ClusterFirst",
        "securityContext": {}, "schedulerName": "default-scheduler"})
}

fn template() -> Value {
    json!({"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "a:1"}]}})
}

fn template_defaults() -> Value {
    json!({"metadata": {"labels": {"a": "b"}}, "spec": pod_spec_defaults()})
}

#[test]
fn a_minimal_pod_is_filled_as_by_the_server() {
    let mut spec = pod_spec_defaults();
    spec["enableServiceLinks"] = json!(true);
    assert_eq!(defaulted("pods", json!({"spec": {"containers": [{"name": "c", "image": "a:1"}]}})), json!({"spec": spec}));
}

#[test]
fn pull_policy_follows_the_tag() {
    let table = [
        ("a", "Always"),
        ("a:latest", "Always"),
        ("a:1", "IfNotPresent"),
        ("r:5000/a", "Always"),
        ("r:5000/a:2", "IfNotPresent"),
        ("a@sha256:00", "IfNotPresent"),
        ("a:latest@sha256:00", "IfNotPresent"),
    ];
    for (image, policy) in table {
        let pod = defaulted("pods", json!({"spec": {"containers": [{"name": "c", "image": image}]}}));
        assert_eq!(pod["spec"]["containers"][0]["imagePullPolicy"], policy, "{image}");
    }
}

#[test]
fn requests_follow_limits_in_pods_but_not_in_templates() {
    let container =
        json!({"name": "c", "image": "a:1", "resources": {"limits": {"cpu": "1000m", "nvidia.com/gpu": 1}, "requests": {"cpu": 0.5}}});
    let pod = defaulted("pods", json!({"spec": {"containers": [container]}}));
    let expected = json!({"limits": {"cpu": "1", "nvidia.com/gpu": "1"}, "requests": {"cpu": "500m", "nvidia.com/gpu": "1"}});
    assert_eq!(pod["spec"]["containers"][0]["resources"], expected);
    let deployment = defaulted("deployments.apps", json!({"spec": {"template": {"spec": {"containers": [container]}}}}));
    let requests = &deployment["spec"]["template"]["spec"]["containers"][0]["resources"]["requests"];
    assert_eq!(*requests, json!({"cpu": "500m"}));
}

#[test]
fn containers_get_ports_probes_and_references_filled() {
    let container = json!({"name": "c", "image": "a:1", "args": [], "ports": [{"containerPort": 80}],
        "env": [{"name": "A", "value": ""}, {"name": "B", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
        "readinessProbe": {"httpGet": {"port": "http"}, "periodSeconds": 3}, "livenessProbe": {"grpc": {"port": 1}},
        "lifecycle": {"preStop": {"httpGet": {"port": 1}}}});
    let pod = defaulted("pods", json!({"spec": {"hostNetwork": true, "containers": [container]}}));
    let mut expected = container_defaults();
    let filled = json!({
        "ports": [{"containerPort": 80, "hostPort": 80, "protocol": "TCP"}],
        "env": [{"name": "A"}, {"name": "B", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name", "apiVersion": "v1"}}}],
        "readinessProbe": {"httpGet": {"port": "http", "path": "/", "scheme": "HTTP"}, "periodSeconds": 3, "timeoutSeconds": 1, "successThreshold": 1, "failureThreshold": 3},
        "livenessProbe": {"grpc": {"port": 1, "service": ""}, "periodSeconds": 10, "timeoutSeconds": 1, "successThreshold": 1, "failureThreshold": 3},
        "lifecycle": {"preStop": {"httpGet": {"port": 1, "path": "/", "scheme": "HTTP"}}},
    });
    expected.as_object_mut().unwrap().extend(filled.as_object().unwrap().clone());
    assert_eq!(pod["spec"]["containers"][0], expected);
}

#[test]
fn volumes_get_sources_and_modes() {
    let volumes = json!([{"name": "a"}, {"name": "b", "configMap": {"name": "x"}}, {"name": "c", "hostPath": {"path": "/x"}},
        {"name": "d", "projected": {"sources": [{"serviceAccountToken": {"path": "t"}}]}}, {"name": "e", "secret": {"secretName": "s", "defaultMode": 256}}]);
    let pod = defaulted("pods", json!({"spec": {"containers": [], "volumes": volumes}}));
    assert_eq!(
        pod["spec"]["volumes"],
        json!([{"name": "a", "emptyDir": {}}, {"name": "b", "configMap": {"name": "x", "defaultMode": 420}},
        {"name": "c", "hostPath": {"path": "/x", "type": ""}},
        {"name": "d", "projected": {"defaultMode": 420, "sources": [{"serviceAccountToken": {"path": "t", "expirationSeconds": 3600}}]}},
        {"name": "e", "secret": {"secretName": "s", "defaultMode": 256}}])
    );
}

#[test]
fn workloads_are_filled_as_by_the_server() {
    let selector = json!({"matchLabels": {"a": "b"}});
    let table = [
        (
            "deployments.apps",
            json!({"replicas": 1, "revisionHistoryLimit": 10, "progressDeadlineSeconds": 600,
                "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "25%", "maxSurge": "25%"}}}),
        ),
        ("replicasets.apps", json!({"replicas": 1})),
        (
            "statefulsets.apps",
            json!({"replicas": 1, "revisionHistoryLimit": 10, "podManagementPolicy": "OrderedReady",
                "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}},
                "persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Retain", "whenScaled": "Retain"}}),
        ),
        (
            "daemonsets.apps",
            json!({"revisionHistoryLimit": 10, "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1, "maxSurge": 0}}}),
        ),
    ];
    for (resource, mut expected) in table {
        expected["selector"] = selector.clone();
        expected["template"] = template_defaults();
        assert_eq!(
            defaulted(resource, json!({"spec": {"selector": selector, "template": template()}})),
            json!({"spec": expected}),
            "{resource}"
        );
    }
    let recreate = defaulted("deployments.apps", json!({"spec": {"strategy": {"type": "Recreate"}, "template": template()}}));
    assert_eq!(recreate["spec"]["strategy"], json!({"type": "Recreate"}));
}

#[test]
fn jobs_take_labels_and_get_a_selector_from_their_uid() {
    let mut job = defaulted("jobs.batch", json!({"metadata": {"name": "j", "uid": "u"}, "spec": {"template": template()}}));
    let expected = json!({"completions": 1, "parallelism": 1, "backoffLimit": 6, "completionMode": "NonIndexed", "suspend": false,
        "podReplacementPolicy": "TerminatingOrFailed", "template": template_defaults()});
    assert_eq!(job["metadata"]["labels"], json!({"a": "b"}));
    assert_eq!(job["spec"], expected);
    prepare_for_create("jobs.batch", &mut job);
    assert_eq!(job["spec"]["selector"], json!({"matchLabels": {"batch.kubernetes.io/controller-uid": "u"}}));
    let labels = json!({"a": "b", "controller-uid": "u", "job-name": "j", "batch.kubernetes.io/controller-uid": "u", "batch.kubernetes.io/job-name": "j"});
    assert_eq!(job["spec"]["template"]["metadata"]["labels"], labels);
    let half = defaulted("jobs.batch", json!({"spec": {"parallelism": 2, "template": template()}}));
    assert_eq!(half["spec"].get("completions"), None);
}

#[test]
fn services_are_filled_by_type() {
    let service = |spec: Value| defaulted("services", json!({"spec": spec}))["spec"].clone();
    let plain = json!({"type": "ClusterIP", "sessionAffinity": "None", "internalTrafficPolicy": "Cluster", "ipFamilies": ["IPv4"], "ipFamilyPolicy": "SingleStack",
        "selector": {"a": "b"}, "ports": [{"port": 80, "protocol": "TCP", "targetPort": 80}]});
    assert_eq!(service(json!({"selector": {"a": "b"}, "ports": [{"port": 80}]})), plain);
    let balanced = service(json!({"type": "LoadBalancer", "sessionAffinity": "ClientIP", "ports": [{"port": 80, "targetPort": "http"}]}));
    assert_eq!(balanced["externalTrafficPolicy"], "Cluster");
    assert_eq!(balanced["allocateLoadBalancerNodePorts"], true);
    assert_eq!(balanced["sessionAffinityConfig"], json!({"clientIP": {"timeoutSeconds": 10800}}));
    assert_eq!(balanced["ports"][0]["targetPort"], "http");
    let headless = service(json!({"clusterIP": "None"}));
    assert_eq!((&headless["clusterIPs"], &headless["ipFamilyPolicy"]), (&json!(["None"]), &json!("RequireDualStack")));
    let external = service(json!({"type": "ExternalName", "externalName": "a.example"}));
    assert_eq!(external, json!({"type": "ExternalName", "externalName": "a.example", "sessionAffinity": "None"}));
}

#[test]
fn the_other_kinds_are_filled_as_by_the_server() {
    let table = [
        (
            "secrets",
            json!({"stringData": {"a": "x"}, "data": {"b": "eQ=="}}),
            json!({"type": "Opaque", "data": {"a": "eA==", "b": "eQ=="}}),
        ),
        (
            "namespaces",
            json!({"metadata": {"name": "n"}}),
            json!({"metadata": {"name": "n", "labels": {"kubernetes.io/metadata.name": "n"}}}),
        ),
        ("configmaps", json!({"data": {}}), json!({})),
        (
            "endpointslices.discovery.k8s.io",
            json!({"endpoints": [], "ports": [{"port": 1}]}),
            json!({"endpoints": [], "ports": [{"port": 1, "name": "", "protocol": "TCP"}]}),
        ),
        ("resourcequotas", json!({"spec": {"hard": {"cpu": "1000m", "pods": 3}}}), json!({"spec": {"hard": {"cpu": "1", "pods": "3"}}})),
        ("leases.coordination.k8s.io", json!({"spec": {"holderIdentity": "a"}}), json!({"spec": {"holderIdentity": "a"}})),
        ("poddisruptionbudgets.policy", json!({"spec": {"minAvailable": 1}}), json!({"spec": {"minAvailable": 1}})),
        ("priorityclasses.scheduling.k8s.io", json!({"value": 1}), json!({"value": 1, "preemptionPolicy": "PreemptLowerPriority"})),
        (
            "rolebindings.rbac.authorization.k8s.io",
            json!({"roleRef": {"kind": "Role", "name": "r"}, "subjects": [{"kind": "User", "name": "u"}, {"kind": "ServiceAccount", "name": "s"}]}),
            json!({"roleRef": {"kind": "Role", "name": "r", "apiGroup": "rbac.authorization.k8s.io"},
                "subjects": [{"kind": "User", "name": "u", "apiGroup": "rbac.authorization.k8s.io"}, {"kind": "ServiceAccount", "name": "s"}]}),
        ),
        (
            "networkpolicies.networking.k8s.io",
            json!({"spec": {"podSelector": {}, "egress": [{"ports": [{"port": 1}]}]}}),
            json!({"spec": {"podSelector": {}, "policyTypes": ["Ingress", "Egress"], "egress": [{"ports": [{"port": 1, "protocol": "TCP"}]}]}}),
        ),
        (
            "horizontalpodautoscalers.autoscaling",
            json!({"spec": {"maxReplicas": 3, "behavior": {"scaleDown": {"stabilizationWindowSeconds": 60}}}}),
            json!({"spec": {"maxReplicas": 3, "minReplicas": 1,
                "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}}}],
                "behavior": {
                    "scaleDown": {"stabilizationWindowSeconds": 60, "selectPolicy": "Max", "policies": [{"type": "Percent", "value": 100, "periodSeconds": 15}]},
                    "scaleUp": {"stabilizationWindowSeconds": 0, "selectPolicy": "Max", "policies": [
                        {"type": "Pods", "value": 4, "periodSeconds": 15}, {"type": "Percent", "value": 100, "periodSeconds": 15}]}}}}),
        ),
        (
            "customresourcedefinitions.apiextensions.k8s.io",
            json!({"spec": {"names": {"kind": "Widget", "plural": "widgets"}}}),
            json!({"spec": {"names": {"kind": "Widget", "plural": "widgets", "singular": "widget", "listKind": "WidgetList"}, "conversion": {"strategy": "None"}}}),
        ),
        ("widgets.example.com", json!({"a": null, "b": []}), json!({"a": null, "b": []})),
    ];
    for (resource, object, expected) in table {
        assert_eq!(defaulted(resource, object), expected, "{resource}");
    }
}

#[test]
fn creation_sets_phases_and_finalizers() {
    let mut namespace = json!({"metadata": {"name": "n"}});
    prepare_for_create("namespaces", &mut namespace);
    assert_eq!((&namespace["spec"]["finalizers"], &namespace["status"]), (&json!(["kubernetes"]), &json!({"phase": "Active"})));
    let amounts =
        |limits: Value, requests: Value| json!({"spec": {"containers": [{"resources": {"limits": limits, "requests": requests}}]}});
    let table = [
        (amounts(json!({}), json!({})), "BestEffort"),
        (amounts(json!({}), json!({"cpu": "1"})), "Burstable"),
        (amounts(json!({"cpu": "1", "memory": "1Gi"}), json!({"cpu": "1000m", "memory": "1Gi"})), "Guaranteed"),
        (amounts(json!({"nvidia.com/gpu": 1}), json!({"nvidia.com/gpu": 1})), "BestEffort"),
    ];
    for (mut pod, class) in table {
        prepare_for_create("pods", &mut pod);
        assert_eq!(pod["status"], json!({"phase": "Pending", "qosClass": class}));
    }
}

#[test]
fn nulls_and_empty_lists_vanish_but_empty_structs_stay() {
    let pod = defaulted(
        "pods",
        json!({"metadata": {"labels": {}, "annotations": null, "finalizers": []}, "spec": {"containers": [], "volumes": [{"name": "v", "emptyDir": {}}], "tolerations": []}}),
    );
    assert_eq!(pod["metadata"], json!({}));
    assert_eq!(pod["spec"]["volumes"], json!([{"name": "v", "emptyDir": {}}]));
    assert_eq!(pod["spec"].get("tolerations"), None);
    assert_eq!(pod["spec"]["containers"], json!([]));
}
