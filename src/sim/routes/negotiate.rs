//! Content negotiation: what form an answer has, and what form a body is in.

use serde_json::json;

use crate::sim::api_error::ApiError;

/// How objects are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// As they are.
    Plain,
    /// `meta.k8s.io/v1` Table; the older `v1beta1` is not offered.
    Table,
    /// `PartialObjectMetadata`, `PartialObjectMetadataList`.
    Partial,
}

/// How an answer is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Form {
    /// YAML instead of JSON.
    pub yaml: bool,
    /// How objects are shown.
    pub shape: Shape,
}

impl Form {
    /// Plain JSON.
    pub const JSON: Form = Form { yaml: false, shape: Shape::Plain };

    /// The `Content-Type` of the answer.
    pub fn content_type(self) -> &'static str {
        if self.yaml { "application/yaml" } else { "application/json" }
    }
}

/// One part of an `Accept` header.
struct Offer<'a> {
    media_type: &'a str,
    shape: Option<&'a str>,
    group: &'a str,
    version: &'a str,
    quality: f32,
}

fn offers(accept: &str) -> Vec<Offer<'_>> {
    let mut offers: Vec<Offer<'_>> = accept
        .split(',')
        .map(str::trim)
        .filter(|part| !part.is_empty())
        .map(|part| {
            let mut pieces = part.split(';').map(str::trim);
            let mut offer = Offer { media_type: pieces.next().unwrap_or(""), shape: None, group: "", version: "", quality: 1.0 };
            for (name, value) in pieces.filter_map(|piece| piece.split_once('=')) {
                match name {
                    "as" => offer.shape = Some(value),
                    "g" => offer.group = value,
                    "v" => offer.version = value,
                    "q" => offer.quality = value.parse().unwrap_or(1.0),
                    _ => {}
                }
            }
            offer
        })
        .collect();
    offers.sort_by(|left, right| right.quality.total_cmp(&left.quality));
    offers
}

/// What the server offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// Objects of a resource in all shapes; lists too if `list`.
    Objects {
        /// A collection is asked for.
        list: bool,
        /// A custom resource.
        custom: bool,
    },
    /// A watch: no YAML.
    Watch {
        /// A custom resource.
        custom: bool,
    },
}

/// The form of an answer about objects.
///
/// # Errors
/// 406 if nothing that is accepted can be given. Protobuf alone cannot: the simulated cluster answers in JSON.
pub fn form(accept: &str, choice: Choice) -> Result<Form, ApiError> {
    if accept.trim().is_empty() {
        return Ok(Form::JSON);
    }
    offers(accept).iter().find_map(|offer| accepted(offer, choice)).ok_or_else(|| not_acceptable(accept, choice))
}

fn accepted(offer: &Offer<'_>, choice: Choice) -> Option<Form> {
    let yaml = match offer.media_type {
        "application/json" | "*/*" | "application/*" => false,
        "application/yaml" if !matches!(choice, Choice::Watch { .. }) => true,
        _ => return None,
    };
    let meta = offer.group == "meta.k8s.io" && offer.version == "v1";
    let shape = match (offer.shape, choice) {
        (None, _) => Shape::Plain,
        (Some("Table"), _) if meta => Shape::Table,
        (Some("PartialObjectMetadata"), Choice::Objects { list: false, .. } | Choice::Watch { .. }) if meta => Shape::Partial,
        (Some("PartialObjectMetadataList"), Choice::Objects { list: true, .. }) if meta => Shape::Partial,
        _ => return None,
    };
    Some(Form { yaml, shape })
}

fn not_acceptable(accept: &str, choice: Choice) -> ApiError {
    const TYPES: &str = "application/json, application/yaml, application/vnd.kubernetes.protobuf";
    const STREAMS: &str = ", application/json;stream=watch, application/vnd.kubernetes.protobuf;stream=watch";
    let known = offers(accept).iter().any(|offer| offer.shape.is_some() && TYPES.split(", ").any(|known| known == offer.media_type));
    let (custom, list) = match choice {
        Choice::Objects { list, custom } => (custom, list),
        Choice::Watch { custom } => (custom, true),
    };
    // Built-in routes are refused by the router in front of the handlers, unless the media type itself was one of theirs.
    let message = if custom || known {
        format!("only the following media types are accepted: {TYPES}")
    } else {
        format!("406: Not Acceptable\n\nAvailable representations: {TYPES}{}", if list { STREAMS } else { "" })
    };
    ApiError::new(406, "NotAcceptable", message).with_details(json!({}))
}

/// Which document of a discovery path is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Discovery {
    /// `apidiscovery.k8s.io/v2`.
    Aggregated,
    /// The older lists.
    Plain,
}

/// The discovery document that is asked for; `None`: nothing acceptable (406).
pub fn discovery(accept: &str) -> Option<Discovery> {
    if accept.trim().is_empty() {
        return Some(Discovery::Plain);
    }
    offers(accept).iter().find_map(|offer| match (offer.media_type, offer.shape) {
        ("application/json", Some("APIGroupDiscoveryList")) if offer.group == "apidiscovery.k8s.io" && offer.version == "v2" => {
            Some(Discovery::Aggregated)
        }
        ("application/json" | "*/*" | "application/*", None) => Some(Discovery::Plain),
        _ => None,
    })
}

/// Whether `media_type` (or anything) is accepted.
pub fn accepts(accept: &str, media_type: &str) -> bool {
    let all = format!("{}/*", media_type.split('/').next().unwrap_or(""));
    accept.trim().is_empty()
        || offers(accept).iter().any(|offer| offer.media_type == media_type || offer.media_type == "*/*" || offer.media_type == all)
}

/// The media type of a `Content-Type` header, without parameters, in lower case.
pub fn media_type(content_type: &str) -> String {
    content_type.split(';').next().unwrap_or("").trim().to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::{Choice, Discovery, Form, Shape, accepts, discovery, form};

    const LIST: Choice = Choice::Objects { list: true, custom: false };
    const ONE: Choice = Choice::Objects { list: false, custom: true };

    #[test]
    fn the_first_acceptable_offer_wins() {
        let table = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json";
        assert_eq!(form(table, LIST).unwrap().shape, Shape::Table);
        assert_eq!(form("application/vnd.kubernetes.protobuf,application/json", LIST).unwrap(), Form::JSON);
        assert_eq!(
            form("application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json", LIST).unwrap().shape,
            Shape::Partial
        );
        assert_eq!(
            form("application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json", ONE).unwrap().shape,
            Shape::Plain
        );
        assert_eq!(form("application/json;q=0.5,application/yaml", ONE).unwrap(), Form { yaml: true, shape: Shape::Plain });
        assert_eq!(form("", ONE).unwrap(), Form::JSON);
        assert_eq!(form("*/*", ONE).unwrap(), Form::JSON);
    }

    #[test]
    fn what_cannot_be_given_is_not_acceptable() {
        let error = form("application/vnd.kubernetes.protobuf", ONE).unwrap_err();
        assert_eq!((error.code, error.reason), (406, "NotAcceptable"));
        assert_eq!(
            error.message,
            "only the following media types are accepted: application/json, application/yaml, application/vnd.kubernetes.protobuf"
        );
        assert!(form("text/html", Choice::Objects { list: false, custom: false }).unwrap_err().message.starts_with("406: Not Acceptable"));
        assert!(form("application/json;as=Chair;v=v1;g=meta.k8s.io", LIST).is_err());
        assert!(form("application/yaml", Choice::Watch { custom: false }).is_err());
        assert!(form("text/html", LIST).is_err());
    }

    #[test]
    fn aggregated_discovery_is_version_two_only() {
        let v2 = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
        let v2beta1 = "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList";
        assert_eq!(discovery(&format!("{v2},{v2beta1},application/json")), Some(Discovery::Aggregated));
        assert_eq!(discovery(v2beta1), None);
        assert_eq!(discovery(&format!("{v2beta1},application/json")), Some(Discovery::Plain));
        assert_eq!(discovery(""), Some(Discovery::Plain));
    }

    #[test]
    fn wildcards_accept() {
        assert!(accepts("text/*", "text/plain") && accepts("*/*", "text/plain") && accepts("", "text/plain"));
        assert!(!accepts("application/com.github.proto-openapi.spec.v2@v1.0+protobuf", "application/json"));
    }
}
