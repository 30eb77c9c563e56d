//! What a route is written without, because the installed CRD has no such field or the gateway does not take it.
//!
//! The route itself remembers, in an annotation that holds as long as the settings of traffic are those it was written for:
//! nothing is tried again and again, and a process that starts anew knows. Pure.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::api::model_deployment::Traffic;

/// Annotation: what the route is written without, and why. Taken away, everything is tried again.
pub const LEFT_OUT: &str = "modelward.dev/left-out";
/// Longest annotation that is read, in bytes.
const TEXT_MAX: usize = 1024;
/// Characters kept of why.
const WHY_MAX: usize = 256;

/// Something that not every route has, by its field in the spec.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Feature {
    /// Attempts of a request.
    #[serde(rename = "traffic.http.retry")]
    Retry,
    /// Copies of a share of requests. Without its percentage it would copy all of them, so it is all or nothing.
    #[serde(rename = "traffic.mirror")]
    Mirror,
    /// Pinned requests.
    #[serde(rename = "traffic.candidateMatches")]
    CandidateMatches,
}

impl Feature {
    /// Its field in the spec.
    pub fn field(self) -> &'static str {
        match self {
            Self::Retry => "traffic.http.retry",
            Self::Mirror => "traffic.mirror",
            Self::CandidateMatches => "traffic.candidateMatches",
        }
    }
}

/// See the module.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LeftOut {
    features: BTreeSet<Feature>,
    why: String,
}

#[derive(Serialize, Deserialize)]
struct Note {
    /// Of what settings.
    of: String,
    fields: BTreeSet<Feature>,
    why: String,
}

impl LeftOut {
    /// What the live route says, if it was written for these settings.
    pub fn of(live: Option<&Value>, traffic: &Traffic) -> Self {
        let text = live.and_then(|live| live.get("metadata")?.get("annotations")?.get(LEFT_OUT)?.as_str());
        let note = text.filter(|text| text.len() <= TEXT_MAX).and_then(|text| serde_json::from_str::<Note>(text).ok());
        let note = note.filter(|note| note.of == fingerprint(traffic));
        note.map_or_else(Self::default, |note| Self { features: note.fields, why: note.why.chars().take(WHY_MAX).collect() })
    }

    /// With `feature` left out, too, for this reason; whether that is news.
    pub fn add(&mut self, feature: Feature, why: &str) -> bool {
        let news = self.features.insert(feature);
        if news {
            self.why = why.chars().take(WHY_MAX).collect();
        }
        news
    }

    /// It is left out.
    pub fn has(&self, feature: Feature) -> bool {
        self.features.contains(&feature)
    }

    /// In words, for the condition; `None` when the route has everything.
    pub fn words(&self) -> Option<String> {
        let fields: Vec<&str> = self.features.iter().map(|feature| feature.field()).collect();
        (!fields.is_empty()).then(|| format!("the route is written without {}: {}", fields.join(", "), self.why))
    }

    pub(super) fn to_annotation(&self, traffic: &Traffic) -> Option<String> {
        let note = Note { of: fingerprint(traffic), fields: self.features.clone(), why: self.why.clone() };
        if self.features.is_empty() { None } else { serde_json::to_string(&note).ok() }
    }
}

/// Names the settings that a route's fields follow from.
fn fingerprint(traffic: &Traffic) -> String {
    let settings = json!([traffic.protocol, traffic.http, traffic.candidate_matches, traffic.mirror, traffic.gateways]);
    let digest = Sha256::digest(settings.to_string().as_bytes());
    digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// The features that the API server does not know, when it refuses a route for unknown fields and for nothing else.
pub fn lacking(refusal: &str) -> BTreeSet<Feature> {
    let parts: Vec<&str> = refusal.split(": field not declared in schema").collect();
    let Some((_, named)) = parts.split_last() else { return BTreeSet::new() };
    let features = named.iter().map(|part| feature_of(part.rsplit(char::is_whitespace).next().unwrap_or_default()));
    features.collect::<Option<_>>().unwrap_or_default()
}

fn feature_of(path: &str) -> Option<Feature> {
    let rule = path.strip_prefix(".spec.rules")?;
    match rule {
        _ if rule.contains(".retry") => Some(Feature::Retry),
        _ if rule.contains(".requestMirror") => Some(Feature::Mirror),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::model_deployment::{HttpTraffic, Mirror};

    const ONE: &str = "failed to create typed patch object (n/chat; gateway.networking.k8s.io/v1, Kind=HTTPRoute): .spec.rules[0].retry: field not declared in schema";

    #[test]
    fn refusals_name_what_is_lacking() {
        assert_eq!(lacking(ONE), BTreeSet::from([Feature::Retry]));
        let many = "failed to create typed patch object (n/c; v1, Kind=HTTPRoute): errors:\n  .spec.rules[0].filters[0].requestMirror.percent: field not declared in schema\n  .spec.rules[1].retry: field not declared in schema";
        assert_eq!(lacking(many), BTreeSet::from([Feature::Mirror, Feature::Retry]));
    }

    #[test]
    fn a_refusal_for_something_else_is_none_of_ours() {
        assert_eq!(lacking("HTTPRoute is invalid: spec.rules: Too many: 17"), BTreeSet::new());
        let other = ONE.replace(".retry:", ".color:");
        assert_eq!(lacking(&other), BTreeSet::new());
        assert_eq!(lacking(&format!("{ONE}\n  .spec.rules[0].color: field not declared in schema")), BTreeSet::new());
    }

    #[test]
    fn what_was_left_out_is_remembered_for_the_same_settings_only() {
        let traffic = Traffic { mirror: Some(Mirror { percent: 5 }), ..Traffic::default() };
        let mut left_out = LeftOut::default();
        assert!(left_out.add(Feature::Mirror, "no such field") && !left_out.add(Feature::Mirror, "again"));
        let live = json!({ "metadata": { "annotations": { LEFT_OUT: left_out.to_annotation(&traffic).unwrap() } } });
        let read = LeftOut::of(Some(&live), &traffic);
        assert_eq!(read, left_out);
        assert_eq!(read.words().unwrap(), "the route is written without traffic.mirror: no such field");
        let changed = Traffic { http: Some(HttpTraffic::default()), ..traffic };
        assert_eq!(LeftOut::of(Some(&live), &changed), LeftOut::default());
        assert_eq!(LeftOut::of(None, &changed).words(), None);
    }
}
