//! POST, PUT, PATCH and DELETE: bodies and options in, the cluster's verbs, answers out. The order of the checks is the
//! server's: it decides which of several errors a client sees.

use serde_json::{Value, json};

use super::access::Attributes;
use super::body::{self, Decoded};
use super::negotiate::{Form, media_type};
use super::reply::Reply;
use super::{Call, options, token};
use crate::sim::api_error::{ApiError, Cause};
use crate::sim::cluster::{Cluster, DeleteOptions, FieldValidation, Patch, WriteOptions, Written};
use crate::sim::verbs::errors;

const JSON_PATCH: &str = "application/json-patch+json";
const MERGE_PATCH: &str = "application/merge-patch+json";
const STRATEGIC_PATCH: &str = "application/strategic-merge-patch+json";
const APPLY_PATCH: &str = "application/apply-patch+yaml";

impl Call<'_> {
    pub(super) fn post(&self, cluster: &mut Cluster) -> Result<Reply, ApiError> {
        if self.resource.namespaced && self.info.namespace.is_empty() {
            return Err(if self.resource.custom { super::unknown(&self.info.group) } else { errors::method_not_allowed() });
        }
        let form = self.form(false)?;
        let decoded = self.body_of_object();
        // A malformed body of the right type is reported after malformed options; the rest of the order is as it stands.
        if let Err(error) = &decoded
            && matches!(error.code, 413 | 415)
        {
            return Err(error.clone());
        }
        let options = options::write(self.query, "CreateOptions")?;
        let Decoded { value, duplicates } = decoded?;
        let options = WriteOptions { duplicate_fields: duplicates, ..options };
        let who = &self.request.identity;
        if self.grants_rights() {
            let trial = WriteOptions { dry_run: true, ..options.clone() };
            match cluster.create(who, &self.key, self.namespace(), value.clone(), &trial) {
                Ok(tried) => self.check_escalation(cluster, &tried.object)?,
                // Missing rights are spoken of before what is wrong with the object, or that there is one.
                Err(error) => {
                    if matches!(error.code, 409 | 422) {
                        self.check_escalation(cluster, &value)?;
                    }
                    return Err(error);
                }
            }
        }
        let written = cluster.create(who, &self.key, self.namespace(), value, &options)?;
        self.written(cluster, form, &written)
    }

    pub(super) fn put(&self, cluster: &mut Cluster) -> Result<Reply, ApiError> {
        let form = self.form(false)?;
        body::check_size(&self.request.body)?;
        let options = options::write(self.query, "UpdateOptions")?;
        let Decoded { value, duplicates } = self.body_of_object()?;
        let options = WriteOptions { duplicate_fields: duplicates, ..options };
        let (namespace, name) = (self.namespace(), self.info.name.as_str());
        let put = |cluster: &mut Cluster, options: &WriteOptions, value| {
            cluster.update(&self.request.identity, &self.key, namespace, name, self.subresource(), value, options)
        };
        if self.is_tried_first(cluster) {
            let tried = put(cluster, &WriteOptions { dry_run: true, ..options.clone() }, value.clone())?;
            self.check_tried(cluster, &tried)?;
        }
        let written = put(cluster, &options, value)?;
        self.written(cluster, form, &written)
    }

    pub(super) fn patch(&self, cluster: &mut Cluster) -> Result<Reply, ApiError> {
        let kind = self.patch_type()?;
        let form = self.form(false)?;
        body::check_size(&self.request.body)?;
        let apply = kind == APPLY_PATCH;
        let (options, force) = options::patch(self.query, apply)?;
        let Decoded { value, duplicates } = body::patch(&self.request.body, apply)?;
        if apply && options.field_validation == FieldValidation::Strict && !duplicates.is_empty() {
            let sentences = duplicates.join(", ");
            let converting = if sentences.starts_with("yaml: ") { "error converting YAML to JSON: " } else { "" };
            return Err(ApiError::bad_request(format!("error strict decoding YAML: {converting}{sentences}")));
        }
        let options = WriteOptions { duplicate_fields: duplicates, ..options };
        let patch = match kind {
            JSON_PATCH => Patch::Json(value),
            MERGE_PATCH => Patch::Merge(value),
            STRATEGIC_PATCH => Patch::Strategic(value),
            _ => Patch::Apply { object: value, force },
        };
        let (namespace, name) = (self.namespace(), self.info.name.as_str());
        let change = |cluster: &mut Cluster, options: &WriteOptions, patch| {
            cluster.patch(&self.request.identity, &self.key, namespace, name, self.subresource(), patch, options)
        };
        if self.is_tried_first(cluster) {
            let tried = change(cluster, &WriteOptions { dry_run: true, ..options.clone() }, patch.clone())?;
            self.check_tried(cluster, &tried)?;
        }
        let written = change(cluster, &options, patch)?;
        self.written(cluster, form, &written)
    }

    /// Whether a write that may create, or may grant rights, is tried without effect first: the server speaks of missing
    /// rights only after it has decoded and merged.
    fn is_tried_first(&self, cluster: &Cluster) -> bool {
        self.grants_rights() || self.must_not_create(cluster)
    }

    /// The object does not exist, and who asks may not create it.
    fn must_not_create(&self, cluster: &Cluster) -> bool {
        cluster.get(&self.key, self.namespace(), &self.info.name).is_none()
            && !self.policy.decide(cluster, &self.request.identity, &self.creation()).allowed
    }

    fn creation(&self) -> Attributes<'_> {
        Attributes { verb: "create", ..Attributes::of(self.info) }
    }

    fn check_tried(&self, cluster: &Cluster, tried: &Written) -> Result<(), ApiError> {
        if tried.code == 201 {
            self.policy.check(cluster, &self.request.identity, &self.creation())?;
        }
        if self.grants_rights() { self.check_escalation(cluster, &tried.object) } else { Ok(()) }
    }

    fn patch_type(&self) -> Result<&'static str, ApiError> {
        let asked = media_type(&self.request.content_type);
        let known = [JSON_PATCH, MERGE_PATCH, APPLY_PATCH, STRATEGIC_PATCH];
        let offered = if self.resource.custom { &known[..3] } else { &known[..] };
        if let Some(found) = offered.iter().find(|offer| **offer == asked) {
            return Ok(found);
        }
        if self.resource.custom {
            return Err(body::unsupported(&offered.join(", ")));
        }
        Err(ApiError::new(415, "UnsupportedMediaType", "415: Unsupported Media Type").with_details(json!({})))
    }

    pub(super) fn delete(&self, cluster: &mut Cluster) -> Result<Reply, ApiError> {
        let form = self.form(false)?;
        let options = self.delete_options()?;
        let deleted = cluster.delete(&self.request.identity, &self.key, self.namespace(), &self.info.name, &options)?;
        Ok(self.object(cluster, deleted.code, form, &deleted.object)?.with_warnings(&deleted.warnings))
    }

    pub(super) fn delete_collection(&self, cluster: &mut Cluster) -> Result<Reply, ApiError> {
        if self.resource.namespaced && self.info.namespace.is_empty() && self.resource.custom {
            return Err(super::unknown(&self.info.group));
        }
        let form = self.form(true)?;
        let options = self.delete_options()?;
        let list = options::list(self.query)?;
        let page = cluster.delete_collection(&self.request.identity, &self.key, self.namespace(), &options, &list)?;
        self.page(cluster, form, &page)
    }

    fn delete_options(&self) -> Result<DeleteOptions, ApiError> {
        if self.request.body.is_empty() {
            return options::delete(self.query, None);
        }
        let decoded = body::object(&self.request.content_type, &self.request.body, "DeleteOptions", false)?;
        options::delete(self.query, Some(&decoded.value))
    }

    /// POST to `eviction`, `binding` and `token`.
    pub(super) fn post_below(&self, cluster: &mut Cluster) -> Result<Reply, ApiError> {
        let form = self.form(false)?;
        let kind = match self.info.subresource.as_str() {
            "eviction" => "Eviction",
            "binding" => "Binding",
            _ => "TokenRequest",
        };
        let decoded = body::object(&self.request.content_type, &self.request.body, kind, false)?;
        check_kind(&decoded.value, kind)?;
        let options = options::write(self.query, "CreateOptions")?;
        let (who, namespace, name) = (&self.request.identity, self.namespace(), self.info.name.as_str());
        let written = match kind {
            "Eviction" => {
                let inner = options::delete(self.query, Some(&decoded.value["deleteOptions"]))?;
                cluster.evict(who, namespace, name, &DeleteOptions { dry_run: inner.dry_run || options.dry_run, ..inner })?
            }
            "Binding" => cluster.bind(who, namespace, name, &decoded.value, &options)?,
            _ => return self.token(cluster, form, decoded.value),
        };
        self.written(cluster, form, &written)
    }

    /// A token for a service account.
    fn token(&self, cluster: &Cluster, form: Form, mut request: Value) -> Result<Reply, ApiError> {
        let account = cluster.read(&self.key, self.namespace(), &self.info.name, None, "")?;
        let seconds = request["spec"]["expirationSeconds"].as_i64().unwrap_or(3600);
        if seconds < 600 {
            let cause = Cause::new(
                "FieldValueInvalid",
                "spec.expirationSeconds",
                format!("Invalid value: {seconds}: may not specify a duration less than 10 minutes"),
            );
            return Err(ApiError::invalid("TokenRequest", "authentication.k8s.io", "", &[cause]));
        }
        let uid = account["metadata"]["uid"].as_str().unwrap_or("");
        let expires = cluster.now().as_second().saturating_add(seconds);
        let expires = jiff::Timestamp::from_second(expires).unwrap_or(jiff::Timestamp::MAX);
        request["metadata"] =
            json!({ "name": self.info.name, "namespace": self.namespace(), "creationTimestamp": format!("{:.0}", cluster.now()) });
        request["spec"]["expirationSeconds"] = json!(seconds);
        request["status"] = json!({ "token": token::token(uid, expires), "expirationTimestamp": format!("{expires:.0}") });
        Ok(Reply::value(201, form, &request))
    }

    fn body_of_object(&self) -> Result<Decoded, ApiError> {
        body::object(&self.request.content_type, &self.request.body, &self.resource.kind, self.resource.custom)
    }

    fn written(&self, cluster: &Cluster, form: Form, written: &Written) -> Result<Reply, ApiError> {
        Ok(self.object(cluster, written.code, form, &written.object)?.with_warnings(&written.warnings))
    }
}

fn check_kind(value: &Value, kind: &str) -> Result<(), ApiError> {
    match value["kind"].as_str() {
        None | Some("") => Ok(()),
        Some(found) if found == kind => Ok(()),
        Some(found) => {
            let version = value["apiVersion"].as_str().unwrap_or("");
            Err(ApiError::bad_request(format!(
                "{kind} in version \"v1\" cannot be handled as a {kind}: converting ({version}.{found}) to ({kind}): unknown conversion"
            )))
        }
    }
}
