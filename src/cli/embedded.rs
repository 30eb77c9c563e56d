//! A played world with the operator in it: what `simulate` and `cluster` have in common.
//!
//! Takes paths and a seed; gives a [`Play`] with our CRDs installed, and the operator as a client of it: the same controllers
//! that run in production, on the world's clock.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use http::Uri;
use http_body_util::{BodyExt, Full};
use jiff::Timestamp;
use kube::Client;
use serde_json::Value;
use tokio::task::JoinHandle;
use tower::ServiceExt;

use super::output::{Failure, Output, chain};
use super::simulate::timeline::Timeline;
use crate::controllers::operator::{Operator, Options};
use crate::metric_source::Sources as MetricSources;
use crate::metric_source::prometheus::{self, Prometheus};
use crate::runtime::clock::{Clock, VirtualClock};
use crate::runtime::driver::{Activity, DriverError};
use crate::runtime::telemetry::logs::{self, LogFormat};
use crate::runtime::telemetry::metrics::Metrics;
use crate::sim::cluster::Identity;
use crate::sim::service::SimService;
use crate::sim::world::place::Problems;
use crate::sim::world::play::{Play, USER};
use crate::sim::world::sources::{self, Sources};

/// The service account under which the operator asks.
pub(super) const OPERATOR: &str = "system:serviceaccount:modelward-system:modelward";

/// All mistakes, one line each.
pub fn mistakes(problems: &Problems) -> Failure {
    Failure::Failed(problems.iter().map(ToString::to_string).collect())
}

/// Reads files and folders; nothing is no world at all, and the default one.
///
/// # Errors
/// Every mistake in them.
pub fn read(paths: &[PathBuf]) -> Result<Sources, Failure> {
    sources::read(paths).map_err(|problems| mistakes(&problems))
}

/// Our CRDs, as data.
pub fn definitions() -> Vec<Value> {
    crate::api::crds().iter().map(|crd| serde_json::json!(crd)).collect()
}

/// A timeline that follows the commits of a play from now on.
pub fn follow(play: &mut Play) -> Arc<Mutex<Timeline>> {
    let timeline = Arc::new(Mutex::new(Timeline::new(play.start(), USER)));
    let following = Arc::clone(&timeline);
    play.simulation.observe(Box::new(move |commit, cluster| lock(&following).notice(commit, cluster.kinds())));
    timeline
}

/// Access to a timeline.
pub fn lock(timeline: &Mutex<Timeline>) -> MutexGuard<'_, Timeline> {
    timeline.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The Prometheus of the world, as the operator asks one: over HTTP's types, without a network.
pub fn metric_sources(service: &SimService) -> MetricSources {
    let service = service.clone();
    let asked = tower::service_fn(move |request: http::Request<Full<Bytes>>| {
        let service = service.clone();
        async move {
            let (parts, body) = request.into_parts();
            let body = body.collect().await?.to_bytes();
            service.oneshot(http::Request::from_parts(parts, body.into())).await.map_err(tower::BoxError::from)
        }
    });
    let settings = prometheus::Settings::new(Uri::from_static("http://simulation/prometheus"));
    MetricSources::one("prometheus", Arc::new(Prometheus::over(asked, settings)))
}

/// The operator at work in a world.
pub struct Embedded {
    /// What it is doing.
    pub activity: Activity,
    metrics: Arc<Metrics>,
    task: JoinHandle<Result<(), DriverError>>,
}

impl Embedded {
    /// Starts the operator on the present runtime, whose clock now shows `start`.
    pub fn start(service: &SimService, start: Timestamp) -> Self {
        let clock: Arc<dyn Clock> = Arc::new(VirtualClock::new(start));
        log(&clock);
        let metrics = Arc::new(Metrics::default());
        let groups = vec!["system:serviceaccounts".to_owned(), "system:authenticated".to_owned()];
        let who = Identity { user: OPERATOR.to_owned(), groups, user_agent: "modelward".to_owned(), ..Identity::default() };
        let client: Client = service.identified(who).client("default");
        let options = Options { sources: metric_sources(service), ..Options::default() };
        let operator = Operator::new(client, clock, Arc::clone(&metrics), &options);
        let activity = operator.activity();
        let task = tokio::spawn(operator.run(std::future::pending()));
        Self { activity, metrics, task }
    }

    /// Nothing will happen any more by its doing.
    pub fn is_quiet(&self) -> bool {
        self.activity.is_idle() && self.activity.next_due().is_none()
    }

    /// Ends it; what went wrong with the operator itself, if anything did.
    pub async fn stop(self) -> Option<String> {
        let panics: u64 = ["Model", "ModelDeployment"].iter().map(|kind| self.metrics.passes(kind, "panic")).sum();
        if self.task.is_finished() {
            return Some(self.ended().await);
        }
        self.task.abort();
        (panics > 0).then(|| format!("the operator panicked {panics} times; please report this"))
    }

    /// Waits until it ends, which it never should; why it did.
    pub async fn ended(self) -> String {
        match self.task.await {
            Ok(Ok(())) => "the operator stopped by itself; please report this".to_owned(),
            Ok(Err(error)) => format!("the operator ended: {}; please report this", chain(&error)),
            Err(error) => format!("the operator ended: {error}; please report this"),
        }
    }
}

/// The operator's log, when `RUST_LOG` asks for it.
fn log(clock: &Arc<dyn Clock>) {
    let Some(filter) = std::env::var("RUST_LOG").ok().filter(|filter| !filter.is_empty()) else { return };
    if let Err(error) = logs::init(LogFormat::Text, &filter, Arc::clone(clock)) {
        Output::standard().say(&format!("warning: {}", chain(&error)));
    }
}
