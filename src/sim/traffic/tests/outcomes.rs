//! What becomes of requests: nothing is lost, overload shows, and the same seed gives the same bytes.

use super::stage::*;
use crate::sim::traffic::truth::Tally;

const SPEC: &str = "gateway: {}\ntraffic: [{host: chat.example.com, requestsPerSecond: 50, burstiness: 3}]\n";

/// Servers that take `each` per request, two at a time.
fn slow(each: &str) -> String {
    format!("{SPEC}pods:\n- {{selector: {{}}, serving: {{concurrency: 2, queue: 20, latency: {{p50: {each}, p99: {each}}}}}}}\n")
}

fn conserved(play: &crate::sim::world::play::Play) {
    let truth = play.simulation.traffic().unwrap().truth();
    for tally in truth.demands.iter().chain(truth.pods.values()) {
        assert_eq!(tally.arrived, tally.accounted(), "{tally:?}");
    }
    for (pod, tally) in &truth.pods {
        let timed: u64 = truth.durations.get(pod).into_iter().flatten().sum();
        assert_eq!(timed, tally.answered + tally.failed + tally.timed_out, "{pod}: {tally:?}");
    }
}

#[test]
fn every_request_has_exactly_one_ending() {
    let trouble = "events:
- {at: 5m, change: {selector: {matchLabels: {app: new}}, failure: {type: Crash, after: 40s, times: 3}}}
- {at: 10m, fault: {kill: {selector: {matchLabels: {app: old}}}}}
- {at: 15m, fault: {nodeLoss: node-1, for: 3m}}
- {at: 16m, fault: {nodeLoss: node-2, for: 3m}}
";
    let mut play = started(3, &format!("{}{trouble}", slow("300ms")), &split(1, 1));
    for minute in 1..=30 {
        to(&mut play, minute);
        conserved(&play);
    }
    let all = demanded(&play);
    for part in [all.answered, all.failed, all.refused, all.timed_out, all.broken, all.unserved] {
        assert!(part > 0, "this world was to show every ending: {all:?}");
    }
}

#[test]
fn enough_capacity_answers_nearly_all() {
    let mut play = started(1, SPEC, &split(1, 1));
    to(&mut play, 2);
    let begun = demanded(&play);
    to(&mut play, 62);
    let all = demanded(&play);
    assert_eq!((all.refused, all.timed_out, all.broken, all.waiting), (0, 0, 0, 0));
    let failed = (all.failed - begun.failed) as f64 / (all.arrived - begun.arrived) as f64;
    assert!((failed - 0.001).abs() < 0.0005, "{failed}");
}

#[test]
fn overload_queues_and_refuses() {
    // Three pods with two servers of one second each: six a second, of fifty that come.
    let mut play = started(1, &slow("1s"), &split(2, 1));
    to(&mut play, 30);
    let Tally { arrived, answered, refused, waiting, .. } = demanded(&play);
    let served = answered as f64 / (29.0 * 60.0);
    assert!((served - 6.0).abs() < 0.3, "{served}");
    assert!(refused > arrived / 2 && waiting >= 40, "{:?}", demanded(&play));
    let slowest = value(
        &play,
        "histogram_quantile(0.5, sum by (le) (rate(http_server_request_duration_seconds_bucket{http_response_status_code=\"200\"}[5m])))",
    );
    assert!(slowest > 7.0, "a full queue of 20 before two servers of one second: {slowest}");
}

#[test]
fn patience_ends_before_a_long_queue_does() {
    let spec = slow("1s").replace("burstiness: 3", "timeout: 5s");
    let mut play = started(1, &spec, &split(2, 1));
    to(&mut play, 10);
    let all = demanded(&play);
    assert!(all.timed_out > 1000 && all.answered < all.timed_out, "{all:?}");
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    let bytes = |seed: u64, steps: &[i64]| {
        let mut play = started(seed, SPEC, &split(3, 1));
        steps.iter().for_each(|minute| to(&mut play, *minute));
        let traffic = play.simulation.traffic().unwrap();
        format!("{:?}{:?}", traffic.truth(), traffic.storage())
    };
    let first = bytes(1, &[12]);
    assert_eq!(first, bytes(1, &[1, 2, 7, 11, 12]), "however time passes");
    assert_ne!(first, bytes(2, &[12]));
}

#[test]
fn traffic_writes_nothing_and_lets_the_cluster_be_quiet() {
    let mut play = started(1, SPEC, &split(1, 1));
    to(&mut play, 10);
    let revision = play.simulation.cluster.revision();
    assert!(play.simulation.is_quiet() && play.simulation.next_due().is_some());
    to(&mut play, 60);
    assert_eq!(play.simulation.cluster.revision(), revision);
    let mut silent = started(1, "gateway: {}", &split(1, 1));
    to(&mut silent, 10);
    assert!(silent.simulation.traffic().is_none() && silent.simulation.schedule().is_empty());
    assert_eq!(silent.simulation.next_due(), silent.simulation.cluster.next_deadline());
}

#[test]
fn a_change_of_serving_shows_from_then_on() {
    let change = "events:\n- {at: 10m, change: {selector: {matchLabels: {app: new}}, serving: {errorRate: 0.5}}}\n";
    let mut play = started(1, &format!("{SPEC}{change}"), &split(1, 1));
    to(&mut play, 10);
    assert!(at_pods(&play, "new").failed < 50);
    to(&mut play, 20);
    let new = at_pods(&play, "new");
    assert!(new.failed > 6_000 && at_pods(&play, "old").failed < 100, "{new:?}");
    let told: Vec<String> = play.take_happenings().into_iter().map(|told| format!("{}: {}", told.what, told.why)).collect();
    assert_eq!(told, ["pods app=new: a share of 0.5 fails"]);
}
