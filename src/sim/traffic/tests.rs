//! Traffic through whole worlds: stored objects decide where requests go, and what is counted agrees with what happened.

mod looks;
mod metrics;
mod outcomes;
mod stage;
mod ways;
