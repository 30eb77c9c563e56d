use super::*;
use crate::api::model_deployment::{Gateway, HeaderMatch, HttpTraffic, Mirror, Retry};
use crate::domain::record::Cause;

fn owner() -> Owner {
    Owner { namespace: "ml".to_owned(), name: "chat".to_owned(), uid: "u".to_owned() }
}

fn name(text: &str) -> RevisionName {
    RevisionName::new(text)
}

fn decision(weight: i32, cause: Cause) -> Decision {
    Decision {
        number: 2,
        generation: 1,
        split: Split::between(name("chat-a"), name("chat-b"), weight),
        stage_weight: weight,
        cause,
        reason: String::new(),
        nonce: None,
        overriding: None,
    }
}

fn traffic() -> Traffic {
    let pin = |value: &str| CandidateMatch {
        headers: vec![HeaderMatch { name: "x-canary".to_owned(), value: value.to_owned(), ..HeaderMatch::default() }],
    };
    Traffic {
        gateways: vec![Gateway { name: "public".to_owned(), ..Gateway::default() }],
        path: Some("/v1".to_owned()),
        http: Some(HttpTraffic { retry: Some(Retry { codes: vec![503], ..Retry::default() }), ..HttpTraffic::default() }),
        candidate_matches: vec![pin("always"), pin("yes")],
        mirror: Some(Mirror { percent: 7 }),
        ..Traffic::default()
    }
}

fn built(weight: i32, cause: Cause) -> Value {
    build(&owner(), &traffic(), &decision(weight, cause), &LeftOut::default())
}

#[test]
fn pins_and_mirror_lead_to_the_candidate_while_it_goes_forward() {
    let route = built(25, Cause::Advance);
    let rules = rules_of(&route);
    assert_eq!(rules.len(), 2);
    assert_eq!(rules[0]["backendRefs"], json!([backend(&name("chat-b"), 100)]));
    let headers = json!([{ "type": "Exact", "name": "x-canary", "value": "yes" }]);
    assert_eq!(rules[0]["matches"][1], json!({ "path": { "type": "PathPrefix", "value": "/v1" }, "headers": headers }));
    assert_eq!(rules[0].get("filters"), None, "what is pinned there is not copied there");
    let mirror = &rules[1]["filters"][0]["requestMirror"];
    assert_eq!((&mirror["percent"], &mirror["backendRef"]["name"]), (&json!(7), &json!("chat-b")));
    assert!(rules.iter().all(|rule| rule["retry"] == json!({ "codes": [503] })));
}

#[test]
fn nothing_but_its_weight_leads_to_a_candidate_that_has_everything_or_goes_back() {
    for (weight, cause) in [(100, Cause::Advance), (0, Cause::Abort), (10, Cause::Abort), (0, Cause::NotReady), (5, Cause::Superseded)] {
        let route = built(weight, cause);
        assert!(rules_of(&route).len() == 1 && !has_extras(&route), "{weight} {cause:?}");
    }
    let preview = built(0, Cause::Advance);
    assert_eq!(rules_of(&preview)[0]["backendRefs"][0]["name"], "chat-b");
    assert_eq!(rules_of(&preview)[1]["backendRefs"], json!([backend(&name("chat-a"), 100)]));
}

#[test]
fn what_is_built_is_intact_for_its_own_decision_and_for_no_other() {
    let decisions = [(0, Cause::Advance), (25, Cause::Advance), (100, Cause::Advance), (25, Cause::Abort), (0, Cause::Abort)];
    for (built_place, (weight, cause)) in decisions.into_iter().enumerate() {
        for (place, (other, its_cause)) in decisions.into_iter().enumerate() {
            let intact = is_intact(&built(weight, cause), &decision(other, its_cause));
            // A route without pins is none that leads astray: they may be left out, or not have been asked for.
            let closed = weight == other && cause != Cause::Advance;
            assert_eq!(intact, built_place == place || closed, "{weight} {cause:?} for {other} {its_cause:?}");
        }
    }
}

#[test]
fn a_pin_or_a_mirror_that_leads_elsewhere_is_not_intact() {
    let open = decision(25, Cause::Advance);
    for pointer in ["/spec/rules/0/backendRefs/0/name", "/spec/rules/1/filters/0/requestMirror/backendRef/name"] {
        let mut route = built(25, Cause::Advance);
        *route.pointer_mut(pointer).unwrap() = json!("chat-a");
        assert!(!is_intact(&route, &open), "{pointer}");
    }
    let mut route = built(25, Cause::Advance);
    let pins = rules_of(&route)[0].clone();
    route["spec"]["rules"].as_array_mut().unwrap().insert(0, pins);
    assert!(!is_intact(&route, &open), "one rule of pins is ours, two are not");
}

#[test]
fn what_is_left_out_is_not_there_and_is_noted() {
    let mut left_out = LeftOut::default();
    for feature in [Feature::Retry, Feature::Mirror, Feature::CandidateMatches] {
        left_out.add(feature, "no");
    }
    let route = build(&owner(), &traffic(), &decision(25, Cause::Advance), &left_out);
    assert!(!has_extras(&route) && rules_of(&route)[0].get("retry").is_none());
    assert_eq!(LeftOut::of(Some(&route), &traffic()), left_out);
    assert!(is_intact(&route, &decision(25, Cause::Advance)));
}

#[test]
fn a_grpc_route_matches_headers_and_knows_no_path() {
    let traffic = Traffic { protocol: Protocol::Grpc, path: None, http: None, ..traffic() };
    let route = build(&owner(), &traffic, &decision(25, Cause::Advance), &LeftOut::default());
    assert_eq!(route["kind"], "GRPCRoute");
    let rules = rules_of(&route);
    assert_eq!(rules[0]["matches"][0], json!({ "headers": [{ "type": "Exact", "name": "x-canary", "value": "always" }] }));
    assert_eq!(rules[1].get("matches"), None);
    assert!(is_intact(&route, &decision(25, Cause::Advance)));
}

#[test]
fn a_route_that_gives_way_keeps_its_matches_and_follows_the_weights_without_extras() {
    let live = built(25, Cause::Advance);
    let back = decision(0, Cause::Abort);
    let route = in_step(&owner(), &live, &back).unwrap();
    assert_eq!(route["kind"], "HTTPRoute");
    assert!(is_intact(&route, &back) && !has_extras(&route));
    assert_eq!(rules_of(&route)[0]["matches"], rules_of(&live)[1]["matches"]);
    assert_eq!(route["spec"]["parentRefs"], live["spec"]["parentRefs"]);
    assert_eq!(crate::traffic::from_object(&route), Some(back));
}
