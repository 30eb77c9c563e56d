//! Criteria and readings for tests.

use jiff::SignedDuration;

use crate::domain::analysis::criteria::{Criteria, Margin, Metric, OnNoData};
use crate::domain::analysis::profile::{Better, BuiltIn, Evidence, Kind, Measure, Profiles, Reading, Share};
use crate::domain::analysis::reading::Proportion;
use crate::domain::analysis::threshold::Threshold;

/// An error rate of at most 2 %, measured each half minute, with 100 requests a step.
pub(crate) fn errors_below_two_percent() -> Criteria {
    Criteria {
        metrics: vec![error_rate(Some(0.02), None)],
        interval: SignedDuration::from_secs(30),
        minimum_samples: 100,
        data_deadline: None,
        on_no_data: OnNoData::Hold,
        after_promotion: None,
        standby_replicas: 0,
    }
}

/// An error rate with a bound, a margin in percent, or both.
pub(crate) fn error_rate(max: Option<f64>, margin: Option<f64>) -> Metric {
    Metric {
        name: "errorRate".to_owned(),
        measure: Profiles::built_in().measure("generic", BuiltIn::ErrorRate).unwrap().clone(),
        provider: None,
        better: Better::Lower,
        threshold: max.map(|max| Threshold { min: None, max: Some(max), failure_limit: 3 }),
        margin: margin.map(|margin| Margin { max_regression_percent: margin, alpha: 0.05 }),
        definition: format!("{max:?} {margin:?}"),
    }
}

/// So many failed requests of so many.
pub(crate) fn failed(part: u64, total: u64) -> Reading {
    let counts = Proportion { part, total };
    Reading { value: counts.share(), samples: Some(total), evidence: Evidence::Proportion(counts) }
}

/// The success rate as it is measured: by failed requests.
pub(crate) fn success(measure: &Measure) -> Measure {
    let mut measure = measure.clone();
    if let Kind::Proportion { share, .. } = &mut measure.kind {
        *share = Share::Rest;
    }
    measure
}
