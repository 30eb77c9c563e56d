// The tests block in plain sockets; the server runs on the other threads of the runtime.
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::json;
use tokio::time::timeout;

use super::{Listener, Settings, Speed, kubeconfig};
use crate::sim::cluster::{Cluster, Identity, WriteOptions};
use crate::sim::service::World;
use crate::sim::simulation::Simulation;
use crate::sim::traffic::backend::Fault;

/// Longest wait for anything, in real time.
const PATIENCE: Duration = Duration::from_secs(10);

async fn serve(speed: Speed, head_start: Duration) -> Listener<Cluster> {
    let settings = Settings { speed, head_start, ..Settings::loopback() };
    Listener::start(settings, || Cluster::new(1, "2026-01-01T00:00:00Z".parse().unwrap()), |_, _| {}).await.unwrap()
}

fn connect<W: World + 'static>(listener: &Listener<W>, head: &str, body: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(listener.address()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(head.as_bytes()).unwrap();
    // The server may answer and close before it has read all of a body that is too large.
    drop(stream.write_all(body));
    stream
}

/// The whole answer to a request on its own connection.
fn ask<W: World + 'static>(listener: &Listener<W>, method: &str, path: &str, host: &str, body: &[u8]) -> String {
    let head = format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", body.len());
    let mut answer = Vec::new();
    connect(listener, &head, body).read_to_end(&mut answer).unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

fn get<W: World + 'static>(listener: &Listener<W>, path: &str) -> String {
    ask(listener, "GET", path, "localhost", b"")
}

/// Reads until `text` was seen.
fn read_until(stream: &mut TcpStream, text: &str) -> String {
    let mut seen = Vec::new();
    let mut buffer = [0; 4096];
    while !String::from_utf8_lossy(&seen).contains(text) {
        let read = stream.read(&mut buffer).unwrap();
        assert!(read > 0, "closed before {text:?}: {}", String::from_utf8_lossy(&seen));
        seen.extend_from_slice(&buffer[..read]);
    }
    String::from_utf8_lossy(&seen).into_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_metrics_backend_is_served_beside_the_api_server() {
    let make = || Simulation::new(1, "2026-01-01T00:00:00Z".parse().unwrap());
    let listener = Listener::start(Settings::loopback(), make, |_, _| {}).await.unwrap();
    let answer = get(&listener, "/prometheus/api/v1/query?query=vector(1)%2B1");
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("\"2\"]"), "{answer}");
    assert!(get(&listener, "/prometheus/-/ready").ends_with("Prometheus Server is Ready.\n"));
    assert!(get(&listener, "/prometheus").starts_with("HTTP/1.1 404"));
    listener.with(|state| state.world.set_metrics_fault(Some(Fault::Unavailable))).await.unwrap();
    assert_eq!(get(&listener, "/prometheus/api/v1/query?query=up"), "");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_over_a_socket_are_answered() {
    let listener = serve(Speed::Times(1.0), Duration::ZERO).await;
    assert!(get(&listener, "/readyz").ends_with("ok"));
    let body = json!({"metadata": {"name": "a"}}).to_string();
    let created = ask(&listener, "POST", "/api/v1/namespaces/default/configmaps", "localhost:1", body.as_bytes());
    assert!(created.starts_with("HTTP/1.1 201"), "{created}");
    let read = get(&listener, "/api/v1/namespaces/default/configmaps/a");
    assert!(read.contains("content-type: application/json") && read.contains("\"name\":\"a\""), "{read}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_that_others_control_are_refused() {
    let listener = serve(Speed::Times(1.0), Duration::ZERO).await;
    assert!(ask(&listener, "GET", "/version", "evil.example.com", b"").starts_with("HTTP/1.1 403"));
    assert!(ask(&listener, "GET", "/version", "127.0.0.1:80", b"").starts_with("HTTP/1.1 200"));
    assert!(ask(&listener, "GET", "/version", "[::1]:80", b"").starts_with("HTTP/1.1 200"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bodies_over_the_limit_are_too_large() {
    let listener = serve(Speed::Times(1.0), Duration::ZERO).await;
    let body = vec![b' '; crate::sim::routes::BODY_BYTES_MAX + 2];
    let head = format!("POST /api/v1/namespaces HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n", body.len());
    let mut stream = connect(&listener, &head, &body);
    read_until(&mut stream, "limit is 3145728");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn watches_stream_and_end_when_the_reader_goes_or_after_real_time() {
    let listener = serve(Speed::Times(100_000.0), Duration::from_secs(1_000_000)).await;
    let head = |query: &str| format!("GET /api/v1/configmaps?watch=true{query} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let mut stream = connect(&listener, &head("&timeoutSeconds=1"), b"");
    let mut other = connect(&listener, &head(""), b"");
    read_until(&mut other, "\r\n\r\n");
    let who = Identity::user("direct");
    let create = move |state: &mut crate::sim::service::State<Cluster>| {
        let map = json!({"metadata": {"name": "seen"}});
        state.world.create(&who, "configmaps", "default", map, &WriteOptions::default()).unwrap();
    };
    listener.with(create).await.unwrap();
    read_until(&mut stream, "\"seen\"");
    read_until(&mut other, "\"seen\"");
    // The end of a chunked body: one real second is more than a virtual day here, so virtual time would have ended it.
    read_until(&mut stream, "0\r\n\r\n");
    drop(other);
    for _ in 0..200 {
        if listener.with(|state| state.world.watch_count()).await.unwrap() == 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("watches of readers that are gone stay open");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn time_goes_as_fast_as_asked_and_tasks_inside_see_every_second_of_it() {
    let (sender, mut beats) = tokio::sync::mpsc::unbounded_channel();
    let settings = Settings { speed: Speed::Max, head_start: Duration::from_secs(600), ..Settings::loopback() };
    let listener = Listener::start(
        settings,
        || Cluster::new(1, "2026-01-01T00:00:00Z".parse().unwrap()),
        move |_, _| {
            tokio::spawn(async move {
                let mut minute = tokio::time::interval(Duration::from_secs(60));
                while sender.send(minute.tick().await).is_ok() {}
            });
        },
    )
    .await
    .unwrap();
    let mut seen = Vec::new();
    while seen.len() < 11 {
        seen.push(timeout(PATIENCE, beats.recv()).await.unwrap().unwrap());
    }
    assert!(seen.windows(2).all(|pair| pair[1] - pair[0] == Duration::from_secs(60)));
    let now = listener.with(|state| state.world.now()).await.unwrap();
    assert!(now >= "2026-01-01T00:10:00Z".parse().unwrap() && now < "2026-01-01T00:11:00Z".parse().unwrap(), "{now}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_inside_and_a_client_outside_see_one_cluster() {
    let (sender, seen) = tokio::sync::oneshot::channel();
    let settings = Settings { speed: Speed::Times(1000.0), head_start: Duration::from_secs(100_000), ..Settings::loopback() };
    let listener = Listener::start(
        settings,
        || Cluster::new(1, "2026-01-01T00:00:00Z".parse().unwrap()),
        move |_, service| {
            let api = kube::Api::<k8s_openapi::api::core::v1::ConfigMap>::default_namespaced(service.client("default"));
            tokio::spawn(async move {
                for _ in 0..10_000 {
                    if let Ok(Some(map)) = api.get_opt("outside").await {
                        drop(sender.send(map.metadata.name));
                        return;
                    }
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
            });
        },
    )
    .await
    .unwrap();
    let body = json!({"metadata": {"name": "outside"}}).to_string();
    ask(&listener, "POST", "/api/v1/namespaces/default/configmaps", "localhost", body.as_bytes());
    assert_eq!(timeout(PATIENCE, seen).await.unwrap().unwrap().as_deref(), Some("outside"));
}

#[test]
fn the_kubeconfig_is_yaml_with_one_context() {
    let text = kubeconfig("127.0.0.1:4000".parse().unwrap());
    let config: serde_json::Value = serde_saphyr::from_str(&text).unwrap();
    assert_eq!(config["clusters"][0]["cluster"]["server"], "http://127.0.0.1:4000");
    assert_eq!(config["contexts"][0]["context"]["user"], config["users"][0]["name"]);
}
