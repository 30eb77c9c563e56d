//! What the operator knows of metrics before a release needs them.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use crate::api::open_enum::open_enum;
use crate::api::schema;

open_enum! {
    /// Why a metric cannot be measured.
    ProbeProblem {
        /// The operator's configuration has no such provider, or no default.
        NoProvider = "NoProvider",
        /// The source refuses the query.
        SourceRefuses = "SourceRefuses",
        /// The source is not reached, or does not answer as one.
        SourceUnreachable = "SourceUnreachable",
        /// No series matches, or none has a sample of late.
        NoSeries = "NoSeries",
        /// The answer is no measurement.
        NotMeasurable = "NotMeasurable",
    }
}

/// What one metric of the stable revision said when it was asked for, before a release needs it.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct ProbeStatus {
    /// Its name in the spec.
    #[schemars(length(max = 63))]
    pub name: String,

    /// Names the queries, bounds and margin that it was asked with.
    #[schemars(length(max = 63))]
    pub definition: String,

    /// The provider that was asked, if the spec names one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub provider: Option<String>,

    /// The stable revision that it was asked about.
    #[schemars(length(max = 63))]
    pub revision: String,

    /// When this was first found. Answers that say the same again change nothing.
    #[schemars(schema_with = "schema::time")]
    pub at: Time,

    /// Why it cannot be measured. Absent if it can.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<ProbeProblem>,

    /// The same, in plain words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub message: Option<String>,

    /// Length of the time that was looked at, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub seconds: Option<i64>,

    /// Requests in that time. Absent for a metric that counts none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub requests: Option<i64>,

    /// Those of them that failed, for a share.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub failed: Option<i64>,

    /// The first of its queries, as it was sent; cut to 400 characters.
    #[schemars(length(max = 1024))]
    pub query: String,
}
