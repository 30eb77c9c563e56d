//! The verb `operator`: runs the controllers until it is told to stop.
//!
//! Takes a cluster from the kubeconfig or from the pod that this runs in; gives logs on standard error, metrics and probes over
//! HTTP. SIGINT and SIGTERM end it in order: no new work, passes that run may end.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::Arc;

use clap::{Args, ValueEnum};
use kube::{Client, Config};
use tokio::net::TcpListener;
use tokio::sync::Notify;

use super::connect;
use super::output::Failure;
use super::stop::stop_signal;
use crate::controllers::operator::{Operator, Options};
use crate::metric_source::Sources;
use crate::runtime::clock::{Clock, SystemClock};
use crate::runtime::probes;
use crate::runtime::telemetry::logs::{self, LogFormat};
use crate::runtime::telemetry::metrics::Metrics;
use crate::runtime::telemetry::requests;

/// Run the controllers against the cluster of the kubeconfig, or of the pod that this runs in.
///
/// Stops in order on SIGINT and SIGTERM. One process per cluster, or per namespace: nothing elects a leader among several.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The only namespace to look at; all namespaces if it is not given.
    #[arg(short, long, value_name = "NAMESPACE", value_parser = connect::namespace)]
    namespace: Option<String>,
    /// Objects of one kind that are worked on at the same time.
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=256))]
    concurrency: u16,
    /// Requests to the API server in a second, more wait their turn. Not given: no limit but the server's own (API Priority and
    /// Fairness).
    #[arg(long, value_name = "N")]
    qps: Option<NonZeroU32>,
    /// The operator's configuration: metric providers and profiles (docs/metrics.md). Without it there are no providers, and the built-in
    /// profiles.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// How lines of the log look.
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = Format::Text)]
    log_format: Format,
    /// What is logged: a level, or levels by module such as modelward=debug,kube=warn. Otherwise RUST_LOG, or info.
    #[arg(long, value_name = "FILTER")]
    log_filter: Option<String>,
    /// Where /metrics, /readyz and /livez are served.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8080")]
    metrics_address: SocketAddr,
    /// The kubeconfig file; otherwise KUBECONFIG, ~/.kube/config, or the service account of the pod.
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
    /// The context of the kubeconfig; its current one if it is not given.
    #[arg(long, value_name = "CONTEXT")]
    context: Option<String>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    /// For people.
    Text,
    /// One JSON object per line.
    Json,
}

/// Runs it.
///
/// # Errors
/// When the cluster is not found, the address is taken, or a part ends that never ends.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let format = match arguments.log_format {
        Format::Text => LogFormat::Text,
        Format::Json => LogFormat::Json,
    };
    let filter = arguments.log_filter.clone().or_else(|| std::env::var("RUST_LOG").ok()).unwrap_or_else(|| "info".to_owned());
    logs::init(format, &filter, Arc::clone(&clock)).map_err(|error| Failure::of("logging cannot be set up", &error))?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::of("threads cannot be started", &error))?;
    runtime.block_on(serve(arguments, clock))
}

async fn serve(arguments: &Arguments, clock: Arc<dyn Clock>) -> Result<(), Failure> {
    let metrics = Arc::new(Metrics::default());
    let configuration = connect::configuration(arguments.config.as_deref())?;
    let (client, forbidden) = client(arguments).await?;
    let client = requests::counted(client, Arc::clone(&metrics), Arc::clone(&clock));
    let sources = Sources::from_configuration(&configuration, &forbidden);
    let sources = sources.map_err(|error| Failure::of("a metric provider cannot be used", &error))?;
    let listener = TcpListener::bind(arguments.metrics_address).await.map_err(|error| {
        let what = format!("cannot listen on {}; choose another --metrics-address", arguments.metrics_address);
        Failure::of(&what, &error)
    })?;
    let options = Options {
        namespace: arguments.namespace.clone(),
        concurrency: usize::from(arguments.concurrency),
        requests_per_second: arguments.qps,
        instance: instance(),
        sources,
        profiles: configuration.metric_profiles,
        ..Options::default()
    };
    let stopped = Arc::new(Notify::new());
    let operator = Operator::new(client, clock, Arc::clone(&metrics), &options);
    let end_of_probes = Arc::clone(&stopped);
    let probes = probes::serve(listener, operator.activity(), metrics, async move { end_of_probes.notified().await });
    let probes = tokio::spawn(probes);
    tracing::info!(version = env!("CARGO_PKG_VERSION"), namespace = arguments.namespace.as_deref().unwrap_or("all"), "operator starts");
    let ended = operator.run(stop_signal()?).await;
    // Probes answer until the last pass is over: a pod that stops is alive.
    stopped.notify_one();
    match probes.await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!(%error, "probes failed"),
        Err(error) => tracing::warn!(%error, "probes ended"),
    }
    ended.map_err(|error| Failure::of("the operator ended", &error))?;
    tracing::info!("operator stopped");
    Ok(())
}

/// A client without kube's own retries: what fails is for the queue's backoff.
async fn client(arguments: &Arguments) -> Result<(Client, BTreeSet<IpAddr>), Failure> {
    let mut config = connect::config(arguments.kubeconfig.as_deref(), arguments.context.as_deref()).await?;
    config.default_retry = false;
    let where_to = config.cluster_url.to_string();
    let forbidden = addresses(&config).await;
    let client = Client::try_from(config).map_err(|error| Failure::of(&format!("no client can be made for {where_to}"), &error))?;
    Ok((client, forbidden))
}

/// The addresses of the API server: no metric provider may lead there.
async fn addresses(config: &Config) -> BTreeSet<IpAddr> {
    let Some(host) = config.cluster_url.host() else { return BTreeSet::new() };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    if let Ok(address) = host.parse() {
        return BTreeSet::from([address]);
    }
    let port = config.cluster_url.port_u16().unwrap_or(443);
    tokio::net::lookup_host((host, port)).await.map(|found| found.map(|address| address.ip()).collect()).unwrap_or_default()
}

/// The name of this process in Events: the pod's.
fn instance() -> String {
    let name = ["POD_NAME", "HOSTNAME"].iter().find_map(|variable| std::env::var(variable).ok().filter(|name| !name.is_empty()));
    name.unwrap_or_else(|| "modelward".to_owned())
}
