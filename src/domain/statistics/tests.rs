//! Tests of the statistics: tables, properties, and simulated rollouts.

mod power;
mod support;
mod validity;
