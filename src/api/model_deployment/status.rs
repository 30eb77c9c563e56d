//! What the operator says about a ModelDeployment: what serves, what comes next and why.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use crate::api::model_deployment::analysis_status::{AnalysisStatus, Evidence};
use crate::api::model_deployment::probe_status::ProbeStatus;
use crate::api::open_enum::open_enum;
use crate::api::schema;

/// What the operator says about a ModelDeployment.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct ModelDeploymentStatus {
    /// Summary for people. Programs read the conditions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<ModelDeploymentPhase>,

    /// Since when the present release or state holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::time")]
    pub since: Option<Time>,

    /// When pods were last asked to restart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::time")]
    pub restarted_at: Option<Time>,

    /// The generation of the spec that this status is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,

    /// Ready, Available, Reconciling, Stalled and those of this kind.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::conditions")]
    pub conditions: Vec<Condition>,

    /// The revision that has taken all traffic last, and takes it back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stable: Option<RevisionStatus>,

    /// The revision that is on its way, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub candidate: Option<RevisionStatus>,

    /// Revisions that have lost their traffic and still have pods, at most 16.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["revision".into()]))]
    pub retiring: Vec<RetiringRevision>,

    /// The step that the candidate is in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<StepStatus>,

    /// The numbers of the revision that is judged, or that was judged last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub analysis: Option<AnalysisStatus>,

    /// What the metrics of the stable revision said before a release needs them. The condition AnalysisReady is made of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 10))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub probes: Vec<ProbeStatus>,

    /// What the operator will do next, when, and why not now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_action: Option<NextAction>,

    /// The last decision that took effect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decision: Option<Decision>,

    /// The next decision: written here first, on the route as soon as it is safe.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub intent: Option<Decision>,

    /// A revision that serves in place of the one that the spec asks for.
    #[serde(default, rename = "override", skip_serializing_if = "Option::is_none")]
    pub serving_override: Option<Override>,

    /// The last Rollback that was carried out, by its uid: it is not carried out again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub last_rollback: Option<String>,

    /// Set while the command `pause` holds the release; `spec.paused` does not show here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paused: Option<PausedStatus>,

    /// The last command and what came of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_command: Option<LastCommand>,

    /// Percent of the traffic that the stable revision could take back at once with the pods it has ready, 0 to 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 100))]
    pub rollback_capacity: Option<i32>,

    /// Revisions that were released, newest first, at most 20.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20))]
    pub history: Vec<HistoryEntry>,

    /// Where it can be reached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048))]
    pub url: Option<String>,

    /// Pods of the stable revision. Part of the scale subresource.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub replicas: Option<i32>,

    /// Pods that the sizes of the present release are computed from, while a scaler decides: those of the stable revision when it began,
    /// or what a scaler asked for since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub release_replicas: Option<i32>,

    /// Label selector of the stable revision's pods, as text. Part of the scale subresource.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub selector: Option<String>,

    /// The weights that the route or the Service has now. They sum to 100.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["revision".into()]))]
    pub current_weights: Vec<RevisionWeight>,

    /// How often two different revisions came to the same name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub collision_count: Option<i32>,
}

open_enum! {
    /// Summary of a ModelDeployment.
    ModelDeploymentPhase {
        /// The operator has not looked yet, or the first revision cannot be made yet.
        Pending = "Pending",
        /// The first revision is getting ready.
        Deploying = "Deploying",
        /// A candidate is on its way.
        Progressing = "Progressing",
        /// A candidate waits: a hold, a pause, missing pods.
        Holding = "Holding",
        /// Traffic goes back to the stable revision.
        RollingBack = "RollingBack",
        /// Another revision than the spec's serves, because that one was taken back.
        RolledBack = "RolledBack",
        /// What the spec asks for serves, and its size is changing.
        Scaling = "Scaling",
        /// What the spec asks for serves.
        Active = "Active",
        /// What the spec asks for serves, and its scaler has put it to rest: no pods until there is work.
        Idle = "Idle",
        /// Something healthy serves, and it is not what the spec asks for.
        Degraded = "Degraded",
        /// Nothing healthy serves.
        Failed = "Failed",
    }
}

open_enum! {
    /// Who writes the number of pods of a revision.
    ReplicasOwner {
        /// This operator.
        Operator = "Operator",
        /// A HorizontalPodAutoscaler of the revision.
        Hpa = "HPA",
        /// A ScaledObject of the revision.
        Keda = "KEDA",
    }
}

open_enum! {
    /// Why traffic was moved.
    Cause {
        /// A step forward.
        Advance = "Advance",
        /// The candidate's pods were not ready.
        NotReady = "NotReady",
        /// The command `abort`.
        Abort = "Abort",
        /// A rollback.
        Rollback = "Rollback",
        /// The spec asks for something else now.
        Superseded = "Superseded",
    }
}

open_enum! {
    /// What the operator will do next.
    NextActionKind {
        /// Nothing: it is done.
        None = "None",
        /// The next step.
        Advance = "Advance",
        /// All traffic to the candidate.
        Promote = "Promote",
        /// Wait for pods.
        WaitForPods = "WaitForPods",
        /// Wait for the route.
        WaitForRoute = "WaitForRoute",
        /// Wait for a person.
        WaitForCommand = "WaitForCommand",
        /// Wait for a change of the spec or of the Model.
        WaitForChange = "WaitForChange",
        /// Take the old pods away.
        ScaleDown = "ScaleDown",
        /// Give traffic back to the stable revision.
        GoBack = "GoBack",
    }
}

open_enum! {
    /// What kind of override it is.
    OverrideType {
        /// A revision serves in place of the spec's.
        Revision = "Revision",
    }
}

open_enum! {
    /// What became of a command.
    CommandResult {
        /// It was carried out.
        Accepted = "Accepted",
        /// It was not; the message says why.
        Refused = "Refused",
    }
}

open_enum! {
    /// A command, as written before the colon.
    Command {
        /// Ends the current hold.
        Promote = "promote",
        /// All traffic to the candidate as soon as its pods are ready.
        PromoteFull = "promote-full",
        /// Back to the stable revision.
        Abort = "abort",
        /// No step forward.
        Pause = "pause",
        /// Ends `pause`.
        Resume = "resume",
        /// Tries the revision again that was given up.
        Retry = "retry",
        /// Replaces the pods.
        Restart = "restart",
    }
}

open_enum! {
    /// What became of a revision.
    Outcome {
        /// It serves.
        Serving = "Serving",
        /// It reached 100 percent, and another one followed.
        Served = "Served",
        /// The spec asked for something else before it reached 100 percent.
        Superseded = "Superseded",
        /// It was given up by a person.
        Aborted = "Aborted",
        /// It was given up because it failed.
        Failed = "Failed",
    }
}

/// A revision and how it stands.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct RevisionStatus {
    /// The model's version.
    #[schemars(length(max = 63))]
    pub version: String,

    /// The hash in the names of its children.
    #[schemars(length(max = 63))]
    pub revision: String,

    /// Percent of the traffic that it is asked to take, 0 to 100.
    #[schemars(range(min = 0, max = 100))]
    pub weight: i32,

    /// Percent of the traffic that it reaches, 0 to 100. Differs from `weight` where pods are the split.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 100))]
    pub share: Option<i32>,

    /// Wanted pods.
    #[schemars(range(min = 0))]
    pub replicas: i32,

    /// Ready pods.
    #[schemars(range(min = 0))]
    pub ready: i32,

    /// Who writes its number of pods.
    pub replicas_owner: ReplicasOwner,

    /// Since when it is what it is here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::time")]
    pub since: Option<Time>,

    /// Since when the operator waits for its pods to get ready; `progressDeadline` counts from here. Absent while it does not wait.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::time")]
    pub waiting_since: Option<Time>,
}

/// A revision that has lost its traffic and still has pods.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct RetiringRevision {
    /// The hash in the names of its children.
    #[schemars(length(max = 63))]
    pub revision: String,

    /// The model's version.
    #[schemars(length(max = 63))]
    pub version: String,

    /// Its pods.
    #[schemars(range(min = 0))]
    pub replicas: i32,

    /// Since when its weight has been 0; `traffic.drain` counts from here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::time")]
    pub since: Option<Time>,
}

/// The step that the candidate is in.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct StepStatus {
    /// Its place among the steps, from 1; one more than there are steps stands for 100 percent.
    #[schemars(range(min = 1, max = 51))]
    pub index: i32,

    /// The same for people, such as 2/3.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 16))]
    pub progress: Option<String>,

    /// Its weight, 0 to 100; 0 is the preview of a blue/green release.
    #[schemars(range(min = 0, max = 100))]
    pub weight: i32,

    /// When it began.
    #[schemars(schema_with = "schema::time")]
    pub since: Time,

    /// When its weight was applied; the hold counts from here. Absent until then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::time")]
    pub applied_at: Option<Time>,

    /// When its hold ends by itself. Absent when a command ends it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::time")]
    pub hold_until: Option<Time>,

    /// The command `promote` has ended its hold.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub promoted: bool,
}

/// What the operator will do next.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct NextAction {
    /// What.
    pub what: NextActionKind,

    /// Not before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::time")]
    pub at: Option<Time>,

    /// Why that, and why not now, in plain words.
    #[schemars(length(max = 1024))]
    pub reason: String,
}

/// A decision about who gets how much of the traffic. The route, or without a gateway the Service, carries the same.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Decision {
    /// Counts up by one.
    #[schemars(range(min = 1))]
    pub number: i64,

    /// The generation of the spec that it was made for.
    pub generation: i64,

    /// Why.
    pub cause: Cause,

    /// Why, in plain words.
    #[schemars(length(max = 1024))]
    pub reason: String,

    /// The weight of the step that the release is in, percent; 100 is the end.
    #[schemars(range(min = 0, max = 100))]
    pub step_weight: i32,

    /// The revision that gets what the candidate does not get.
    #[schemars(length(max = 63))]
    pub stable: String,

    /// The candidate and its percent of the traffic.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub candidate: Option<RevisionWeight>,

    /// The nonce of the last command that was acknowledged by then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub nonce: Option<String>,

    /// The override in force by then.
    #[serde(default, rename = "override", skip_serializing_if = "Option::is_none")]
    pub serving_override: Option<Override>,
}

/// A revision and its percent of the traffic.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct RevisionWeight {
    /// The hash in the names of its children.
    #[schemars(length(max = 63))]
    pub revision: String,

    /// Percent of the traffic, 0 to 100.
    #[schemars(range(min = 0, max = 100))]
    pub weight: i32,
}

/// A revision that serves in place of the one that the spec asks for.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Override {
    /// What kind it is.
    pub r#type: OverrideType,

    /// The revision that serves.
    #[schemars(length(max = 63))]
    pub revision: String,

    /// The revision that the spec asked for when this was set. The override ends when the spec asks for another one.
    #[schemars(length(max = 63))]
    pub instead_of: String,

    /// Who or what set it.
    #[schemars(length(max = 253))]
    pub by: String,

    /// When.
    #[schemars(schema_with = "schema::time")]
    pub since: Time,

    /// Why, in plain words.
    #[schemars(length(max = 1024))]
    pub reason: String,

    /// What it rests on, if metrics decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<Evidence>,

    /// The revision that was left for it.
    #[serde(default)]
    #[schemars(length(max = 63))]
    pub left: String,

    /// Number of the decision that it came with.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub decision: i64,

    /// A Rollback records it, or none is needed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub recorded: bool,
}

/// Set while the command `pause` holds the release.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct PausedStatus {
    /// When it was set.
    #[schemars(schema_with = "schema::time")]
    pub since: Time,

    /// The nonce of the command.
    #[schemars(length(max = 63))]
    pub nonce: String,
}

/// The last command and what came of it.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct LastCommand {
    /// Its nonce: a command with the same one is not carried out again.
    #[schemars(length(max = 63))]
    pub nonce: String,

    /// The command.
    pub command: Command,

    /// What came of it.
    pub result: CommandResult,

    /// The same in plain words.
    #[schemars(length(max = 1024))]
    pub message: String,
}

/// A revision that was released.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct HistoryEntry {
    /// The hash in the names of its children.
    #[schemars(length(max = 63))]
    pub revision: String,

    /// The model's version.
    #[schemars(length(max = 63))]
    pub version: String,

    /// When it took its first traffic. Absent when it took none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::time")]
    pub served_from: Option<Time>,

    /// When it lost its last traffic. Absent while it serves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::time")]
    pub served_until: Option<Time>,

    /// What became of it.
    pub outcome: Outcome,

    /// Why, in plain words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub reason: Option<String>,
}
