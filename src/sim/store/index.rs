//! Indexes of the store: uid to key, and owner uid to the keys of its dependents.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{ObjectKey, owner_uids};

#[derive(Default)]
pub(super) struct Indexes {
    uids: BTreeMap<String, ObjectKey>,
    dependents: BTreeMap<String, BTreeSet<ObjectKey>>,
}

impl Indexes {
    pub(super) fn by_uid(&self, uid: &str) -> Option<&ObjectKey> {
        self.uids.get(uid)
    }

    pub(super) fn dependents(&self, uid: &str) -> impl Iterator<Item = &ObjectKey> {
        self.dependents.get(uid).into_iter().flatten()
    }

    /// Follows one write: `before` is what stood at the key, `after` what stands there now.
    pub(super) fn replace(&mut self, key: &ObjectKey, before: Option<&Value>, after: Option<&Value>) {
        let (old_uid, new_uid) = (before.and_then(uid_of), after.and_then(uid_of));
        if old_uid != new_uid {
            if let Some(uid) = old_uid {
                self.uids.remove(uid);
            }
            if let Some(uid) = new_uid {
                self.uids.insert(uid.to_owned(), key.clone());
            }
        }
        let old_owners = before.map(owner_uids).unwrap_or_default();
        let new_owners = after.map(owner_uids).unwrap_or_default();
        for gone in old_owners.difference(&new_owners) {
            self.release(gone, key);
        }
        for come in new_owners.difference(&old_owners) {
            self.dependents.entry((*come).to_owned()).or_default().insert(key.clone());
        }
    }

    fn release(&mut self, owner: &str, key: &ObjectKey) {
        let Some(keys) = self.dependents.get_mut(owner) else { return };
        keys.remove(key);
        if keys.is_empty() {
            self.dependents.remove(owner);
        }
    }
}

fn uid_of(object: &Value) -> Option<&str> {
    object["metadata"]["uid"].as_str()
}
