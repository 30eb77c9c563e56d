//! `/metrics`, `/readyz` and `/livez` on a given listener.
//!
//! Ready: every cache holds a whole list once (an optional kind may be absent). Alive: the loop of every controller turns.
//! Neither depends on whether the API server answers at this moment: a restart would not mend that.

use std::{fmt::Write, future::Future, sync::Arc};

use axum::{
    Router,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use tokio::net::TcpListener;

use crate::runtime::{driver::Activity, telemetry::metrics::Metrics};

#[derive(Clone)]
struct Sources {
    activity: Activity,
    metrics: Arc<Metrics>,
}

/// Serves the probes until `stop` is ready; requests that run are answered.
///
/// # Errors
/// When the listener fails.
pub async fn serve(
    listener: TcpListener,
    activity: Activity,
    metrics: Arc<Metrics>,
    stop: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    let router = Router::new()
        .route("/metrics", get(metrics_page))
        .route("/readyz", get(ready_page))
        .route("/livez", get(live_page))
        .with_state(Sources { activity, metrics });
    axum::serve(listener, router).with_graceful_shutdown(stop).await
}

async fn metrics_page(State(sources): State<Sources>) -> Response {
    match sources.metrics.render() {
        Ok(text) => {
            let content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
            ([(header::CONTENT_TYPE, content_type)], text).into_response()
        }
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

async fn ready_page(State(sources): State<Sources>) -> Response {
    let mut page = String::new();
    for cache in sources.activity.caches() {
        let mark = if cache.is_ready() { "[+]" } else { "[-]" };
        // Writing to a String cannot fail.
        let _infallible = writeln!(page, "{mark} {} {}", cache.name(), cache.state().label());
    }
    answer(sources.activity.is_ready(), page)
}

async fn live_page(State(sources): State<Sources>) -> Response {
    answer(sources.activity.is_alive(), String::new())
}

fn answer(good: bool, mut page: String) -> Response {
    let (status, verdict) = if good { (StatusCode::OK, "ok\n") } else { (StatusCode::SERVICE_UNAVAILABLE, "not ok\n") };
    page.push_str(verdict);
    (status, page).into_response()
}
