//! A label selector as the real controller prints it in conditions and Events.

use serde_json::Value;

use crate::sim::actors::object::{items, map, text};

/// The selector in the form of Go's generated printers; absent is `nil`.
pub fn selector_words(selector: Option<&Value>) -> String {
    let Some(selector) = selector.filter(|selector| !selector.is_null()) else { return "nil".to_owned() };
    let labels: String = map(selector, &["matchLabels"])
        .into_iter()
        .flatten()
        .map(|(key, value)| format!("{key}: {},", value.as_str().unwrap_or_default()))
        .collect();
    let expressions: String = items(selector, &["matchExpressions"])
        .iter()
        .map(|expression| {
            let values: Vec<&str> = items(expression, &["values"]).iter().filter_map(Value::as_str).collect();
            let (key, operator) = (text(expression, &["key"]), text(expression, &["operator"]));
            format!("LabelSelectorRequirement{{Key:{key},Operator:{operator},Values:[{}],}},", values.join(" "))
        })
        .collect();
    format!("&LabelSelector{{MatchLabels:map[string]string{{{labels}}},MatchExpressions:[]LabelSelectorRequirement{{{expressions}}},}}")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn selectors_look_as_go_prints_them() {
        assert_eq!(selector_words(None), "nil");
        assert_eq!(
            selector_words(Some(&json!({ "matchLabels": { "queue": "jobs" } }))),
            "&LabelSelector{MatchLabels:map[string]string{queue: jobs,},MatchExpressions:[]LabelSelectorRequirement{},}"
        );
        let expression = json!({ "key": "a", "operator": "In", "values": ["x", "y"] });
        assert_eq!(
            selector_words(Some(&json!({ "matchExpressions": [expression] }))),
            "&LabelSelector{MatchLabels:map[string]string{},MatchExpressions:[]LabelSelectorRequirement{LabelSelectorRequirement{Key:a,\
             Operator:In,Values:[x y],},},}"
        );
    }
}
