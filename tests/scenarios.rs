//! Scenarios: the whole operator against a whole cluster. Each body runs in the simulated cluster, and on a real control
//! plane when `MODELWARD_TEST_KUBECONFIG` names one.

#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

#[path = "scenarios/arena.rs"]
mod arena;
#[path = "scenarios/canary.rs"]
mod canary;
#[path = "scenarios/fixtures.rs"]
mod fixtures;
#[path = "scenarios/gateway.rs"]
mod gateway;
#[path = "scenarios/pace.rs"]
mod pace;
#[path = "scenarios/real.rs"]
mod real;

use arena::Arena;

/// Plays a scenario on the arms that there are.
fn play(name: &str, body: impl AsyncFn(&Arena)) {
    if let Some(path) = real::kubeconfig() {
        real::play(&path, name, &body);
    }
}
