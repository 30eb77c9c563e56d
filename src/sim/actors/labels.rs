//! Label selectors, and indexes that answer "which objects does this selector take" without looking at all objects.
//!
//! Takes selectors and labels as JSON; gives matches in name order. Pure.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::object::{items, map, text};
use crate::sim::selector::{Labels, Operator};

/// One `matchExpressions` entry.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Requirement {
    In(String, BTreeSet<String>),
    NotIn(String, BTreeSet<String>),
    Exists(String),
    DoesNotExist(String),
}

/// A parsed label selector.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selector {
    equal: BTreeMap<String, String>,
    requirements: Vec<Requirement>,
    nothing: bool,
}

impl Selector {
    /// From a `metav1.LabelSelector`: absent selects nothing, empty everything.
    pub fn of(selector: Option<&Value>) -> Self {
        let Some(selector) = selector.filter(|selector| selector.is_object()) else {
            return Self { nothing: true, ..Self::default() };
        };
        let mut parsed = Self::of_map(map(selector, &["matchLabels"]));
        for expression in items(selector, &["matchExpressions"]) {
            match requirement(expression) {
                Some(requirement) => parsed.requirements.push(requirement),
                None => parsed.nothing = true,
            }
        }
        parsed
    }

    /// From a plain map, as in a Service; absent or empty selects everything that the caller offers.
    pub fn of_map(labels: Option<&Map<String, Value>>) -> Self {
        let pair = |(key, value): (&String, &Value)| (key.clone(), value.as_str().unwrap_or("").to_owned());
        Self { equal: labels.into_iter().flatten().map(pair).collect(), ..Self::default() }
    }

    /// From the text of a selector.
    ///
    /// # Errors
    /// What is wrong with the text; comparisons of numbers, which no controller writes, are refused too.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut parsed = Self::default();
        for requirement in Labels::parse(text).map_err(|error| error.message)?.requirements {
            let (key, values) = (requirement.key, requirement.values);
            match requirement.operator {
                Operator::In if values.len() == 1 && !parsed.equal.contains_key(&key) => {
                    parsed.equal.extend(values.into_iter().map(|value| (key.clone(), value)));
                }
                Operator::In => parsed.requirements.push(Requirement::In(key, values)),
                Operator::NotIn => parsed.requirements.push(Requirement::NotIn(key, values)),
                Operator::Exists => parsed.requirements.push(Requirement::Exists(key)),
                Operator::DoesNotExist => parsed.requirements.push(Requirement::DoesNotExist(key)),
                Operator::GreaterThan | Operator::LessThan => return Err(format!("comparisons of numbers are not simulated: {text}")),
            }
        }
        Ok(parsed)
    }

    /// The labels satisfy every requirement.
    pub fn matches(&self, labels: Option<&Map<String, Value>>) -> bool {
        let label = |key: &str| labels.and_then(|labels| labels.get(key)).and_then(Value::as_str);
        !self.nothing
            && self.equal.iter().all(|(key, value)| label(key) == Some(value))
            && self.requirements.iter().all(|requirement| match requirement {
                Requirement::In(key, values) => label(key).is_some_and(|value| values.contains(value)),
                Requirement::NotIn(key, values) => label(key).is_none_or(|value| !values.contains(value)),
                Requirement::Exists(key) => label(key).is_some(),
                Requirement::DoesNotExist(key) => label(key).is_none(),
            })
    }

    /// No requirement at all.
    pub fn is_empty(&self) -> bool {
        !self.nothing && self.equal.is_empty() && self.requirements.is_empty()
    }
}

fn requirement(expression: &Value) -> Option<Requirement> {
    let key = text(expression, &["key"]).to_owned();
    let values = || items(expression, &["values"]).iter().filter_map(Value::as_str).map(str::to_owned).collect();
    match text(expression, &["operator"]) {
        "In" => Some(Requirement::In(key, values())),
        "NotIn" => Some(Requirement::NotIn(key, values())),
        "Exists" => Some(Requirement::Exists(key)),
        "DoesNotExist" => Some(Requirement::DoesNotExist(key)),
        _ => None,
    }
}

/// Namespace, label key, label value.
type Pair = (String, String, String);

/// Objects by each of their labels.
#[derive(Clone, Debug, Default)]
pub struct LabelIndex {
    by_pair: BTreeMap<Pair, BTreeSet<String>>,
    by_namespace: BTreeMap<String, BTreeSet<String>>,
}

impl LabelIndex {
    /// Follows one change of an object: `before` and `after` are its labels, none where it does not exist.
    pub fn note(&mut self, namespace: &str, name: &str, before: Option<&Value>, after: Option<&Value>) {
        for (key, value) in pairs(before) {
            remove(&mut self.by_pair, &(namespace.to_owned(), key, value), name);
        }
        for (key, value) in pairs(after) {
            self.by_pair.entry((namespace.to_owned(), key, value)).or_default().insert(name.to_owned());
        }
        if after.is_some() {
            self.by_namespace.entry(namespace.to_owned()).or_default().insert(name.to_owned());
        } else {
            remove(&mut self.by_namespace, &namespace.to_owned(), name);
        }
    }

    /// Names of objects that may match, a superset: those with the rarest of the wanted labels.
    pub fn candidates(&self, namespace: &str, selector: &Selector) -> Vec<String> {
        if selector.nothing {
            return Vec::new();
        }
        let mut best = self.by_namespace.get(namespace);
        for (key, value) in &selector.equal {
            let found = self.by_pair.get(&(namespace.to_owned(), key.clone(), value.clone()));
            let Some(found) = found else { return Vec::new() };
            best = best.filter(|best| best.len() <= found.len()).or(Some(found));
        }
        best.into_iter().flatten().cloned().collect()
    }
}

fn pairs(object: Option<&Value>) -> Vec<(String, String)> {
    let labels = object.and_then(super::object::labels);
    let pair = |(key, value): (&String, &Value)| (key.clone(), value.as_str().unwrap_or("").to_owned());
    labels.into_iter().flatten().map(pair).collect()
}

fn remove<K: Ord>(index: &mut BTreeMap<K, BTreeSet<String>>, key: &K, name: &str) {
    if let Some(names) = index.get_mut(key) {
        names.remove(name);
        if names.is_empty() {
            index.remove(key);
        }
    }
}

/// Objects that select others, by one label that they ask for.
#[derive(Clone, Debug, Default)]
pub struct SelectorIndex {
    by_pair: BTreeMap<Pair, BTreeSet<String>>,
    /// Selectors that ask for no single label, by namespace.
    rest: BTreeMap<String, BTreeSet<String>>,
    known: BTreeMap<(String, String), (Selector, Option<Pair>)>,
}

impl SelectorIndex {
    /// Follows one change of a selecting object; none where it selects nothing or does not exist.
    pub fn note(&mut self, namespace: &str, name: &str, selector: Option<Selector>) {
        let id = (namespace.to_owned(), name.to_owned());
        if self.known.get(&id).map(|(known, _)| known) == selector.as_ref() {
            return;
        }
        match self.known.remove(&id) {
            Some((_, Some(pair))) => remove(&mut self.by_pair, &pair, name),
            Some((_, None)) => remove(&mut self.rest, &id.0, name),
            None => {}
        }
        let Some(selector) = selector.filter(|selector| !selector.nothing) else { return };
        let pair = self.rarest(namespace, &selector);
        match &pair {
            Some(pair) => self.by_pair.entry(pair.clone()).or_default().insert(name.to_owned()),
            None => self.rest.entry(namespace.to_owned()).or_default().insert(name.to_owned()),
        };
        self.known.insert(id, (selector, pair));
    }

    /// The wanted label that fewest others are filed under.
    fn rarest(&self, namespace: &str, selector: &Selector) -> Option<Pair> {
        let pairs = selector.equal.iter().map(|(key, value)| (namespace.to_owned(), key.clone(), value.clone()));
        pairs.min_by_key(|pair| self.by_pair.get(pair).map_or(0, BTreeSet::len))
    }

    /// The selector of a known object.
    pub fn selector(&self, namespace: &str, name: &str) -> Option<&Selector> {
        self.known.get(&(namespace.to_owned(), name.to_owned())).map(|(selector, _)| selector)
    }

    /// Names of those that select an object with these labels.
    pub fn selecting(&self, namespace: &str, labels: Option<&Map<String, Value>>) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        for (key, value) in labels.into_iter().flatten() {
            let pair = (namespace.to_owned(), key.clone(), value.as_str().unwrap_or("").to_owned());
            found.extend(self.by_pair.get(&pair).into_iter().flatten().cloned());
        }
        found.extend(self.rest.get(namespace).into_iter().flatten().cloned());
        found.retain(|name| self.selector(namespace, name).is_some_and(|selector| selector.matches(labels)));
        found
    }
}
