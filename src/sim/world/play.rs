//! A world that plays: a simulation in which the events of a world happen at their times.
//!
//! Takes sources and the CRDs to install; gives a world for [`crate::sim::service::SimServer`], what happened by the world's
//! own doing, the verdicts of its expectations, and at the end everything that the world names and never was.
//!
//! Nodes, CRDs and namespaces are there before the start; other objects are applied at the start. At one instant
//! expectations are judged first, then events happen in the order in which they are written.

mod act;
mod profiles;
mod requests;
mod seen;
mod setup;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use self::profiles::Profiles;
pub use self::requests::USER;
use self::seen::Seen;
use super::document::Located;
use super::event::{Event, Expectation};
use super::expectation::Outcome;
use super::place::{Place, Problems};
use super::pod::PodSelector;
use super::scene::World;
use crate::sim::api_error::ApiError;
use crate::sim::cluster::Cluster;
use crate::sim::metrics_api::http;
use crate::sim::routes::{ApiRequest, Served};
use crate::sim::service;
use crate::sim::simulation::Simulation;
use crate::sim::traffic::{self, Traffic};

/// See the module.
pub struct Play {
    /// The cluster and its actors.
    pub simulation: Simulation,
    start: Timestamp,
    events: Vec<Event>,
    expectations: Vec<Expectation>,
    /// How many of them are over.
    done: Done,
    objects: Vec<Located>,
    applied_later: BTreeMap<Place, Vec<Located>>,
    profiles: Profiles,
    /// Where the requests of every entry go was written here.
    asked: Vec<Place>,
    traffic: Option<traffic::Settings>,
    /// Number of the event by which the metrics backend fails.
    metrics_fault: usize,
    /// Nodes and other things that come back, by time.
    returns: BTreeMap<(Timestamp, usize), Return>,
    seen: Arc<Mutex<Seen>>,
    problems: Problems,
    verdicts: Vec<Verdict>,
    happenings: Vec<Happening>,
    warnings: Vec<String>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Done {
    events: usize,
    expectations: usize,
}

/// Something that comes back.
#[derive(Clone, Debug)]
enum Return {
    /// It reports again.
    Restore(String, Place),
    /// It takes new pods again.
    Uncordon(String, Place),
    /// The metrics backend works again, unless it fails by a later event than this.
    Metrics(usize),
}

/// What became of an expectation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Where the expectation was written.
    pub place: Place,
    /// When it was judged, since the start.
    pub at: SignedDuration,
    /// It is one of the end.
    pub at_end: bool,
    /// The object, as written.
    pub object: String,
    /// The condition, as written.
    pub that: String,
    /// Met, or not and what was found.
    pub outcome: Outcome,
}

impl Verdict {
    /// What was expected is so.
    pub fn is_met(&self) -> bool {
        self.outcome == Outcome::Met
    }
}

/// Something that the world did itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Happening {
    /// When.
    pub at: Timestamp,
    /// Namespace; empty: none.
    pub namespace: String,
    /// To what, as `kind/name`; empty: the world.
    pub object: String,
    /// What.
    pub what: String,
    /// Why.
    pub why: String,
}

impl Play {
    /// When the world began.
    pub fn start(&self) -> Timestamp {
        self.start
    }

    /// Time since the start.
    pub fn elapsed(&self) -> SignedDuration {
        self.simulation.cluster.now().duration_since(self.start)
    }

    /// When something planned happens next: an event, a judgement, the return of a node.
    pub fn next_planned(&self) -> Option<Timestamp> {
        let event = self.events.get(self.done.events).map(|event| self.start + event.at);
        let judged = self.expectations.get(self.done.expectations).and_then(|expectation| Some(self.start + expectation.at?));
        let returns = self.returns.keys().next().map(|(at, _)| *at);
        [event, judged, returns].into_iter().flatten().min()
    }

    /// What the world did since the last call.
    pub fn take_happenings(&mut self) -> Vec<Happening> {
        std::mem::take(&mut self.happenings)
    }

    /// What the server warned the user of since the last call.
    pub fn take_warnings(&mut self) -> Vec<String> {
        std::mem::take(&mut self.warnings)
    }

    /// Everything new that a person should hear of while the play goes on, in lines: what the world did, what the server warned of,
    /// which expectations were not met, which mistakes were found. Each is said once.
    pub fn take_news(&mut self) -> Vec<String> {
        let happened = self.take_happenings().into_iter().map(|told| {
            let object = if told.object.is_empty() { String::new() } else { format!("{} ", told.object) };
            format!("world: {object}{}: {}", told.what, told.why)
        });
        let mut news: Vec<String> = happened.collect();
        news.extend(self.take_warnings().into_iter().map(|warning| format!("warning: {warning}")));
        for verdict in std::mem::take(&mut self.verdicts) {
            let said = match verdict.outcome {
                Outcome::Met => "met".to_owned(),
                Outcome::Unmet(found) => format!("not met: {found}"),
            };
            news.push(format!("{}: expected of {} that {}: {said}", verdict.place, verdict.object, verdict.that));
        }
        news.extend(std::mem::take(&mut self.problems).iter().map(|problem| format!("error: {problem}")));
        news
    }

    /// Something is wrong with the world itself: there is no use in going on.
    pub fn has_problems(&self) -> bool {
        !self.problems.is_empty()
    }

    /// Judges what is expected at the end. Everything planned is over, or (`cut`) the play ends before that.
    ///
    /// # Errors
    /// All mistakes that only a run can show: requests that were refused, selectors without a pod, objects that never were.
    pub fn finish(&mut self, cut: bool) -> Result<Vec<Verdict>, Problems> {
        while self.expectations.get(self.done.expectations).is_some_and(|expectation| expectation.at.is_none()) {
            self.judge_next();
        }
        if !cut {
            let never = |place: &Place| place.problem("this selector took no pod until the end: correct its labels or its namespace");
            let unmatched: Problems = lock(&self.seen).unmatched().map(never).collect();
            self.problems.extend(unmatched);
            self.look_for_the_lost();
        }
        if self.problems.is_empty() {
            return Ok(std::mem::take(&mut self.verdicts));
        }
        self.problems.sort();
        self.problems.dedup();
        Err(std::mem::take(&mut self.problems))
    }

    /// Requests that nothing ever took are a mistake.
    fn look_for_the_lost(&mut self) {
        self.simulation.refresh_traffic();
        let found = self.simulation.traffic().map(Traffic::found).unwrap_or_default();
        for (place, _) in self.asked.iter().zip(found).filter(|(_, found)| !**found) {
            let message = "no HTTPRoute that a gateway accepts, and no Service, took these requests until the end: correct the name, or give the world a field gateway";
            self.problems.push(place.problem(message));
        }
    }

    /// Expectations that have not been judged.
    pub fn unjudged(&self) -> usize {
        self.expectations.len() - self.done.expectations
    }

    fn watch_selector(&self, selector: &PodSelector) {
        let present = self.simulation.cluster.list("pods", None);
        lock(&self.seen).watch(selector, present.iter().map(|pod| &**pod));
    }

    /// Everything planned that is due.
    fn act(&mut self) {
        let now = self.simulation.cluster.now();
        while self.expectations.get(self.done.expectations).is_some_and(|next| next.at.is_some_and(|at| self.start + at <= now)) {
            self.judge_next();
        }
        while let Some(entry) = self.returns.first_entry().filter(|entry| entry.key().0 <= now) {
            let returned = entry.remove();
            self.bring_back(&returned);
        }
        while let Some(event) = self.events.get(self.done.events).filter(|event| self.start + event.at <= now).cloned() {
            self.done.events += 1;
            self.happen(&event);
        }
    }

    fn judge_next(&mut self) {
        let Some(expectation) = self.expectations.get(self.done.expectations).cloned() else { return };
        self.done.expectations += 1;
        let cluster = &self.simulation.cluster;
        let (resource, namespace) = match requests::resolve(cluster.kinds(), &expectation.object) {
            Ok(found) => found,
            Err(problems) => return self.problems.extend(problems),
        };
        let name = &expectation.object.name;
        let object = cluster.get(&resource.key(), namespace, name);
        if object.is_none() && !lock(&self.seen).existed(&resource.storage_key, namespace, name) {
            let place = if namespace.is_empty() { String::new() } else { format!(" in namespace {namespace}") };
            let message =
                format!("{} has never existed{place}: correct its name, or expect something of another object", expectation.object);
            return self.problems.push(expectation.object.place.problem(message));
        }
        let outcome = expectation.that.decide(object.as_deref());
        self.verdicts.push(Verdict {
            place: expectation.place,
            at: self.elapsed(),
            at_end: expectation.at.is_none(),
            object: expectation.object.to_string(),
            that: expectation.that.source().to_owned(),
            outcome,
        });
    }
}

impl service::World for Play {
    fn cluster(&mut self) -> &mut Cluster {
        &mut self.simulation.cluster
    }

    fn settle(&mut self) {
        self.simulation.settle();
    }

    fn next_due(&mut self) -> Option<Timestamp> {
        [self.simulation.next_due(), self.next_planned()].into_iter().flatten().min()
    }

    fn advance(&mut self, to: Timestamp) {
        while let Some(planned) = self.next_planned().filter(|planned| *planned <= to) {
            self.simulation.advance(planned);
            self.act();
        }
        self.simulation.advance(to);
    }

    fn ask_metrics(&mut self, request: &ApiRequest, path: &str) -> Option<Served> {
        Some(self.simulation.ask_metrics(request, path))
    }

    fn ask_metrics_apis(&mut self, asked: &http::Asked) -> Option<Result<Value, ApiError>> {
        self.simulation.ask_metrics_apis(asked)
    }
}

fn lock(seen: &Mutex<Seen>) -> MutexGuard<'_, Seen> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The parts of a world that are played in time.
fn planned(world: &World) -> (Vec<Event>, Vec<Expectation>) {
    (world.events.clone(), world.expect.clone())
}

#[cfg(test)]
impl Play {
    /// A play that begins with 2026, of a world's spec and of documents.
    pub(crate) fn of_text(seed: u64, spec: &str, documents: &str) -> Self {
        use crate::sim::world::{document, scene::World, sources::Sources};
        let head = "apiVersion: simulation.modelward.dev/v1alpha1\nkind: World\nspec:\n";
        let indented: String = spec.lines().map(|line| format!("  {line}\n")).collect();
        let world = document::parse("world.yaml", &format!("{head}{indented}")).unwrap().remove(0);
        let world = World::read(&world).unwrap();
        let objects = document::parse("objects.yaml", documents).unwrap();
        let sources = Sources { world, objects, applied_later: BTreeMap::new() };
        Self::set_up(seed, "2026-01-01T00:00:00Z".parse().unwrap(), sources, &[]).unwrap()
    }
}

#[cfg(test)]
mod tests;
