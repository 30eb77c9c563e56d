//! What the operator says about the numbers of a revision: values, evidence and how they stand.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use crate::api::open_enum::open_enum;
use crate::api::schema;

open_enum! {
    /// How a metric stands.
    MetricPhase {
        /// It has not failed, and the step has enough samples.
        Passing = "Passing",
        /// Too few samples in this step.
        NotEnoughSamples = "NotEnoughSamples",
        /// The last values were out of bounds, not often enough to fail.
        Breached = "Breached",
        /// There is no data.
        NoData = "NoData",
        /// It has failed.
        Failed = "Failed",
    }
}

/// The analysis of a revision: of the candidate while there is one, of the stable revision for `afterPromotion`.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct AnalysisStatus {
    /// The revision that is judged.
    #[schemars(length(max = 63))]
    pub revision: String,

    /// The revision that it is compared with. Absent after the promotion.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub compared_with: Option<String>,

    /// Percent of the traffic at which it is judged.
    #[schemars(range(min = 0, max = 100))]
    pub weight: i32,

    /// Since when that weight is in effect: nothing from before counts for the step.
    #[schemars(schema_with = "schema::time")]
    pub since: Time,

    /// The metrics, as in the spec.
    #[schemars(length(max = 10))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub metrics: Vec<MetricStatus>,
}

/// One metric of an analysis.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct MetricStatus {
    /// Its name in the spec.
    #[schemars(length(max = 63))]
    pub name: String,

    /// How it stands.
    pub phase: MetricPhase,

    /// Names the queries, bounds and margin that all of this was judged by: evidence of another definition is not used.
    #[schemars(length(max = 63))]
    pub definition: String,

    /// End of the last time span that was measured at this weight. The next one begins here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::time")]
    pub measured_until: Option<Time>,

    /// It was measured at an earlier weight of this release.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub continued: bool,

    /// Requests of the judged revision at this weight.
    #[schemars(range(min = 0))]
    pub samples: i64,

    /// Requests of the stable revision in the same time. Absent without a comparison.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub stable_samples: Option<i64>,

    /// Measurements out of bounds in a row.
    #[serde(default, skip_serializing_if = "is_zero")]
    #[schemars(range(min = 0, max = 10))]
    pub breaches: i32,

    /// The last values, oldest first, at most 10.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 10))]
    pub values: Vec<MeasuredValue>,

    /// What the comparison with the stable revision shows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comparison: Option<ComparisonStatus>,

    /// Since when there is no data. Absent while there is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::time")]
    pub no_data_since: Option<Time>,

    /// What is wrong or missing, in plain words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub message: Option<String>,

    /// The queries of the last measurement, as they were sent; each cut to 700 characters.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::text_list::<4, 1024>")]
    pub queries: Vec<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
const fn is_zero(count: &i32) -> bool {
    *count == 0
}

/// One measurement.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct MeasuredValue {
    /// End of the time that it covers.
    #[schemars(schema_with = "schema::time")]
    pub at: Time,

    /// Length of that time in seconds.
    #[schemars(range(min = 0))]
    pub seconds: i64,

    /// The value of the judged revision, in the metric's unit.
    pub value: f64,

    /// Requests behind it. Absent for a metric without.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub samples: Option<i64>,

    /// It is out of bounds.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub breach: bool,

    /// The value of the stable revision in the same time, where it was measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stable_value: Option<f64>,
}

/// What a comparison shows, and what it was computed from. docs/statistics.md has the formulas.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct ComparisonStatus {
    /// Always-valid p value of "not worse by more than maxRegression"; only falls. Absent before the first comparison.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0.0, max = 1.0))]
    pub p_value: Option<f64>,

    /// The metric fails when the p value reaches this: its part of 100 % less `confidence`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0.0, max = 1.0))]
    pub alpha: Option<f64>,

    /// The judged revision over the whole release.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub candidate: Option<Estimate>,

    /// The stable revision in the same time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stable: Option<Estimate>,

    /// The first less the second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effect: Option<Estimate>,

    /// Logarithm of the greatest e-value so far.
    pub log_evidence: f64,

    /// For a share: what was counted at each weight.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    pub steps: Vec<StepCounts>,

    /// For a share: counts that wait for the other revision's first request: events and requests of candidate, then of stable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::number_list::<4>")]
    pub pending: Option<Vec<f64>>,

    /// For a quantile: counts by upper bound over the whole release.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub histogram: Option<HistogramCounts>,
}

/// A figure with the interval that holds at every look, in the metric's unit.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Estimate {
    /// The estimate.
    pub value: f64,

    /// Lower end. Absent where nothing bounds it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub low: Option<f64>,

    /// Upper end. Absent where nothing bounds it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub high: Option<f64>,
}

/// What was counted at one weight.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct StepCounts {
    /// The weight, percent.
    #[schemars(range(min = 0, max = 100))]
    pub weight: i32,

    /// Events and requests of the candidate, then of the stable revision.
    #[schemars(schema_with = "schema::number_list::<4>")]
    pub counts: Vec<f64>,

    /// Sums over the intervals of the step that the test needs, in the order of docs/statistics.md.
    #[schemars(schema_with = "schema::number_list::<6>")]
    pub sums: Vec<f64>,
}

/// Counts by upper bound.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct HistogramCounts {
    /// Upper bounds of the buckets, in the histogram's unit, without +Inf.
    #[schemars(schema_with = "schema::number_list::<256>")]
    pub bounds: Vec<f64>,

    /// Requests of the candidate at or below each bound.
    #[schemars(schema_with = "schema::number_list::<256>")]
    pub candidate: Vec<f64>,

    /// All requests of the candidate.
    pub candidate_total: f64,

    /// Requests of the stable revision at or below each bound.
    #[schemars(schema_with = "schema::number_list::<256>")]
    pub stable: Vec<f64>,

    /// All requests of the stable revision.
    pub stable_total: f64,

    /// The weight that `stepCounts` is about, percent.
    #[schemars(range(min = 0, max = 100))]
    pub weight: i32,

    /// Requests of candidate and stable at that weight.
    #[schemars(schema_with = "schema::number_list::<2>")]
    pub step_counts: Vec<f64>,
}

/// What a revision was given up for.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Evidence {
    /// The metric.
    #[schemars(length(max = 63))]
    pub metric: String,

    /// What was found, in plain words.
    #[schemars(length(max = 1024))]
    pub message: String,

    /// The last value of the revision.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,

    /// That of the stable revision.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stable_value: Option<f64>,

    /// Greatest value that is good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<f64>,

    /// Least value that is good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<f64>,

    /// Always-valid p value of the comparison.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p_value: Option<f64>,

    /// What the p value was held against.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alpha: Option<f64>,

    /// Requests of the revision in the step.
    #[schemars(range(min = 0))]
    pub samples: i64,

    /// End of the last measurement.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::time")]
    pub at: Option<Time>,

    /// The queries, as they were sent; each cut to 700 characters.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::text_list::<4, 1024>")]
    pub queries: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_read_back_as_they_were_written_to_the_last_bit() {
        // Without serde_json's exact parser some of these come back one bit off, and status is written for ever.
        let mut figure = 1.0e-12_f64;
        for _ in 0..10_000 {
            figure *= 1.003_141_592_653_589_8;
            let written = ComparisonStatus { p_value: Some(figure), log_evidence: figure.ln(), ..ComparisonStatus::default() };
            let text = serde_json::to_string(&written).unwrap();
            assert_eq!(serde_json::from_str::<ComparisonStatus>(&text).unwrap(), written, "{text}");
        }
    }
}
