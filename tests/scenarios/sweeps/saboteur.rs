//! Plants one fault in a run: in the operator's requests, or in what its watches deliver. Tells the watchdog what the operator
//! cannot know because of it, and looks after promises that only the fault shows: what is hidden is noticed (L6), and who is
//! told to wait does (I26).

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use modelward::runtime::clock::{Clock, VirtualClock};
use modelward::sim::cluster::{EventKind, Identity, WatchEvent};
use modelward::sim::routes::RequestInfo;
use modelward::sim::routes::access::{Decision, Delivery, Failure, Interceptor, Observer, RequestRecord, StreamInterceptor};
use serde_json::Value;
use tokio::sync::Notify;

use super::fault::{Answer, Fault, Moment, News, Place, RETRY_AFTER};
use crate::invariants::{OPERATOR, Watchdog};
use crate::simulated::Stage;

/// L6: seconds until something hidden is noticed.
const NOTICED_SECONDS_MAX: i64 = 300;
/// How long a server that lags goes on lagging.
const LAG: SignedDuration = SignedDuration::from_secs(10);
/// How long lists are old after a 410.
const OLD_LISTS: SignedDuration = SignedDuration::from_secs(5);

/// See the module.
pub struct Saboteur {
    state: Mutex<State>,
    clock: Arc<VirtualClock>,
    watchdog: Arc<Mutex<Watchdog>>,
    /// Told when the process has to die.
    pub fallen: Notify,
}

/// Of each thing that a fault may hit, what it was.
#[derive(Clone, Debug, Default)]
pub struct Trace {
    /// Verbs and resources of the operator's requests.
    pub requests: Vec<(String, String)>,
    /// Events that were sent to it, without bookmarks and repetitions.
    pub events: usize,
}

#[derive(Default)]
struct State {
    /// The fault and its place, until it was planted.
    planned: Option<(Fault, usize)>,
    trace: Trace,
    /// The process is dead: nothing of it arrives any more.
    dead: bool,
    /// Resource and revision of every event so far.
    sent: BTreeSet<(String, u64)>,
    /// Since when the next process lives, if it is to see old states: by how many changes, and until when.
    behind: Option<(usize, Option<Timestamp>)>,
    /// Kind of which lists are old: by how many changes, until when.
    old_lists: Option<(String, usize, Timestamp)>,
    hidden: Option<Hidden>,
    throttled: Option<(RequestInfo, Timestamp)>,
    violations: Vec<String>,
    /// What the fault hit, in words.
    planted: String,
}

struct Hidden {
    resource: String,
    place: (Value, Value),
    revision: u64,
    since: Timestamp,
    /// On every stream.
    everywhere: bool,
    noticed: Option<Timestamp>,
}

fn resource_of(info: &RequestInfo) -> String {
    if info.group.is_empty() { info.resource.clone() } else { format!("{}.{}", info.resource, info.group) }
}

fn revision_of(object: &Value) -> u64 {
    object["metadata"]["resourceVersion"].as_str().and_then(|text| text.parse().ok()).unwrap_or(0)
}

fn place_of(object: &Value) -> (Value, Value) {
    (object["metadata"]["namespace"].clone(), object["metadata"]["name"].clone())
}

impl Saboteur {
    /// Puts a saboteur into the stage's server; without a fault it only counts.
    pub fn hire(stage: &Stage, fault: Option<(Fault, usize)>) -> Arc<Self> {
        stage.watchdog.lock().unwrap().delivered = Some(crate::invariants::sight::Delivered::default());
        let saboteur = Arc::new(Self {
            state: Mutex::new(State { planned: fault, ..State::default() }),
            clock: Arc::clone(&stage.clock),
            watchdog: Arc::clone(&stage.watchdog),
            fallen: Notify::new(),
        });
        let hook = || Hook(Arc::clone(&saboteur));
        stage.server.with(|state| {
            state.front.interceptor = Some(Box::new(hook()));
            state.front.stream_interceptor = Some(Arc::new(Mutex::new(hook())));
            state.front.observers.push(Box::new(hook()));
        });
        saboteur
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// What was counted.
    pub fn trace(&self) -> Trace {
        self.state().trace.clone()
    }

    /// The fault was planted, or none was planned.
    pub fn is_done(&self) -> bool {
        self.state().planned.is_none()
    }

    /// A new process lives.
    pub fn revive(&self) {
        let mut state = self.state();
        state.dead = false;
        if let Some((_, until)) = &mut state.behind {
            *until = Some(self.clock.now() + LAG);
        }
    }

    /// What the fault hit, in words; empty if there was none.
    pub fn planted(&self) -> String {
        self.state().planted.clone()
    }

    /// Promises that were broken.
    pub fn violations(&self) -> Vec<String> {
        let state = self.state();
        let mut violations = state.violations.clone();
        if let Some(hidden) = &state.hidden {
            let waited = hidden.noticed.map(|noticed| noticed.duration_since(hidden.since).as_secs());
            if waited.is_none_or(|seconds| seconds > NOTICED_SECONDS_MAX) {
                let (resource, place) = (&hidden.resource, &hidden.place);
                violations.push(format!("L6: an event of {resource} {place:?} that was hidden is noticed after {waited:?} s"));
            }
        }
        violations
    }

    fn request(&self, info: &RequestInfo) -> Decision {
        let mut state = self.state();
        if state.dead {
            return Decision::FailBefore(Failure::Reset);
        }
        let now = self.clock.now();
        if state.throttled.as_ref().is_some_and(|(asked, until)| now < *until && (&asked.verb, &asked.path) == (&info.verb, &info.path)) {
            state.violations.push(format!("I26: {} {} is asked again although it was told to wait", info.verb, info.path));
        }
        let index = state.trace.requests.len();
        state.trace.requests.push((info.verb.clone(), resource_of(info)));
        match state.planned {
            Some((fault, place)) if fault.place() != Place::Event && place == index => {
                state.planned = None;
                state.planted = format!("{} {} at {now}", info.verb, info.path);
                self.spoil(&mut state, fault, info, now)
            }
            _ => self.lag(&state, info, now),
        }
    }

    fn spoil(&self, state: &mut State, fault: Fault, info: &RequestInfo, now: Timestamp) -> Decision {
        let die = |state: &mut State| {
            state.dead = true;
            self.fallen.notify_one();
        };
        match fault {
            Fault::Kill(moment) => {
                die(state);
                let reset = Failure::Reset;
                if moment == Moment::Before { Decision::FailBefore(reset) } else { Decision::FailAfter(reset) }
            }
            Fault::Behind(changes) => {
                die(state);
                state.behind = Some((changes, None));
                Decision::FailBefore(Failure::Reset)
            }
            Fault::Answer(answer) => {
                let mut watchdog = self.watchdog.lock().unwrap();
                watchdog.excuse(now + SignedDuration::from_secs(answer.seconds()));
                if let (Some(delivered), "list" | "watch") = (&mut watchdog.delivered, info.verb.as_str()) {
                    delivered.stops(&resource_of(info));
                }
                if answer == Answer::Throttled {
                    state.throttled = Some((info.clone(), now + SignedDuration::from_secs(i64::from(RETRY_AFTER))));
                }
                answer.decision()
            }
            Fault::News(_) => Decision::Pass,
        }
    }

    /// What a server answers that lags.
    fn lag(&self, state: &State, info: &RequestInfo, now: Timestamp) -> Decision {
        if info.verb != "list" {
            return Decision::Pass;
        }
        let resource = resource_of(info);
        let mut watchdog = self.watchdog.lock().unwrap();
        let Some(delivered) = &mut watchdog.delivered else { return Decision::Pass };
        match (&state.behind, &state.old_lists) {
            (Some((changes, Some(until))), _) if now < *until => {
                let from = delivered.revision_behind(&resource, *changes);
                delivered.begins_behind(&resource, from, *until);
                watchdog.excuse(*until);
                Decision::Stale(*changes)
            }
            (_, Some((old, changes, until))) if *old == resource && now < *until => Decision::Stale(*changes),
            _ => Decision::Pass,
        }
    }

    fn event(&self, info: &RequestInfo, event: WatchEvent) -> Delivery {
        let mut state = self.state();
        let now = self.clock.now();
        let late = match state.behind {
            Some((_, Some(until))) if now < until => until.duration_since(now).try_into().unwrap(),
            _ => Duration::ZERO,
        };
        if matches!(event.kind, EventKind::Bookmark | EventKind::Error) {
            return Delivery { delay: late, ..Delivery::pass(event) };
        }
        let lost = |hidden: &Hidden| hidden.everywhere && hidden.revision == revision_of(&event.object);
        if state.hidden.as_ref().is_some_and(lost) {
            return Delivery { events: Vec::new(), ..Delivery::pass(event) };
        }
        self.notice(&mut state, info, &event, now);
        // What is sent again for good measure is nothing that could be missed.
        if !state.sent.insert((resource_of(info), revision_of(&event.object))) {
            return Delivery { delay: late, ..Delivery::pass(event) };
        }
        let index = state.trace.events;
        state.trace.events += 1;
        match state.planned {
            Some((Fault::News(news), place)) if place == index => {
                state.planned = None;
                state.planted = format!("{:?} of {} {} at {now}", event.kind, info.path, event.object["metadata"]["name"]);
                self.distort(&mut state, news, info, event, now)
            }
            _ => Delivery { delay: late, ..Delivery::pass(event) },
        }
    }

    /// An event of the object that was hidden, or a later one of it, makes good what was missed.
    fn notice(&self, state: &mut State, info: &RequestInfo, event: &WatchEvent, now: Timestamp) {
        let Some(hidden) = state.hidden.as_mut().filter(|hidden| hidden.noticed.is_none() && hidden.resource == resource_of(info)) else {
            return;
        };
        if hidden.place == place_of(&event.object) && revision_of(&event.object) >= hidden.revision {
            hidden.noticed = Some(now);
            self.shown(&hidden.resource);
        }
    }

    fn shown(&self, resource: &str) {
        if let Some(delivered) = &mut self.watchdog.lock().unwrap().delivered {
            delivered.shows(resource);
        }
    }

    fn distort(&self, state: &mut State, news: News, info: &RequestInfo, event: WatchEvent, now: Timestamp) -> Delivery {
        let mut watchdog = self.watchdog.lock().unwrap();
        let (resource, revision) = (resource_of(info), revision_of(&event.object));
        let mut told = |until: Timestamp| watchdog.excuse(until);
        match news {
            News::Twice => Delivery { events: vec![event.clone(), event.clone()], ..Delivery::pass(event) },
            News::Hidden | News::Lost => {
                told(now + SignedDuration::from_secs(NOTICED_SECONDS_MAX));
                let place = place_of(&event.object);
                if let Some(delivered) = &mut watchdog.delivered {
                    delivered.hides(&resource, revision);
                }
                state.hidden = Some(Hidden { resource, place, revision, since: now, everywhere: news == News::Lost, noticed: None });
                Delivery { events: Vec::new(), ..Delivery::pass(event) }
            }
            News::Late(seconds) => {
                let until = now + SignedDuration::from_secs(i64::try_from(seconds).unwrap());
                told(until);
                if let Some(delivered) = &mut watchdog.delivered {
                    delivered.lags(&resource, revision, Some(until));
                }
                Delivery { delay: Duration::from_secs(seconds), ..Delivery::pass(event) }
            }
            News::Expired(changes) => {
                let until = now + OLD_LISTS;
                told(until + OLD_LISTS);
                if let Some(delivered) = &mut watchdog.delivered {
                    delivered.lags(&resource, revision, None);
                }
                state.old_lists = Some((resource, changes, until));
                Delivery::expired()
            }
        }
    }

    fn answered(&self, record: &RequestRecord) {
        let now = record.at;
        let resource = resource_of(&record.info);
        if record.code != 200 || !["list", "watch"].contains(&record.info.verb.as_str()) {
            return;
        }
        let mut state = self.state();
        let fresh = state.old_lists.as_ref().is_none_or(|(_, _, until)| now >= *until);
        if record.info.verb == "list"
            && fresh
            && let Some(hidden) = state.hidden.as_mut().filter(|hidden| hidden.noticed.is_none() && hidden.resource == resource)
        {
            hidden.noticed = Some(now);
            self.shown(&resource);
        }
        if let ("watch", Some(delivered)) = (record.info.verb.as_str(), &mut self.watchdog.lock().unwrap().delivered) {
            delivered.caught_up(&resource, now);
        }
    }
}

/// The hook in the server.
struct Hook(Arc<Saboteur>);

impl Interceptor for Hook {
    fn before(&mut self, _: u64, who: &Identity, info: &RequestInfo) -> Decision {
        if who.user == OPERATOR { self.0.request(info) } else { Decision::Pass }
    }
}

impl StreamInterceptor for Hook {
    fn event(&mut self, who: &Identity, info: &RequestInfo, event: WatchEvent) -> Delivery {
        if who.user == OPERATOR { self.0.event(info, event) } else { Delivery::pass(event) }
    }
}

impl Observer for Hook {
    fn answered(&mut self, record: &RequestRecord) {
        if record.who.user == OPERATOR {
            self.0.answered(record);
        }
    }
}
