//! Against a real socket: a server on loopback that answers with the bytes it is given.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::super::*;
use crate::domain::analysis::reading::{self, NoData};
use crate::metric_source::config::Provider;

/// What the server does after it has read a request.
#[derive(Clone)]
enum Behaviour {
    /// Sends these bytes and closes.
    Sends(Vec<u8>),
    /// Sends a head, then spaces, a hundred times as many as are taken.
    Floods(Vec<u8>),
    /// Says nothing until the other side hangs up.
    Waits,
}

/// Listens on a thread of its own, which ends with the test.
struct Server {
    port: u16,
    requests: Arc<AtomicUsize>,
    over: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Drop for Server {
    /// Does not wait for the thread, which may wait for a connection that this thread has yet to give up: its waits are bounded.
    fn drop(&mut self) {
        self.end();
    }
}

impl Server {
    fn start(behaviour: Behaviour) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (requests, over) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
        let (counter, ends) = (Arc::clone(&requests), Arc::clone(&over));
        let thread = std::thread::spawn(move || {
            while let Ok((stream, _)) = listener.accept() {
                if ends.load(Ordering::SeqCst) {
                    return;
                }
                counter.fetch_add(1, Ordering::SeqCst);
                serve(stream, &behaviour);
            }
        });
        Self { port, requests, over, thread: Some(thread) }
    }

    fn sending(head: &str, body: &str) -> Self {
        let length = body.len();
        let answer = format!("HTTP/1.1 {head}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}");
        Self::start(Behaviour::Sends(answer.into_bytes()))
    }

    /// The port, on which nobody listens any more.
    fn closed(mut self) -> u16 {
        self.end();
        self.thread.take().unwrap().join().unwrap();
        self.port
    }

    /// Wakes the thread, which sees that it is over.
    fn end(&self) {
        self.over.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }

    fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }
}

fn serve(mut stream: TcpStream, behaviour: &Behaviour) {
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    stream.set_write_timeout(Some(Duration::from_secs(10))).unwrap();
    let mut received = Vec::new();
    let mut chunk = [0; 4096];
    // The form ends with the timeout's unit; all of it is read, so that closing does not reset the connection.
    while !received.ends_with(b"ms") {
        match stream.read(&mut chunk) {
            Ok(length @ 1..) => received.extend_from_slice(&chunk[..length]),
            _ => return,
        }
    }
    match behaviour {
        Behaviour::Sends(bytes) => {
            let _ = stream.write_all(bytes);
            let _ = stream.shutdown(Shutdown::Write);
        }
        Behaviour::Floods(head) => {
            let _ = stream.write_all(head);
            let spaces = vec![b' '; BODY_BYTES_MAX];
            let _ = (0..100).try_for_each(|_| stream.write_all(&spaces));
        }
        Behaviour::Waits => drop(stream.read(&mut chunk)),
    }
}

fn provider(host: &str, port: u16) -> Provider {
    Provider {
        name: "prometheus".to_owned(),
        url: format!("http://{host}:{port}").parse().unwrap(),
        bearer_token_file: None,
        ca_file: None,
        timeout: Duration::from_secs(5),
        default: false,
    }
}

fn at() -> Timestamp {
    Timestamp::from_second(1_700_000_000).unwrap()
}

async fn ask(server: &Server) -> Result<Answer, SourceError> {
    Prometheus::connect(&provider("127.0.0.1", server.port), &BTreeSet::new()).unwrap().query("up", at()).await
}

const ONE: &str = r#"{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1700000000,"VALUE"]}]}}"#;

#[tokio::test]
async fn a_number_comes_over_the_wire() {
    let server = Server::sending("200 OK", &ONE.replace("VALUE", "42"));
    assert_eq!(reading::number(&ask(&server).await.unwrap(), at()), Ok(42.0));
    let by_name = Prometheus::connect(&provider("localhost", server.port), &BTreeSet::new()).unwrap();
    assert_eq!(reading::number(&by_name.query("up", at()).await.unwrap(), at()), Ok(42.0));
    assert_eq!(server.requests(), 2);
}

#[tokio::test]
async fn not_a_number_is_no_data() {
    let server = Server::sending("200 OK", &ONE.replace("VALUE", "NaN"));
    assert_eq!(reading::number(&ask(&server).await.unwrap(), at()), Err(NoData::NotANumber));
}

#[tokio::test]
async fn a_failing_and_a_babbling_server_are_told_apart() {
    let failing = Server::sending("503 Service Unavailable", "down");
    assert_eq!(ask(&failing).await.unwrap_err().reason(), "Unavailable");
    let babbling = Server::sending("200 OK", "<html></html>");
    assert_eq!(ask(&babbling).await.unwrap_err().reason(), "Garbage");
    let no_http = Server::start(Behaviour::Sends(b"220 smtp.example ESMTP\r\n".to_vec()));
    assert_eq!(ask(&no_http).await.unwrap_err().reason(), "Unavailable");
    let cut = Server::start(Behaviour::Sends(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{".to_vec()));
    assert_eq!(ask(&cut).await.unwrap_err().reason(), "Unavailable");
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let target = Server::sending("200 OK", &ONE.replace("VALUE", "1"));
    for code in ["301 Moved Permanently", "302 Found", "307 Temporary Redirect", "308 Permanent Redirect"] {
        let head = format!("{code}\r\nlocation: http://127.0.0.1:{}/api/v1/query", target.port);
        let server = Server::sending(&head, "");
        assert_eq!(ask(&server).await.unwrap_err().reason(), "Misconfigured", "{code}");
    }
    assert_eq!(target.requests(), 0);
}

#[tokio::test]
async fn a_flood_is_cut_off_whether_its_length_is_told_or_not() {
    let limit = BODY_BYTES_MAX;
    for head in ["content-length: 104857600", "connection: close"] {
        let server = Server::start(Behaviour::Floods(format!("HTTP/1.1 200 OK\r\n{head}\r\n\r\n").into_bytes()));
        assert_eq!(ask(&server).await, Err(SourceError::TooLarge { limit }), "{head}");
    }
}

#[tokio::test]
async fn a_silent_server_is_given_up_after_the_timeout() {
    let server = Server::start(Behaviour::Waits);
    let impatient = Provider { timeout: Duration::from_millis(150), ..provider("127.0.0.1", server.port) };
    let error = Prometheus::connect(&impatient, &BTreeSet::new()).unwrap().query("up", at()).await.unwrap_err();
    assert_eq!(error, SourceError::Unavailable("no answer within 150 ms".to_owned()));
}

#[tokio::test]
async fn a_closed_port_is_unavailable_with_its_cause() {
    let port = Server::start(Behaviour::Waits).closed();
    let error = Prometheus::connect(&provider("127.0.0.1", port), &BTreeSet::new()).unwrap().query("up", at()).await.unwrap_err();
    assert_eq!(error.reason(), "Unavailable");
    assert!(error.to_string().contains("refused"), "{error}");
}

#[tokio::test]
async fn a_host_that_leads_to_this_pod_in_disguise_gets_no_connection() {
    let server = Server::sending("200 OK", &ONE.replace("VALUE", "1"));
    for host in ["2130706433", "0x7f000001", "127.1", "017700000001"] {
        let source = Prometheus::connect(&provider(host, server.port), &BTreeSet::new()).unwrap();
        assert_eq!(source.query("up", at()).await.unwrap_err().reason(), "Unavailable", "{host}");
    }
    assert!(Prometheus::connect(&provider("169.254.169.254", 80), &BTreeSet::new()).is_err());
    let api_server = BTreeSet::from([std::net::IpAddr::from([127, 0, 0, 1])]);
    let source = Prometheus::connect(&provider("localhost", server.port), &api_server).unwrap();
    assert_eq!(source.query("up", at()).await.unwrap_err().reason(), "Unavailable");
    assert_eq!(server.requests(), 0);
}
