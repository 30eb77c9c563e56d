//! Options in queries and delete bodies, with the server's checks of them.

use serde_json::Value;

use super::request::Query;
use crate::sim::api_error::{ApiError, Cause};
use crate::sim::cluster::{DeleteOptions, FieldValidation, ListOptions, Propagation, WatchOptions, WriteOptions};

const GROUP: &str = "meta.k8s.io";

/// Options of POST (`CreateOptions`) and PUT (`UpdateOptions`); `kind` names them in the refusal.
///
/// # Errors
/// 422 for values that are not among the allowed ones.
pub(super) fn write(query: &Query, kind: &str) -> Result<WriteOptions, ApiError> {
    let mut causes = Vec::new();
    let options = read_write(query, &mut causes);
    refuse(kind, &causes)?;
    Ok(options)
}

/// Options of PATCH, and whether an apply is forced.
///
/// # Errors
/// 422 for `force` without apply, an apply without field manager, and values that are not among the allowed ones.
pub(super) fn patch(query: &Query, apply: bool) -> Result<(WriteOptions, bool), ApiError> {
    let mut causes = Vec::new();
    let force = query.optional_flag("force");
    if !apply && force.is_some() {
        causes.push(Cause::new("FieldValueForbidden", "force", "Forbidden: may not be specified for non-apply patch"));
    }
    if apply && query.text("fieldManager").is_empty() {
        causes.push(Cause::new("FieldValueRequired", "fieldManager", "Required value: is required for apply patch"));
    }
    let options = read_write(query, &mut causes);
    refuse("PatchOptions", &causes)?;
    Ok((options, force.unwrap_or(false)))
}

fn refuse(kind: &str, causes: &[Cause]) -> Result<(), ApiError> {
    if causes.is_empty() { Ok(()) } else { Err(ApiError::invalid(kind, GROUP, "", causes)) }
}

fn read_write(query: &Query, causes: &mut Vec<Cause>) -> WriteOptions {
    let field_manager = query.text("fieldManager");
    if field_manager.len() > 128 {
        causes.push(Cause::new("FieldValueTooLong", "fieldManager", "Too long: may not be more than 128 bytes"));
    }
    if field_manager.chars().any(char::is_control) {
        let message = format!("Invalid value: {field_manager:?}: should only contain printable characters");
        causes.push(Cause::new("FieldValueInvalid", "fieldManager", message));
    }
    let dry_run = read_dry_run(query.all("dryRun"), causes);
    let field_validation = match query.text("fieldValidation").as_str() {
        "" | "Warn" => FieldValidation::Warn,
        "Ignore" => FieldValidation::Ignore,
        "Strict" => FieldValidation::Strict,
        other => {
            let message = format!("Unsupported value: {other:?}: supported values: \"\", \"Ignore\", \"Strict\", \"Warn\"");
            causes.push(Cause::new("FieldValueNotSupported", "fieldValidation", message));
            FieldValidation::Warn
        }
    };
    WriteOptions { field_manager, dry_run, field_validation, duplicate_fields: Vec::new() }
}

fn read_dry_run(values: &[String], causes: &mut Vec<Cause>) -> bool {
    let values: Vec<&String> = values.iter().filter(|value| !value.is_empty()).collect();
    if values.iter().any(|value| *value != "All") {
        let message = format!("Unsupported value: {values:?}: supported values: \"All\"");
        causes.push(Cause::new("FieldValueNotSupported", "dryRun", message));
    }
    !values.is_empty()
}

/// Options of DELETE: from the body if there is one, else from the query. Unknown fields of the body are ignored.
///
/// # Errors
/// 422 for values that are not among the allowed ones, 400 for a body of another kind.
pub(super) fn delete(query: &Query, body: Option<&Value>) -> Result<DeleteOptions, ApiError> {
    let mut causes = Vec::new();
    let mut options = DeleteOptions::default();
    let propagation = match body {
        Some(body) => {
            check_delete_kind(body)?;
            options.grace_period_seconds = body["gracePeriodSeconds"].as_i64();
            options.orphan_dependents = body["orphanDependents"].as_bool();
            let text = |value: &Value| value.as_str().map(str::to_owned);
            options.uid = text(&body["preconditions"]["uid"]);
            options.resource_version = text(&body["preconditions"]["resourceVersion"]);
            let dry_run: Vec<String> = body["dryRun"].as_array().into_iter().flatten().filter_map(text).collect();
            options.dry_run = read_dry_run(&dry_run, &mut causes);
            text(&body["propagationPolicy"])
        }
        None => {
            options.grace_period_seconds = integer(query, "gracePeriodSeconds")?;
            options.orphan_dependents = query.optional_flag("orphanDependents");
            options.dry_run = read_dry_run(query.all("dryRun"), &mut causes);
            query.get("propagationPolicy").map(str::to_owned)
        }
    };
    options.propagation = match propagation.as_deref() {
        None => None,
        Some("Background") => Some(Propagation::Background),
        Some("Foreground") => Some(Propagation::Foreground),
        Some("Orphan") => Some(Propagation::Orphan),
        Some(other) => {
            let message = format!("Unsupported value: {other:?}: supported values: \"Foreground\", \"Background\", \"Orphan\", \"nil\"");
            causes.push(Cause::new("FieldValueNotSupported", "propagationPolicy", message));
            None
        }
    };
    if propagation.is_some() && options.orphan_dependents.is_some() {
        let message =
            format!("Invalid value: {:?}: orphanDependents and deletionPropagation cannot be both set", propagation.unwrap_or_default());
        causes.push(Cause::new("FieldValueInvalid", "propagationPolicy", message));
    }
    refuse("DeleteOptions", &causes)?;
    Ok(options)
}

fn check_delete_kind(body: &Value) -> Result<(), ApiError> {
    match body["kind"].as_str() {
        None | Some("" | "DeleteOptions") => Ok(()),
        Some(kind) => {
            let version = body["apiVersion"].as_str().unwrap_or("");
            Err(ApiError::bad_request(format!(
                "{kind} in version {version:?} cannot be handled as DeleteOptions: no kind {kind:?} is registered"
            )))
        }
    }
}

fn integer(query: &Query, name: &str) -> Result<Option<i64>, ApiError> {
    let Some(text) = query.get(name).filter(|text| !text.is_empty()) else { return Ok(None) };
    text.parse().map(Some).map_err(|_| ApiError::bad_request(format!("strconv.ParseInt: parsing {text:?}: invalid syntax")))
}

/// Options of a list.
///
/// # Errors
/// 400 for numbers that are none.
pub(super) fn list(query: &Query) -> Result<ListOptions, ApiError> {
    integer(query, "timeoutSeconds")?;
    Ok(ListOptions {
        label_selector: query.text("labelSelector"),
        field_selector: query.text("fieldSelector"),
        limit: integer(query, "limit")?,
        continue_token: query.text("continue"),
        resource_version: query.text("resourceVersion"),
        resource_version_match: query.text("resourceVersionMatch"),
        send_initial_events: query.optional_flag("sendInitialEvents"),
    })
}

/// Options of a watch.
///
/// # Errors
/// 400 for numbers that are none.
pub(super) fn watch(query: &Query) -> Result<WatchOptions, ApiError> {
    integer(query, "limit")?;
    Ok(WatchOptions {
        label_selector: query.text("labelSelector"),
        field_selector: query.text("fieldSelector"),
        resource_version: query.text("resourceVersion"),
        resource_version_match: query.text("resourceVersionMatch"),
        allow_bookmarks: query.flag("allowWatchBookmarks"),
        send_initial_events: query.optional_flag("sendInitialEvents"),
        timeout_seconds: integer(query, "timeoutSeconds")?,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{delete, list, patch, write};
    use crate::sim::cluster::{FieldValidation, Propagation};
    use crate::sim::routes::request::Query;

    #[test]
    fn write_options_are_read_and_checked() {
        let options = write(&Query::parse("fieldManager=m&dryRun=All&fieldValidation=Strict"), "CreateOptions").unwrap();
        assert_eq!((options.field_manager.as_str(), options.dry_run, options.field_validation), ("m", true, FieldValidation::Strict));
        let error = write(&Query::parse("dryRun=x"), "CreateOptions").unwrap_err();
        let text = "CreateOptions.meta.k8s.io \"\" is invalid: dryRun: Unsupported value: [\"x\"]: supported values: \"All\"";
        assert_eq!((error.code, error.message.as_str()), (422, text));
        assert_eq!(write(&Query::parse("fieldValidation=Loose"), "UpdateOptions").unwrap_err().code, 422);
    }

    #[test]
    fn force_belongs_to_apply_and_apply_needs_a_manager() {
        assert!(patch(&Query::parse("force=true"), false).unwrap_err().message.contains("may not be specified for non-apply patch"));
        assert!(patch(&Query::parse("force=true"), true).unwrap_err().message.contains("is required for apply patch"));
        assert!(patch(&Query::parse("force=true&fieldManager=m"), true).unwrap().1);
        let long = "m".repeat(129);
        assert!(
            patch(&Query::parse(&format!("fieldManager={long}")), true).unwrap_err().message.contains("may not be more than 128 bytes")
        );
    }

    #[test]
    fn delete_options_come_from_the_body_or_else_from_the_query() {
        let body = json!({"propagationPolicy": "Foreground", "preconditions": {"uid": "u"}, "dryRun": ["All"], "other": 1});
        let options = delete(&Query::parse("propagationPolicy=Orphan"), Some(&body)).unwrap();
        assert_eq!((options.propagation, options.uid.as_deref(), options.dry_run), (Some(Propagation::Foreground), Some("u"), true));
        let options = delete(&Query::parse("propagationPolicy=Orphan&gracePeriodSeconds=3"), None).unwrap();
        assert_eq!((options.propagation, options.grace_period_seconds), (Some(Propagation::Orphan), Some(3)));
        let error = delete(&Query::parse("propagationPolicy=Foo"), None).unwrap_err();
        assert!(error.message.contains("supported values: \"Foreground\", \"Background\", \"Orphan\", \"nil\""));
        assert_eq!(
            delete(&Query::default(), Some(&json!({"propagationPolicy": "Orphan", "orphanDependents": true}))).unwrap_err().code,
            422
        );
        assert_eq!(delete(&Query::default(), Some(&json!({"kind": "Pod"}))).unwrap_err().code, 400);
    }

    #[test]
    fn numbers_that_are_none_are_bad_requests() {
        assert_eq!(list(&Query::parse("limit=x")).unwrap_err().code, 400);
        assert_eq!(list(&Query::parse("limit=5&continue=")).unwrap().limit, Some(5));
    }
}
