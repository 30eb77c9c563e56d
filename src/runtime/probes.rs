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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use kube::core::{ApiResource, GroupVersionKind};
    use serde_json::Value;
    use tokio::{net::TcpStream, sync::oneshot};

    use super::*;
    use crate::runtime::{
        cache::{AnyCache, Cache, Watched},
        clock::SystemClock,
        driver::{Driver, Options},
        fake::Fake,
        telemetry::requests::counted,
    };

    struct Widgets;

    impl Watched for Widgets {
        type Row = ();

        fn resource(&self) -> ApiResource {
            ApiResource::from_gvk(&GroupVersionKind::gvk("example.com", "v1", "Widget"))
        }

        fn project(&self, _object: &Value) -> Result<(), String> {
            Ok(())
        }
    }

    async fn page(address: std::net::SocketAddr, path: &str) -> String {
        let stream = TcpStream::connect(address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        stream.writable().await.unwrap();
        assert_eq!(stream.try_write(request.as_bytes()).unwrap(), request.len());
        let (mut bytes, mut part) = (Vec::new(), [0; 4096]);
        loop {
            stream.readable().await.unwrap();
            match stream.try_read(&mut part) {
                Ok(0) => return String::from_utf8(bytes).unwrap(),
                Ok(length) => bytes.extend_from_slice(&part[..length]),
                Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock),
            }
        }
    }

    #[tokio::test]
    async fn the_pages_say_what_is_missing_and_the_server_stops_when_told() {
        let (metrics, clock, fake) = (Arc::new(Metrics::default()), Arc::new(SystemClock), Fake::new());
        let mut driver = Driver::new(clock.clone(), Arc::clone(&metrics), Options::default());
        driver.watch(Cache::new(Widgets) as Arc<dyn AnyCache>);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let served = serve(listener, driver.activity(), Arc::clone(&metrics), async move { drop(stopped.await) });
        let server = tokio::spawn(served);

        let before = page(address, "/readyz").await;
        assert!(before.starts_with("HTTP/1.1 503") && before.contains("[-] widgets.example.com syncing"), "{before}");
        assert!(page(address, "/livez").await.starts_with("HTTP/1.1 200"));

        let client = counted(fake.client(), Arc::clone(&metrics), clock);
        let running = tokio::spawn(driver.run(client, std::future::pending()));
        for _ in 0..100 {
            if page(address, "/readyz").await.starts_with("HTTP/1.1 200") {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let after = page(address, "/readyz").await;
        assert!(after.contains("[+] widgets.example.com synced"), "{after}");
        let text = page(address, "/metrics").await;
        for line in [
            r#"modelward_watch_state{resource="widgets.example.com",state="synced"} 1"#,
            r#"modelward_api_requests_total{verb="list",resource="widgets.example.com",code="200"} 1"#,
            "# EOF",
        ] {
            assert!(text.contains(line), "{line} is not in {text}");
        }
        assert_eq!(metrics.requests("list", "widgets.example.com", 200), 1);
        stop.send(()).unwrap();
        server.await.unwrap().unwrap();
        running.abort();
    }
}
