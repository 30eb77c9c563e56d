//! From YAML to checked values; collects mistakes instead of ending with the first.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use http::Uri;
use serde::Deserialize;
use serde_saphyr::{Location, Spanned};

use super::profiles::{self, RawProfile};
use super::{API_VERSION, ConfigurationError, KIND, Mistake, OperatorConfiguration, Provider};
use crate::api::Duration as ApiDuration;
use crate::metric_source::prometheus::{Guard, TIMEOUT};

/// More providers or profiles than this are a mistake.
const ENTRIES_MAX: usize = 100;

/// Bounds of a provider's timeout.
const TIMEOUTS: std::ops::RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_secs(120);

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Raw {
    api_version: Spanned<String>,
    kind: Spanned<String>,
    #[serde(default)]
    metric_providers: Vec<RawProvider>,
    #[serde(default)]
    metric_profiles: Vec<RawProfile>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RawProvider {
    name: Spanned<String>,
    #[serde(rename = "type")]
    _kind: RawKind,
    url: Spanned<String>,
    bearer_token_file: Option<Spanned<PathBuf>>,
    ca_file: Option<Spanned<PathBuf>>,
    timeout: Option<Spanned<String>>,
    default: Option<Spanned<bool>>,
}

/// Only one so far; named, so that others can come.
#[derive(Deserialize)]
enum RawKind {
    Prometheus,
}

/// Collects mistakes.
#[derive(Default)]
pub(super) struct Mistakes(Vec<Mistake>);

impl Mistakes {
    pub(super) fn add(&mut self, at: Location, message: impl Into<String>) {
        self.0.push(Mistake { line: at.line(), column: at.column(), message: message.into() });
    }

    /// The value, or nothing after noting the mistake.
    pub(super) fn take<T>(&mut self, at: Location, result: Result<T, String>) -> Option<T> {
        result.map_err(|message| self.add(at, message)).ok()
    }
}

pub(super) fn parse(text: &str) -> Result<OperatorConfiguration, ConfigurationError> {
    let options = serde_saphyr::options! { strict_booleans: true };
    let raw: Raw = serde_saphyr::from_str_with_options(text, options).map_err(|error| {
        let (line, column) = error.location().map_or((1, 1), |at| (at.line(), at.column()));
        ConfigurationError(vec![Mistake { line, column, message: message(&error) }])
    })?;
    let mut mistakes = Mistakes::default();
    if raw.api_version.value != API_VERSION {
        mistakes.add(raw.api_version.referenced, format!("the apiVersion is {:?}, not {API_VERSION}", raw.api_version.value));
    }
    if raw.kind.value != KIND {
        mistakes.add(raw.kind.referenced, format!("the kind is {:?}, not {KIND}", raw.kind.value));
    }
    let metric_providers = providers(raw.metric_providers, &mut mistakes);
    let metric_profiles = profiles::profiles(raw.metric_profiles, &mut mistakes);
    if mistakes.0.is_empty() {
        Ok(OperatorConfiguration { metric_providers, metric_profiles })
    } else {
        mistakes.0.sort_by_key(|mistake| (mistake.line, mistake.column));
        Err(ConfigurationError(mistakes.0))
    }
}

/// The parser's message in one line, without the place that is said before.
fn message(error: &serde_saphyr::Error) -> String {
    let text = error.without_snippet().to_string();
    let line = text.lines().next().unwrap_or_default();
    line.split(" at line ").next().unwrap_or(line).to_owned()
}

fn providers(raw: Vec<RawProvider>, mistakes: &mut Mistakes) -> Vec<Provider> {
    let (mut names, mut default) = (BTreeSet::new(), None::<String>);
    let mut providers = Vec::new();
    for (number, raw) in raw.into_iter().enumerate() {
        let at = raw.name.referenced;
        if number == ENTRIES_MAX {
            mistakes.add(at, format!("there are more than {ENTRIES_MAX} metric providers"));
            break;
        }
        if !names.insert(raw.name.value.clone()) {
            mistakes.add(at, format!("there is a metric provider {:?} already", raw.name.value));
        }
        if let Some(flag) = raw.default.as_ref().filter(|flag| flag.value) {
            match &default {
                Some(first) => mistakes.add(flag.referenced, format!("{first:?} is the default already: only one can be")),
                None => default = Some(raw.name.value.clone()),
            }
        }
        providers.extend(provider(raw, mistakes));
    }
    providers
}

fn provider(raw: RawProvider, mistakes: &mut Mistakes) -> Option<Provider> {
    mistakes.take(raw.name.referenced, name(&raw.name.value));
    let url = mistakes.take(raw.url.referenced, url(&raw.url.value));
    let timeout = match &raw.timeout {
        Some(text) => mistakes.take(text.referenced, timeout(&text.value)),
        None => Some(TIMEOUT),
    };
    for file in [&raw.bearer_token_file, &raw.ca_file].into_iter().flatten().filter(|file| !file.value.is_absolute()) {
        mistakes.add(file.referenced, "the path is not absolute: it would depend on where the operator is started");
    }
    let url = url?;
    let secure = url.scheme_str() == Some("https");
    if let Some(file) = raw.bearer_token_file.as_ref().filter(|_| !secure && !is_local(&url)) {
        mistakes.add(file.referenced, "a bearer token over http can be read by everybody on the way: use https");
    }
    if let Some(file) = raw.ca_file.as_ref().filter(|_| !secure) {
        mistakes.add(file.referenced, "certificates are of no use with http: use https, or leave caFile out");
    }
    Some(Provider {
        name: raw.name.value,
        url,
        bearer_token_file: raw.bearer_token_file.map(|file| file.value),
        ca_file: raw.ca_file.map(|file| file.value),
        timeout: timeout?,
        default: raw.default.is_some_and(|flag| flag.value),
    })
}

/// A DNS label, which every field that names it can hold.
pub(super) fn name(text: &str) -> Result<(), String> {
    let fits = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '-';
    let sound = !text.is_empty() && text.len() <= 63 && text.chars().all(fits) && !text.starts_with('-') && !text.ends_with('-');
    if sound { Ok(()) } else { Err("a name has 1 to 63 lower-case letters, digits and -, and no - at its ends".to_owned()) }
}

fn url(text: &str) -> Result<Uri, String> {
    let wrong = |what: &str| Err(format!("the URL {what}; write it like https://prometheus.monitoring.svc:9090"));
    // A URI drops its fragment without a word, and what follows @ is a host to it and a surprise to its reader.
    if text.contains('#') {
        return wrong("has a fragment");
    }
    let Ok(url) = text.parse::<Uri>() else { return wrong("is none") };
    if !matches!(url.scheme_str(), Some("http" | "https")) {
        return wrong("begins neither with http:// nor with https://");
    }
    if url.authority().is_none_or(|authority| authority.as_str().contains('@')) {
        return wrong("names a user: credentials belong into a bearerTokenFile");
    }
    if url.query().is_some() {
        return wrong("has a query");
    }
    // The parser takes any number for a port, and then has none.
    let port = url.authority().and_then(|authority| authority.as_str().strip_prefix(url.host()?)?.strip_prefix(':'));
    if port.is_some_and(|port| port.parse::<u16>().map_or(true, |port| port == 0)) {
        return wrong("has a port that cannot be");
    }
    let host = url.host().unwrap_or_default();
    if host.is_empty() {
        return wrong("has no host");
    }
    Guard::new(host, BTreeSet::new()).map_err(|denied| denied.to_string())?;
    Ok(url)
}

/// What is sent stays on this machine.
fn is_local(url: &Uri) -> bool {
    let host = url.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn timeout(text: &str) -> Result<Duration, String> {
    let timeout = text.parse::<ApiDuration>().map_err(|error| error.to_string())?.as_std();
    if TIMEOUTS.contains(&timeout) { Ok(timeout) } else { Err("the timeout is not between 100ms and 2m".to_owned()) }
}
