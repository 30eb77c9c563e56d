//! `metadata.managedFields`: who owns what, as a list of entries.
//!
//! Takes and gives the JSON list. An entry is told apart by manager, operation, subresource and, for updates, apiVersion.
//! Entries that nobody touched are written back as they were read.

use std::borrow::Cow;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::sim::apply::fields_v1;
use crate::sim::apply::set::Set;
use crate::sim::apply::typing::Type;
use crate::sim::apply::value::quote;

/// Update entries beyond this number are merged, the oldest first.
const UPDATE_ENTRIES_MAX: usize = 10;

/// The manager of merged update entries.
const OLD_UPDATES: &str = "ancient-changes";

/// How a manager came to own its fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Operation {
    /// Server-side apply.
    Apply,
    /// Any other write.
    Update,
}

impl Operation {
    fn name(self) -> &'static str {
        match self {
            Self::Apply => "Apply",
            Self::Update => "Update",
        }
    }
}

/// What tells entries apart. The order is that of the server's messages.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Identity {
    pub(super) manager: String,
    pub(super) operation: Operation,
    /// Empty for [`Operation::Apply`]: an applier keeps its entry when it changes version.
    pub(super) api_version: String,
    /// Empty for the main resource.
    pub(super) subresource: String,
}

impl Identity {
    pub(super) fn new(manager: &str, operation: Operation, api_version: &str, subresource: Option<&str>) -> Self {
        let api_version = match operation {
            Operation::Apply => String::new(),
            Operation::Update => api_version.to_owned(),
        };
        let manager = if manager.is_empty() { "unknown" } else { manager };
        Self { manager: manager.to_owned(), operation, api_version, subresource: subresource.unwrap_or_default().to_owned() }
    }

    /// How messages about conflicts name it.
    pub(super) fn describe(&self) -> String {
        let mut text = quote(&self.manager);
        if !self.subresource.is_empty() {
            text.push_str(" with subresource ");
            text.push_str(&quote(&self.subresource));
        }
        if self.operation == Operation::Update {
            text.push_str(" using ");
            text.push_str(&self.api_version);
        }
        text
    }
}

/// One entry.
#[derive(Clone, Debug)]
pub(super) struct Entry<'a> {
    pub(super) identity: Identity,
    pub(super) api_version: String,
    pub(super) time: Option<Timestamp>,
    pub(super) set: Set<'a>,
    /// Where it was in the list that was read, as long as it is unchanged.
    pub(super) source: Option<usize>,
}

/// An entry on its way out: the source list is free again by then.
#[derive(Debug)]
pub(super) enum Encoded {
    /// The entry at this place of the list that was read.
    Same(usize),
    /// A new or changed entry.
    Fresh(Value),
}

/// All entries of an object.
#[derive(Clone, Debug, Default)]
pub(super) struct Managers<'a> {
    pub(super) entries: Vec<Entry<'a>>,
}

impl<'a> Managers<'a> {
    /// Reads the list; the error says what is wrong with it.
    pub(super) fn decode(list: &'a [Value], object_type: Type<'_>) -> Result<Self, String> {
        let mut managers = Self::default();
        for (index, entry) in list.iter().enumerate() {
            let entry = decode_entry(entry, index, object_type)?;
            match managers.find(&entry.identity) {
                // Of two entries with one identity the later one counts.
                Some(at) => managers.entries[at] = entry,
                None => managers.entries.push(entry),
            }
        }
        Ok(managers)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(super) fn find(&self, identity: &Identity) -> Option<usize> {
        self.entries.iter().position(|entry| entry.identity == *identity)
    }

    /// Drops entries of versions that the kind is not served in. An empty list means that all versions are known.
    pub(super) fn retain_versions(&mut self, known: &[&str]) {
        if !known.is_empty() {
            self.entries.retain(|entry| known.contains(&entry.api_version.as_str()));
        }
    }

    /// Takes paths from every entry, and drops entries that own nothing then.
    pub(super) fn take_away(&mut self, touched: &Set<'_>, removed: &Set<'_>, but: Option<&Identity>) {
        for entry in &mut self.entries {
            if but == Some(&entry.identity) {
                continue;
            }
            let changed = entry.set.subtract(touched) | entry.set.subtract(removed);
            if changed {
                entry.source = None;
            }
        }
        self.entries.retain(|entry| !entry.set.is_empty());
    }

    /// Merges the oldest update entries of a version until there are few enough.
    pub(super) fn cap_updates(&mut self) {
        let updates = self.entries.iter().filter(|entry| entry.identity.operation == Operation::Update);
        let mut count = updates.count();
        if count <= UPDATE_ENTRIES_MAX {
            return;
        }
        let (mut updates, mut kept): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.entries).into_iter().partition(|entry| entry.identity.operation == Operation::Update);
        updates.sort_by(|left, right| (left.seconds(), &left.identity).cmp(&(right.seconds(), &right.identity)));
        let mut buckets: Vec<Entry<'a>> = Vec::new();
        for update in updates {
            match buckets.iter_mut().find(|bucket| bucket.api_version == update.api_version) {
                Some(bucket) if count > UPDATE_ENTRIES_MAX => {
                    bucket.identity = Identity::new(OLD_UPDATES, Operation::Update, &bucket.api_version, None);
                    bucket.time = update.time;
                    bucket.source = None;
                    bucket.set.absorb(update.set);
                    count -= 1;
                }
                _ if count > UPDATE_ENTRIES_MAX => buckets.push(update),
                _ => kept.push(update),
            }
        }
        for bucket in buckets {
            match kept.iter_mut().find(|entry| entry.identity == bucket.identity) {
                Some(entry) => {
                    entry.set.absorb(bucket.set);
                    entry.source = None;
                }
                None => kept.push(bucket),
            }
        }
        self.entries = kept;
    }

    /// Sorts the entries as the server does and writes them.
    pub(super) fn encode(mut self) -> Vec<Encoded> {
        self.entries.retain(|entry| !entry.set.is_empty());
        self.entries.sort_by(|left, right| left.rank().cmp(&right.rank()));
        self.entries
            .into_iter()
            .map(|entry| match entry.source {
                Some(index) => Encoded::Same(index),
                None => Encoded::Fresh(encode_entry(&entry)),
            })
            .collect()
    }
}

impl Entry<'_> {
    fn seconds(&self) -> i64 {
        self.time.map_or(0, Timestamp::as_second)
    }

    fn rank(&self) -> (Operation, i64, &str, &str, &str) {
        let Identity { manager, operation, subresource, .. } = &self.identity;
        (*operation, self.seconds(), manager, &self.api_version, subresource)
    }
}

/// Puts the written entries together; `source` is the list that was read.
pub(super) fn assemble(encoded: Vec<Encoded>, mut source: Cow<'_, [Value]>) -> Vec<Value> {
    let mut same = |index: usize| match &mut source {
        Cow::Owned(entries) => entries.get_mut(index).map(Value::take),
        Cow::Borrowed(entries) => entries.get(index).cloned(),
    };
    encoded
        .into_iter()
        .map(|entry| match entry {
            Encoded::Same(index) => same(index).unwrap_or_default(),
            Encoded::Fresh(entry) => entry,
        })
        .collect()
}

fn decode_entry<'a>(entry: &'a Value, index: usize, object_type: Type<'_>) -> Result<Entry<'a>, String> {
    let text = |name: &str| entry.get(name).and_then(Value::as_str).unwrap_or_default();
    let operation = match text("operation") {
        "Apply" => Operation::Apply,
        "Update" => Operation::Update,
        _ => return Err("operation must be `Apply` or `Update`".to_owned()),
    };
    let api_version = text("apiVersion");
    if api_version.is_empty() {
        return Err("apiVersion must not be empty".to_owned());
    }
    match text("fieldsType") {
        "FieldsV1" => {}
        "" => return Err(format!("missing fieldsType in managed fields entry {index}")),
        other => return Err(format!("invalid fieldsType \"{other}\" in managed fields entry {index}")),
    }
    let time = match entry.get("time") {
        None | Some(Value::Null) => None,
        Some(time) => Some(
            time.as_str()
                .and_then(|time| time.parse().ok())
                .ok_or_else(|| format!("invalid time {time} in managed fields entry {index}"))?,
        ),
    };
    let decoded = match entry.get("fieldsV1") {
        None | Some(Value::Null) => fields_v1::Decoded { set: Set::default(), faithful: false },
        Some(fields) => fields_v1::decode(fields, object_type).map_err(|error| format!("error decoding set: {error}"))?,
    };
    let manager = text("manager");
    let subresource = text("subresource");
    let mut identity = Identity::new(manager, operation, api_version, Some(subresource));
    manager.clone_into(&mut identity.manager);
    let source = decoded.faithful.then_some(index);
    Ok(Entry { identity, api_version: api_version.to_owned(), time, set: decoded.set, source })
}

fn encode_entry(entry: &Entry<'_>) -> Value {
    let mut fields = Map::new();
    fields.insert("apiVersion".to_owned(), json!(entry.api_version));
    fields.insert("fieldsType".to_owned(), json!("FieldsV1"));
    fields.insert("fieldsV1".to_owned(), fields_v1::encode(&entry.set));
    if !entry.identity.manager.is_empty() {
        fields.insert("manager".to_owned(), json!(entry.identity.manager));
    }
    fields.insert("operation".to_owned(), json!(entry.identity.operation.name()));
    if !entry.identity.subresource.is_empty() {
        fields.insert("subresource".to_owned(), json!(entry.identity.subresource));
    }
    if let Some(time) = entry.time {
        fields.insert("time".to_owned(), json!(time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()));
    }
    Value::Object(fields)
}
