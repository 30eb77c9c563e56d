//! Names of conditions and reasons. They are part of the API: tools wait for them, so a name that was released never changes.

/// What the spec (after an override of the version) asks for is what serves.
pub const READY: &str = "Ready";
/// Something healthy serves, whatever the spec asks for.
pub const AVAILABLE: &str = "Available";
/// The operator is at work and the state is not final.
pub const RECONCILING: &str = "Reconciling";
/// The operator cannot get further by itself; something must change.
pub const STALLED: &str = "Stalled";
/// Another revision than the spec's serves, by a decision recorded in `status.override`.
pub const SPEC_SUPERSEDED: &str = "SpecSuperseded";
/// No step forward is taken, by `spec.paused` or the command `pause`.
pub const PAUSED: &str = "Paused";
/// The route has every field that the spec asks for; said only where one was left out.
pub const ROUTE_AS_SPECIFIED: &str = "RouteAsSpecified";
/// A new version could be judged by its numbers; said only where the spec has an analysis, and keeps nothing from going on.
pub const ANALYSIS_READY: &str = "AnalysisReady";

/// The scalers of the revisions that serve do their work; said only with `spec.autoscaling`.
pub const SCALING_ACTIVE: &str = "ScalingActive";

/// Reasons, as one word for programs; the message beside them is for people.
pub mod reason {
    /// The operator has not looked yet.
    pub const PENDING: &str = "Pending";
    /// At least one ready pod takes traffic.
    pub const SERVING: &str = "Serving";
    /// No pod of any revision is ready.
    pub const NOTHING_READY: &str = "NothingReady";
    /// A weight goes up.
    pub const ADVANCE: &str = "Advance";
    /// A step is held for its time.
    pub const HOLDING: &str = "Holding";
    /// A step, or the end, is held until somebody says promote.
    pub const WAITING_FOR_PROMOTION: &str = "WaitingForPromotion";
    /// Pods are not ready yet.
    pub const WAITING_FOR_PODS: &str = "WaitingForPods";
    /// The route has not taken the weights yet.
    pub const WAITING_FOR_ROUTE: &str = "WaitingForRoute";
    /// Paused in the spec.
    pub const PAUSED_BY_SPEC: &str = "PausedBySpec";
    /// Paused by command.
    pub const PAUSED_BY_COMMAND: &str = "PausedByCommand";
    /// Not paused.
    pub const NOT_PAUSED: &str = "NotPaused";
    /// The stable revision gives way to the candidate by chunks, as a smaller maxSurge asks.
    pub const EXCHANGING: &str = "Exchanging";
    /// The stable revision has no ready pods; the candidate has its traffic until it has.
    pub const STABLE_NOT_READY: &str = "StableNotReady";
    /// Pods of the only revision are not ready.
    pub const PODS_NOT_READY: &str = "PodsNotReady";
    /// maxSurge leaves no room for a single pod of the candidate.
    pub const SURGE_TOO_SMALL: &str = "SurgeTooSmall";
    /// Pods of an earlier revision have to end first.
    pub const WAITING_FOR_OLD_PODS: &str = "WaitingForOldPods";
    /// A weight is about to change.
    pub const WEIGHT_CHANGING: &str = "WeightChanging";
    /// A weight has changed.
    pub const WEIGHT_CHANGED: &str = "WeightChanged";
    /// A rollout has begun.
    pub const ROLLOUT_STARTED: &str = "RolloutStarted";
    /// The candidate has all traffic.
    pub const ROLLOUT_COMPLETED: &str = "RolloutCompleted";
    /// The first revision serves.
    pub const RELEASED: &str = "Released";
    /// No step forward, by a person.
    pub const PAUSED: &str = "Paused";
    /// Another revision than the spec's serves.
    pub const SPEC_SUPERSEDED: &str = "SpecSuperseded";
    /// A command was carried out.
    pub const COMMAND_DONE: &str = "CommandDone";
    /// A command was not carried out; the message says why.
    pub const COMMAND_REFUSED: &str = "CommandRefused";
    /// The new version was not ready in time and has been given up.
    pub const PROGRESS_DEADLINE_EXCEEDED: &str = "ProgressDeadlineExceeded";
    /// The candidate lost its ready pods after it had traffic.
    pub const CANDIDATE_NOT_READY: &str = "CandidateNotReady";
    /// The cluster has no room for the pods of the candidate.
    pub const SURGE_BLOCKED: &str = "SurgeBlocked";
    /// The version does not pass the gate of the environment, or its evaluation says reject.
    pub const GATE_FAILED: &str = "GateFailed";
    /// The version is archived.
    pub const VERSION_ARCHIVED: &str = "VersionArchived";
    /// There is no Model of that name in the namespace.
    pub const MODEL_NOT_FOUND: &str = "ModelNotFound";
    /// The Model has no such version.
    pub const VERSION_NOT_FOUND: &str = "VersionNotFound";
    /// The version's artifact or image differs from what runs under the same version.
    pub const VERSION_CHANGED: &str = "VersionChanged";
    /// Neither the version nor the container names an image.
    pub const IMAGE_MISSING: &str = "ImageMissing";
    /// The merged pod is not one that the API server takes.
    pub const INVALID_POD_TEMPLATE: &str = "InvalidPodTemplate";
    /// A field of the spec has a value that cannot be used.
    pub const INVALID_SPEC: &str = "InvalidSpec";
    /// The autoscaling asks for something that cannot scale a revision.
    pub const INVALID_AUTOSCALING: &str = "InvalidAutoscaling";
    /// KEDA is asked for and not installed.
    pub const KEDA_NOT_INSTALLED: &str = "KedaNotInstalled";
    /// Scalers do their work.
    pub const SCALERS_WORK: &str = "ScalersWork";
    /// A scaler is not there yet.
    pub const SCALER_MISSING: &str = "ScalerMissing";
    /// A scaler says that it cannot do its work.
    pub const SCALER_FAILING: &str = "ScalerFailing";
    /// A scaler keeps no pods until there is work.
    pub const IDLE: &str = "Idle";
    /// The analysis asks for something that cannot be measured.
    pub const INVALID_ANALYSIS: &str = "InvalidAnalysis";
    /// A metric failed, and the version was taken back.
    pub const ANALYSIS_FAILED: &str = "AnalysisFailed";
    /// A Rollback asked for an earlier revision.
    pub const ROLLED_BACK: &str = "RolledBack";
    /// A Rollback is carried out.
    pub const ROLLBACK_STARTED: &str = "RollbackStarted";
    /// What should go does not serve.
    pub const NOT_NEEDED: &str = "NotNeeded";
    /// What a Rollback asks for cannot be done.
    pub const IMPOSSIBLE: &str = "Impossible";
    /// A Rollback was not done in time.
    pub const DEADLINE_EXCEEDED: &str = "DeadlineExceeded";
    /// Another decision came in between.
    pub const OVERTAKEN: &str = "Overtaken";
    /// Traffic goes back.
    pub const IN_PROGRESS: &str = "InProgress";
    /// The earlier revision has all of the traffic.
    pub const COMPLETED: &str = "Completed";
    /// A metric has no data: its source is broken, or says nothing.
    pub const NO_DATA: &str = "NoData";
    /// The source works, and a step needs more requests.
    pub const NOT_ENOUGH_SAMPLES: &str = "NotEnoughSamples";
    /// The last values of a metric are out of bounds, not often enough to fail it.
    pub const METRIC_BREACHED: &str = "MetricBreached";
    /// Every metric can be measured, and the traffic can tell.
    pub const MEASURED: &str = "Measured";
    /// The metrics were not asked for yet.
    pub const NOT_ASKED_YET: &str = "NotAskedYet";
    /// The operator's configuration has no such metric provider, or no default.
    pub const NO_PROVIDER: &str = "NoProvider";
    /// The metric source refuses a query.
    pub const SOURCE_REFUSES: &str = "SourceRefuses";
    /// The metric source is not reached, or does not answer as one.
    pub const SOURCE_UNREACHABLE: &str = "SourceUnreachable";
    /// The query of a metric matches no series of the stable revision.
    pub const NO_SERIES: &str = "NoSeries";
    /// What a query gives is no measurement.
    pub const NOT_MEASURABLE: &str = "NotMeasurable";
    /// Steps would take longer than their holds to get their samples.
    pub const TOO_FEW_REQUESTS: &str = "TooFewRequests";
    /// So much traffic cannot tell what the analysis asks.
    pub const CANNOT_TELL: &str = "CannotTell";
    /// Somebody said abort.
    pub const ABORTED: &str = "Aborted";
    /// The spec asks for something else now.
    pub const SUPERSEDED: &str = "Superseded";
    /// No override is set.
    pub const NO_OVERRIDE: &str = "NoOverride";
    /// An object with the name of a child exists and is not ours.
    pub const NAME_TAKEN: &str = "NameTaken";
    /// The Gateway API's HTTPRoute is not installed.
    pub const GATEWAY_API_MISSING: &str = "GatewayApiMissing";
    /// A gateway did not accept the route.
    pub const ROUTE_NOT_ACCEPTED: &str = "RouteNotAccepted";
    /// The installed kind of route lacks a field, or the gateway does; the route was written without it.
    pub const ROUTE_FIELD_UNSUPPORTED: &str = "RouteFieldUnsupported";
    /// The API server refuses what the operator writes, for instance by a quota or a policy.
    pub const REFUSED_BY_API_SERVER: &str = "RefusedByApiServer";
    /// The Model is known, with all its versions.
    pub const REGISTERED: &str = "Registered";
    /// Nothing is left to do.
    pub const DONE: &str = "Done";
    /// Nothing stands in the way.
    pub const NOT_STALLED: &str = "NotStalled";
    /// What the spec asks for serves.
    pub const AS_SPECIFIED: &str = "AsSpecified";
    /// The first revision is getting ready.
    pub const FIRST_RELEASE: &str = "FirstRelease";
    /// Pods without traffic run on for the drain time.
    pub const DRAINING: &str = "Draining";
    /// The number of pods is changing.
    pub const SCALING: &str = "Scaling";
    /// Pods of an older revision, or of a deleted namesake, are still there.
    pub const WAITING_FOR_CLEANUP: &str = "WaitingForCleanup";
}
