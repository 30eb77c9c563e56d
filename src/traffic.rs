//! How a split becomes an object, and how it is read back.
//!
//! Two ways: weights on a gateway's route ([`route`]), or one Service whose selector is pinned to a revision or widened
//! over two ([`ratio`]). Both carry the decision that they follow from. Pure: objects in, objects out.

pub mod ratio;
pub mod route;

use serde_json::Value;

use crate::domain::record::Decision;

/// Annotation with the decision, as JSON of at most 4 KiB.
pub const DECISION: &str = "modelward.dev/decision";
/// Longest annotation that is read, in bytes.
const DECISION_MAX: usize = 4096;

/// The decision's text for the annotation. Reasons are bounded, so it fits.
pub fn to_annotation(decision: &Decision) -> String {
    serde_json::to_string(decision).unwrap_or_default()
}

/// The decision that an object carries; `None` if there is none or somebody made it unreadable.
pub fn from_object(object: &Value) -> Option<Decision> {
    let text = object.get("metadata")?.get("annotations")?.get(DECISION)?.as_str()?;
    let decision: Decision = (text.len() <= DECISION_MAX).then(|| serde_json::from_str(text).ok())??;
    let weight = decision.split.candidate_weight();
    ((0..=100).contains(&weight) && (0..=100).contains(&decision.stage_weight) && decision.number > 0).then_some(decision)
}
