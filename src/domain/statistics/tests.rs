//! Tests of the statistics: tables, exact means of e-values, properties, simulated rollouts.

mod exact;
mod large_samples;
mod power;
mod properties;
mod rivals;
mod support;
mod tables;
mod universal;
mod validity;
