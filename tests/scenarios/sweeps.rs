//! Sweeps: one fault in a play, at every place where it can strike, one run each.
//!
//! - The operator is killed before or after every one of its requests, and started again three virtual seconds later. *Before*:
//!   the request never arrives. *After*: it is carried out, and the answer is never seen. From the kill on nothing more arrives
//!   of that process, and its tasks are gone.
//! - The same, and the new process sees states that are 1, 3 or 10 changes old, of every kind, for ten seconds. Only the lists
//!   after a start and those after a 410 can be old: all others are watches, and the few objects that are read by name are read
//!   from the newest state.
//! - Every request is answered 409, 429, 500 before or after everything was done, 503, or not at all.
//! - Every event of a watch is hidden, sent twice, sent late with all that follows it, or replaced by a 410.
//!
//! Each run must come to the same end as the run that nobody disturbed, without a violation on the way.
//!
//! `cargo test` kills at every request of the plays that matter most and at every third of the others, and takes a sample of
//! the other faults; `MODELWARD_SWEEP=all` takes everything of all, `MODELWARD_SWEEP=one-in-20` about every twentieth run, and
//! `MODELWARD_SWEEP=rest` every kill that `cargo test` leaves out with about every fiftieth of the other faults.
//!
//! `MODELWARD_SWEEP=route:after:17 cargo test --test scenarios sweeps` replays one run: play, fault and place, as the failure
//! names them.

mod end;
mod fault;
mod plays;
mod saboteur;

use std::fmt;
use std::time::Duration;

use modelward::sim::draw::Draws;

use crate::sweeps::end::EndState;
use crate::sweeps::fault::{Answer, Fault, Moment, News, Place};
use crate::sweeps::plays::Play;
use crate::sweeps::saboteur::Trace;

/// What a run came to.
struct Outcome {
    end: EndState,
    violations: Vec<String>,
    /// What a fault may hit.
    trace: Trace,
    /// What the fault hit, in words.
    planted: String,
}

/// One run of a sweep.
struct Run {
    play: &'static Play,
    fault: Fault,
    place: usize,
}

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.play.name, self.fault, self.place)
    }
}

/// Requests between two kills in a play that is not swept in full.
const STRIDE: usize = 3;
/// Places of each fault in each play that `cargo test` draws.
const SAMPLE: usize = 1;
/// One of so many places of the other faults is taken beside `cargo test`, with `rest`.
const PART: usize = 50;
/// For the draws.
const SEED: u64 = 1;

/// What is swept.
enum Extent {
    Usual,
    All,
    /// Every kill that [`Extent::Usual`] leaves out, and a part of the other faults.
    Rest,
    OneIn(usize),
    Only {
        play: String,
        fault: Fault,
        place: usize,
    },
}

/// What the environment asks for.
fn extent() -> Extent {
    let Ok(text) = std::env::var("MODELWARD_SWEEP") else { return Extent::Usual };
    if text == "all" {
        return Extent::All;
    }
    if text == "rest" {
        return Extent::Rest;
    }
    if let Some(number) = text.strip_prefix("one-in-") {
        return Extent::OneIn(number.parse().unwrap());
    }
    let parts: Vec<&str> = text.split(':').collect();
    let [play, fault, place] = parts.as_slice() else {
        panic!("MODELWARD_SWEEP is all, rest, one-in-NUMBER or play:fault:place, not {text}")
    };
    let fault = fault.parse().unwrap_or_else(|words| panic!("MODELWARD_SWEEP: {words}"));
    Extent::Only { play: (*play).to_owned(), fault, place: place.parse().unwrap() }
}

/// The places of `fault` in a play.
fn places(fault: Fault, trace: &Trace) -> Vec<usize> {
    let is_write = |(verb, _): &(String, String)| !["get", "list", "watch"].contains(&verb.as_str());
    match fault.place() {
        Place::Request => (0..trace.requests.len()).collect(),
        Place::Write => (0..trace.requests.len()).filter(|place| is_write(&trace.requests[*place])).collect(),
        Place::Event => (0..trace.events).collect(),
    }
}

/// About `wanted` of `places`, drawn one from each equal part of them.
fn drawn(run: &str, places: &[usize], wanted: usize) -> Vec<usize> {
    let part = places.len().div_ceil(wanted.clamp(1, places.len().max(1)));
    let draws = Draws::new(SEED);
    let one = |(number, part): (usize, &[usize])| part[draws.below("sweep", run, number as u64, part.len() as u64) as usize];
    places.chunks(part.max(1)).enumerate().map(one).collect()
}

/// The places at which `play` is disturbed.
fn wanted(play: &Play, fault: Fault, trace: &Trace) -> Vec<usize> {
    let all = places(fault, trace);
    let name = format!("{} {fault}", play.name);
    match (extent(), fault) {
        (Extent::All, _) => all,
        (Extent::Rest, Fault::Kill(_)) if play.every => Vec::new(),
        (Extent::Rest, Fault::Kill(_)) => {
            all.into_iter().enumerate().filter(|(number, _)| number % STRIDE != 0).map(|(_, place)| place).collect()
        }
        (Extent::Rest, _) => drawn(&name, &all, all.len().div_ceil(PART)),
        (Extent::Usual, Fault::Kill(_)) => all.into_iter().step_by(if play.every { 1 } else { STRIDE }).collect(),
        (Extent::Usual, _) => drawn(&name, &all, SAMPLE),
        (Extent::OneIn(number), _) => drawn(&name, &all, all.len().div_ceil(number)),
        (Extent::Only { play: only, fault: asked, place }, _) => {
            if only == play.name && asked == fault {
                vec![place]
            } else {
                Vec::new()
            }
        }
    }
}

/// How long a play goes on after its end: what was hidden near it is noticed within five minutes.
fn rest(fault: Fault) -> Duration {
    Duration::from_secs(if matches!(fault, Fault::Kill(_)) { 90 } else { 330 })
}

/// Plants each of `faults`, which rest equally long, at its places in `play`.
fn sweep(play: &'static Play, faults: &[Fault]) {
    if let Extent::Only { play: only, fault, .. } = extent()
        && (only != play.name || !faults.contains(&fault))
    {
        return;
    }
    let rest = rest(faults[0]);
    let undisturbed = plays::run(play, None, rest);
    assert_eq!(undisturbed.violations, Vec::<String>::new(), "{}: nobody disturbed it", play.name);
    let mut failures = Vec::new();
    let mut runs = 0;
    for fault in faults {
        for place in wanted(play, *fault, &undisturbed.trace) {
            runs += 1;
            let run = Run { play, fault: *fault, place };
            let outcome = plays::run(play, Some((*fault, place)), rest);
            if let Some(words) = differences(&undisturbed, &outcome) {
                println!("{run} fails");
                failures.push(format!(
                    "{words}\n    hit: {}\n    replay: MODELWARD_SWEEP={run} cargo test --test scenarios sweeps",
                    outcome.planted
                ));
            }
        }
    }
    println!("{}: {runs} runs", play.name);
    assert!(failures.is_empty(), "{} of {runs} runs fail:\n{}", failures.len(), failures.join("\n"));
}

/// What is wrong with a run.
fn differences(undisturbed: &Outcome, run: &Outcome) -> Option<String> {
    if let Some(first) = run.violations.first() {
        return Some(format!("{} violations, the first: {first}", run.violations.len()));
    }
    run.end.difference(&undisturbed.end)
}

/// Every answer that is none.
const ANSWERS: [Fault; 7] = [
    Fault::Answer(Answer::Conflict),
    Fault::Answer(Answer::Throttled),
    Fault::Answer(Answer::Error(Moment::Before)),
    Fault::Answer(Answer::Error(Moment::After)),
    Fault::Answer(Answer::Unavailable),
    Fault::Answer(Answer::Timeout(Moment::Before)),
    Fault::Answer(Answer::Timeout(Moment::After)),
];

/// Everything that can become of an event.
const NEWS: [Fault; 6] = [
    Fault::News(News::Hidden),
    Fault::News(News::Twice),
    Fault::News(News::Late(1)),
    Fault::News(News::Late(30)),
    Fault::News(News::Expired(1)),
    Fault::News(News::Expired(10)),
];

/// A new process and a server that lags.
const STALE: [Fault; 3] = [Fault::Behind(1), Fault::Behind(3), Fault::Behind(10)];

/// One test for each play and moment, so that they run side by side.
macro_rules! kills {
    ($($name:ident: $play:ident $moment:ident;)*) => {
        $(
            #[test]
            fn $name() {
                sweep(&plays::$play, &[Fault::Kill(Moment::$moment)]);
            }
        )*
    };
}

kills! {
    canary_by_route_killed_before_any_request_comes_to_the_same_end: ROUTE Before;
    canary_by_route_killed_after_any_request_comes_to_the_same_end: ROUTE After;
    change_of_protocol_killed_before_any_request_comes_to_the_same_end: ROUTE_GRPC Before;
    change_of_protocol_killed_after_any_request_comes_to_the_same_end: ROUTE_GRPC After;
    canary_by_pods_killed_before_any_request_comes_to_the_same_end: PODS Before;
    canary_by_pods_killed_after_any_request_comes_to_the_same_end: PODS After;
    preview_by_route_killed_before_any_request_comes_to_the_same_end: ROUTE_PREVIEW Before;
    preview_by_route_killed_after_any_request_comes_to_the_same_end: ROUTE_PREVIEW After;
    preview_by_pods_killed_before_any_request_comes_to_the_same_end: PODS_PREVIEW Before;
    preview_by_pods_killed_after_any_request_comes_to_the_same_end: PODS_PREVIEW After;
    abort_by_route_killed_before_any_request_never_gives_weight_back: ROUTE_ABORT Before;
    abort_by_route_killed_after_any_request_never_gives_weight_back: ROUTE_ABORT After;
    abort_by_pods_killed_before_any_request_never_gives_weight_back: PODS_ABORT Before;
    abort_by_pods_killed_after_any_request_never_gives_weight_back: PODS_ABORT After;
    never_ready_by_route_killed_before_any_request_never_gives_weight_back: ROUTE_NEVER_READY Before;
    never_ready_by_route_killed_after_any_request_never_gives_weight_back: ROUTE_NEVER_READY After;
    never_ready_by_pods_killed_before_any_request_never_gives_weight_back: PODS_NEVER_READY Before;
    never_ready_by_pods_killed_after_any_request_never_gives_weight_back: PODS_NEVER_READY After;
    rollback_by_route_killed_before_any_request_comes_to_the_same_end: ROUTE_ROLLBACK Before;
    rollback_by_route_killed_after_any_request_comes_to_the_same_end: ROUTE_ROLLBACK After;
    rollback_by_pods_killed_before_any_request_comes_to_the_same_end: PODS_ROLLBACK Before;
    rollback_by_pods_killed_after_any_request_comes_to_the_same_end: PODS_ROLLBACK After;
    autoscaled_by_route_killed_before_any_request_comes_to_the_same_end: ROUTE_SCALED Before;
    autoscaled_by_route_killed_after_any_request_comes_to_the_same_end: ROUTE_SCALED After;
    autoscaled_by_pods_killed_before_any_request_comes_to_the_same_end: PODS_SCALED Before;
    autoscaled_by_pods_killed_after_any_request_comes_to_the_same_end: PODS_SCALED After;
    failing_by_route_killed_before_any_request_never_gives_weight_back: ROUTE_FAILING Before;
    failing_by_route_killed_after_any_request_never_gives_weight_back: ROUTE_FAILING After;
}

/// One test for each play and family of faults.
macro_rules! faults {
    ($($name:ident: $play:ident $faults:ident;)*) => {
        $(
            #[test]
            fn $name() {
                sweep(&plays::$play, &$faults);
            }
        )*
    };
}

faults! {
    canary_by_route_comes_to_the_same_end_whatever_a_request_is_answered: ROUTE ANSWERS;
    canary_by_route_comes_to_the_same_end_whatever_becomes_of_an_event: ROUTE NEWS;
    canary_by_route_comes_to_the_same_end_whatever_old_state_a_new_process_sees: ROUTE STALE;
    change_of_protocol_comes_to_the_same_end_whatever_a_request_is_answered: ROUTE_GRPC ANSWERS;
    change_of_protocol_comes_to_the_same_end_whatever_becomes_of_an_event: ROUTE_GRPC NEWS;
    change_of_protocol_comes_to_the_same_end_whatever_old_state_a_new_process_sees: ROUTE_GRPC STALE;
    canary_by_pods_comes_to_the_same_end_whatever_a_request_is_answered: PODS ANSWERS;
    canary_by_pods_comes_to_the_same_end_whatever_becomes_of_an_event: PODS NEWS;
    canary_by_pods_comes_to_the_same_end_whatever_old_state_a_new_process_sees: PODS STALE;
    preview_by_route_comes_to_the_same_end_whatever_a_request_is_answered: ROUTE_PREVIEW ANSWERS;
    preview_by_route_comes_to_the_same_end_whatever_becomes_of_an_event: ROUTE_PREVIEW NEWS;
    preview_by_route_comes_to_the_same_end_whatever_old_state_a_new_process_sees: ROUTE_PREVIEW STALE;
    preview_by_pods_comes_to_the_same_end_whatever_a_request_is_answered: PODS_PREVIEW ANSWERS;
    preview_by_pods_comes_to_the_same_end_whatever_becomes_of_an_event: PODS_PREVIEW NEWS;
    preview_by_pods_comes_to_the_same_end_whatever_old_state_a_new_process_sees: PODS_PREVIEW STALE;
    abort_by_route_comes_to_the_same_end_whatever_a_request_is_answered: ROUTE_ABORT ANSWERS;
    abort_by_route_comes_to_the_same_end_whatever_becomes_of_an_event: ROUTE_ABORT NEWS;
    abort_by_route_comes_to_the_same_end_whatever_old_state_a_new_process_sees: ROUTE_ABORT STALE;
    abort_by_pods_comes_to_the_same_end_whatever_a_request_is_answered: PODS_ABORT ANSWERS;
    abort_by_pods_comes_to_the_same_end_whatever_becomes_of_an_event: PODS_ABORT NEWS;
    abort_by_pods_comes_to_the_same_end_whatever_old_state_a_new_process_sees: PODS_ABORT STALE;
    never_ready_by_route_comes_to_the_same_end_whatever_a_request_is_answered: ROUTE_NEVER_READY ANSWERS;
    never_ready_by_route_comes_to_the_same_end_whatever_becomes_of_an_event: ROUTE_NEVER_READY NEWS;
    never_ready_by_route_comes_to_the_same_end_whatever_old_state_a_new_process_sees: ROUTE_NEVER_READY STALE;
    never_ready_by_pods_comes_to_the_same_end_whatever_a_request_is_answered: PODS_NEVER_READY ANSWERS;
    never_ready_by_pods_comes_to_the_same_end_whatever_becomes_of_an_event: PODS_NEVER_READY NEWS;
    never_ready_by_pods_comes_to_the_same_end_whatever_old_state_a_new_process_sees: PODS_NEVER_READY STALE;
    rollback_by_route_comes_to_the_same_end_whatever_a_request_is_answered: ROUTE_ROLLBACK ANSWERS;
    rollback_by_route_comes_to_the_same_end_whatever_becomes_of_an_event: ROUTE_ROLLBACK NEWS;
    rollback_by_route_comes_to_the_same_end_whatever_old_state_a_new_process_sees: ROUTE_ROLLBACK STALE;
    rollback_by_pods_comes_to_the_same_end_whatever_a_request_is_answered: PODS_ROLLBACK ANSWERS;
    rollback_by_pods_comes_to_the_same_end_whatever_becomes_of_an_event: PODS_ROLLBACK NEWS;
    rollback_by_pods_comes_to_the_same_end_whatever_old_state_a_new_process_sees: PODS_ROLLBACK STALE;
    autoscaled_by_route_comes_to_the_same_end_whatever_a_request_is_answered: ROUTE_SCALED ANSWERS;
    autoscaled_by_route_comes_to_the_same_end_whatever_becomes_of_an_event: ROUTE_SCALED NEWS;
    autoscaled_by_route_comes_to_the_same_end_whatever_old_state_a_new_process_sees: ROUTE_SCALED STALE;
    autoscaled_by_pods_comes_to_the_same_end_whatever_a_request_is_answered: PODS_SCALED ANSWERS;
    autoscaled_by_pods_comes_to_the_same_end_whatever_becomes_of_an_event: PODS_SCALED NEWS;
    autoscaled_by_pods_comes_to_the_same_end_whatever_old_state_a_new_process_sees: PODS_SCALED STALE;
    failing_by_route_comes_to_the_same_end_whatever_a_request_is_answered: ROUTE_FAILING ANSWERS;
    failing_by_route_comes_to_the_same_end_whatever_becomes_of_an_event: ROUTE_FAILING NEWS;
    failing_by_route_comes_to_the_same_end_whatever_old_state_a_new_process_sees: ROUTE_FAILING STALE;
}

#[test]
fn operator_that_never_looks_again_is_seen() {
    if !matches!(extent(), Extent::Usual | Extent::All) {
        return;
    }
    let fault = Fault::News(News::Lost);
    let last = plays::run(&plays::PODS, None, rest(fault)).trace.events - 1;
    let run = plays::run(&plays::PODS, Some((fault, last)), rest(fault));
    assert!(run.violations.iter().any(|violation| violation.starts_with("L6")), "{:?}", run.violations);
}
