//! Gates: what a version must show before an environment takes it.

use std::collections::BTreeMap;

/// Bounds on one number of an evaluation.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Bound {
    /// Name of the metric in the evaluation.
    pub metric: String,
    /// Least value that passes.
    pub min: Option<f64>,
    /// Greatest value that passes.
    pub max: Option<f64>,
}

/// What one environment asks for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Gate {
    /// Bounds on the evaluation's metrics.
    pub bounds: Vec<Bound>,
    /// The artifact must be pinned by a digest.
    pub require_digest: bool,
    /// There must be an evaluation.
    pub require_evaluation: bool,
}

/// What a version shows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Evidence {
    /// The artifact has a digest.
    pub has_digest: bool,
    /// An evaluation is recorded.
    pub evaluated: bool,
    /// The evaluation recommends not to use it.
    pub rejected: bool,
    /// The evaluation's numbers.
    pub metrics: BTreeMap<String, f64>,
}

/// Every way in which `evidence` falls short, in words; empty: it passes. An evaluation that says reject fails always.
pub fn failures(gate: Option<&Gate>, evidence: &Evidence) -> Vec<String> {
    let mut failures = Vec::new();
    if evidence.rejected {
        failures.push("its evaluation says reject".to_owned());
    }
    let Some(gate) = gate else { return failures };
    if gate.require_digest && !evidence.has_digest {
        failures.push("its artifact has no digest".to_owned());
    }
    if gate.require_evaluation && !evidence.evaluated {
        failures.push("it has no evaluation".to_owned());
    }
    failures.extend(gate.bounds.iter().filter_map(|bound| broken(bound, evidence)));
    failures
}

fn broken(bound: &Bound, evidence: &Evidence) -> Option<String> {
    let name = &bound.metric;
    let Some(value) = evidence.metrics.get(name).filter(|value| value.is_finite()) else {
        return Some(format!("its evaluation has no {name}"));
    };
    match (bound.min, bound.max) {
        (Some(min), _) if *value < min => Some(format!("{name} is {value}, at least {min} is needed")),
        (_, Some(max)) if *value > max => Some(format!("{name} is {value}, at most {max} is allowed")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gate() -> Gate {
        let bounds = vec![
            Bound { metric: "accuracy".to_owned(), min: Some(0.9), max: None },
            Bound { metric: "latency".to_owned(), min: None, max: Some(80.0) },
        ];
        Gate { bounds, require_digest: true, require_evaluation: true }
    }

    #[test]
    fn a_version_that_shows_everything_passes() {
        let metrics = BTreeMap::from([("accuracy".to_owned(), 0.9), ("latency".to_owned(), 80.0)]);
        let evidence = Evidence { has_digest: true, evaluated: true, rejected: false, metrics };
        assert_eq!(failures(Some(&gate()), &evidence), Vec::<String>::new());
    }

    #[test]
    fn every_shortfall_is_named() {
        let metrics = BTreeMap::from([("accuracy".to_owned(), 0.89), ("latency".to_owned(), f64::NAN)]);
        let evidence = Evidence { has_digest: false, evaluated: false, rejected: true, metrics };
        assert_eq!(failures(Some(&gate()), &evidence).len(), 5);
    }

    #[test]
    fn a_rejected_version_fails_without_any_gate() {
        let evidence = Evidence { rejected: true, ..Evidence::default() };
        assert_eq!(failures(None, &evidence), ["its evaluation says reject"]);
    }
}
