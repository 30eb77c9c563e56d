//! As much HTTP/1 as two loopback servers of a test need: one request per connection, bodies with a length.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How long a read or write may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// The largest head or body that is taken.
const BYTES_MAX: usize = 4 << 20;

/// A request.
pub struct Request {
    pub line: String,
    pub content_type: String,
    pub body: Vec<u8>,
}

/// Serves on a free loopback port until it is dropped.
pub struct Server {
    pub address: SocketAddr,
    stop: Arc<AtomicBool>,
}

impl Server {
    /// Every connection is given to `serve` on a thread of its own; what it returns is written as the response, nothing at all for `None`.
    pub fn start(serve: impl Fn(&Request) -> Option<Vec<u8>> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let (stopped, serve) = (Arc::clone(&stop), Arc::new(serve));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if stopped.load(Ordering::SeqCst) {
                    return;
                }
                let serve = Arc::clone(&serve);
                std::thread::spawn(move || stream.is_ok_and(|stream| answer(stream, &*serve).is_some()));
            }
        });
        Self { address, stop }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        // Wakes the loop, which then ends.
        drop(TcpStream::connect(self.address));
    }
}

fn answer(mut stream: TcpStream, serve: &dyn Fn(&Request) -> Option<Vec<u8>>) -> Option<()> {
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    stream.set_write_timeout(Some(PATIENCE)).ok()?;
    let request = read(&mut stream)?;
    stream.write_all(&serve(&request)?).ok()
}

fn read(stream: &mut TcpStream) -> Option<Request> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break end;
        }
        more(stream, &mut bytes)?;
    };
    let head = String::from_utf8(bytes[..end].to_vec()).ok()?;
    let header = |name: &str| {
        head.lines().find_map(|line| {
            line.split_once(':').filter(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim().to_owned())
        })
    };
    let length: usize = header("content-length").map_or(Some(0), |text| text.parse().ok())?;
    while bytes.len() < end + 4 + length {
        more(stream, &mut bytes)?;
    }
    let line = head.lines().next()?.to_owned();
    Some(Request { line, content_type: header("content-type").unwrap_or_default(), body: bytes[end + 4..end + 4 + length].to_vec() })
}

fn more(stream: &mut TcpStream, bytes: &mut Vec<u8>) -> Option<()> {
    let mut chunk = [0; 4096];
    let count = stream.read(&mut chunk).ok().filter(|count| *count > 0 && bytes.len() < BYTES_MAX)?;
    bytes.extend_from_slice(&chunk[..count]);
    Some(())
}

/// Sends a request with HTTP/1.0, so that the answer has no chunks and ends with the connection; the whole response.
pub fn ask(to: SocketAddr, method: &str, path: &str, content_type: &str, body: &[u8]) -> Option<Vec<u8>> {
    let mut stream = TcpStream::connect_timeout(&to, PATIENCE).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    let head = format!("{method} {path} HTTP/1.0\r\nHost: {to}\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\n\r\n", body.len());
    stream.write_all(head.as_bytes()).ok()?;
    stream.write_all(body).ok()?;
    let mut response = Vec::new();
    stream.read_to_end(&mut response).ok()?;
    Some(response)
}

/// A response with status 200.
pub fn response(content_type: &str, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len())
        .into_bytes()
}
