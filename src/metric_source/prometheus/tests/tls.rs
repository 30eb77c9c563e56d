//! Over TLS, against rustls itself. The certificates are made for these tests, name `localhost` and 127.0.0.1, end in the year
//! 2126, and nothing else trusts them: the keys of their authorities are gone.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::super::*;
use super::{TestFile, at, vector};
use crate::metric_source::config::Provider;

const CA: &str = include_str!("certificates/ca.pem");
const OTHER_CA: &str = include_str!("certificates/other-ca.pem");

fn server_config() -> Arc<ServerConfig> {
    let certificates = CertificateDer::pem_slice_iter(include_bytes!("certificates/server.pem")).collect::<Result<_, _>>().unwrap();
    let key = PrivateKeyDer::from_pem_slice(include_bytes!("certificates/server.key.pem")).unwrap();
    let builder = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()));
    let builder = builder.with_safe_default_protocol_versions().unwrap();
    Arc::new(builder.with_no_client_auth().with_single_cert(certificates, key).unwrap())
}

/// Serves so many connections, one request each, on a thread of its own that then ends.
fn serve(connections: usize) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let config = server_config();
        for _ in 0..connections {
            let (socket, _) = listener.accept().unwrap();
            socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
            let mut stream = StreamOwned::new(ServerConnection::new(Arc::clone(&config)).unwrap(), socket);
            let mut request = [0; 4096];
            // A client that does not trust us ends here.
            let Ok(1..) = stream.read(&mut request) else { continue };
            let body = vector("");
            let head = format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", body.len());
            let _ = stream.write_all(format!("{head}{body}").as_bytes());
            stream.conn.send_close_notify();
            let _ = stream.flush();
        }
    });
    address
}

fn provider(url: String, ca: Option<&TestFile>) -> Provider {
    Provider {
        name: "secure".to_owned(),
        url: url.parse().unwrap(),
        bearer_token_file: None,
        ca_file: ca.map(|file| file.0.clone()),
        timeout: Duration::from_secs(5),
        default: false,
    }
}

#[tokio::test]
async fn a_server_that_the_ca_file_vouches_for_is_trusted_by_name_and_by_address() {
    let (server, ca) = (serve(2), TestFile::new("ca-good", CA));
    for host in ["localhost", "127.0.0.1"] {
        let source = Prometheus::connect(&provider(format!("https://{host}:{}", server.port()), Some(&ca)), &BTreeSet::new()).unwrap();
        source.query("up", at()).await.unwrap();
    }
}

#[tokio::test]
async fn a_server_that_nobody_vouches_for_is_not_talked_to_and_a_changed_ca_file_is_taken_over() {
    let (server, ca) = (serve(2), TestFile::new("ca-rotating", OTHER_CA));
    let source = Prometheus::connect(&provider(format!("https://localhost:{}", server.port()), Some(&ca)), &BTreeSet::new()).unwrap();
    let error = source.query("up", at()).await.unwrap_err();
    assert_eq!(error.reason(), "Unavailable");
    assert!(error.to_string().contains("certificate"), "{error}");
    std::fs::write(&ca.0, CA).unwrap();
    source.query("up", at()).await.unwrap();
}

#[tokio::test]
async fn a_ca_file_that_breaks_later_keeps_the_last_good_one() {
    let (server, ca) = (serve(1), TestFile::new("ca-broken", CA));
    let source = Prometheus::connect(&provider(format!("https://localhost:{}", server.port()), Some(&ca)), &BTreeSet::new()).unwrap();
    std::fs::write(&ca.0, "half wri").unwrap();
    source.query("up", at()).await.unwrap();
}

#[test]
fn a_ca_file_that_cannot_be_used_at_the_start_is_told() {
    let url = || "https://localhost:1".to_owned();
    let mangled = CA.replace("MII", "!!!");
    for (name, content) in [("ca-empty", ""), ("ca-words", "no certificate"), ("ca-mangled", mangled.as_str())] {
        let file = TestFile::new(name, content);
        let error = Prometheus::connect(&provider(url(), Some(&file)), &BTreeSet::new()).err().unwrap().to_string();
        assert!(error.contains("CA file") && error.contains("secure"), "{error}");
    }
    let missing = TestFile::new("ca-missing", CA);
    std::fs::remove_file(&missing.0).unwrap();
    assert!(matches!(Prometheus::connect(&provider(url(), Some(&missing)), &BTreeSet::new()), Err(ConnectError::Ca { .. })));
}
