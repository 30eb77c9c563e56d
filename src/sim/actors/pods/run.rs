//! The life of a pod on its node, as a state with a time at which it changes.
//!
//! Takes the time and what the pod's profile and probes come to; gives the next state and what a kubelet says of it. All
//! containers of a pod go through it together. Pure.

use jiff::{SignedDuration, Timestamp};

/// Delay before the second restart; it doubles from one to the next.
const BACKOFF_FIRST: SignedDuration = SignedDuration::from_secs(10);
/// Longest delay before a restart or another pull.
const BACKOFF_LONGEST: SignedDuration = SignedDuration::from_secs(300);
/// A run of this length makes earlier crashes forgotten.
const BACKOFF_FORGOTTEN: SignedDuration = SignedDuration::from_secs(600);
/// From the end of a container to its restart without backoff, and from a failed pull to its backoff.
const MOMENT: SignedDuration = SignedDuration::from_secs(1);

/// What profile, draws and probes come to for the present attempt.
#[derive(Clone, Debug, PartialEq)]
pub struct Traits {
    /// Time to pull the image; zero if the node has it.
    pub pull: SignedDuration,
    /// From start to ready; none: never.
    pub ready: Option<SignedDuration>,
    /// From start to the end of the containers, and why; none: they run on.
    pub end: Option<(SignedDuration, Exit)>,
    /// What the registry says instead of giving the image.
    pub pull_error: Option<String>,
    /// Time that containers take to end when asked to.
    pub shutdown: SignedDuration,
    /// `Always`, `OnFailure` or `Never`.
    pub restart_policy: RestartPolicy,
}

/// `spec.restartPolicy`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RestartPolicy {
    /// Whatever the exit code.
    Always,
    /// Unless it was 0.
    OnFailure,
    /// Never.
    Never,
}

/// How containers ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exit {
    /// Exit code.
    pub code: i64,
    /// `Completed`, `Error`, `OOMKilled`, ...
    pub reason: String,
    /// A probe killed them: what the kubelet says.
    pub killed_by: Option<&'static str>,
}

/// One finished run of the containers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Past {
    /// Start.
    pub started: Timestamp,
    /// End.
    pub finished: Timestamp,
    /// How.
    pub exit: Exit,
}

/// Where a pod is in its life.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// The image is being pulled.
    Pulling {
        /// Until then.
        until: Timestamp,
    },
    /// The pull failed: first `ErrImagePull`, then `ImagePullBackOff`.
    PullFailed {
        /// The backoff has begun.
        waiting: bool,
        /// Until then.
        until: Timestamp,
    },
    /// Containers run.
    Running {
        /// Since then.
        since: Timestamp,
    },
    /// Containers ended and will be restarted: shown as terminated, or as `CrashLoopBackOff`.
    Restarting {
        /// The delay is a backoff.
        backoff: Option<SignedDuration>,
        /// Until then.
        until: Timestamp,
    },
    /// The pod is being deleted: containers were asked to end.
    Stopping {
        /// Containers run since then; none: they do not.
        since: Option<Timestamp>,
        /// Until then.
        until: Timestamp,
    },
    /// Containers ended for good.
    Ended,
}

/// The life of one pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// The pod's uid.
    pub uid: String,
    /// Where it is.
    pub state: State,
    /// Restarts so far.
    pub restarts: u32,
    /// Crashes since the last long run.
    pub crashes: u32,
    /// Pulls that failed.
    pub failed_pulls: u32,
    /// The last finished run.
    pub past: Option<Past>,
    /// Containers have run at some time: the phase is no longer Pending.
    pub has_run: bool,
    /// Address of the pod; empty until its first start.
    pub address: String,
}

/// Something a kubelet says of a pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Remark {
    /// The image is being pulled.
    Pulling,
    /// The image was on the node.
    Present,
    /// The image was pulled in so long.
    Pulled(SignedDuration),
    /// The pull failed: what the registry says.
    PullFailed(String),
    /// Another pull waits.
    PullBackOff,
    /// Containers were created and started.
    Started,
    /// A probe failed too often: which.
    Unhealthy(&'static str),
    /// A restart waits.
    BackOff,
    /// Containers are asked to end.
    Killing,
}

impl Run {
    /// A pod that its node has just seen.
    pub fn begin(uid: &str, now: Timestamp, traits: &Traits) -> (Self, Vec<Remark>) {
        let state = State::Pulling { until: now + traits.pull };
        let remarks = if traits.pull.is_zero() && traits.pull_error.is_none() { Vec::new() } else { vec![Remark::Pulling] };
        let run = Self {
            uid: uid.to_owned(),
            state,
            restarts: 0,
            crashes: 0,
            failed_pulls: 0,
            past: None,
            has_run: false,
            address: String::new(),
        };
        (run, remarks)
    }

    /// All containers are ready at `now`.
    pub fn is_ready(&self, traits: &Traits, now: Timestamp) -> bool {
        // Probes go on while a pod terminates: it is serving until its containers have ended.
        let (State::Running { since } | State::Stopping { since: Some(since), .. }) = self.state else { return false };
        traits.ready.is_some_and(|ready| since + ready <= now)
    }

    /// When something changes next by itself.
    pub fn due(&self, traits: &Traits, now: Timestamp) -> Option<Timestamp> {
        match &self.state {
            State::Pulling { until } | State::PullFailed { until, .. } => Some(*until),
            State::Restarting { until, .. } | State::Stopping { until, .. } => Some(*until),
            State::Ended => None,
            State::Running { since } => {
                let ready = traits.ready.map(|ready| *since + ready).filter(|at| *at > now);
                let end = traits.end.as_ref().map(|(end, _)| *since + *end);
                [ready, end].into_iter().flatten().min()
            }
        }
    }

    /// Takes one step that is due; gives what is said of it, or none when nothing is due.
    pub fn step(&mut self, traits: &Traits, now: Timestamp) -> Option<Vec<Remark>> {
        match self.state.clone() {
            State::Pulling { until } if until <= now => Some(self.pulled(traits, now)),
            State::PullFailed { waiting: false, until } if until <= now => {
                let delay = doubled(self.failed_pulls.saturating_sub(1));
                self.state = State::PullFailed { waiting: true, until: now + delay };
                Some(vec![Remark::PullBackOff])
            }
            State::PullFailed { waiting: true, until } if until <= now || traits.pull_error.is_none() => {
                let pull = if traits.pull_error.is_some() { MOMENT } else { traits.pull };
                self.state = State::Pulling { until: now + pull };
                Some(vec![Remark::Pulling])
            }
            State::Running { since } => self.end_of_run(traits, since, now),
            State::Restarting { until, .. } if until <= now => {
                self.restarts += 1;
                self.state = State::Running { since: now };
                Some(vec![Remark::Present, Remark::Started])
            }
            _ => None,
        }
    }

    fn pulled(&mut self, traits: &Traits, now: Timestamp) -> Vec<Remark> {
        if let Some(error) = &traits.pull_error {
            self.failed_pulls += 1;
            self.state = State::PullFailed { waiting: false, until: now + MOMENT };
            return vec![Remark::PullFailed(error.clone())];
        }
        self.state = State::Running { since: now };
        self.has_run = true;
        let pulled = if traits.pull.is_zero() { Remark::Present } else { Remark::Pulled(traits.pull) };
        vec![pulled, Remark::Started]
    }

    fn end_of_run(&mut self, traits: &Traits, since: Timestamp, now: Timestamp) -> Option<Vec<Remark>> {
        let (end, exit) = traits.end.as_ref()?;
        if since + *end > now {
            return None;
        }
        let failed = exit.code != 0;
        self.past = Some(Past { started: since, finished: now, exit: exit.clone() });
        let mut remarks: Vec<Remark> = exit.killed_by.map(Remark::Unhealthy).into_iter().collect();
        let restarts = match traits.restart_policy {
            RestartPolicy::Always => true,
            RestartPolicy::OnFailure => failed,
            RestartPolicy::Never => false,
        };
        if !restarts {
            self.state = State::Ended;
            return Some(remarks);
        }
        if now.duration_since(since) >= BACKOFF_FORGOTTEN {
            self.crashes = 0;
        }
        self.crashes += 1;
        // The first restart is immediate; the backoff begins with the second crash.
        let backoff = self.crashes.checked_sub(2).map(doubled);
        self.state = State::Restarting { backoff, until: now + backoff.unwrap_or(MOMENT) };
        remarks.extend(backoff.map(|_| Remark::BackOff));
        Some(remarks)
    }

    /// The pod is being deleted; its grace ends at `deadline`.
    pub fn stop(&mut self, traits: &Traits, now: Timestamp, deadline: Timestamp) -> Vec<Remark> {
        match self.state {
            State::Ended => Vec::new(),
            State::Stopping { since, until } => {
                self.state = State::Stopping { since, until: until.min(deadline.max(now)) };
                Vec::new()
            }
            State::Running { since } => {
                self.state = State::Stopping { since: Some(since), until: (now + traits.shutdown).min(deadline.max(now)) };
                vec![Remark::Killing]
            }
            _ => {
                self.state = State::Stopping { since: None, until: now };
                Vec::new()
            }
        }
    }

    /// Containers have ended on request; gives whether the pod may be removed.
    pub fn stopped(&mut self, now: Timestamp) -> bool {
        match self.state {
            State::Stopping { since, until } if until <= now => {
                let exit = Exit { code: 0, reason: "Completed".to_owned(), killed_by: None };
                self.past = since.map(|started| Past { started, finished: now, exit }).or(self.past.take());
                self.state = State::Ended;
                true
            }
            State::Ended => true,
            _ => false,
        }
    }
}

/// 10 s, 20 s, 40 s, ... at most 300 s.
fn doubled(times: u32) -> SignedDuration {
    let factor = 1_i32.checked_shl(times.min(10)).unwrap_or(i32::MAX);
    (BACKOFF_FIRST * factor).min(BACKOFF_LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn second(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn seconds(seconds: i64) -> SignedDuration {
        SignedDuration::from_secs(seconds)
    }

    fn traits() -> Traits {
        Traits {
            pull: seconds(10),
            ready: Some(seconds(15)),
            end: None,
            pull_error: None,
            shutdown: seconds(2),
            restart_policy: RestartPolicy::Always,
        }
    }

    /// Takes every step as it comes due, up to `end`; gives state changes with their times.
    fn play(run: &mut Run, traits: &Traits, end: i64) -> Vec<(i64, State)> {
        let mut seen = Vec::new();
        let mut now = second(0);
        for _ in 0..1000 {
            while run.step(traits, now).is_some() {
                seen.push((now.as_second(), run.state.clone()));
            }
            match run.due(traits, now) {
                Some(due) if due <= second(end) && due > now => now = due,
                _ => return seen,
            }
        }
        seen
    }

    #[test]
    fn a_pod_pulls_starts_and_gets_ready() {
        let (mut run, remarks) = Run::begin("u", second(0), &traits());
        assert_eq!(remarks, [Remark::Pulling]);
        assert_eq!(play(&mut run, &traits(), 100), [(10, State::Running { since: second(10) })]);
        assert!(!run.is_ready(&traits(), second(24)) && run.is_ready(&traits(), second(25)));
        assert_eq!(run.due(&traits(), second(25)), None);
    }

    #[test]
    fn a_crash_loop_restarts_at_once_and_then_backs_off() {
        let exit = Exit { code: 1, reason: "Error".to_owned(), killed_by: None };
        let crashing = Traits { pull: seconds(0), end: Some((seconds(5), exit)), ..traits() };
        let (mut run, _) = Run::begin("u", second(0), &crashing);
        let starts: Vec<i64> = play(&mut run, &crashing, 130)
            .into_iter()
            .filter_map(|(at, state)| matches!(state, State::Running { .. }).then_some(at))
            .collect();
        assert_eq!(starts, [0, 6, 21, 46, 91]);
        assert_eq!(run.restarts, 4);
    }

    #[test]
    fn a_container_that_may_not_restart_ends_for_good() {
        let exit = Exit { code: 0, reason: "Completed".to_owned(), killed_by: None };
        let job = Traits { end: Some((seconds(5), exit)), restart_policy: RestartPolicy::OnFailure, ..traits() };
        let (mut run, _) = Run::begin("u", second(0), &job);
        play(&mut run, &job, 100);
        assert_eq!((run.state, run.restarts), (State::Ended, 0));
    }

    #[test]
    fn a_failing_pull_backs_off_until_the_registry_gives() {
        let failing = Traits { pull_error: Some("not found".to_owned()), ..traits() };
        let (mut run, _) = Run::begin("u", second(0), &failing);
        play(&mut run, &failing, 60);
        assert!(matches!(run.state, State::PullFailed { .. }) && run.failed_pulls == 3, "{run:?}");
        while !matches!(run.state, State::PullFailed { waiting: true, .. }) {
            run.step(&failing, second(200));
        }
        assert_eq!(run.step(&traits(), second(201)), Some(vec![Remark::Pulling]));
    }

    #[test]
    fn deletion_waits_for_the_shutdown_but_not_beyond_the_grace() {
        let (mut run, _) = Run::begin("u", second(0), &traits());
        play(&mut run, &traits(), 100);
        let mut patient = run.clone();
        assert_eq!(patient.stop(&traits(), second(50), second(80)), [Remark::Killing]);
        assert!(!patient.stopped(second(51)) && patient.stopped(second(52)));
        run.stop(&traits(), second(50), second(80));
        run.stop(&traits(), second(51), second(51));
        assert!(run.stopped(second(51)));
    }

    #[test]
    fn a_pod_that_has_not_started_stops_at_once() {
        let (mut run, _) = Run::begin("u", second(0), &traits());
        run.stop(&traits(), second(3), second(33));
        assert!(run.stopped(second(3)));
    }
}
