//! CEL rules: what they take, what they refuse, what they say and what they cost.

use std::collections::BTreeSet;

use crate::cost;
use crate::evaluate::{Answer, answers, rules};
use crate::fixtures::{Case, KINDS, cases, full, patched, schema};

fn said(case: &Case) -> BTreeSet<Answer> {
    let new = patched(full(&case.kind), &case.change);
    let old = case.before.as_ref().map(|before| patched(full(&case.kind), before));
    answers(&schema(&case.kind), &new, old.as_ref())
}

#[test]
fn each_case_is_taken_or_refused_with_the_message_it_names() {
    for case in cases() {
        let said = said(&case);
        match &case.refused {
            None => assert!(said.is_empty(), "{}: {} was refused: {said:#?}", case.kind, case.name),
            Some(part) => {
                let named = said.iter().any(|(_, message)| message.contains(part.as_str()));
                assert!(named, "{}: {} should have been refused with {part:?}: {said:#?}", case.kind, case.name);
                assert_eq!(said.len(), 1, "{}: {} breaks more than it says: {said:#?}", case.kind, case.name);
            }
        }
    }
}

#[test]
fn the_object_with_every_field_breaks_no_rule() {
    for kind in KINDS {
        assert_eq!(answers(&schema(kind), &full(kind), None), BTreeSet::new(), "{kind}");
        assert_eq!(answers(&schema(kind), &full(kind), Some(&full(kind))), BTreeSet::new(), "{kind}, applied again");
    }
}

#[test]
fn every_rule_is_broken_by_a_case() {
    for kind in KINDS {
        let said: BTreeSet<Answer> = cases().iter().filter(|case| case.kind == kind).flat_map(said).collect();
        for rule in rules(&schema(kind)) {
            let broken = said.contains(&(rule.path.clone(), rule.message.clone()));
            assert!(broken, "{kind}: no case in tests/crds/rules.yaml breaks the rule at {}: {}", rule.path, rule.message);
        }
    }
}

#[test]
fn every_rule_says_what_to_do() {
    for kind in KINDS {
        for rule in rules(&schema(kind)) {
            assert!(rule.message.split(' ').count() >= 5, "{kind} {}: the message {:?} helps nobody", rule.path, rule.message);
        }
    }
}

/// The API server refuses a CRD with a rule above 10,000,000 or a sum above 100,000,000. A tenth of that is the house's bound, because
/// the estimate here is coarser than the server's.
#[test]
fn rules_stay_far_below_the_budget_of_the_api_server() {
    for kind in KINDS {
        let mut sum = 0;
        for rule in rules(&schema(kind)) {
            let cost = cost::estimate(&rule.rule, &rule.node) * rule.times;
            assert!(cost <= 1_000_000, "{kind} {}: {} may cost {cost}", rule.path, rule.rule);
            sum += cost;
        }
        assert!(sum <= 10_000_000, "{kind}: all rules together may cost {sum}");
    }
}

#[test]
fn a_rule_over_a_long_list_of_long_texts_is_seen_as_dear() {
    let node = serde_json::json!({"type": "array", "maxItems": 1000, "items": {"type": "string", "maxLength": 100_000}});
    assert!(cost::estimate("self.all(text, text.matches('^[a-z]+$'))", &node) > 10_000_000);
    assert!(cost::estimate("self.size() < 3", &node) < 100);
}
