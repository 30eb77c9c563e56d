//! Schemas of values that several fields share, each bounded and, where a user can get it wrong, with a rule that says what to do.
//!
//! A rule is used in place of `pattern` because the API server answers a broken pattern with the regular expression alone.
//! Functions here are named in `#[schemars(schema_with = "...")]`; they take the generator only because schemars passes it.

use schemars::{Schema, SchemaGenerator, json_schema};
use serde_json::json;

/// A string of at most `max` characters with one CEL rule.
pub(super) fn checked_string(max: usize, rule: &str, message: &str) -> Schema {
    json_schema!({
        "type": "string",
        "maxLength": max,
        "x-kubernetes-validations": [{"rule": rule, "message": message}],
    })
}

/// A semantic version that is a label value too: no `+build`, ends with a letter or digit.
pub(super) fn version(_: &mut SchemaGenerator) -> Schema {
    checked_string(
        63,
        concat!(
            r"self.matches('^(0|[1-9][0-9]*)[.](0|[1-9][0-9]*)[.](0|[1-9][0-9]*)",
            r"(-((0|[1-9][0-9]*|[0-9]*[a-zA-Z-][0-9a-zA-Z-]*)[.])*(0|[1-9][0-9]*|[0-9]*[a-zA-Z]|[0-9]*[a-zA-Z-][0-9a-zA-Z-]*[0-9a-zA-Z]))?$')"
        ),
        "must be a semantic version such as 1.4.0 or 2.0.0-rc.1, without +build and without a leading v",
    )
}

/// The name of a Model: an object name that fits in a label value.
pub(super) fn model_name(_: &mut SchemaGenerator) -> Schema {
    checked_string(
        63,
        "self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$')",
        "must be the name of a Model: lower-case letters, digits, - and ., at most 63 characters",
    )
}

/// The name of an environment: a DNS label.
pub(super) fn environment(_: &mut SchemaGenerator) -> Schema {
    checked_string(
        63,
        "self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",
        "must be a name such as production: lower-case letters, digits and -, at most 63 characters",
    )
}

/// A URI with a scheme.
pub(super) fn uri(_: &mut SchemaGenerator) -> Schema {
    checked_string(
        2048,
        "self.matches('^[a-z][a-z0-9+.-]*://[^ ]+$')",
        "must be a URI with a scheme and without spaces, such as s3://bucket/path or oci://registry/name:tag",
    )
}

/// A SHA-256 digest.
pub(super) fn digest(_: &mut SchemaGenerator) -> Schema {
    checked_string(71, "self.matches('^sha256:[0-9a-f]{64}$')", "must be sha256: and 64 lower-case hexadecimal digits")
}

/// A container image reference. What it points at is checked by whoever pulls it.
pub(super) fn image(_: &mut SchemaGenerator) -> Schema {
    checked_string(1024, "self.matches('^[^ ]+$')", "must be an image reference without spaces, such as registry.example.com/server:7")
}

/// Whole number or percent, of at least one pod.
///
/// `string(self)` because the value has no static type; the comparison with `int(...)` refuses a number in quotes, as Kubernetes does.
pub(super) fn surge(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "x-kubernetes-int-or-string": true,
        "maxLength": 5,
        "x-kubernetes-validations": [{
            "rule": "string(self).endsWith('%') ? string(self).matches('^([1-9][0-9]?|100)%$') : string(self).matches('^([1-9][0-9]{0,3}|10000)$') && self == int(string(self))",
            "message": "must be a number of pods from 1 to 10000, or a percent from 1% to 100%",
        }],
    })
}

/// A port number or the name of one.
pub(super) fn port(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "x-kubernetes-int-or-string": true,
        "maxLength": 15,
        "x-kubernetes-validations": [{
            "rule": "string(self).matches('[a-z]') ? string(self).matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$') : string(self).matches('^[1-9][0-9]{0,4}$') && self == int(string(self)) && int(string(self)) <= 65535",
            "message": "must be a port number from 1 to 65535 or the name of one of the container's ports",
        }],
    })
}

/// A map of resource names to quantities. The names are checked with the pod.
pub(super) fn quantities(generator: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "maxProperties": 32,
        "additionalProperties": quantity(generator),
    })
}

/// A quantity that is not negative.
pub(super) fn quantity(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "x-kubernetes-int-or-string": true,
        "maxLength": 32,
        "x-kubernetes-validations": [{
            "rule": "string(self).matches('^([0-9]+([.][0-9]*)?|[.][0-9]+)([KMGTPE]i|[numkMGTPE]|[eE][+-]?[0-9]+)?$')",
            "message": "must be a quantity such as 500m, 2, or 16Gi",
        }],
    })
}

/// A map of text to text with at most `ITEMS` entries and values of at most `LENGTH` characters.
pub(super) fn text_map<const ITEMS: usize, const LENGTH: usize>(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "maxProperties": ITEMS,
        "additionalProperties": {"type": "string", "maxLength": LENGTH},
    })
}

/// A list of at most `ITEMS` texts of at most `LENGTH` characters each.
pub(super) fn text_list<const ITEMS: usize, const LENGTH: usize>(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "maxItems": ITEMS,
        "items": {"type": "string", "maxLength": LENGTH},
    })
}

/// A map of names to finite numbers.
pub(super) fn numbers(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "maxProperties": 64,
        "additionalProperties": {"type": "number"},
        "x-kubernetes-validations": [{
            "rule": "self.all(name, name.size() >= 1 && name.size() <= 63)",
            "message": "the name of a metric has 1 to 63 characters",
        }],
    })
}

/// A map of names to anything. Without `preserve-unknown-fields` nested objects would be pruned to nothing.
pub(super) fn free_form_map(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "maxProperties": 128,
        "additionalProperties": {"x-kubernetes-preserve-unknown-fields": true},
    })
}

/// An object of any shape that somebody else validates.
pub(super) fn free_form(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "object", "maxProperties": 64, "x-kubernetes-preserve-unknown-fields": true})
}

/// A point in time, RFC 3339.
pub(super) fn time(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "string", "format": "date-time"})
}

/// Conditions, keyed by type.
pub(super) fn conditions(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "maxItems": 16,
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["type"],
        "items": {
            "type": "object",
            "description": "One thing that is true, false or not known.",
            "required": ["lastTransitionTime", "message", "reason", "status", "type"],
            "properties": {
                "type": {"type": "string", "maxLength": 316, "description": "Name of the condition."},
                "status": {"type": "string", "enum": ["True", "False", "Unknown"], "description": "True, False or Unknown."},
                "reason": {"type": "string", "minLength": 1, "maxLength": 1024, "description": "Why, as one word for programs."},
                "message": {"type": "string", "maxLength": 32768, "description": "Why, in plain words."},
                "lastTransitionTime": {"type": "string", "format": "date-time", "description": "When status last changed."},
                "observedGeneration": {"type": "integer", "format": "int64", "minimum": json!(0), "description": "The generation it was judged at."},
            },
        },
    })
}

/// The name of an object: a DNS subdomain.
pub(super) fn object_name(_: &mut SchemaGenerator) -> Schema {
    checked_string(
        253,
        "self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$')",
        "must be lower-case letters, digits, - and ., starting and ending with a letter or digit",
    )
}

/// Host names, a wildcard allowed as first label.
pub(super) fn hostnames(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "minItems": 1,
        "maxItems": 16,
        "x-kubernetes-list-type": "set",
        "items": {
            "type": "string",
            "minLength": 1,
            "maxLength": 253,
            "x-kubernetes-validations": [{
                "rule": "self.matches('^([*][.])?[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$')",
                "message": "must be a host name such as chat.example.com or *.example.com, without scheme and port",
            }],
        },
    })
}

/// A path prefix.
pub(super) fn path(_: &mut SchemaGenerator) -> Schema {
    checked_string(
        1024,
        "self.startsWith('/') && !self.contains('//') && !self.contains('/../') && !self.contains('/./') && !self.contains('#') && !self.contains('?')",
        "must be a path prefix such as /v1: it starts with / and has no //, /../, /./, # or ?",
    )
}

/// Labels for pods, without those that the operator selects by.
pub(super) fn labels(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "maxProperties": 64,
        "additionalProperties": {"type": "string", "maxLength": 63},
        "x-kubernetes-validations": [{
            "rule": "self.all(name, !name.startsWith('modelward.dev/'))",
            "message": "labels that start with modelward.dev/ belong to the operator: choose another prefix",
        }],
    })
}

/// A list of at most `ITEMS` distinct texts of at most `LENGTH` characters each.
pub(super) fn text_set<const ITEMS: usize, const LENGTH: usize>(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "maxItems": ITEMS,
        "x-kubernetes-list-type": "set",
        "items": {"type": "string", "minLength": 1, "maxLength": LENGTH},
    })
}

/// The name of a port.
pub(super) fn port_name(_: &mut SchemaGenerator) -> Schema {
    checked_string(
        15,
        "self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$') && self.matches('[a-z]') && !self.contains('--')",
        "must be a port name such as http: at most 15 lower-case letters, digits and -, with at least one letter",
    )
}

/// The name of a header in small letters: two entries of a list are then two headers.
pub(super) fn header_name(_: &mut SchemaGenerator) -> Schema {
    checked_string(
        256,
        "self.matches('^[a-z0-9][a-z0-9._-]*$')",
        "must be the name of a header in small letters, such as x-canary: letters, digits, -, . and _",
    )
}

/// HTTP status codes of failures.
pub(super) fn status_codes(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "minItems": 1,
        "maxItems": 16,
        "x-kubernetes-list-type": "set",
        "items": {"type": "integer", "format": "int32", "minimum": 400, "maximum": 599},
    })
}

/// The name of a metric, profile or provider.
pub(super) fn metric_name(_: &mut SchemaGenerator) -> Schema {
    checked_string(
        63,
        "self.matches('^[a-zA-Z]([-_a-zA-Z0-9]*[a-zA-Z0-9])?$')",
        "must be a name such as refusals: letters, digits, - and _, starting with a letter",
    )
}

/// How often metrics are measured: whole seconds, because times in status are.
pub(super) fn analysis_interval(_: &mut SchemaGenerator) -> Schema {
    checked_string(
        64,
        "self.matches('^([0-9]{1,5}(h|m|s)){1,4}$') && duration(self) >= duration('10s') && duration(self) <= duration('1h')",
        "must be a duration in whole seconds from 10s to 1h, such as 30s or 2m",
    )
}

/// A list of at most `ITEMS` numbers.
pub(super) fn number_list<const ITEMS: usize>(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "array", "maxItems": ITEMS, "items": {"type": "number"}})
}
