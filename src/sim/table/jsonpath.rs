//! JSON path as printer columns use it: `.status.conditions[?(@.type=="Ready")].status`.
//!
//! Takes a path once, gives the values it finds in any object, in document order. Supports fields (also quoted and
//! escaped), `*`, indices, slices, unions, `..` and one comparison per filter. Missing keys find nothing; a filter, index or
//! slice on something that is no list finds nothing too. `range`, text outside a path and `&&` are refused.

mod parse;

use serde_json::Value;

/// A parsed path.
#[derive(Clone, Debug, PartialEq)]
pub struct JsonPath {
    steps: Vec<Step>,
}

#[derive(Clone, Debug, PartialEq)]
enum Step {
    Fields(Vec<String>),
    Wildcard,
    Indices(Vec<i64>),
    Slice {
        from: Option<i64>,
        to: Option<i64>,
        step: usize,
    },
    /// Every value below, itself included.
    Descendants,
    Filter(Filter),
}

#[derive(Clone, Debug, PartialEq)]
struct Filter {
    left: JsonPath,
    /// `None`: the left path must find something.
    comparison: Option<(Operator, Operand)>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Operator {
    Equal,
    Different,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

#[derive(Clone, Debug, PartialEq)]
enum Operand {
    Literal(Value),
    Path(JsonPath),
}

impl JsonPath {
    /// Parses a path with or without braces.
    ///
    /// # Errors
    /// A sentence for people if it is no path.
    pub fn parse(text: &str) -> Result<Self, String> {
        parse::path(text)
    }

    /// What the path finds in `root`.
    pub fn find<'a>(&self, root: &'a Value) -> Vec<&'a Value> {
        let mut found = vec![root];
        for step in &self.steps {
            found = found.into_iter().flat_map(|value| step.apply(value)).collect();
        }
        found
    }

    /// The first value that the path finds.
    pub fn first<'a>(&self, root: &'a Value) -> Option<&'a Value> {
        self.find(root).into_iter().next()
    }
}

impl Step {
    fn apply<'a>(&self, value: &'a Value) -> Vec<&'a Value> {
        match (self, value) {
            (Step::Fields(names), Value::Object(map)) => names.iter().filter_map(|name| map.get(name)).collect(),
            (Step::Wildcard, Value::Object(map)) => map.values().collect(),
            (Step::Wildcard, Value::Array(list)) => list.iter().collect(),
            (Step::Indices(indices), Value::Array(list)) => {
                indices.iter().filter_map(|index| position(*index, list.len()).and_then(|at| list.get(at))).collect()
            }
            (Step::Slice { from, to, step }, Value::Array(list)) => {
                let (from, to) = (bound(*from, 0, list.len()), bound(*to, list.len(), list.len()));
                list.get(from..to).map(|part| part.iter().step_by(*step).collect()).unwrap_or_default()
            }
            (Step::Filter(filter), Value::Array(list)) => list.iter().filter(|item| filter.holds(item)).collect(),
            (Step::Descendants, value) => {
                let mut all = Vec::new();
                descend(value, &mut all);
                all
            }
            _ => Vec::new(),
        }
    }
}

fn descend<'a>(value: &'a Value, all: &mut Vec<&'a Value>) {
    all.push(value);
    match value {
        Value::Object(map) => map.values().for_each(|child| descend(child, all)),
        Value::Array(list) => list.iter().for_each(|child| descend(child, all)),
        _ => {}
    }
}

fn position(index: i64, length: usize) -> Option<usize> {
    let at = if index < 0 { index + i64::try_from(length).ok()? } else { index };
    usize::try_from(at).ok()
}

fn bound(index: Option<i64>, absent: usize, length: usize) -> usize {
    index.map_or(absent, |index| position(index, length).unwrap_or(0)).min(length)
}

impl Filter {
    fn holds(&self, item: &Value) -> bool {
        let left = self.left.first(item);
        let Some((operator, right)) = &self.comparison else { return left.is_some() };
        let right = match right {
            Operand::Literal(value) => Some(value),
            Operand::Path(path) => path.first(item),
        };
        let (Some(left), Some(right)) = (left, right) else { return false };
        let order = compare(left, right);
        match operator {
            Operator::Equal => left == right || order == Some(std::cmp::Ordering::Equal),
            Operator::Different => left != right && order != Some(std::cmp::Ordering::Equal),
            Operator::Less => order.is_some_and(std::cmp::Ordering::is_lt),
            Operator::LessOrEqual => order.is_some_and(std::cmp::Ordering::is_le),
            Operator::Greater => order.is_some_and(std::cmp::Ordering::is_gt),
            Operator::GreaterOrEqual => order.is_some_and(std::cmp::Ordering::is_ge),
        }
    }
}

fn compare(left: &Value, right: &Value) -> Option<std::cmp::Ordering> {
    match (left, right) {
        (Value::String(left), Value::String(right)) => Some(left.cmp(right)),
        (Value::Number(left), Value::Number(right)) => left.as_f64()?.partial_cmp(&right.as_f64()?),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::JsonPath;

    fn find(path: &str, root: &Value) -> Vec<Value> {
        JsonPath::parse(path).unwrap().find(root).into_iter().cloned().collect()
    }

    #[test]
    fn fields_indices_and_filters_find_their_values() {
        let root = json!({
            "spec": {"replicas": 3, "tags": ["a", "b", "c"]},
            "metadata": {"labels": {"app.kubernetes.io/name": "x"}},
            "status": {"conditions": [{"type": "Ready", "status": "True", "n": 2}, {"type": "Done", "status": "False", "n": 5}]},
        });
        for (path, expected) in [
            (".spec.replicas", json!([3])),
            ("{.spec.replicas}", json!([3])),
            ("$.spec.replicas", json!([3])),
            (".spec.tags[0]", json!(["a"])),
            (".spec.tags[-1]", json!(["c"])),
            (".spec.tags[0,2]", json!(["a", "c"])),
            (".spec.tags[1:]", json!(["b", "c"])),
            (".spec.tags[:2]", json!(["a", "b"])),
            (".spec.tags[0:3:2]", json!(["a", "c"])),
            (".spec.tags[*]", json!(["a", "b", "c"])),
            (".spec.tags[7]", json!([])),
            (".metadata.labels.app\\.kubernetes\\.io/name", json!(["x"])),
            (".metadata.labels['app.kubernetes.io/name']", json!(["x"])),
            (r#".status.conditions[?(@.type=="Ready")].status"#, json!(["True"])),
            (".status.conditions[?(@.type == 'Done')].status", json!(["False"])),
            (".status.conditions[?(@.type!=\"Ready\")].type", json!(["Done"])),
            (".status.conditions[?(@.n>2)].type", json!(["Done"])),
            (".status.conditions[?(@.n<=2)].type", json!(["Ready"])),
            (".status.conditions[?(@.message)].type", json!([])),
            (".status.conditions[?(@.n)].type", json!(["Ready", "Done"])),
            ("..type", json!(["Ready", "Done"])),
            (".spec.missing.deeper", json!([])),
            (".spec[?(@.x==1)]", json!([])),
        ] {
            assert_eq!(Value::Array(find(path, &root)), expected, "{path}");
        }
    }

    #[test]
    fn what_is_no_path_is_refused() {
        for path in ["", "spec.x", ".spec[", ".spec['a", ".a[?(@.x==1 && @.y==2)]", ".a[?(@.x==)]", ".a[x]", ".a..", ".a[::0]"] {
            assert!(JsonPath::parse(path).is_err(), "{path}");
        }
    }
}
