//! The HTTP client for a real Prometheus: rustls with ring, no redirects, no proxies, guarded names, CA files that may change.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_rustls::{ConfigBuilderExt, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::{Client, Error, connect::HttpConnector};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::pki_types::{CertificateDer, pem::PemObject};
use rustls::{ClientConfig, RootCertStore};
use tower::Service;

use super::guard::{Denied, Guard, GuardedResolver};
use super::{Prometheus, Settings};
use crate::metric_source::config::Provider;

/// How long it may take to reach one address; the whole query has its own timeout.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long an unused connection is kept.
const IDLE: Duration = Duration::from_secs(60);

/// A provider that cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// Its URL has no host.
    #[error("the URL of the metric provider {0} has no host")]
    NoHost(String),
    /// Its address may not be used.
    #[error("the metric provider {provider} cannot be used")]
    Denied {
        /// Its name.
        provider: String,
        /// The address and why.
        source: Denied,
    },
    /// Its CA file cannot be used.
    #[error("the CA file {} of the metric provider {provider} {what}", file.display())]
    Ca {
        /// Its name.
        provider: String,
        /// The file.
        file: PathBuf,
        /// What is wrong with it, to be read behind its name.
        what: String,
    },
    /// TLS cannot be set up.
    #[error("TLS to the metric provider {provider} cannot be set up (without a caFile the system's certificates are needed)")]
    Tls {
        /// Its name.
        provider: String,
        /// The cause.
        source: std::io::Error,
    },
}

impl Prometheus {
    /// A client for `provider`. Reads its CA file; connects with the first query. Names that resolve to `forbidden`, such as the
    /// addresses of the API server, lead nowhere.
    ///
    /// # Errors
    /// A CA file that cannot be used, or an address that is not let through.
    pub fn connect(provider: &Provider, forbidden: &BTreeSet<IpAddr>) -> Result<Self, ConnectError> {
        let host = provider.url.host().ok_or_else(|| ConnectError::NoHost(provider.name.clone()))?;
        let denied = |source| ConnectError::Denied { provider: provider.name.clone(), source };
        let guard = Guard::new(host, forbidden.clone()).map_err(denied)?;
        let client = HttpClient::new(provider, guard)?;
        let settings = Settings {
            timeout: provider.timeout,
            bearer_token_file: provider.bearer_token_file.clone(),
            ..Settings::new(provider.url.clone())
        };
        Ok(Self::over(client, settings))
    }
}

type Pool = Client<HttpsConnector<HttpConnector<GuardedResolver>>, Full<Bytes>>;

/// A pool of connections that is replaced when the CA file has changed.
#[derive(Clone)]
struct HttpClient {
    name: Arc<str>,
    guard: Guard,
    ca_file: Option<Arc<Path>>,
    secure: bool,
    current: Arc<Mutex<Current>>,
}

struct Current {
    ca: Option<Vec<u8>>,
    pool: Pool,
}

impl HttpClient {
    fn new(provider: &Provider, guard: Guard) -> Result<Self, ConnectError> {
        let secure = provider.url.scheme_str() == Some("https");
        let ca = provider.ca_file.as_deref().map(|file| read(&provider.name, file)).transpose()?;
        let pool = pool(&provider.name, &guard, secure, provider.ca_file.as_deref().zip(ca.as_deref()))?;
        Ok(Self {
            name: provider.name.as_str().into(),
            guard,
            ca_file: provider.ca_file.as_deref().map(Into::into),
            secure,
            current: Arc::new(Mutex::new(Current { ca, pool })),
        })
    }

    /// The pool for the CA file as it is now. A file that cannot be used keeps the last good one: it may be half written.
    fn pool(&self) -> Pool {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(file) = self.ca_file.as_deref() else { return current.pool.clone() };
        match read(&self.name, file) {
            Ok(ca) if current.ca.as_ref() == Some(&ca) => {}
            Ok(ca) => match pool(&self.name, &self.guard, self.secure, Some((file, &ca))) {
                Ok(pool) => *current = Current { ca: Some(ca), pool },
                Err(error) => tracing::warn!(%error, "the CA file is not taken over"),
            },
            Err(error) => tracing::warn!(%error, "the CA file is not taken over"),
        }
        current.pool.clone()
    }
}

impl Service<Request<Full<Bytes>>> for HttpClient {
    type Response = Response<Incoming>;
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Incoming>, Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Full<Bytes>>) -> Self::Future {
        Box::pin(self.pool().request(request))
    }
}

fn read(provider: &str, file: &Path) -> Result<Vec<u8>, ConnectError> {
    let wrong = |error: std::io::Error| ConnectError::Ca {
        provider: provider.to_owned(),
        file: file.to_owned(),
        what: format!("cannot be read: {error}"),
    };
    std::fs::read(file).map_err(wrong)
}

fn pool(provider: &str, guard: &Guard, secure: bool, ca: Option<(&Path, &[u8])>) -> Result<Pool, ConnectError> {
    let mut http = HttpConnector::new_with_resolver(GuardedResolver::new(guard.clone()));
    http.enforce_http(false);
    http.set_connect_timeout(Some(CONNECT_TIMEOUT));
    http.set_nodelay(true);
    let builder = HttpsConnectorBuilder::new().with_tls_config(tls(provider, secure, ca)?);
    let connector = if secure { builder.https_only() } else { builder.https_or_http() }.enable_http1().wrap_connector(http);
    let mut client = Client::builder(TokioExecutor::new());
    client.pool_timer(TokioTimer::new()).pool_idle_timeout(IDLE);
    Ok(client.build(connector))
}

fn tls(provider: &str, secure: bool, ca: Option<(&Path, &[u8])>) -> Result<ClientConfig, ConnectError> {
    let failed = |source: std::io::Error| ConnectError::Tls { provider: provider.to_owned(), source };
    let builder = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| failed(std::io::Error::other(error)))?;
    let builder = match ca {
        Some((file, pem)) => builder.with_root_certificates(roots(provider, file, pem)?),
        None if secure => builder.with_native_roots().map_err(failed)?,
        // Plain HTTP trusts nobody: should anything lead to TLS, it fails.
        None => builder.with_root_certificates(RootCertStore::empty()),
    };
    Ok(builder.with_no_client_auth())
}

fn roots(provider: &str, file: &Path, pem: &[u8]) -> Result<RootCertStore, ConnectError> {
    let wrong = |what: String| ConnectError::Ca { provider: provider.to_owned(), file: file.to_owned(), what };
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate.map_err(|error| wrong(format!("is not PEM: {error}")))?;
        roots.add(certificate).map_err(|error| wrong(format!("has a certificate that cannot be used: {error}")))?;
    }
    if roots.is_empty() { Err(wrong("has no certificate".to_owned())) } else { Ok(roots) }
}
