//! Where requests go.

use super::stage::*;

const SPEC: &str = "gateway: {}\ntraffic: [{host: chat.example.com, requestsPerSecond: 50}]\n";

/// Share of the requests that reached pods which went to the new server.
fn share_of_new(old: u64, new: u64) -> f64 {
    new as f64 / (old + new) as f64
}

#[test]
fn the_split_is_that_of_the_weights_within_chance() {
    let mut play = started(1, SPEC, &split(80, 20));
    to(&mut play, 60);
    let (old, new) = (at_pods(&play, "old").arrived, at_pods(&play, "new").arrived);
    let share = share_of_new(old, new);
    // Five standard deviations of a share of 0.2 of these many requests.
    let chance = 5.0 * (0.2 * 0.8 / (old + new) as f64).sqrt();
    assert!((share - 0.2).abs() < chance, "{share} of {}", old + new);
    assert!((old + new) as f64 > 50.0 * 3500.0);
    let pods: Vec<u64> = play.simulation.traffic().unwrap().truth().pods.values().map(|tally| tally.arrived).collect();
    assert_eq!(pods.len(), 3, "the two pods of the old server share its requests");
    assert!(pods.iter().all(|pod| *pod > 30_000), "{pods:?}");
}

#[test]
fn other_weights_move_traffic_once_the_gateway_has_taken_them() {
    let patch = "- {at: 10m, patch: {object: httproute/chat, merge: {spec: {rules: [{backendRefs: [{name: old, port: 80, weight: 0}, {name: new, port: 80, weight: 1}]}]}}}}";
    let mut play = started(1, &format!("{SPEC}events:\n{patch}\n"), &split(1, 0));
    to(&mut play, 10);
    assert_eq!(at_pods(&play, "new").arrived, 0);
    let before = at_pods(&play, "old").arrived;
    assert!(before > 25_000);
    to(&mut play, 20);
    // The window in which the gateway took the change goes to the new one as a whole.
    assert_eq!(at_pods(&play, "old").arrived, before);
    assert!(at_pods(&play, "new").arrived > 25_000);
}

#[test]
fn a_service_shares_evenly_among_its_ready_pods_only() {
    let spec = "traffic: [{service: default/old, requestsPerSecond: 20}]\nevents:\n- {at: 10m, change: {selector: {matchLabels: {app: old}}, failure: {type: NeverReady}}}\n";
    let mut play = started(1, spec, &server("old", 2));
    to(&mut play, 10);
    let tally = demanded(&play);
    let pods: Vec<u64> = play.simulation.traffic().unwrap().truth().pods.values().map(|tally| tally.arrived).collect();
    assert_eq!(pods.len(), 2);
    assert!((pods[0] as f64 / pods[1] as f64 - 1.0).abs() < 0.1, "{pods:?}");
    to(&mut play, 20);
    let later = demanded(&play);
    assert!(later.unserved > tally.unserved + 11_000, "nobody is ready: {later:?}");
}

#[test]
fn headers_choose_the_rule() {
    let rules = "[{backendRefs: [{name: old, port: 80}]}, {matches: [{headers: [{name: x-canary, value: always}]}], backendRefs: [{name: new, port: 80}]}]";
    let documents = format!("{}{}{}", server("old", 1), server("new", 1), route(rules));
    let spec = "gateway: {}
traffic:
- {host: chat.example.com, requestsPerSecond: 9}
- {host: chat.example.com, requestsPerSecond: 1, headers: {X-Canary: always}}
";
    let mut play = started(1, spec, &documents);
    to(&mut play, 30);
    let truth = play.simulation.traffic().unwrap().truth().clone();
    assert_eq!(at_pods(&play, "old").arrived, truth.demands[0].arrived - truth.demands[0].unserved - truth.demands[0].unrouted);
    assert_eq!(at_pods(&play, "new").arrived, truth.demands[1].arrived - truth.demands[1].unserved - truth.demands[1].unrouted);
    assert!(truth.demands[1].answered > 1500);
}

#[test]
fn a_backend_that_is_not_there_gets_its_share_of_errors() {
    let rules = "[{backendRefs: [{name: old, port: 80, weight: 3}, {name: missing, port: 80, weight: 1}]}]";
    let mut play = started(1, SPEC, &format!("{}{}", server("old", 1), route(rules)));
    to(&mut play, 20);
    let tally = demanded(&play);
    let share = tally.misrouted as f64 / (tally.arrived - tally.unrouted) as f64;
    assert!((share - 0.25).abs() < 0.02, "{tally:?}");
}

#[test]
fn without_any_weight_nobody_gets_a_request() {
    let mut play = started(1, SPEC, &split(0, 0));
    to(&mut play, 5);
    let tally = demanded(&play);
    assert_eq!(tally.misrouted + tally.unrouted, tally.arrived);
    assert!(play.simulation.traffic().unwrap().truth().pods.is_empty());
}

#[test]
fn requests_that_nothing_takes_until_the_end_are_a_mistake() {
    let spec = "gateway: {}
traffic:
- {host: chat.example.com, requestsPerSecond: 1}
- {host: caht.example.com, requestsPerSecond: 1}
- {service: default/oldd, requestsPerSecond: 1}
";
    let mut play = started(1, spec, &split(1, 1));
    to(&mut play, 1);
    let problems = play.finish(false).unwrap_err();
    let places: Vec<String> = problems.iter().map(|problem| problem.place.to_string()).collect();
    assert_eq!(places, ["world.yaml:7:12", "world.yaml:8:15"], "{problems:?}");
    assert_eq!(demanded(&play).arrived, demanded(&play).accounted());
}

#[test]
fn a_route_for_a_service_splits_what_the_cluster_asks_it() {
    let mesh = "apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: inside}
spec: {parentRefs: [{group: '', kind: Service, name: old, port: 80}], rules: [{backendRefs: [{name: old, port: 80, weight: 1}, {name: new, port: 80, weight: 1}]}]}
";
    let spec = "gateway: {}\ntraffic: [{service: default/old, requestsPerSecond: 20}]\n";
    let mut play = started(1, spec, &format!("{}{}{mesh}", server("old", 1), server("new", 1)));
    to(&mut play, 20);
    let share = share_of_new(at_pods(&play, "old").arrived, at_pods(&play, "new").arrived);
    assert!((share - 0.5).abs() < 0.03, "{share}");
}

#[test]
fn a_mirror_copies_its_percentage_and_takes_nothing_from_anybody() {
    let mirror = "{type: RequestMirror, requestMirror: {backendRef: {name: new, port: 80}, percent: 10}}";
    let rules = format!("[{{filters: [{mirror}], backendRefs: [{{name: old, port: 80}}]}}]");
    let mut play = started(1, SPEC, &format!("{}{}{}", server("old", 2), server("new", 1), route(&rules)));
    to(&mut play, 60);
    let (old, new, asked) = (at_pods(&play, "old").arrived, at_pods(&play, "new").arrived, demanded(&play));
    assert_eq!(old, asked.arrived - asked.unrouted - asked.unserved, "copies are beside what is asked");
    let share = new as f64 / old as f64;
    assert!((share - 0.1).abs() < 5.0 * (0.1 * 0.9 / old as f64).sqrt(), "{share} of {old}");
}

#[test]
fn grpc_requests_go_by_grpc_routes_and_their_methods_and_headers() {
    let documents = format!("{}{}{}", server("old", 1), server("new", 1), route("[{backendRefs: [{name: missing, port: 80}]}]"));
    let rules = "[{matches: [{method: {service: chat.v1.Chat}, headers: [{name: x-canary, value: always}]}], backendRefs: [{name: new, port: 80}]}, {backendRefs: [{name: old, port: 80}]}]";
    let grpc = format!(
        "apiVersion: gateway.networking.k8s.io/v1\nkind: GRPCRoute\nmetadata: {{name: chat}}\nspec: {{parentRefs: [{{name: public}}], hostnames: [chat.example.com], rules: {rules}}}\n"
    );
    let spec = "gateway: {}
traffic:
- {host: chat.example.com, requestsPerSecond: 9, protocol: GRPC, path: /chat.v1.Chat/Complete}
- {host: chat.example.com, requestsPerSecond: 1, protocol: GRPC, path: /chat.v1.Chat/Complete, headers: {x-canary: always}}
- {host: chat.example.com, requestsPerSecond: 1, protocol: GRPC, path: /other.v1.Chat/Complete, headers: {x-canary: always}}
";
    let mut play = started(1, spec, &format!("{documents}{grpc}"));
    to(&mut play, 30);
    let truth = play.simulation.traffic().unwrap().truth().clone();
    let taken = |demand: usize| truth.demands[demand].arrived - truth.demands[demand].unserved - truth.demands[demand].unrouted;
    assert_eq!(at_pods(&play, "new").arrived, taken(1));
    assert_eq!(at_pods(&play, "old").arrived, taken(0) + taken(2));
    assert!(taken(1) > 1000 && truth.demands.iter().all(|tally| tally.misrouted == 0));
}
