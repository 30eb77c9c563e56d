//! The only two places where the cluster changes: a put and a removal, each with its commit, watch events and bookkeeping.

use std::sync::Arc;

use serde_json::Value;

use super::{Change, Cluster, Commit, Identity};
use crate::sim::store::{Event, ObjectKey};

/// Who writes, for the commit log.
pub(in crate::sim) struct Author<'a> {
    pub who: &'a Identity,
    pub manager: &'a str,
    pub subresource: Option<&'a str>,
}

impl Cluster {
    /// Stores an object (in the storage version) and tells everybody.
    pub(in crate::sim) fn put(&mut self, author: &Author<'_>, key: &ObjectKey, object: Value) -> Arc<Value> {
        let (event, object) = self.store.put(key, object, self.now);
        self.follow(author, key, event);
        object
    }

    /// Removes an object and tells everybody; gives the object at the revision of its deletion.
    pub(in crate::sim) fn remove(&mut self, author: &Author<'_>, key: &ObjectKey) -> Option<Arc<Value>> {
        let event = self.store.remove(key, self.now)?;
        let last = Arc::clone(&event.object);
        self.follow(author, key, event);
        Some(last)
    }

    fn follow(&mut self, author: &Author<'_>, key: &ObjectKey, event: Event) {
        let after = event.change.leaves_object().then(|| Arc::clone(&event.object));
        self.addresses.follow(&key.resource, event.before.as_deref(), after.as_deref());
        self.watches.dispatch(&key.resource, &event);
        self.commits.push(Commit {
            revision: event.revision,
            at: event.at,
            resource: key.resource.clone(),
            namespace: key.namespace.clone(),
            name: key.name.clone(),
            change: event.change,
            before: event.before,
            after: after.clone(),
            who: author.who.clone(),
            manager: author.manager.to_owned(),
            subresource: author.subresource.map(str::to_owned),
        });
        if event.change == Change::Deleted {
            self.instance_removed(&key.resource);
        }
        if key.resource == super::definitions::RESOURCE {
            self.definition_changed(&key.name, event.change == Change::Deleted);
        }
    }
}
