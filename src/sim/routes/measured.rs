//! Requests to the metrics APIs, which stand behind the API server: who may ask is decided here, what they answer is not.

use super::negotiate::Form;
use super::{ApiRequest, Measured, Query, Reply, RequestInfo};
use crate::sim::api_error::ApiError;
use crate::sim::metrics_api::http::{Asked, is_metrics_api};
use crate::sim::verbs::errors;

/// What a request asks of the metrics APIs; none: it goes elsewhere.
pub fn measured(request: &ApiRequest) -> Option<Asked> {
    let query = Query::parse(&request.query);
    let info = RequestInfo::parse(&request.method, &request.path, &query);
    if !info.is_resource || !is_metrics_api(&info.group, &info.version) {
        return None;
    }
    let text = |name: &str| query.get(name).unwrap_or_default().to_owned();
    Some(Asked {
        labels: text("labelSelector"),
        fields: text("fieldSelector"),
        metric_labels: text("metricLabelSelector"),
        // More of a path than there can be names nothing.
        resource: if info.surplus { String::new() } else { info.resource },
        group: info.group,
        namespace: info.namespace,
        name: info.name,
        metric: info.subresource,
    })
}

/// The answer to somebody who may have it: these APIs are only read.
pub(super) fn reply(request: &ApiRequest, info: &RequestInfo, measured: &Measured) -> Result<Reply, ApiError> {
    if !matches!(info.verb.as_str(), "get" | "list") || !["GET", "HEAD"].contains(&request.method.as_str()) {
        return Err(errors::method_not_allowed());
    }
    measured.as_ref().map(|document| Reply::value(200, Form::JSON, document)).map_err(Clone::clone)
}
