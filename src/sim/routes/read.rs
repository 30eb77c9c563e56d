//! GET: one object, a list, a watch.

use std::sync::Arc;

use serde_json::{Value, json};

use super::negotiate::{Choice, Form, Shape, form};
use super::reply::{Answer, ListBody, Reply, shape_of};
use super::stream::{Frames, Interference, SharedStreamInterceptor, VirtualClock, view};
use super::{Call, OpenSink, options};
use crate::sim::api_error::ApiError;
use crate::sim::cluster::{Cluster, ListPage};
use crate::sim::table::{IncludeObject, Printer, partial};

/// Virtual seconds of a watch whose end the transport decides: a century.
const UNTIL_CLOSED_SECONDS: i64 = 3_155_760_000;

impl Call<'_> {
    /// The form of an answer about one object, or about a list.
    pub(super) fn form(&self, list: bool) -> Result<Form, ApiError> {
        form(&self.request.accept, Choice::Objects { list, custom: self.resource.custom })
    }

    pub(super) fn include(&self) -> Result<IncludeObject, ApiError> {
        match self.query.text("includeObject").as_str() {
            "" | "Metadata" => Ok(IncludeObject::Metadata),
            "None" => Ok(IncludeObject::None),
            "Object" => Ok(IncludeObject::Object),
            other => Err(ApiError::bad_request(format!(
                "includeObject: Invalid value: {other:?}: must be 'Metadata', 'Object', 'None', or empty"
            ))),
        }
    }

    pub(super) fn get(&self, cluster: &Cluster) -> Result<Reply, ApiError> {
        let form = self.form(false)?;
        let revision = self.query.text("resourceVersion");
        let object = cluster.read(&self.key, self.namespace(), &self.info.name, self.subresource(), &revision)?;
        let warnings: Vec<String> = self.resource.deprecation.iter().cloned().collect();
        Ok(self.object(cluster, 200, form, &object)?.with_warnings(&warnings))
    }

    /// One object in the shape that was negotiated.
    pub(super) fn object(&self, cluster: &Cluster, status: u16, form: Form, object: &Value) -> Result<Reply, ApiError> {
        Ok(match shape_of(form, object) {
            Shape::Plain => Reply::value(status, form, object),
            Shape::Partial => Reply::value(status, form, &partial(object)),
            Shape::Table => {
                let metadata = json!({ "resourceVersion": object["metadata"]["resourceVersion"] });
                let table = Printer::new(&self.resource).table(&[object], metadata, self.include()?, true, cluster.now());
                Reply::value(status, form, &table)
            }
        })
    }

    pub(super) fn list(&self, cluster: &Cluster) -> Result<Reply, ApiError> {
        let mut options = options::list(self.query)?;
        let form = self.form(true)?;
        if self.lag > 0 && options.continue_token.is_empty() {
            // Before the beginning of history the oldest server is a new one.
            let revision = cluster.store().revision_behind(&self.resource.storage_key, self.lag).max(1);
            (options.resource_version, options.resource_version_match) = (revision.to_string(), "Exact".to_owned());
        }
        let namespace = Some(self.namespace()).filter(|namespace| !namespace.is_empty());
        let page = cluster.list_page(&self.key, namespace, &options)?;
        let warnings: Vec<String> = self.resource.deprecation.iter().cloned().collect();
        Ok(self.page(cluster, form, &page)?.with_warnings(&warnings))
    }

    /// A page of a list in the shape that was negotiated.
    pub(super) fn page(&self, cluster: &Cluster, form: Form, page: &ListPage) -> Result<Reply, ApiError> {
        let mut metadata = json!({ "resourceVersion": page.resource_version });
        if let Some(token) = &page.continue_token {
            metadata["continue"] = json!(token);
        }
        if let Some(remaining) = page.remaining {
            metadata["remainingItemCount"] = json!(remaining);
        }
        let items: Vec<&Value> = page.items.iter().map(AsRef::as_ref).collect();
        let api_version = page.resource.api_version();
        Ok(match form.shape {
            Shape::Plain => {
                let typed_items = page.resource.custom;
                Reply::value(
                    200,
                    form,
                    &ListBody { kind: &page.resource.list_kind, api_version: &api_version, metadata, items, typed_items },
                )
            }
            Shape::Partial => {
                let partials: Vec<Value> = items.into_iter().map(partial).collect();
                let kind = "PartialObjectMetadataList";
                let items = partials.iter().collect();
                Reply::value(200, form, &ListBody { kind, api_version: "meta.k8s.io/v1", metadata, items, typed_items: true })
            }
            Shape::Table => {
                Reply::value(200, form, &Printer::new(&page.resource).table(&items, metadata, self.include()?, true, cluster.now()))
            }
        })
    }

    pub(super) fn watch(
        &self,
        cluster: &mut Cluster,
        clock: &VirtualClock,
        hook: Option<&SharedStreamInterceptor>,
        open: OpenSink<'_>,
    ) -> Result<Answer, ApiError> {
        let mut options = options::watch(self.query)?;
        let form = form(&self.request.accept, Choice::Watch { custom: self.resource.custom })?;
        if self.request.real_time && options.timeout_seconds.is_none_or(|seconds| seconds >= 0) {
            options.timeout_seconds = Some(UNTIL_CLOSED_SECONDS);
        }
        let view = view(form.shape, || Printer::new(&self.resource), self.include()?, clock);
        let namespace = Some(self.namespace()).filter(|namespace| !namespace.is_empty());
        let interference =
            hook.map(|hook| Interference { hook: Arc::clone(hook), who: self.request.identity.clone(), info: self.info.clone() });
        let frames = Frames::new(view, interference, open());
        let id = cluster.watch(&self.key, namespace, &options, Box::new(frames))?;
        let mut headers = vec![("content-type", form.content_type().to_owned()), ("cache-control", "no-cache, private".to_owned())];
        headers.extend(self.resource.deprecation.iter().map(|text| ("warning", format!("299 - {text:?}"))));
        Ok(Answer::Watch { id, headers })
    }
}
