//! LIST: selectors, pages, revisions.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

use super::{convert, errors};
use crate::sim::api_error::{ApiError, Cause};
use crate::sim::cluster::{Cluster, ListOptions, ListPage};
use crate::sim::kinds::Resource;
use crate::sim::selector::Filter;
use crate::sim::store::Place;

/// What a list reads.
struct Plan {
    /// `None`: the present.
    revision: Option<u64>,
    /// Only after this place.
    after: Option<Place>,
    limit: Option<usize>,
}

impl Cluster {
    /// One page of a list; `namespace` `None` or empty lists all namespaces.
    ///
    /// # Errors
    /// As the server: 400 selectors and tokens, 410 revision gone, 422 options, 504 revision of the future.
    pub fn list_page(&self, resource: &str, namespace: Option<&str>, options: &ListOptions) -> Result<ListPage, ApiError> {
        let resource = self.resource(resource)?;
        check_match(options)?;
        let filter = Filter::parse(&options.label_selector, &options.field_selector, &resource)?;
        let plan = self.plan(options)?;
        let namespace = namespace.filter(|namespace| !namespace.is_empty());
        let revision = plan.revision.unwrap_or_else(|| self.revision());
        let objects = self.objects_of(&resource, namespace, &plan, revision, !options.continue_token.is_empty())?;
        Ok(page(resource, objects, &filter, &plan, revision))
    }

    fn plan(&self, options: &ListOptions) -> Result<Plan, ApiError> {
        let limit = options.limit.and_then(|limit| usize::try_from(limit).ok()).filter(|limit| *limit > 0);
        let text = options.resource_version.as_str();
        if !options.continue_token.is_empty() {
            if !matches!(text, "" | "0") {
                return Err(ApiError::bad_request("specifying resource version is not allowed when using continue"));
            }
            let (revision, after) = decode_token(&options.continue_token)?;
            let limit = if text == "0" { None } else { limit };
            return Ok(Plan { revision, after: Some(after), limit });
        }
        let asked = match text {
            "" => 0,
            text => {
                let problem = |_| ApiError::bad_request(format!("invalid resource version: {}", errors::bad_revision(text)));
                text.parse().map_err(problem)?
            }
        };
        if asked > self.revision() {
            return Err(errors::too_large_revision(asked, self.revision()));
        }
        let exact =
            options.resource_version_match == "Exact" || (asked > 0 && limit.is_some() && options.resource_version_match.is_empty());
        // Revision 0 is answered from the cache, which does not know limits.
        let limit = if text == "0" { None } else { limit };
        Ok(Plan { revision: exact.then_some(asked), after: None, limit })
    }

    fn objects_of(
        &self,
        resource: &Resource,
        namespace: Option<&str>,
        plan: &Plan,
        revision: u64,
        continued: bool,
    ) -> Result<BTreeMap<Place, Arc<Value>>, ApiError> {
        let found = self.store.objects_at(&resource.storage_key, namespace, revision, plan.after.as_ref());
        found.map_err(|_| {
            let error = errors::expired_list();
            let Some(after) = plan.after.as_ref().filter(|_| continued) else { return error };
            let mut error = ApiError {
                message: "The provided continue parameter is too old to display a consistent list result. You can start a new list without the \
                          continue parameter, or use the continue token in this response to retrieve the remainder of the results. Continuing \
                          with the provided token results in an inconsistent list - objects that were created, modified, or deleted between the \
                          time the first chunk was returned and now may show up in the list."
                    .to_owned(),
                ..error
            };
            error.continue_token = Some(encode_token(None, after));
            error
        })
    }
}

fn page(resource: Arc<Resource>, objects: BTreeMap<Place, Arc<Value>>, filter: &Filter, plan: &Plan, revision: u64) -> ListPage {
    let total = objects.len();
    let limit = plan.limit.unwrap_or(usize::MAX);
    let mut items = Vec::new();
    let mut last: Option<Place> = None;
    let mut more = false;
    for (place, object) in objects {
        if !filter.matches(&object) {
            continue;
        }
        if items.len() == limit {
            more = true;
            break;
        }
        items.push(convert::from_stored(&resource, &object));
        last = Some(place);
    }
    let continue_token = last.filter(|_| more).map(|place| encode_token(Some(revision), &place));
    let remaining = (more && filter.is_everything()).then(|| (total - items.len()) as u64);
    ListPage { resource, items, resource_version: revision.to_string(), continue_token, remaining }
}

fn check_match(options: &ListOptions) -> Result<(), ApiError> {
    let field = "resourceVersionMatch";
    let forbidden = |text: &str| Cause::new("FieldValueForbidden", field, format!("Forbidden: {text}"));
    let cause = match (options.resource_version_match.as_str(), options.resource_version.as_str()) {
        _ if options.send_initial_events.is_some() => {
            Cause::new("FieldValueForbidden", "sendInitialEvents", "Forbidden: sendInitialEvents is forbidden for list")
        }
        ("", _) => return Ok(()),
        (_, _) if !options.continue_token.is_empty() => forbidden("resourceVersionMatch is forbidden when continue is provided"),
        (_, "") => forbidden("resourceVersionMatch is forbidden unless resourceVersion is provided"),
        ("Exact", "0") => forbidden("resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\""),
        ("Exact" | "NotOlderThan", _) => return Ok(()),
        (other, _) => Cause::new(
            "FieldValueNotSupported",
            field,
            format!("Unsupported value: {other:?}: supported values: \"Exact\", \"NotOlderThan\", \"\""),
        ),
    };
    Err(ApiError::invalid("ListOptions", "meta.k8s.io", "", &[cause]))
}

/// A token names the revision and the last place; revision -1 continues in the present.
fn encode_token(revision: Option<u64>, last: &Place) -> String {
    let (namespace, name) = last;
    let start = if namespace.is_empty() { format!("/{name}\0") } else { format!("/{namespace}/{name}\0") };
    let revision = revision.map_or(json!(-1), |revision| json!(revision));
    base64_url(json!({ "v": "meta.k8s.io/v1", "rv": revision, "start": start }).to_string().as_bytes())
}

fn decode_token(token: &str) -> Result<(Option<u64>, Place), ApiError> {
    let bad = |why: &str| ApiError::bad_request(format!("invalid continue token: {why}"));
    let bytes = from_base64_url(token).ok_or_else(|| bad("illegal base64 data"))?;
    let decoded: Value = serde_json::from_slice(&bytes).map_err(|_| bad("not valid JSON"))?;
    if decoded["v"] != "meta.k8s.io/v1" {
        return Err(bad(&format!("server does not recognize this encoded version {}", decoded["v"])));
    }
    let revision = decoded["rv"]
        .as_i64()
        .filter(|revision| *revision != 0)
        .ok_or_else(|| bad("incorrect encoded start resourceVersion (version meta.k8s.io/v1)"))?;
    let start = decoded["start"].as_str().unwrap_or_default();
    let start = start.strip_prefix('/').and_then(|start| start.strip_suffix('\0')).filter(|start| !start.is_empty());
    let start = start.ok_or_else(|| bad("start key is missing or malformed"))?;
    let (namespace, name) = start.split_once('/').unwrap_or(("", start));
    Ok((u64::try_from(revision).ok(), (namespace.to_owned(), name.to_owned())))
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Unpadded base64url (RFC 4648, section 5).
fn base64_url(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let word = chunk.iter().enumerate().fold(0u32, |word, (at, byte)| word | u32::from(*byte) << (16 - 8 * at));
        for at in 0..=chunk.len() {
            out.push(char::from(ALPHABET[(word >> (18 - 6 * at)) as usize & 63]));
        }
    }
    out
}

fn from_base64_url(text: &str) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len() * 3 / 4);
    let (mut word, mut bits) = (0u32, 0u32);
    for letter in text.trim_end_matches('=').bytes() {
        let value = ALPHABET.iter().position(|known| *known == letter)?;
        word = word << 6 | value as u32;
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            out.push((word >> bits) as u8);
            word &= (1 << bits) - 1;
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_continue_token_survives_its_round_trip() {
        for place in [("t".to_owned(), "u".to_owned()), (String::new(), "node-1".to_owned())] {
            for revision in [Some(7), None] {
                let token = encode_token(revision, &place);
                assert!(!token.contains('='), "{token}");
                assert_eq!(decode_token(&token), Ok((revision, place.clone())));
            }
        }
    }

    #[test]
    fn a_foreign_token_is_refused_with_400() {
        for token in ["%%%", "e30", "bm90IGpzb24"] {
            let error = decode_token(token).unwrap_err();
            assert_eq!(error.code, 400);
            assert!(error.message.starts_with("invalid continue token: "), "{}", error.message);
        }
    }
}
