//! From rules and changes to the profiles by which pods behave. Pure.
//!
//! The first profile that matches a pod counts. A change says something new of some pods and leaves the rest as it was: for
//! every profile that could describe such a pod, one with both selectors and the new words comes before it.

use serde_json::{Map, Value, json};

use crate::sim::actors::labels::Selector;
use crate::sim::actors::pods::profile::{Failure, PodProfile};
use crate::sim::world::pod::{Behaviour, PodFailure, PodRule, PodSelector};
use crate::sim::world::usage;

/// A profile with its selector as data, so that it can be narrowed.
#[derive(Clone, Debug, PartialEq)]
struct Narrowed {
    labels: Value,
    profile: PodProfile,
}

/// The profiles of a world as it stands.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Profiles(Vec<Narrowed>);

impl Profiles {
    /// Those of the rules, then the default one.
    pub(super) fn of(rules: &[PodRule]) -> Self {
        let default = Narrowed { labels: json!({}), profile: PodProfile::default() };
        let rule = |rule: &PodRule| {
            let mut narrowed = narrow(&default, &rule.selector)?;
            said(&rule.behaviour, &mut narrowed.profile);
            Some(narrowed)
        };
        Self(rules.iter().filter_map(rule).chain([default.clone()]).collect())
    }

    /// Says something new of the pods that a selector takes.
    pub(super) fn change(&mut self, selector: &PodSelector, behaviour: &Behaviour) {
        let changed = self.0.iter().filter_map(|known| {
            let mut narrowed = narrow(known, selector)?;
            said(behaviour, &mut narrowed.profile);
            Some(narrowed)
        });
        let mut all: Vec<Narrowed> = Vec::new();
        for narrowed in changed.chain(self.0.iter().cloned()) {
            let same = |other: &Narrowed| other.labels == narrowed.labels && other.profile.namespace == narrowed.profile.namespace;
            // A later one with the same selector never counts.
            if !all.iter().any(same) {
                all.push(narrowed);
            }
        }
        self.0 = all;
    }

    /// As the simulation takes them.
    pub(super) fn list(&self) -> Vec<PodProfile> {
        self.0.iter().map(|narrowed| narrowed.profile.clone()).collect()
    }
}

/// The profile for pods that both take; none if their namespaces differ.
fn narrow(known: &Narrowed, selector: &PodSelector) -> Option<Narrowed> {
    let namespace = match (&known.profile.namespace, &selector.namespace) {
        (Some(one), Some(other)) if one != other => return None,
        (one, other) => one.clone().or_else(|| other.clone()),
    };
    let labels = both(&known.labels, &selector.labels);
    let profile = PodProfile { namespace, selector: Selector::of(Some(&labels)), ..known.profile.clone() };
    Some(Narrowed { labels, profile })
}

/// A label selector for what both take, in one form for equal meanings: requirements sorted, each once.
fn both(one: &Value, other: &Value) -> Value {
    let mut requirements: Vec<Value> = [one, other].into_iter().flat_map(requirements).collect();
    requirements.sort_by_key(Value::to_string);
    requirements.dedup();
    json!({ "matchExpressions": requirements })
}

fn requirements(selector: &Value) -> Vec<Value> {
    let empty = Map::new();
    let labels = selector.get("matchLabels").and_then(Value::as_object).unwrap_or(&empty);
    let equal = labels.iter().map(|(key, value)| json!({ "key": key, "operator": "In", "values": [value] }));
    equal.chain(selector.get("matchExpressions").and_then(Value::as_array).into_iter().flatten().cloned()).collect()
}

fn said(behaviour: &Behaviour, profile: &mut PodProfile) {
    let Behaviour { pull, load, jitter, shutdown, failure, serving, usage } = behaviour;
    profile.startup.pull = pull.unwrap_or(profile.startup.pull);
    profile.startup.load = load.unwrap_or(profile.startup.load);
    profile.startup.jitter = jitter.unwrap_or(profile.startup.jitter);
    profile.shutdown = shutdown.unwrap_or(profile.shutdown);
    if let Some(words) = serving {
        words.apply(&mut profile.serving);
    }
    if let Some(said) = usage {
        usage::apply(said, &mut profile.usage);
    }
    match failure {
        None => {}
        Some(PodFailure::None) => profile.failure = None,
        Some(PodFailure::NeverReady) => profile.failure = Some(Failure::NeverReady),
        Some(PodFailure::Crash { after, exit_code, reason, times }) => {
            let (exit_code, reason) = (i64::from(*exit_code), reason.clone());
            profile.failure = Some(Failure::Crash { after: *after, exit_code, reason, times: *times });
        }
        Some(PodFailure::ImagePull { message, times }) => {
            profile.failure = Some(Failure::ImagePull { message: message.clone(), times: *times });
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;
    use crate::sim::world::place::Place;

    fn selector(labels: Value) -> PodSelector {
        PodSelector { place: Place::start_of("w.yaml"), namespace: None, labels }
    }

    fn chosen(profiles: &Profiles, labels: Value) -> PodProfile {
        let pod = json!({ "metadata": { "name": "p", "namespace": "default", "labels": labels } });
        profiles.list().into_iter().find(|profile| profile.describes(&pod)).expect("the default profile describes every pod")
    }

    #[test]
    fn a_change_keeps_what_it_does_not_mention() {
        let slow = Behaviour { load: Some(SignedDuration::from_mins(5)), ..Behaviour::default() };
        let rule = PodRule { selector: selector(json!({ "matchLabels": { "app": "chat" } })), behaviour: slow };
        let mut profiles = Profiles::of(&[rule]);
        let broken = Behaviour { failure: Some(PodFailure::NeverReady), ..Behaviour::default() };
        let second = selector(json!({ "matchLabels": { "version": "2" } }));
        profiles.change(&second, &broken);
        let both = chosen(&profiles, json!({ "app": "chat", "version": "2" }));
        assert_eq!((both.startup.load, both.failure.clone()), (SignedDuration::from_mins(5), Some(Failure::NeverReady)));
        assert_eq!(chosen(&profiles, json!({ "version": "2" })).failure, Some(Failure::NeverReady));
        assert_eq!(chosen(&profiles, json!({ "app": "chat" })).failure, None);
        let healed = Behaviour { failure: Some(PodFailure::None), ..Behaviour::default() };
        let count = profiles.list().len();
        profiles.change(&second, &healed);
        assert_eq!(chosen(&profiles, json!({ "app": "chat", "version": "2" })).failure, None);
        assert_eq!(profiles.list().len(), count, "a change of the same pods adds nothing");
    }

    #[test]
    fn namespaces_that_differ_have_no_pod_in_common() {
        let rule = PodRule {
            selector: PodSelector { namespace: Some("a".to_owned()), ..selector(json!({})) },
            behaviour: Behaviour { jitter: Some(0.0), ..Behaviour::default() },
        };
        let mut profiles = Profiles::of(&[rule]);
        let other = PodSelector { namespace: Some("b".to_owned()), ..selector(json!({})) };
        profiles.change(&other, &Behaviour { failure: Some(PodFailure::NeverReady), ..Behaviour::default() });
        assert_eq!(profiles.list().len(), 3);
    }
}
