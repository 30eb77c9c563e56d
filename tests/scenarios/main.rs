//! Scenarios: the whole operator against a whole cluster. Each body runs in the simulated cluster, and on a real control
//! plane when `MODELWARD_TEST_KUBECONFIG` names one.

#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod analysis;
mod arena;
mod autoscaling;
mod bad_input;
mod blue_green;
mod canary;
mod deletion;
mod determinism;
mod edits;
mod fixtures;
mod gates;
mod gateway;
mod gateway_lost;
mod invariants;
mod load;
mod neighbours;
mod numbers;
mod pace;
mod pins;
mod planted;
mod pods;
mod quiet;
mod rbac;
mod real;
mod rollback;
mod room;
mod route;
mod simulated;
mod size;
mod sweeps;

use arena::Arena;

/// Plays a scenario on the arms that there are.
fn play(name: &str, body: impl AsyncFn(&Arena)) {
    play_despite(&[], name, body);
}

/// Plays a scenario that cannot but break some invariants, by number; the others are checked.
fn play_despite(broken: &[&str], name: &str, body: impl AsyncFn(&Arena)) {
    simulated::play(broken, name, &body);
    if let Some(path) = real::kubeconfig() {
        real::play(&path, name, &body);
    }
}
