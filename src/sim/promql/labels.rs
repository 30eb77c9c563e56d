//! The labels of a series.
//!
//! Takes names and values; gives an ordered, cheaply cloned set in which an absent label and an empty one are the same.
//! Never holds an empty value.

use std::fmt;
use std::sync::Arc;

/// The label that holds the metric's name.
pub const METRIC_NAME: &str = "__name__";
/// The label that holds a bucket's upper bound.
pub const BUCKET: &str = "le";
/// What arithmetic takes away, because the result is another metric: name, type and unit.
const METADATA: [&str; 3] = [METRIC_NAME, "__type__", "__unit__"];

/// Whether a label says what metric this is, not which of its series.
pub fn is_metadata(name: &str) -> bool {
    METADATA.contains(&name)
}

/// Labels in the order of their names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Labels(Arc<[(Box<str>, Box<str>)]>);

impl Labels {
    /// No labels.
    pub fn empty() -> Self {
        Self(Arc::from([]))
    }

    /// Labels from pairs in any order: of a name given twice the last value counts, empty values are left out.
    pub fn new<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut sorted: Vec<(&str, &str)> = Vec::new();
        for (name, value) in pairs {
            match sorted.binary_search_by(|(known, _)| (*known).cmp(name)) {
                Ok(at) => sorted[at].1 = value,
                Err(at) => sorted.insert(at, (name, value)),
            }
        }
        Self(sorted.into_iter().filter(|(_, value)| !value.is_empty()).map(|(name, value)| (name.into(), value.into())).collect())
    }

    /// These are the very same labels, clones of one set. Others may be equal.
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// A label's value; empty if it is absent.
    pub fn get(&self, name: &str) -> &str {
        match self.0.binary_search_by(|(known, _)| (**known).cmp(name)) {
            Ok(at) => &self.0[at].1,
            Err(_) => "",
        }
    }

    /// The metric's name; empty if it has none.
    pub fn metric_name(&self) -> &str {
        self.get(METRIC_NAME)
    }

    /// Names and values in the order of the names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (&**name, &**value))
    }

    /// No label at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The same with one label set, or removed by an empty value.
    pub fn with(&self, name: &str, value: &str) -> Self {
        Self::new(self.iter().chain([(name, value)]))
    }

    /// Only the labels for which `keep` holds.
    pub fn filtered(&self, keep: impl Fn(&str) -> bool) -> Self {
        if self.0.iter().all(|(name, _)| keep(name)) {
            return self.clone();
        }
        Self(self.0.iter().filter(|(name, _)| keep(name)).cloned().collect())
    }

    /// Without name, type and unit: what is left of a metric once something was calculated from it.
    pub fn without_metadata(&self) -> Self {
        self.filtered(|name| !is_metadata(name))
    }
}

impl fmt::Display for Labels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.metric_name();
        let rest: Vec<String> =
            self.iter().filter(|(label, _)| *label != METRIC_NAME).map(|(label, value)| format!("{label}={value:?}")).collect();
        if rest.is_empty() && !name.is_empty() {
            return f.write_str(name);
        }
        write!(f, "{name}{{{}}}", rest.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_ordered_unique_and_never_empty() {
        let labels = Labels::new([("b", "1"), ("a", "2"), ("b", "3"), ("c", "")]);
        assert_eq!(labels.iter().collect::<Vec<_>>(), [("a", "2"), ("b", "3")]);
        assert_eq!(labels.get("c"), "");
        assert_eq!(labels.with("a", "").to_string(), r#"{b="3"}"#);
    }

    #[test]
    fn metadata_goes_when_something_is_calculated() {
        let labels = Labels::new([("__name__", "m"), ("__type__", "counter"), ("__unit__", "s"), ("a", "b")]);
        assert_eq!(labels.without_metadata(), Labels::new([("a", "b")]));
        assert_eq!(Labels::new([("__name__", "m")]).to_string(), "m");
    }
}
