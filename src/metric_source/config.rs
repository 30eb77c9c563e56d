//! The operator's configuration file.
//!
//! Takes YAML of the kind `OperatorConfiguration`; gives metric providers and profiles, checked, or every mistake with its place.
//! This file is the only place where addresses of metric providers come from: users' objects name a provider. Unknown fields are
//! refused. Never reads files that it names, never connects.
//!
//! ```yaml
//! apiVersion: config.modelward.dev/v1alpha1
//! kind: OperatorConfiguration
//! metricProviders:
//! - name: prometheus
//!   type: Prometheus
//!   url: https://prometheus.monitoring.svc:9090
//!   bearerTokenFile: /var/run/secrets/prometheus/token
//!   caFile: /etc/prometheus-ca/ca.crt
//!   timeout: 10s
//!   default: true
//! metricProfiles:
//! - name: tgi
//!   metrics:
//!   - names: [errorRate, successRate]
//!     failed: ['tgi_request_failure{namespace="{{namespace}}",pod=~"{{pods}}"}']
//!     total: ['tgi_request_count{namespace="{{namespace}}",pod=~"{{pods}}"}']
//!   - names: [latencyP95]
//!     histogram: 'tgi_request_duration_bucket{namespace="{{namespace}}",pod=~"{{pods}}"}'
//!     unit: Seconds
//! ```

mod profiles;
mod read;
#[cfg(test)]
mod tests;

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use http::Uri;

use crate::domain::analysis::profile::Profiles;

/// The `apiVersion` of the file.
pub const API_VERSION: &str = "config.modelward.dev/v1alpha1";

/// The `kind` of the file.
pub const KIND: &str = "OperatorConfiguration";

/// What the file says.
#[derive(Clone, Debug, PartialEq)]
pub struct OperatorConfiguration {
    /// Where metrics can be asked for; their names differ.
    pub metric_providers: Vec<Provider>,
    /// The profiles that are built in, and those of the file.
    pub metric_profiles: Profiles,
}

impl OperatorConfiguration {
    /// What holds without a file: no providers, the profiles that are built in.
    #[must_use]
    pub fn without_file() -> Self {
        Self { metric_providers: Vec::new(), metric_profiles: Profiles::built_in() }
    }

    /// Reads the text of a file.
    ///
    /// # Errors
    /// Every mistake in it, with its place.
    pub fn parse(text: &str) -> Result<Self, ConfigurationError> {
        read::parse(text)
    }

    /// The provider for metrics that name none: the one that says so, or the only one.
    #[must_use]
    pub fn default_provider(&self) -> Option<&Provider> {
        match self.metric_providers.as_slice() {
            [only] => Some(only),
            several => several.iter().find(|provider| provider.default),
        }
    }
}

/// A Prometheus, or what speaks its HTTP API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Provider {
    /// Its name, which users write.
    pub name: String,
    /// Its address with the path before `/api/v1`; http or https, without user, query and fragment.
    pub url: Uri,
    /// A file with a bearer token.
    pub bearer_token_file: Option<PathBuf>,
    /// A file with the certificates, in PEM, that may vouch for it; otherwise the system's.
    pub ca_file: Option<PathBuf>,
    /// How long a query may take.
    pub timeout: Duration,
    /// It is the one for metrics that name none.
    pub default: bool,
}

/// A mistake in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// From 1.
    pub line: u64,
    /// From 1.
    pub column: u64,
    /// What is wrong there.
    pub message: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}: {}", self.line, self.column, self.message)
    }
}

/// The file has mistakes; at least one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigurationError(pub Vec<Mistake>);

impl fmt::Display for ConfigurationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, mistake) in self.0.iter().enumerate() {
            write!(f, "{}{mistake}", if number == 0 { "" } else { "; " })?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigurationError {}
