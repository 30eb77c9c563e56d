use serde_json::json;

use super::*;
use crate::sim::schema::structural::parse;

/// Causes of `spec` values under a schema for `spec`, as `field: message`.
fn run(spec: &Value, value: &Value, old: Option<&Value>) -> Vec<String> {
    let schema = parse(&json!({"type": "object", "properties": {"spec": spec}})).unwrap();
    let rules = compile(&schema, "s").unwrap();
    let whole = |spec: &Value| json!({"apiVersion": "g/v1", "kind": "K", "metadata": {"name": "n"}, "spec": spec});
    let causes = check(&schema, &rules, &whole(value), old.map(whole).as_ref());
    causes.into_iter().map(|cause| format!("{}: {}", cause.field, cause.message)).collect()
}

fn rule(rule: &str, message: &str) -> Value {
    json!([{"rule": rule, "message": message}])
}

#[test]
fn failures_show_scalars_and_hide_objects() {
    let spec = json!({"type": "object", "x-kubernetes-validations": rule("self.a <= self.b", "a is too big"), "properties": {
        "a": {"type": "integer"}, "b": {"type": "integer"},
        "s": {"type": "string", "x-kubernetes-validations": rule("self != 'y'", "immutable")},
        "celmap": {"type": "object", "additionalProperties": {"type": "string", "x-kubernetes-validations": rule("self != 'y'", "no y")}},
        "items": {"type": "array", "items": {"type": "object", "properties": {"v": {"type": "integer", "x-kubernetes-validations": [{"rule": "self > 0"}]}}}},
    }});
    assert_eq!(run(&spec, &json!({"a": 1, "b": 1, "s": "x"}), None), Vec::<String>::new());
    let bad = json!({"a": 2, "b": 1, "s": "y", "celmap": {"x": "y"}, "items": [{"v": 0}]});
    assert_eq!(
        run(&spec, &bad, None),
        [
            "spec: Invalid value: a is too big",
            "spec.celmap[x]: Invalid value: \"y\": no y",
            "spec.items[0].v: Invalid value: 0: failed rule: self > 0",
            "spec.s: Invalid value: \"y\": immutable",
        ]
    );
}

#[test]
fn reasons_paths_and_computed_messages_are_honoured() {
    let spec = |extra: Value| {
        let mut declared = json!({"rule": "self.a == 1", "message": "static"});
        declared.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        json!({"type": "object", "x-kubernetes-validations": [declared], "properties": {"a": {"type": "integer"}, "b-c": {"type": "string"}}})
    };
    let table = [
        (json!({"reason": "FieldValueForbidden"}), "spec: Forbidden: static"),
        (json!({"reason": "FieldValueRequired", "fieldPath": ".a"}), "spec.a: Required value: static"),
        (json!({"reason": "FieldValueDuplicate"}), "spec: Duplicate value"),
        (json!({"fieldPath": "['b-c']"}), "spec.b-c: Invalid value: static"),
        (json!({"messageExpression": "'a is ' + string(self.a)"}), "spec: Invalid value: a is 2"),
        (json!({"messageExpression": "self.b__dash__c"}), "spec: Invalid value: static"),
    ];
    for (extra, expected) in table {
        assert_eq!(run(&spec(extra), &json!({"a": 2}), None), [expected]);
    }
}

#[test]
fn rules_at_the_root_see_names_only_and_report_no_field() {
    let schema = parse(&json!({"type": "object", "x-kubernetes-validations": rule("self.metadata.name.size() < 3", "name is too long"), "properties": {"spec": {"type": "object"}}})).unwrap();
    let rules = compile(&schema, "s").unwrap();
    let named = |name: &str| rules.validate(&schema, &json!({"kind": "K", "metadata": {"name": name, "labels": {"a": "b"}}}), None, "");
    assert_eq!(named("ab"), []);
    assert_eq!(named("abc"), [Cause::new("FieldValueInvalid", "<nil>", "Invalid value: name is too long")]);
}

#[test]
fn broken_evaluation_names_the_type_and_the_rule() {
    let spec = json!({"type": "object", "properties": {"a": {"type": "integer"}, "l": {"type": "array", "items": {"type": "integer"}}},
        "x-kubernetes-validations": [{"rule": "10 / self.a > 1", "message": "m"}, {"rule": "self.l[3] > 1"}, {"rule": "self.l.size() > 0"}]});
    assert_eq!(
        run(&spec, &json!({"a": 0, "l": [1]}), None),
        [
            "spec: Invalid value: \"object\": division by zero evaluating rule: m",
            "spec: Invalid value: \"object\": index out of bounds: 3 evaluating rule: self.l[3] > 1",
        ]
    );
    assert_eq!(
        run(&spec, &json!({"a": 1}), None),
        [
            "spec: Invalid value: \"object\": no such key: l evaluating rule: self.l[3] > 1",
            "spec: Invalid value: \"object\": no such key: l evaluating rule: self.l.size() > 0",
        ]
    );
}

#[test]
fn rules_are_skipped_with_a_note_when_other_errors_block_them() {
    let spec = json!({"type": "object", "properties": {"a": {"type": "integer"}, "p": {"type": "string", "pattern": "^a"}}, "x-kubernetes-validations": rule("self.a == 1", "no")});
    let note = "<nil>: Invalid value: null: some validation rules were not checked because the object was invalid; correct the existing errors to complete validation";
    assert_eq!(
        run(&spec, &json!({"a": "x"}), None),
        ["spec.a: Invalid value: \"string\": spec.a in body must be of type integer: \"string\"", note]
    );
    // A failed pattern blocks nothing.
    assert_eq!(
        run(&spec, &json!({"a": 2, "p": "b"}), None),
        ["spec.p: Invalid value: \"b\": spec.p in body should match '^a'", "spec: Invalid value: no"]
    );
}

#[test]
fn transition_rules_skip_creates_and_added_fields() {
    let spec = json!({"type": "object", "properties": {"f": {"type": "string", "x-kubernetes-validations": rule("self == oldSelf", "immutable")}}});
    assert_eq!(run(&spec, &json!({"f": "a"}), None), Vec::<String>::new());
    assert_eq!(run(&spec, &json!({"f": "a"}), Some(&json!({}))), Vec::<String>::new());
    assert_eq!(run(&spec, &json!({"f": "a"}), Some(&json!({"f": "a"}))), Vec::<String>::new());
    assert_eq!(run(&spec, &json!({"f": "b"}), Some(&json!({"f": "a"}))), ["spec.f: Invalid value: \"b\": immutable"]);
    assert_eq!(run(&spec, &json!({}), Some(&json!({"f": "a"}))), Vec::<String>::new());
}

#[test]
fn optional_old_self_runs_on_creates_too() {
    let spec = json!({"type": "object", "properties": {"f": {"type": "integer", "x-kubernetes-validations": [
        {"rule": "oldSelf.hasValue() ? self >= oldSelf.value() : self == 1", "message": "no", "optionalOldSelf": true}]}}});
    assert_eq!(run(&spec, &json!({"f": 1}), None), Vec::<String>::new());
    assert_eq!(run(&spec, &json!({"f": 2}), None), ["spec.f: Invalid value: 2: no"]);
    assert_eq!(run(&spec, &json!({"f": 2}), Some(&json!({"f": 1}))), Vec::<String>::new());
    assert_eq!(run(&spec, &json!({"f": 0}), Some(&json!({"f": 1}))), ["spec.f: Invalid value: 0: no"]);
}

#[test]
fn items_of_keyed_lists_meet_their_old_selves_by_key() {
    let spec = json!({"type": "object", "x-kubernetes-validations": rule("self.l == oldSelf.l || self.n == 2", "l is frozen"), "properties": {
        "n": {"type": "integer"},
        "l": {"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["k"], "items": {"type": "object", "required": ["k"],
            "x-kubernetes-validations": rule("self.v == oldSelf.v", "v is frozen"),
            "properties": {"k": {"type": "string"}, "v": {"type": "integer"}}}}}});
    let old = json!({"l": [{"k": "a", "v": 1}, {"k": "b", "v": 2}]});
    let reordered = json!({"l": [{"k": "b", "v": 2}, {"k": "a", "v": 1}]});
    assert_eq!(run(&spec, &reordered, Some(&old)), Vec::<String>::new());
    let changed = json!({"n": 2, "l": [{"k": "b", "v": 1}, {"k": "c", "v": 9}]});
    assert_eq!(run(&spec, &changed, Some(&old)), ["spec.l[0]: Invalid value: v is frozen"]);
}

#[test]
fn unchanged_values_keep_failing_rules_that_look_at_nothing_else() {
    let spec = json!({"type": "object", "properties": {"n": {"type": "integer"}, "f": {"type": "string", "x-kubernetes-validations": rule("self == 'good'", "no")}}});
    assert_eq!(run(&spec, &json!({"f": "bad", "n": 1}), Some(&json!({"f": "bad"}))), Vec::<String>::new());
    assert_eq!(run(&spec, &json!({"f": "worse"}), Some(&json!({"f": "bad"}))), ["spec.f: Invalid value: \"worse\": no"]);
}

#[test]
fn values_have_the_types_of_their_formats() {
    let typed = |schema: Value, rule: &str| {
        let mut schema = schema;
        schema["x-kubernetes-validations"] = json!([{"rule": rule}]);
        json!({"type": "object", "properties": {"f": schema}})
    };
    let table = [
        (json!({"type": "string", "format": "date-time"}), "self < timestamp('2027-01-01T00:00:00Z')", json!("2026-01-01T00:00:00Z")),
        (json!({"type": "string", "format": "duration"}), "self > duration('1m')", json!("1h")),
        (json!({"type": "string", "format": "byte"}), "self.size() == 5", json!("aGVsbG8=")),
        (json!({"type": "number"}), "self == 2.0", json!(2)),
        (json!({"type": "integer"}), "self == 2", json!(2.0)),
        (json!({"x-kubernetes-int-or-string": true}), "self == 2 || self == 'x'", json!("x")),
        (json!({"type": "string"}), "self.matches('^[a-z]+$') && self.size() <= 3", json!("abc")),
        (json!({"type": "string"}), "quantity(self).isGreaterThan(quantity('1Gi'))", json!("2Gi")),
        (json!({"type": "string"}), "isURL(self) && url(self).getScheme() == 'https'", json!("https://a.example")),
        (
            json!({"type": "array", "items": {"type": "string"}}),
            "self.all(x, x.startsWith('a')) && self.exists(x, x == 'ab') && self.map(x, x.size()).sum() == 3",
            json!(["ab", "a"]),
        ),
        (
            json!({"type": "object", "additionalProperties": {"type": "integer"}}),
            "'a-b' in self && self['a-b'] == 1 && self.all(k, self[k] > 0)",
            json!({"a-b": 1}),
        ),
        (
            json!({"type": "object", "properties": {"namespace": {"type": "string"}, "a_b": {"type": "string"}, "c__d": {"type": "string"}}}),
            "self.__namespace__ == 'n' && self.a_b == 'x' && self.c__underscores__d == 'y'",
            json!({"namespace": "n", "a_b": "x", "c__d": "y"}),
        ),
        (json!({"type": "object", "properties": {"a": {"type": "string"}}}), "!has(self.a)", json!({})),
    ];
    for (schema, rule, value) in table {
        assert_eq!(run(&typed(schema, rule), &json!({"f": value}), None), Vec::<String>::new(), "{rule}");
    }
}

#[test]
fn rules_that_cannot_work_are_refused_at_registration() {
    let refused = |declared: Value| {
        let spec = json!({"type": "object", "x-kubernetes-validations": [declared], "properties": {
            "n": {"type": "integer"}, "s": {"type": "string"}, "l": {"type": "array", "items": {"type": "string"}}}});
        let schema = parse(&json!({"type": "object", "properties": {"spec": spec}})).unwrap();
        let causes = compile(&schema, "s").map(drop).unwrap_err();
        assert_eq!(causes.len(), 1);
        (causes[0].field.clone(), causes[0].message.clone())
    };
    let table = [
        ("self.n >", "compilation failed: ERROR: <input>:1:"),
        ("self.nope == 1", "compilation failed: ERROR: <input>:1:5: undefined field 'nope'\n | self.nope == 1\n | ....^"),
        ("nope == 1", "compilation failed: ERROR: <input>:1:1: undeclared reference to 'nope' (in container '')\n | nope == 1\n | ^"),
        (
            "self.n == 'x'",
            "compilation failed: ERROR: <input>:1:8: found no matching overload for '_==_' applied to '(int, string)'\n | self.n == 'x'\n | .......^",
        ),
        ("self.n", "cel expression must evaluate to a bool"),
        ("self.s.frobnicate()", "compilation failed: ERROR: <input>:1:8: undeclared reference to 'frobnicate' (in container '')"),
        ("self.l.startsWith('a')", "found no matching overload for 'startsWith' applied to 'list.(string)'"),
        ("self.l.all(x, x > 1)", "found no matching overload for '_>_' applied to '(string, int)'"),
        ("authorizer.path('/').check('get').allowed()", "undeclared reference to 'authorizer'"),
        ("self.?n.hasValue()", "compilation failed: ERROR: <input>"),
    ];
    for (source, words) in table {
        let (field, message) = refused(json!({"rule": source}));
        assert_eq!(field, "s.properties[spec].x-kubernetes-validations[0].rule", "{source}");
        assert!(message.contains(words), "{source}: {message}");
    }
    let (field, message) = refused(json!({"rule": "true", "fieldPath": ".gone"}));
    assert_eq!(field, "s.properties[spec].x-kubernetes-validations[0].fieldPath");
    assert!(message.contains("does not refer to a valid field"), "{message}");
    let (field, _) = refused(json!({"rule": "true", "messageExpression": "self.n"}));
    assert_eq!(field, "s.properties[spec].x-kubernetes-validations[0].messageExpression");
}

#[test]
fn transition_rules_inside_lists_without_keys_are_refused() {
    let schema = parse(&json!({"type": "object", "properties": {"l": {"type": "array", "items": {"type": "string", "x-kubernetes-validations": [{"rule": "self == oldSelf"}]}}}})).unwrap();
    let causes = compile(&schema, "s").map(drop).unwrap_err();
    assert!(
        causes[0].message.ends_with("oldSelf cannot be used on the uncorrelatable portion of the schema within s.properties[l]"),
        "{}",
        causes[0].message
    );
}

#[test]
fn compiled_rules_can_be_shared_between_threads() {
    fn shareable<T: Send + Sync>() {}
    shareable::<CompiledRules>();
}

/// Rules in the manner of widely used CRDs: all of them must get past the type check, and hold for the value.
#[test]
fn rules_as_people_write_them_are_accepted_and_hold() {
    let spec = json!({"type": "object", "properties": {
        "listeners": {"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"], "items": {"type": "object", "required": ["name"], "properties": {
            "name": {"type": "string"}, "port": {"type": "integer"}, "protocol": {"type": "string"}, "hostname": {"type": "string"},
            "tls": {"type": "object", "properties": {"mode": {"type": "string"}}}}}},
        "weights": {"type": "array", "items": {"type": "integer"}},
        "labels": {"type": "object", "additionalProperties": {"type": "string"}},
        "mode": {"type": "string"}, "canary": {"type": "object", "properties": {"steps": {"type": "array", "items": {"type": "number"}}}},
        "timeout": {"type": "string"}, "limit": {"x-kubernetes-int-or-string": true}, "share": {"type": "number"}, "count": {"type": "integer"},
    }});
    let value = json!({"listeners": [{"name": "a", "port": 80, "protocol": "HTTP"}, {"name": "b", "port": 443, "protocol": "HTTPS", "tls": {"mode": "Terminate"}}],
        "weights": [10, 90], "labels": {"app": "x"}, "mode": "Canary", "canary": {"steps": [0.1, 0.5]}, "timeout": "1m30s", "limit": "25%", "share": 0.5, "count": 3});
    let rules = [
        "self.listeners.all(l, l.protocol in ['HTTP', 'TCP', 'UDP'] ? !has(l.tls) : true)",
        "self.listeners.all(l1, self.listeners.exists_one(l2, l1.port == l2.port && l1.protocol == l2.protocol && (has(l1.hostname) && has(l2.hostname) ? l1.hostname == l2.hostname : !has(l1.hostname) && !has(l2.hostname))))",
        "self.weights.sum() == 100 && self.weights.map(w, w * 2).sum() == 200",
        "self.weights.filter(w, w > 50).size() == 1",
        "self.mode == 'Canary' ? has(self.canary) : !has(self.canary)",
        "[has(self.canary), has(self.timeout)].filter(x, x).size() <= 2",
        "!has(self.canary) || self.canary.steps.all(s, s > 0.0 && s <= 1.0) && self.canary.steps.isSorted()",
        "duration(self.timeout) >= duration('1s') && duration(self.timeout).getMinutes() == 1",
        "self.limit == '25%' || self.limit == 1",
        "string(self.count) + '-' + self.mode == '3-Canary'",
        "double(self.count) * self.share == 1.5",
        "self.labels.all(k, k.size() <= 63 && self.labels[k].matches('^[a-z]+$')) && 'app' in self.labels",
        "'%d of %s'.format([self.count, self.mode]) == '3 of Canary'",
        "self.listeners.map(l, l.name).join(',') == 'a,b'",
        "self.timeout.endsWith('s') && self.timeout.find('[0-9]+') == '1'",
        "self.count % 2 == 1 && -self.count < 0 && self.count > 2.5",
        "sets.contains(['a', 'b'], self.listeners.map(l, l.name))",
        "math.greatest(1, self.count) == 3",
    ];
    for source in rules {
        let mut spec = spec.clone();
        spec["x-kubernetes-validations"] = json!([{"rule": source}]);
        assert_eq!(run(&spec, &value, None), Vec::<String>::new(), "{source}");
    }
}

#[test]
fn transition_rules_are_checked_against_the_same_schema() {
    let compiled = |rule: Value| {
        compile(
            &parse(&json!({"type": "object", "properties": {"n": {"type": "integer"}}, "x-kubernetes-validations": [rule]})).unwrap(),
            "s",
        )
    };
    assert!(compiled(json!({"rule": "self.n >= oldSelf.n"})).is_ok());
    assert!(compiled(json!({"rule": "self.n >= oldSelf.m"})).is_err());
    assert!(compiled(json!({"rule": "oldSelf.orValue(self).n <= self.n", "optionalOldSelf": true})).is_ok());
    assert!(compiled(json!({"rule": "self.n > 0", "optionalOldSelf": true})).is_err());
}

#[test]
fn a_malformed_pattern_in_a_rule_fails_when_it_runs() {
    let spec =
        json!({"type": "object", "properties": {"p": {"type": "string"}}, "x-kubernetes-validations": [{"rule": "'x'.matches(self.p)"}]});
    assert_eq!(run(&spec, &json!({"p": "x"}), None), Vec::<String>::new());
    let broken = run(&spec, &json!({"p": "("}), None);
    assert!(
        broken[0].starts_with("spec: Invalid value: \"object\": ") && broken[0].ends_with("evaluating rule: 'x'.matches(self.p)"),
        "{broken:?}"
    );
}
