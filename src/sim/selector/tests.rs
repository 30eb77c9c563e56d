use serde_json::{Value, json};

use super::*;

fn matches(selector: &str, labels: Value) -> bool {
    Labels::parse(selector).unwrap().matches(&json!({ "metadata": { "labels": labels } }))
}

#[test]
fn every_operator_of_label_selectors_selects() {
    let web = || json!({ "app": "web", "tier": "front", "n": "5" });
    for selector in [
        "",
        " ",
        "app",
        "app=web",
        "app==web",
        "app = web , tier=front",
        "app!=db",
        "gone!=x",
        "app in (db, web)",
        "app notin (db)",
        "gone notin (x)",
        "!gone",
        "n>4",
        "n<6",
        "in",
        "in in (x),app",
        "x/y!=z",
    ] {
        let labels = if selector.starts_with("in") { json!({ "in": "x", "app": "" }) } else { web() };
        assert!(matches(selector, labels), "{selector}");
    }
    for selector in
        ["app=db", "app!=web", "app in (db)", "app in ()", "app notin (web)", "!app", "gone", "gone=", "n>5", "app>1", "gone in (x)"]
    {
        assert!(!matches(selector, web()), "{selector}");
    }
}

#[test]
fn malformed_label_selectors_are_400_with_the_servers_words() {
    for (selector, message) in [
        ("a in (b", "unable to parse requirement: found '', expected: ',' or ')'"),
        ("a in b", "unable to parse requirement: found 'b' expected: '('"),
        ("a,", "found '', expected: identifier after ','"),
        ("=a", "found '=', expected: !, identifier, or 'end of string'"),
        ("a b", "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt"),
        ("a=b c", "found 'c', expected: ',' or 'end of string'"),
        ("a=(", "unable to parse requirement: found '(', expected: identifier"),
    ] {
        let error = Labels::parse(selector).unwrap_err();
        assert_eq!((error.code, error.message.as_str()), (400, message), "{selector}");
    }
    assert!(Labels::parse("-a=b").is_err() && Labels::parse("a=-b").is_err() && Labels::parse("a>b").is_err());
}

#[test]
fn an_absent_selector_object_selects_nothing_and_an_empty_one_everything() {
    let object = json!({ "metadata": { "labels": { "a": "b" } } });
    assert!(!Labels::from_selector(&Value::Null).unwrap().matches(&object));
    assert!(Labels::from_selector(&json!({})).unwrap().matches(&object));
    let expressions = json!({ "matchLabels": { "a": "b" }, "matchExpressions": [{ "key": "c", "operator": "DoesNotExist" }] });
    assert!(Labels::from_selector(&expressions).unwrap().matches(&object));
    assert!(Labels::from_selector(&json!({ "matchExpressions": [{ "key": "a", "operator": "Near" }] })).is_err());
}
