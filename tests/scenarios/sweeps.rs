//! Crash sweeps: the operator is killed before or after every one of its requests, and started again.
//!
//! *Before*: the request never arrives. *After*: it is carried out, and the answer is never seen. From the kill on nothing
//! more arrives of that process, and its tasks are gone; a new process starts three virtual seconds later. Each run must
//! come to the same end as the run that nobody disturbed, without a violation on the way.
//!
//! `cargo test` kills at every request of the plays that matter most, and at every third of the others; `MODELWARD_SWEEP=all` at every
//! one of all.
//!
//! `MODELWARD_SWEEP=route:after:17 cargo test --test scenarios sweeps` replays one run, of the scenario that the failure
//! names.

mod crash;
mod end;
mod plays;

use std::fmt;

use crate::sweeps::crash::{Kill, Moment};
use crate::sweeps::end::EndState;
use crate::sweeps::plays::Play;

/// What a run came to.
struct Outcome {
    end: EndState,
    violations: Vec<String>,
    /// Requests that the operator sent.
    requests: u64,
}

/// One run of a sweep.
struct Run {
    play: &'static Play,
    kill: Kill,
}

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let moment = if self.kill.moment == Moment::Before { "before" } else { "after" };
        write!(f, "{}:{moment}:{}", self.play.name, self.kill.index)
    }
}

/// Requests between two kills in a play that is not swept in full.
const STRIDE: usize = 3;

/// What the environment asks for, if anything.
fn environment() -> Option<String> {
    std::env::var("MODELWARD_SWEEP").ok()
}

/// The run that the environment asks for: `play:moment:index`.
fn asked() -> Option<(String, Moment, u64)> {
    let text = environment().filter(|text| text != "all")?;
    let parts: Vec<&str> = text.split(':').collect();
    let [play, moment, index] = parts.as_slice() else { panic!("MODELWARD_SWEEP is not play:before|after:index: {text}") };
    let moment = match *moment {
        "before" => Moment::Before,
        "after" => Moment::After,
        other => panic!("MODELWARD_SWEEP knows before and after, not {other}"),
    };
    Some(((*play).to_owned(), moment, index.parse().unwrap()))
}

/// Kills at every request of `play`, at `moment`.
fn sweep(play: &'static Play, moment: Moment) {
    let undisturbed = plays::run(play, None);
    assert_eq!(undisturbed.violations, Vec::<String>::new(), "{}: nobody disturbed it", play.name);
    let stride = if play.every || environment().is_some() { 1 } else { STRIDE };
    let indices: Vec<u64> = match asked() {
        None => (0..undisturbed.requests).step_by(stride).collect(),
        Some((name, asked, index)) if name == play.name && asked == moment => vec![index],
        Some(_) => return,
    };
    let failures: Vec<String> = indices
        .iter()
        .filter_map(|index| {
            let run = Run { play, kill: Kill { moment, index: *index } };
            let words = differences(&undisturbed, &plays::run(play, Some(run.kill)))?;
            Some(format!("{words}\n    replay: MODELWARD_SWEEP={run} cargo test --test scenarios sweeps"))
        })
        .collect();
    println!("{} {moment:?}: {} kills", play.name, indices.len());
    assert!(failures.is_empty(), "{} of {} runs fail:\n{}", failures.len(), indices.len(), failures.join("\n"));
}

/// What is wrong with a run.
fn differences(undisturbed: &Outcome, run: &Outcome) -> Option<String> {
    if let Some(first) = run.violations.first() {
        return Some(format!("{} violations, the first: {first}", run.violations.len()));
    }
    run.end.difference(&undisturbed.end)
}

/// One test for each play and moment, so that they run side by side.
macro_rules! sweeps {
    ($($name:ident: $play:ident $moment:ident;)*) => {
        $(
            #[test]
            fn $name() {
                sweep(&plays::$play, Moment::$moment);
            }
        )*
    };
}

sweeps! {
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
    failing_by_route_killed_before_any_request_never_gives_weight_back: ROUTE_FAILING Before;
    failing_by_route_killed_after_any_request_never_gives_weight_back: ROUTE_FAILING After;
}
