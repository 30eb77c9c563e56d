//! The life of custom resource definitions: names accepted, established, changed, terminating, gone.
//!
//! These are controllers inside a real API server; they run here when [`Cluster::tick`] finds them due.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::{Author, Cluster, DeleteOptions, Identity, Propagation};
use crate::sim::kinds::{Resource, crd};
use crate::sim::store::ObjectKey;
use crate::sim::verbs::{decode, meta};

/// Storage key of the definitions.
pub(super) const RESOURCE: &str = "customresourcedefinitions.apiextensions.k8s.io";
/// Time from a write to names or establishment, in milliseconds: a draw between these; both steps make 20 to 550.
const STEP_MILLISECONDS: (u64, u64) = (10, 275);
/// A changed schema is served after this.
const SERVE_AFTER: SignedDuration = SignedDuration::from_millis(100);
/// Open watches of a changed definition end after this.
const CUT_AFTER: SignedDuration = SignedDuration::from_secs(1);
/// The definition goes this long after its last instance.
const GONE_AFTER: SignedDuration = SignedDuration::from_secs(1);

/// One pending step of one definition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    /// Accept or reject the names.
    Names,
    /// Begin to serve.
    Establish,
    /// Serve the changed definition.
    Serve,
    /// End the open watches.
    CutWatches,
    /// Delete the instances, or finish when there are none.
    Finalize,
}

#[derive(Default)]
pub(super) struct Definitions {
    due: BTreeSet<(Timestamp, String, Step)>,
    /// Definitions whose instances are being deleted.
    terminating: BTreeSet<String>,
}

impl Definitions {
    pub(super) fn next_due(&self) -> Option<Timestamp> {
        self.due.first().map(|(at, _, _)| *at)
    }
}

impl Cluster {
    /// Whether creates of this resource are refused because its definition is being deleted.
    pub(in crate::sim) fn is_terminating(&self, storage_key: &str) -> bool {
        self.definitions.terminating.contains(storage_key)
    }

    /// Whether a delete of this definition must wait for instances.
    pub(in crate::sim) fn definition_needs_cleanup(&self, live: &Value) -> bool {
        !meta::is_deleting(live)
    }

    /// Called for every write of a definition.
    pub(super) fn definition_changed(&mut self, name: &str, deleted: bool) {
        if deleted {
            self.definition_gone(name);
            return;
        }
        let Some(object) = self.definition(name) else { return };
        if meta::is_deleting(&object) {
            if self.definitions.terminating.insert(name.to_owned()) {
                self.schedule(name, Step::Finalize, SignedDuration::ZERO);
            }
            return;
        }
        if crd::has_condition(&object, "Established", "True") {
            if self.serves_otherwise(&object) {
                self.schedule(name, Step::Serve, SERVE_AFTER);
                self.schedule(name, Step::CutWatches, CUT_AFTER);
            }
            if crd::accepted_names_differ(&object) {
                self.schedule(name, Step::Names, self.step_delay(name));
            }
        } else if crd::has_condition(&object, "NamesAccepted", "True") {
            self.schedule(name, Step::Establish, self.step_delay(name));
        } else if !crd::has_condition(&object, "NamesAccepted", "False") || crd::accepted_names_differ(&object) {
            self.schedule(name, Step::Names, self.step_delay(name));
        }
    }

    /// Called for every removal of an instance.
    pub(super) fn instance_removed(&mut self, storage_key: &str) {
        if self.definitions.terminating.contains(storage_key) && self.store.objects(storage_key).is_empty() {
            self.schedule(storage_key, Step::Finalize, GONE_AFTER);
        }
    }

    pub(super) fn advance_definitions(&mut self) {
        while let Some((_, name, step)) = self.definitions.due.first().filter(|(at, _, _)| *at <= self.now).cloned() {
            self.definitions.due.pop_first();
            let Some(object) = self.definition(&name) else { continue };
            match step {
                Step::Names => self.decide_names(&name, &object),
                Step::Establish => self.establish(&name, &object),
                Step::Serve => self.serve(&object),
                Step::CutWatches => self.watches.close_resource(&name),
                Step::Finalize => self.finalize_definition(&name, &object),
            }
        }
    }

    fn definition(&self, name: &str) -> Option<Arc<Value>> {
        self.object(&ObjectKey::new(RESOURCE, "", name)).cloned()
    }

    fn schedule(&mut self, name: &str, step: Step, after: SignedDuration) {
        let pending = self.definitions.due.iter().any(|(_, of, pending)| of == name && *pending == step);
        if !pending {
            self.definitions.due.insert((self.now + after, name.to_owned(), step));
        }
    }

    fn step_delay(&self, name: &str) -> SignedDuration {
        let (least, most) = STEP_MILLISECONDS;
        let drawn = self.draws.below("definition-step", name, self.revision(), most - least);
        SignedDuration::from_millis((least + drawn) as i64)
    }

    fn decide_names(&mut self, name: &str, object: &Value) {
        let others: Vec<Arc<Value>> = self.list(RESOURCE, None);
        let taken: Vec<&Value> = others.iter().map(Arc::as_ref).filter(|other| meta::text(other, "name") != name).collect();
        let decided = crd::with_names_decided(object, &taken, &meta::time(self.now));
        self.write_definition(name, object, decided);
    }

    fn establish(&mut self, name: &str, object: &Value) {
        let established = crd::with_established(object, &meta::time(self.now));
        self.serve(&established);
        self.write_definition(name, object, established);
    }

    /// Registers the versions of a definition and shows its objects by the new schema.
    fn serve(&mut self, object: &Value) {
        let Ok(resources) = crd::resources(object) else { return };
        let (group, plural) = crd::group_and_plural(object);
        self.kinds.remove(&group, &plural);
        for resource in &resources {
            self.kinds.add(Arc::clone(resource), resource.storage || resources.len() == 1);
        }
        if let Some(storage) = self.kinds.by_key(&format!("{plural}.{group}")).cloned() {
            self.store.reread(&storage.storage_key, |stored| reread(&storage, stored));
        }
    }

    fn serves_otherwise(&self, object: &Value) -> bool {
        let (group, plural) = crd::group_and_plural(object);
        let served = self.kinds.by_key(&format!("{plural}.{group}"));
        served.is_none_or(|served| served.definition_spec.as_deref() != Some(&object["spec"]))
    }

    fn finalize_definition(&mut self, name: &str, object: &Value) {
        if self.store.objects(name).is_empty() {
            let finished = crd::with_cleanup_finished(object, &meta::time(self.now));
            self.finish_definition(name, finished);
            return;
        }
        let in_progress = crd::with_cleanup_in_progress(object, &meta::time(self.now));
        self.write_definition(name, object, in_progress);
        let who = Identity::component("apiserver");
        let options = DeleteOptions::propagation(Propagation::Background);
        let places: Vec<(String, String)> = self.store.objects(name).keys().cloned().collect();
        for (namespace, instance) in places {
            // Objects that are already going, or gone meanwhile, need nothing.
            let _ = self.delete(&who, name, &namespace, &instance, &options);
        }
    }

    fn finish_definition(&mut self, name: &str, finished: Value) {
        let who = Identity::component("apiserver");
        let author = Author { who: &who, manager: "kube-apiserver", subresource: None };
        let key = ObjectKey::new(RESOURCE, "", name);
        if meta::finalizers(&finished).is_empty() {
            self.remove(&author, &key);
        } else {
            self.put(&author, &key, finished);
        }
    }

    fn definition_gone(&mut self, name: &str) {
        self.definitions.terminating.remove(name);
        self.definitions.due.retain(|(_, of, _)| of != name);
        self.watches.close_resource(name);
        if let Some((plural, group)) = name.split_once('.') {
            self.kinds.remove(group, plural);
        }
        self.store.forget_resource(name);
        // Names that this definition held are free: whoever waited for them is decided anew.
        let waiting: Vec<String> = self
            .list(RESOURCE, None)
            .iter()
            .filter(|other| crd::has_condition(other, "NamesAccepted", "False"))
            .map(|other| meta::text(other, "name").to_owned())
            .collect();
        for other in waiting {
            let delay = self.step_delay(&other);
            self.schedule(&other, Step::Names, delay);
        }
    }

    /// A status write of the API server; nothing if nothing changed.
    fn write_definition(&mut self, name: &str, live: &Value, changed: Value) {
        if changed == *live {
            return;
        }
        self.write_as_server(&ObjectKey::new(RESOURCE, "", name), live, changed);
    }
}

/// A stored object by the present schema; `None` if that changes nothing.
fn reread(resource: &Resource, stored: &Value) -> Option<Value> {
    let mut read = stored.clone();
    read["apiVersion"] = Value::from(resource.api_version());
    decode::prune_and_default(resource, &mut read);
    (read != *stored).then_some(read)
}
