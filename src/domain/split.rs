//! Who gets how much of the traffic. A split sums to 100 by construction.

use serde::{Deserialize, Serialize};

use crate::domain::revision::RevisionName;

/// A candidate's part of a split.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Share {
    /// The candidate.
    pub revision: RevisionName,
    /// Its weight in percent, 0-100.
    pub weight: i32,
}

/// The stable revision gets what the candidate does not get.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Split {
    /// The revision that all else goes to.
    pub stable: RevisionName,
    /// The candidate, if one is out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub candidate: Option<Share>,
}

impl Split {
    /// Everything to one revision.
    pub fn all(stable: RevisionName) -> Self {
        Self { stable, candidate: None }
    }

    /// `weight` percent (clamped to 0-100) to the candidate, the rest to stable.
    pub fn between(stable: RevisionName, candidate: RevisionName, weight: i32) -> Self {
        Self { stable, candidate: Some(Share { revision: candidate, weight: weight.clamp(0, 100) }) }
    }

    /// Weight of the candidate in percent; 0 without one.
    pub fn candidate_weight(&self) -> i32 {
        self.candidate.as_ref().map_or(0, |share| share.weight)
    }

    /// Weight of `revision` in percent; 0 for one that is not in the split.
    pub fn weight_of(&self, revision: &RevisionName) -> i32 {
        match &self.candidate {
            Some(share) if share.revision == *revision => share.weight,
            _ if self.stable == *revision => 100 - self.candidate_weight(),
            _ => 0,
        }
    }

    /// Every revision with its weight, stable first; a candidate with weight 0 is listed too.
    pub fn entries(&self) -> Vec<(&RevisionName, i32)> {
        let mut entries = vec![(&self.stable, 100 - self.candidate_weight())];
        entries.extend(self.candidate.iter().map(|share| (&share.revision, share.weight)));
        entries
    }

    /// Whether a change from `before` to this takes traffic from whatever was candidate before, and gives none to another.
    ///
    /// Only such changes may be believed when they are found on the cluster without a matching status.
    pub fn lowers(&self, before: &Self) -> bool {
        let was = before.candidate_weight();
        let same_stable = self.stable == before.stable;
        let same_candidate = match (&self.candidate, &before.candidate) {
            (Some(now), Some(then)) => now.revision == then.revision,
            (None, _) => true,
            (Some(now), None) => now.weight == 0,
        };
        same_stable && same_candidate && self.candidate_weight() <= was
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> RevisionName {
        RevisionName::new(text)
    }

    #[test]
    fn weights_of_any_split_sum_to_100() {
        for weight in [-5, 0, 1, 37, 100, 101] {
            let split = Split::between(name("a"), name("b"), weight);
            assert_eq!(split.entries().iter().map(|(_, weight)| weight).sum::<i32>(), 100);
            assert!(split.entries().iter().all(|(_, weight)| (0..=100).contains(weight)));
        }
    }

    #[test]
    fn a_smaller_weight_of_the_same_candidate_lowers_and_a_new_candidate_does_not() {
        let half = Split::between(name("a"), name("b"), 50);
        assert!(Split::between(name("a"), name("b"), 10).lowers(&half));
        assert!(Split::all(name("a")).lowers(&half));
        assert!(!Split::between(name("a"), name("b"), 51).lowers(&half));
        assert!(!Split::between(name("a"), name("c"), 10).lowers(&half));
        assert!(!Split::all(name("b")).lowers(&half), "a promotion is a raise");
    }
}
