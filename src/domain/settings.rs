//! What the user asked for, validated: no state in here that cannot be acted on.

use jiff::SignedDuration;

use crate::domain::analysis::criteria::Criteria;

/// How traffic is split.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrafficMode {
    /// A gateway's route carries weights.
    Gateway,
    /// One Service; shares follow from numbers of ready pods.
    ReplicaRatio,
}

/// How many pods may exist above the wanted number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Surge {
    /// So many pods, at least 1.
    Pods(i32),
    /// Percent of the wanted pods; rounds up and is at least one pod.
    Percent(i32),
}

/// What decides in place of a number in the spec.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScalerKind {
    /// A HorizontalPodAutoscaler.
    Hpa,
    /// A ScaledObject of KEDA.
    Keda,
}

/// How the scaler of each revision is bounded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scaler {
    /// What it is.
    pub kind: ScalerKind,
    /// Fewest pods, at least 0.
    pub min: i32,
    /// Most pods, at least 1 and at least `min`.
    pub max: i32,
    /// The cluster has what it needs. Without, the operator keeps the numbers of pods.
    pub installed: bool,
}

impl Scaler {
    /// Fewest pods that anything which has to work on its own needs.
    pub fn awake(&self) -> i32 {
        self.min.max(1)
    }
}

/// What ends a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hold {
    /// Time at the weight.
    For(SignedDuration),
    /// A person's `promote`.
    UntilPromoted,
}

/// One step on the way of a new version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// Percent of traffic for the candidate, 0-100. 0 is a preview: all pods, and no traffic (blue/green).
    pub weight: i32,
    /// What ends it.
    pub hold: Hold,
}

/// The validated part of a deployment's spec that decisions need.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Pods wanted, N. At least 0. With a scaler, what follows from its work.
    pub replicas: i32,
    /// What decides how many pods there are; `None`: the number in the spec.
    pub scaler: Option<Scaler>,
    /// Steps in ascending order of weight; none: straight to 100 %.
    pub steps: Vec<Step>,
    /// After the last step, go on to 100 % without a person.
    pub auto_promote: bool,
    /// Pods above N while two revisions exist.
    pub max_surge: Surge,
    /// How the split is made.
    pub traffic: TrafficMode,
    /// Something beside its weight leads to a candidate: pinned requests, or copies of requests.
    pub pins: bool,
    /// Candidate capacity relative to its weight, in percent (100: just enough).
    pub headroom_percent: i32,
    /// How long old requests may take after weight was taken away.
    pub drain: SignedDuration,
    /// How long a gateway's data plane takes to follow its accepted configuration.
    pub propagation_delay: SignedDuration,
    /// How long the replaced revision stays, so that going back is quick.
    pub scale_down_delay: SignedDuration,
    /// How long pods may take to get ready before the candidate is given up.
    pub progress_deadline: SignedDuration,
    /// No forward steps.
    pub paused: bool,
    /// What the numbers of a new version have to be; none: time alone decides.
    pub analysis: Option<Criteria>,
    /// Rollbacks that the operator made, to keep.
    pub rollback_history_limit: usize,
    /// Records of former revisions to keep.
    pub revision_history_limit: usize,
}

/// Weight of the last stage: everything.
pub const FULL_WEIGHT: i32 = 100;

impl Settings {
    /// Ready pods that a revision at rest needs to be as specified. What a scaler makes beyond its least is not in the spec.
    pub fn needed_at_rest(&self) -> i32 {
        self.scaler.map_or(self.replicas, |scaler| scaler.awake().min(self.replicas))
    }

    /// Weight of the first stage: the first step's, or all at once.
    pub fn first_weight(&self) -> i32 {
        self.next_weight(-1)
    }

    /// A new version is fully up without traffic before it gets all of it (blue/green).
    pub fn previews(&self) -> bool {
        self.steps.first().is_some_and(|step| step.weight == 0)
    }

    /// Weight of the stage after one of `weight`: of the first step above it, else 100. Nothing is below a preview's 0.
    ///
    /// Stages are told apart by weight, not by index, so that steps may be edited while a rollout runs: the weight
    /// stays, and the first step above it comes next.
    pub fn next_weight(&self, weight: i32) -> i32 {
        self.steps.iter().map(|step| step.weight).find(|next| *next > weight).unwrap_or(FULL_WEIGHT)
    }

    /// What ends the stage of `weight`; `None` for the end itself, and for a weight that is no step any more. What comes
    /// after the last step waits for a person without `auto_promote`, also when that step was edited away meanwhile.
    pub fn hold_at(&self, weight: i32) -> Option<Hold> {
        let hold = self.steps.iter().find(|step| step.weight == weight).map(|step| step.hold);
        let is_last = !self.steps.is_empty() && self.steps.iter().all(|step| step.weight <= weight);
        let ends_steps = is_last && (hold.is_some() || weight < FULL_WEIGHT);
        if ends_steps && !self.auto_promote { Some(Hold::UntilPromoted) } else { hold }
    }

    /// Position of the stage of `weight` among all, for people: (one-based, number of steps).
    pub fn position(&self, weight: i32) -> (usize, usize) {
        let passed = self.steps.iter().filter(|step| step.weight <= weight).count();
        (passed, self.steps.len())
    }
}

#[cfg(test)]
impl Settings {
    /// One pod, no steps, nothing special.
    pub(crate) fn of_tests() -> Self {
        Self {
            replicas: 1,
            scaler: None,
            steps: Vec::new(),
            auto_promote: true,
            max_surge: Surge::Percent(100),
            traffic: TrafficMode::ReplicaRatio,
            headroom_percent: 100,
            pins: false,
            drain: SignedDuration::ZERO,
            propagation_delay: SignedDuration::ZERO,
            scale_down_delay: SignedDuration::ZERO,
            progress_deadline: SignedDuration::from_secs(600),
            paused: false,
            analysis: None,
            rollback_history_limit: 10,
            revision_history_limit: 10,
        }
    }
}
