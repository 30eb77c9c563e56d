//! Asks metric sources beside the passes, so that no pass ever waits for one.
//!
//! Takes what is due for an object; gives the answers to its next pass, which it wakes. One set of questions per object is under way
//! at a time, a bounded number over all. An answer that no pass has settled is asked for again: windows lie in the past, so it is
//! the same. One that was settled is not, also when it moved nothing (too few requests for a bound): the next window is longer.
//! What may be measured is asked on the same way ([`probing`]), and again at a time that is no time of the queue: a deployment at rest stays at
//! rest while nobody knows its series. Never judges an answer.

pub mod probing;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use futures::StreamExt;
use futures::future::join_all;
use futures::stream::FuturesUnordered;
use jiff::Timestamp;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use crate::controllers::inquiries::probing::Probing;
use crate::domain::analysis::profile::{Measure, Reading};
use crate::domain::analysis::reading::{self, Answer, STALE_AFTER};
use crate::domain::analysis::take_in::{Answered, Found};
use crate::domain::analysis::template::{Parameters, Template};
use crate::domain::analysis::window::Question;
use crate::domain::beforehand::probe::{Occasion, Probed};
use crate::metric_source::{MetricSource, Sources};
use crate::runtime::driver::Handle;
use crate::runtime::key::ObjectKey;

/// Sets of questions under way at once, over all objects.
const UNDER_WAY_MAX: usize = 32;

/// One question with everything needed to ask it.
#[derive(Clone, Debug, PartialEq)]
pub struct Asking {
    /// What is asked.
    pub question: Question,
    /// Name of the metric.
    pub metric: String,
    /// Its definition.
    pub definition: String,
    /// The provider to ask; none: the default one.
    pub provider: Option<String>,
    /// How it is measured.
    pub measure: Measure,
    /// The revision that is judged.
    pub candidate: Parameters,
    /// The revision that it is compared with.
    pub stable: Option<Parameters>,
}

/// Everything that is asked for an object at once.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Askings {
    /// Windows of a revision that is judged.
    pub windows: Vec<Asking>,
    /// Metrics of the stable revision, and why they are asked for.
    pub probes: Vec<Probing>,
    /// See `probes`.
    pub occasion: Option<Occasion>,
}

/// What came of them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answers {
    /// Of windows.
    pub windows: Vec<Answered>,
    /// Of metrics of the stable revision.
    pub probes: Vec<Probed>,
    /// Why those were asked for.
    pub occasion: Option<Occasion>,
}

/// See the module.
#[derive(Clone)]
pub struct Inquiries(Arc<Shared>);

struct Shared {
    sources: Sources,
    state: Mutex<State>,
    wake: Notify,
    handle: OnceLock<Handle>,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<(ObjectKey, Askings)>,
    under_way: BTreeSet<ObjectKey>,
    answers: BTreeMap<ObjectKey, Answers>,
    /// Objects to be woken, when nothing else does before.
    reminders: BTreeMap<ObjectKey, Instant>,
    /// Up to which moment a metric was asked for, and need not be again.
    asked: BTreeMap<ObjectKey, BTreeMap<String, Timestamp>>,
}

impl Inquiries {
    /// Asks `sources`. [`Inquiries::run`] does the asking.
    #[must_use]
    pub fn new(sources: Sources) -> Self {
        Self(Arc::new(Shared { sources, state: Mutex::default(), wake: Notify::new(), handle: OnceLock::new() }))
    }

    /// Wakes objects of this controller when their answers are there.
    pub fn wake(&self, handle: Handle) {
        // A second handle would be a second controller for the same objects.
        drop(self.0.handle.set(handle));
    }

    /// Asks for `key`, unless something is being asked for it.
    pub fn ask(&self, key: &ObjectKey, askings: Askings) {
        let mut state = self.0.state();
        if (askings.windows.is_empty() && askings.probes.is_empty()) || !state.under_way.insert(key.clone()) {
            return;
        }
        state.waiting.push_back((key.clone(), askings));
        drop(state);
        self.0.wake.notify_one();
    }

    /// The answers for `key` that nobody took yet.
    #[must_use]
    pub fn take(&self, key: &ObjectKey) -> Answers {
        self.0.state().answers.remove(key).unwrap_or_default()
    }

    /// Up to which moment metrics of `key` were asked for and need not be again, by name.
    #[must_use]
    pub fn asked(&self, key: &ObjectKey) -> BTreeMap<String, Timestamp> {
        self.0.state().asked.get(key).cloned().unwrap_or_default()
    }

    /// What came of the answers for `key` is kept: nothing up to these moments has to be asked for again.
    pub fn settle(&self, key: &ObjectKey, asked: BTreeMap<String, Timestamp>) {
        let mut state = self.0.state();
        if asked.is_empty() {
            state.asked.remove(key);
        } else {
            state.asked.insert(key.clone(), asked);
        }
    }

    /// Wakes `key` after so long; none: not at all. The last word counts.
    pub fn remind(&self, key: &ObjectKey, after: Option<Duration>) {
        let mut state = self.0.state();
        match after {
            Some(after) => drop(state.reminders.insert(key.clone(), Instant::now() + after)),
            None => drop(state.reminders.remove(key)),
        }
        drop(state);
        if after.is_some() {
            self.0.wake.notify_one();
        }
    }

    /// The object is gone.
    pub fn forget(&self, key: &ObjectKey) {
        let mut state = self.0.state();
        state.reminders.remove(key);
        state.answers.remove(key);
        state.asked.remove(key);
    }

    /// Whether something is being asked.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        !self.0.state().under_way.is_empty()
    }

    /// Asks, for ever.
    pub async fn run(self) {
        let mut under_way = FuturesUnordered::new();
        loop {
            while under_way.len() < UNDER_WAY_MAX
                && let Some((key, askings)) = self.next()
            {
                under_way.push(self.answer(key, askings));
            }
            let reminder = self.0.state().reminders.values().min().copied();
            tokio::select! {
                biased;
                Some(()) = under_way.next(), if !under_way.is_empty() => {}
                () = self.0.wake.notified() => {}
                () = sleep_until(reminder.unwrap_or_else(Instant::now)), if reminder.is_some() => self.wake_reminded(),
            }
        }
    }

    fn wake_reminded(&self) {
        let now = Instant::now();
        let mut state = self.0.state();
        let due: Vec<ObjectKey> = state.reminders.iter().filter(|(_, at)| **at <= now).map(|(key, _)| key.clone()).collect();
        for key in &due {
            state.reminders.remove(key);
        }
        drop(state);
        for key in due {
            self.enqueue(key);
        }
    }

    fn enqueue(&self, key: ObjectKey) {
        if let Some(handle) = self.0.handle.get() {
            handle.enqueue(key);
        }
    }

    fn next(&self) -> Option<(ObjectKey, Askings)> {
        self.0.state().waiting.pop_front()
    }

    async fn answer(&self, key: ObjectKey, askings: Askings) {
        let Askings { windows, probes, occasion } = &askings;
        let windowed = join_all(windows.iter().map(|asking| self.answered(asking)));
        let probed = join_all(probes.iter().map(|probing| probing::probed(&self.0.sources, probing)));
        let (answers, probes) = tokio::join!(windowed, probed);
        let mut state = self.0.state();
        let failed = windows.iter().zip(&answers).filter(|(_, answered)| answered.found.is_err() && !answered.late);
        let failed: Vec<(String, Timestamp)> = failed.map(|(asking, _)| (asking.metric.clone(), asking.question.to)).collect();
        if !failed.is_empty() {
            state.asked.entry(key.clone()).or_default().extend(failed);
        }
        state.answers.insert(key.clone(), Answers { windows: answers, probes, occasion: occasion.clone() });
        state.under_way.remove(&key);
        drop(state);
        self.enqueue(key);
    }

    async fn answered(&self, asking: &Asking) -> Answered {
        let Asking { question, definition, provider, measure, candidate, .. } = asking;
        let queries = measure.queries().iter().filter_map(|query| query.render(&windowed(candidate, question)).ok()).collect();
        let found = match self.0.sources.get(provider.as_deref()) {
            Ok(source) => Errand { source: &**source, asking }.found().await,
            Err(unknown) => Err(Silence::from(unknown.to_string())),
        };
        let late = found.as_ref().is_err_and(|silence| silence.late);
        Answered { question: question.clone(), definition: definition.clone(), queries, found: found.map_err(|silence| silence.why), late }
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn windowed(parameters: &Parameters, question: &Question) -> Parameters {
    Parameters { window: question.length(), ..parameters.clone() }
}

/// Why there is nothing to read.
struct Silence {
    why: String,
    /// The series are there, and were not when the window began.
    late: bool,
}

impl From<String> for Silence {
    fn from(why: String) -> Self {
        Self { why, late: false }
    }
}

/// A question on its way to its source.
struct Errand<'a> {
    source: &'a dyn MetricSource,
    asking: &'a Asking,
}

impl Errand<'_> {
    async fn found(&self) -> Result<Found, Silence> {
        let Asking { question, candidate, stable, .. } = self.asking;
        let alive = question.alive_at_start;
        let of = |whose: &str, silence: Silence| Silence { why: format!("{whose}: {}", silence.why), ..silence };
        let candidate = self.reading(candidate, alive.candidate).await.map_err(|silence| of("new version", silence))?;
        let stable = match stable {
            Some(stable) => Some(self.reading(stable, alive.stable).await.map_err(|silence| of("stable version", silence))?),
            None => None,
        };
        Ok(Found { candidate, stable })
    }

    async fn reading(&self, parameters: &Parameters, alive_at_start: bool) -> Result<Reading, Silence> {
        let Asking { question, measure, .. } = self.asking;
        let parameters = windowed(parameters, question);
        if let Some(freshness) = &measure.freshness {
            let at_end = self.ask(freshness, &parameters, question.to).await?;
            reading::fresh(&at_end, question.to, STALE_AFTER).map_err(|why| why.to_string())?;
            if alive_at_start {
                let at_start = self.ask(freshness, &parameters, question.from).await?;
                let fresh = reading::fresh(&at_start, question.from, STALE_AFTER);
                fresh.map_err(|why| Silence { why: format!("at the start of the window {why}"), late: true })?;
            }
        }
        let mut answers = Vec::new();
        for query in measure.queries() {
            answers.push(self.ask(query, &parameters, question.to).await?);
        }
        measure.read(&answers, question.to, question.length()).map_err(|why| Silence::from(why.to_string()))
    }

    async fn ask(&self, query: &Template, parameters: &Parameters, at: Timestamp) -> Result<Answer, String> {
        let text = query.render(parameters).map_err(|why| why.to_string())?;
        self.source.query(&text, at).await.map_err(|why| why.to_string())
    }
}
