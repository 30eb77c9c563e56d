//! What reaches the new version beside its weight: requests that a header pins to it, and copies of requests.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::api::duration::Duration;
use crate::api::schema;

/// Requests that go to the new version whatever its weight.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct CandidateMatch {
    /// Headers that a request must have, all of them, 1 to 8.
    #[schemars(length(min = 1, max = 8))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub headers: Vec<HeaderMatch>,
}

/// A header that a request must have.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct HeaderMatch {
    /// Its name, in small letters: requests may have it in capitals, too.
    #[schemars(schema_with = "schema::header_name")]
    pub name: String,

    /// Its value, or a regular expression of it.
    #[schemars(length(min = 1, max = 1024))]
    pub value: String,

    /// How the value is compared. Regular expressions are the gateway's own: not every gateway takes them. Default Exact.
    #[serde(default)]
    pub r#type: HeaderMatchType,
}

/// How a header's value is compared.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HeaderMatchType {
    /// It is the same.
    #[default]
    Exact,
    /// It fits a regular expression, by the rules of the gateway.
    RegularExpression,
}

/// Copies of requests for the new version; nobody waits for their answers.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Mirror {
    /// Percent of the requests that are copied, 1 to 100.
    #[schemars(range(min = 1, max = 100))]
    pub percent: i32,
}

/// When a gateway sends a request again.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("has(self.codes) || has(self.attempts) || has(self.backoff)")
        .message("retry is empty: set codes, attempts or backoff, or remove retry")
)]
pub struct Retry {
    /// Status codes after which a request is sent again, 400 to 599, at most 16.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::status_codes")]
    pub codes: Vec<i32>,

    /// How often at most, 1 to 10.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 10))]
    pub attempts: Option<i32>,

    /// How long to wait at least between two attempts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backoff: Option<Duration>,
}
