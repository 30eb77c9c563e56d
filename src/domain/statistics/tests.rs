//! Tests of the statistics: tables, properties, and simulated rollouts.

mod power;
mod rivals;
mod support;
mod universal;
mod validity;
