//! The container that serves the model: the part of a container that nearly everybody sets. The rest goes through `podTemplate`.
//!
//! Field names are those of a pod's container. Nothing here has a default in the schema: all of it ends up in a pod, and a default
//! that changes with the CRD would restart models.

use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::api::schema;

/// The container that serves the model.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Container {
    /// Image. The version's own image goes first; one of the two must be given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::image")]
    pub image: Option<String>,

    /// Replaces the image's entry point, at most 64 items.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::text_list::<64, 4096>")]
    pub command: Vec<String>,

    /// Arguments, at most 256. `$(MODEL_URI)`, `$(MODEL_NAME)`, `$(MODEL_VERSION)` and `$(MODEL_DIGEST)` are replaced.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::text_list::<256, 4096>")]
    pub args: Vec<String>,

    /// Environment variables, at most 128.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 128))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub env: Vec<EnvVar>,

    /// Ports, at most 16. Services lead to the first one. Default: 8080, called http.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(
        merge_strategy = ListMerge::Map(vec!["containerPort".into()]),
        validation = Rule::new("self.all(port, !has(port.name) || self.exists_one(other, has(other.name) && other.name == port.name))")
            .message("each port needs a name of its own")
    )]
    pub ports: Vec<Port>,

    /// When a pod takes requests. Default: as soon as the first port accepts connections.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = Rule::new("!has(self.terminationGracePeriodSeconds)").message("a readiness probe ends no pod: remove terminationGracePeriodSeconds"))]
    pub readiness_probe: Option<Probe>,

    /// When a container is restarted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = Rule::new("!has(self.successThreshold) || self.successThreshold == 1").message("successThreshold of a liveness probe must be 1: remove it"))]
    pub liveness_probe: Option<Probe>,

    /// When a container has started; the other probes wait for it. For models that load for minutes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = Rule::new("!has(self.successThreshold) || self.successThreshold == 1").message("successThreshold of a startup probe must be 1: remove it"))]
    pub startup_probe: Option<Probe>,

    /// Where volumes of `podTemplate.spec.volumes` are mounted, at most 32.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["mountPath".into()]))]
    pub volume_mounts: Vec<VolumeMount>,
}

/// An environment variable.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("!(has(self.value) && has(self.valueFrom))")
        .message("an environment variable has value or valueFrom, not both: remove one")
)]
pub struct EnvVar {
    /// Its name. MODEL_NAME, MODEL_VERSION, MODEL_URI, MODEL_DIGEST and MODEL_PATH are set by the operator.
    #[schemars(length(min = 1, max = 256))]
    #[x_kube(
        validation = Rule::new("!(self in ['MODEL_NAME', 'MODEL_VERSION', 'MODEL_URI', 'MODEL_DIGEST', 'MODEL_PATH'])")
            .message("the operator sets this variable from the version that runs: choose another name"),
        validation = Rule::new("!self.contains('=')").message("a variable's name has no =")
    )]
    pub name: String,

    /// Its value. `$(NAME)` of variables before it is replaced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32768))]
    pub value: Option<String>,

    /// Where its value comes from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value_from: Option<EnvVarSource>,
}

/// Where the value of a variable comes from.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("[has(self.secretKeyRef), has(self.configMapKeyRef), has(self.fieldRef)].exists_one(given, given)")
        .message("valueFrom needs exactly one of secretKeyRef, configMapKeyRef and fieldRef")
)]
pub struct EnvVarSource {
    /// A key of a Secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_key_ref: Option<KeySelector>,

    /// A key of a ConfigMap.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config_map_key_ref: Option<KeySelector>,

    /// A field of the pod.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field_ref: Option<FieldSelector>,
}

/// A key of a Secret or ConfigMap in this namespace.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct KeySelector {
    /// Name of the object.
    #[schemars(schema_with = "schema::object_name")]
    pub name: String,

    /// The key.
    #[schemars(length(min = 1, max = 253))]
    pub key: String,

    /// Whether the pod starts without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub optional: Option<bool>,
}

/// A field of the pod.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct FieldSelector {
    /// Such as metadata.name or status.podIP.
    #[schemars(length(min = 1, max = 253))]
    pub field_path: String,
}

/// A port of the container.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Port {
    /// Its name, at most 15 lower-case letters, digits and -. Default for the first one: http.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::port_name")]
    pub name: Option<String>,

    /// Its number, TCP.
    #[schemars(range(min = 1, max = 65535))]
    pub container_port: i32,
}

/// How a container is asked how it is.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("[has(self.httpGet), has(self.tcpSocket), has(self.exec), has(self.grpc)].exists_one(given, given)")
        .message("a probe needs exactly one of httpGet, tcpSocket, exec and grpc")
)]
pub struct Probe {
    /// An HTTP request; 200 to 399 is well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http_get: Option<HttpGetAction>,

    /// A TCP connection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tcp_socket: Option<TcpSocketAction>,

    /// A command in the container; exit status 0 is well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exec: Option<ExecAction>,

    /// A call of the gRPC health protocol.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grpc: Option<GrpcAction>,

    /// Seconds before the first one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 86400))]
    pub initial_delay_seconds: Option<i32>,

    /// Seconds between two.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 86400))]
    pub period_seconds: Option<i32>,

    /// Seconds one may take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 86400))]
    pub timeout_seconds: Option<i32>,

    /// Good ones in a row that make it well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1000))]
    pub success_threshold: Option<i32>,

    /// Bad ones in a row that make it unwell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100_000))]
    pub failure_threshold: Option<i32>,

    /// Seconds a container gets to stop after this probe failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 86400))]
    pub termination_grace_period_seconds: Option<i64>,
}

/// An HTTP request as a probe.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct HttpGetAction {
    /// Path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub path: Option<String>,

    /// Number or name of a port.
    #[schemars(schema_with = "schema::port")]
    pub port: IntOrString,

    /// HTTP or HTTPS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scheme: Option<Scheme>,

    /// Headers, at most 16.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub http_headers: Vec<HttpHeader>,
}

/// HTTP (the default) or HTTPS, whose certificate is not checked.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq)]
#[serde(rename_all = "UPPERCASE")]
pub enum Scheme {
    /// Plain.
    Http,
    /// TLS; the certificate is not checked.
    Https,
}

/// A header of a probe.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct HttpHeader {
    /// Its name.
    #[schemars(length(min = 1, max = 256))]
    pub name: String,

    /// Its value.
    #[schemars(length(max = 4096))]
    pub value: String,
}

/// A TCP connection as a probe.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct TcpSocketAction {
    /// Number or name of a port.
    #[schemars(schema_with = "schema::port")]
    pub port: IntOrString,
}

/// A command as a probe.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct ExecAction {
    /// The command and its arguments, at most 64 items.
    #[schemars(schema_with = "schema::text_list::<64, 4096>")]
    pub command: Vec<String>,
}

/// A gRPC health call as a probe.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct GrpcAction {
    /// Number of a port.
    #[schemars(range(min = 1, max = 65535))]
    pub port: i32,

    /// Name of the service that is asked about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub service: Option<String>,
}

/// Where a volume is mounted.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct VolumeMount {
    /// Name of a volume in `podTemplate.spec.volumes`.
    #[schemars(schema_with = "schema::environment")]
    pub name: String,

    /// Where, in the container.
    #[schemars(length(min = 1, max = 1024))]
    pub mount_path: String,

    /// A path in the volume.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub sub_path: Option<String>,

    /// Whether it cannot be written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_only: Option<bool>,
}
