//! Warnings and infos that come with an answer.
//!
//! Takes what the functions noticed; gives each text once, in order. Never decides about the answer.

use std::collections::BTreeSet;

/// What an evaluation wants to be known besides its result.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Notes {
    warnings: BTreeSet<String>,
    infos: BTreeSet<String>,
}

impl Notes {
    /// Something is wrong with the query or the data.
    pub fn warn(&mut self, text: impl Into<String>) {
        self.warnings.insert(format!("PromQL warning: {}", text.into()));
    }

    /// Something may be other than meant.
    pub fn inform(&mut self, text: impl Into<String>) {
        self.infos.insert(format!("PromQL info: {}", text.into()));
    }

    /// Warns of a quantile that is none.
    pub fn check_quantile(&mut self, quantile: f64) {
        if !(0.0..=1.0).contains(&quantile) {
            self.warn(format!("quantile value should be between 0 and 1, got {quantile}"));
        }
    }

    /// Takes over what another evaluation noticed.
    pub fn merge(&mut self, other: Self) {
        self.warnings.extend(other.warnings);
        self.infos.extend(other.infos);
    }

    /// Warnings and infos.
    pub fn into_lists(self) -> (Vec<String>, Vec<String>) {
        (self.warnings.into_iter().collect(), self.infos.into_iter().collect())
    }
}
