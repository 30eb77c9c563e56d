//! What has been seen of a simulation, to tell at the end what a world names and never was.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::sim::actors::labels::Selector;
use crate::sim::actors::object::{labels, namespace};
use crate::sim::cluster::Commit;
use crate::sim::world::place::Place;
use crate::sim::world::pod::PodSelector;

/// Pods that selectors took, and objects that existed.
#[derive(Debug, Default)]
pub(super) struct Seen {
    selectors: Vec<Watched>,
    /// Names that are asked for; others are not kept.
    names: BTreeSet<String>,
    existed: BTreeSet<(String, String, String)>,
}

/// A selector and whether it took a pod.
#[derive(Debug)]
struct Watched {
    place: Place,
    namespace: Option<String>,
    selector: Selector,
    matched: bool,
}

impl Seen {
    /// Keeps objects of these names in mind.
    pub(super) fn ask_for(&mut self, names: impl Iterator<Item = String>) {
        self.names.extend(names);
    }

    /// Looks out for pods that a selector takes, from now on and among `present`.
    pub(super) fn watch<'a>(&mut self, selector: &PodSelector, present: impl Iterator<Item = &'a Value>) {
        let mut watched = Watched {
            place: selector.place.clone(),
            namespace: selector.namespace.clone(),
            selector: Selector::of(Some(&selector.labels)),
            matched: false,
        };
        present.for_each(|pod| watched.look(pod));
        self.selectors.push(watched);
    }

    /// Follows a commit.
    pub(super) fn notice(&mut self, commit: &Commit) {
        if self.names.contains(&commit.name) {
            self.existed.insert((commit.resource.clone(), commit.namespace.clone(), commit.name.clone()));
        }
        if commit.resource == "pods"
            && let Some(pod) = &commit.after
        {
            self.selectors.iter_mut().filter(|watched| !watched.matched).for_each(|watched| watched.look(pod));
        }
    }

    /// Whether an object has ever been there.
    pub(super) fn existed(&self, resource: &str, namespace: &str, name: &str) -> bool {
        self.existed.contains(&(resource.to_owned(), namespace.to_owned(), name.to_owned()))
    }

    /// Where selectors stand that took no pod.
    pub(super) fn unmatched(&self) -> impl Iterator<Item = &Place> {
        self.selectors.iter().filter(|watched| !watched.matched).map(|watched| &watched.place)
    }
}

impl Watched {
    fn look(&mut self, pod: &Value) {
        let here = self.namespace.as_deref().is_none_or(|of| of == namespace(pod));
        self.matched = self.matched || (here && self.selector.matches(labels(pod)));
    }
}
