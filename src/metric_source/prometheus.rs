//! Prometheus' HTTP API, and what speaks it: Thanos, Mimir, VictoriaMetrics, a simulated Prometheus.
//!
//! Takes an HTTP client as a tower service, and the provider's settings; gives answers to instant queries. Queries go as forms by
//! POST to `/api/v1/query`. Every wait is bounded by the timeout (on tokio's clock), every answer by its size; redirects are not
//! followed; bodies that are no answer are never quoted. Never sends what a user wrote but the query.

mod answer;
mod connect;
mod guard;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, Uri, header};
use http_body::Body;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited, combinators::UnsyncBoxBody};
use jiff::Timestamp;
use tower::util::BoxCloneSyncService;
use tower::{BoxError, Service, ServiceExt};

use super::{Answering, MetricSource, SourceError};
use crate::domain::analysis::reading::Answer;

pub use self::connect::ConnectError;
pub use self::guard::{Denied, Guard};

/// How long a query may take, unless the configuration says otherwise.
pub const TIMEOUT: Duration = Duration::from_secs(10);

/// The largest answer that is taken, in bytes: one number, or some dozens of buckets, have a few thousand.
pub const BODY_BYTES_MAX: usize = 1 << 20;

/// The longest message of a source that is passed on, in characters.
const MESSAGE_LENGTH_MAX: usize = 300;

/// The largest file with a token, in bytes.
const TOKEN_BYTES_MAX: usize = 64 << 10;

type Request_ = Request<Full<Bytes>>;
type Client = BoxCloneSyncService<Request_, Response<UnsyncBoxBody<Bytes, SourceError>>, SourceError>;

/// How to ask one Prometheus.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Its address, with the path that comes before `/api/v1`.
    pub url: Uri,
    /// How long a query may take, until the last byte of the answer.
    pub timeout: Duration,
    /// The largest answer that is taken, in bytes.
    pub body_bytes_max: usize,
    /// A file with a bearer token; read for each query, since tokens are exchanged.
    pub bearer_token_file: Option<PathBuf>,
}

impl Settings {
    /// The Prometheus at `url`, with the usual bounds.
    #[must_use]
    pub fn new(url: Uri) -> Self {
        Self { url, timeout: TIMEOUT, body_bytes_max: BODY_BYTES_MAX, bearer_token_file: None }
    }
}

/// One Prometheus.
#[derive(Clone)]
pub struct Prometheus {
    client: Client,
    settings: Settings,
}

impl Prometheus {
    /// Asks through `client`, which must not follow redirects.
    pub fn over<S, B>(client: S, settings: Settings) -> Self
    where
        S: Service<Request_, Response = Response<B>> + Clone + Send + Sync + 'static,
        S::Error: Into<BoxError>,
        S::Future: Send + 'static,
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let limit = settings.body_bytes_max;
        let limited = move |body: B| {
            let error =
                move |error: BoxError| if error.is::<LengthLimitError>() { SourceError::TooLarge { limit } } else { unavailable(&*error) };
            Limited::new(body, limit).map_err(error).boxed_unsync()
        };
        let boxed = client.map_err(|error| unavailable(&*error.into())).map_response(move |response: Response<B>| response.map(limited));
        Self { client: BoxCloneSyncService::new(boxed), settings }
    }

    async fn ask(&self, query: &str, at: Timestamp) -> Result<Answer, SourceError> {
        let request = self.request(query, at)?;
        let timeout = self.settings.timeout;
        let late = |_| SourceError::Unavailable(format!("no answer within {} ms", timeout.as_millis()));
        let (status, body) = tokio::time::timeout(timeout, self.exchange(request)).await.map_err(late)??;
        understood(status, &body)
    }

    fn request(&self, query: &str, at: Timestamp) -> Result<Request_, SourceError> {
        let form = form_urlencoded::Serializer::new(String::new())
            .append_pair("query", query)
            .append_pair("time", &seconds(at))
            .append_pair("timeout", &format!("{}ms", self.settings.timeout.as_millis()))
            .finish();
        let mut request = Request::builder()
            .method(Method::POST)
            .uri(address(&self.settings.url)?)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(header::ACCEPT, "application/json")
            .header(header::USER_AGENT, concat!("modelward/", env!("CARGO_PKG_VERSION")))
            .body(Full::new(Bytes::from(form)))
            .map_err(|error| SourceError::Misconfigured(format!("its address makes no request: {error}")))?;
        if let Some(file) = &self.settings.bearer_token_file {
            request.headers_mut().insert(header::AUTHORIZATION, token(file)?);
        }
        Ok(request)
    }

    /// Sends the request and takes the whole answer, up to its limit.
    async fn exchange(&self, request: Request_) -> Result<(StatusCode, Bytes), SourceError> {
        let response = self.client.clone().oneshot(request).await?;
        let status = response.status();
        let body = response.into_body().collect().await?;
        Ok((status, body.to_bytes()))
    }
}

impl MetricSource for Prometheus {
    fn query<'a>(&'a self, query: &'a str, at: Timestamp) -> Answering<'a> {
        Box::pin(self.ask(query, at))
    }
}

/// What a whole answer means.
fn understood(status: StatusCode, body: &[u8]) -> Result<Answer, SourceError> {
    match status.as_u16() {
        200..=299 => answer::parse(body).map_err(SourceError::Garbage),
        300..=399 => Err(SourceError::Misconfigured(format!("it answers {status}: redirects are not followed, give the final address"))),
        400 | 422 => Err(match answer::refusal(body) {
            Some(refusal) if refusal.is_of_the_query() => SourceError::Refused(line(&refusal.message)),
            Some(refusal) => SourceError::Unavailable(line(&refusal.message)),
            None => SourceError::Misconfigured(format!("it answers {status}, and not as Prometheus does")),
        }),
        401 | 403 => Err(SourceError::Misconfigured(format!("it answers {status}: the bearer token is missing or not accepted"))),
        408 | 429 | 500.. => Err(SourceError::Unavailable(format!("it answers {status}"))),
        _ => Err(SourceError::Misconfigured(format!("it answers {status}: is the address that of a Prometheus?"))),
    }
}

/// Where queries are sent.
fn address(url: &Uri) -> Result<Uri, SourceError> {
    let mut parts = url.clone().into_parts();
    let path = format!("{}/api/v1/query", url.path().trim_end_matches('/'));
    let wrong = |error: &dyn std::error::Error| SourceError::Misconfigured(format!("its address cannot be used: {error}"));
    parts.path_and_query = Some(path.parse().map_err(|error: http::uri::InvalidUri| wrong(&error))?);
    Uri::from_parts(parts).map_err(|error| wrong(&error))
}

/// Seconds since 1970 with milliseconds, as Prometheus keeps time.
fn seconds(at: Timestamp) -> String {
    let milliseconds = at.as_millisecond();
    format!("{}{}.{:03}", if milliseconds < 0 { "-" } else { "" }, milliseconds.unsigned_abs() / 1000, milliseconds.unsigned_abs() % 1000)
}

fn token(file: &std::path::Path) -> Result<HeaderValue, SourceError> {
    let wrong = |what: String| SourceError::Misconfigured(format!("the bearer token file {} {what}", file.display()));
    let token = std::fs::read_to_string(file).map_err(|error| wrong(format!("cannot be read: {error}")))?;
    let token = token.trim();
    if token.is_empty() || token.len() > TOKEN_BYTES_MAX {
        return Err(wrong("is empty or too large".to_owned()));
    }
    // The error would quote the token.
    let mut value =
        HeaderValue::try_from(format!("Bearer {token}")).map_err(|_| wrong("has no token that a header can carry".to_owned()))?;
    value.set_sensitive(true);
    Ok(value)
}

/// The error with its causes: the outermost of a client's says nothing but "client error".
fn unavailable(error: &(dyn std::error::Error + 'static)) -> SourceError {
    let causes = std::iter::successors(Some(error), |error| error.source()).take(8);
    SourceError::Unavailable(line(&causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")))
}

/// One line of bounded length without control characters.
fn line(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).take(MESSAGE_LENGTH_MAX).collect()
}
