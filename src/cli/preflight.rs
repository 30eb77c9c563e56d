//! The verb `preflight`: refuses plans that cannot work, before they are applied.
//!
//! Takes files and folders; gives a table of what was looked at, what is refused, and what will not be as somebody may think. With a cluster its
//! API server is shown every object (dry runs) and asked for what is there; without one, an API server of our own. Writes nothing anywhere.

mod deployment;
mod finding;
mod offline;
mod online;

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use kube::Client;
use serde_json::Value;

use self::deployment::{Context, Lookup};
use self::finding::{About, Finding, Verdict};
use self::offline::{Offline, Submitted};
use self::online::Online;
use super::output::{Failure, Output};
use super::{connect, embedded};
use crate::api::conditions::reason;
use crate::api::model::Model;
use crate::api::model_deployment::{GatewayKind, ModelDeployment};
use crate::controllers::model_deployment::validate::Valid;
use crate::domain::beforehand::foresight::Traffic;
use crate::domain::settings::{ScalerKind, TrafficMode};
use crate::metric_source::config::OperatorConfiguration;
use crate::resources::{Owner, revision, workload};
use crate::sim::world::document::Located;
use crate::traffic::route;

/// Refuse plans that cannot work, before they are applied; also offline.
///
/// Looks at every object of the files: whether it would be taken, whether its version can be released, what its steps reach, and what its
/// analysis can measure and tell. With a cluster every object is shown to its API server as a dry run. Documents of kind World are left
/// out; files that their events apply come last. Exit status 1 if anything is refused; warnings refuse nothing.
#[derive(Debug, Args)]
pub struct Arguments {
    /// YAML files, and folders of them; may be given several times.
    #[arg(short = 'f', long = "filename", required = true, value_name = "PATH", num_args = 1..)]
    paths: Vec<PathBuf>,
    /// The namespace of objects that name none; otherwise the context's, or default.
    #[arg(short, long, value_name = "NAMESPACE", value_parser = connect::namespace)]
    namespace: Option<String>,
    /// Ask no cluster, even if one is configured.
    #[arg(long, conflicts_with_all = ["kubeconfig", "context"])]
    offline: bool,
    /// The operator's configuration: metric providers and profiles (docs/metrics.md).
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Requests per second of both versions together, to say what such traffic cannot tell; otherwise what the operator measured.
    #[arg(long, value_name = "N", value_parser = rate)]
    requests_per_second: Option<f64>,
    /// Share of those requests that the stable version fails, 0 to 1.
    #[arg(long, value_name = "SHARE", default_value = "0.005", value_parser = share)]
    error_rate: f64,
    /// How it is printed.
    #[arg(short, long, value_enum, default_value_t = Format::Table)]
    output: Format,
    /// The kubeconfig file; otherwise KUBECONFIG, ~/.kube/config, or the service account of the pod.
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
    /// The context of the kubeconfig; its current one if it is not given.
    #[arg(long, value_name = "CONTEXT")]
    context: Option<String>,
}

/// How findings are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people.
    Table,
    /// One JSON object per line.
    Json,
}

fn rate(text: &str) -> Result<f64, String> {
    let number = text.parse::<f64>().ok().filter(|number| number.is_finite() && *number > 0.0 && *number <= 1e9);
    number.ok_or_else(|| "write a number more than 0, such as 20 or 0.5".to_owned())
}

fn share(text: &str) -> Result<f64, String> {
    let number = text.parse::<f64>().ok().filter(|number| (0.0..1.0).contains(number));
    number.ok_or_else(|| "write a share from 0 up to but not including 1, such as 0.005".to_owned())
}

/// Runs it.
///
/// # Errors
/// Files that cannot be read, a cluster that was named and does not answer, anything that is refused.
pub fn run(arguments: &Arguments, output: &mut Output) -> Result<(), Failure> {
    let documents = read(&arguments.paths)?;
    let configuration = arguments.config.as_deref().map(|file| connect::configuration(Some(file))).transpose()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::of("the runtime cannot be started", &error))?;
    let findings = runtime.block_on(async {
        let (server, namespace) = reach(arguments, output).await?;
        let mut inspection = Inspection { server, namespace, arguments, configuration, models: BTreeMap::new(), findings: Vec::new() };
        inspection.look_at(&documents).await;
        Ok::<_, Failure>(inspection.findings)
    })?;
    print(arguments.output, &findings, output)
}

/// The documents to be looked at, in the order in which they would be applied.
fn read(paths: &[PathBuf]) -> Result<Vec<Located>, Failure> {
    let mut first = Vec::new();
    let mut later = Vec::new();
    for path in paths {
        let sources = embedded::read(std::slice::from_ref(path))?;
        first.extend(sources.objects);
        later.extend(sources.applied_later.into_values().flatten());
    }
    first.extend(later);
    if first.is_empty() { Err(Failure::new("there is no object in these files: give some that would be applied")) } else { Ok(first) }
}

/// Whom objects are shown to.
enum Server {
    Offline(Box<Offline>),
    Online(Box<Online>),
}

/// The cluster that is configured, or none, and the namespace of objects that name none.
async fn reach(arguments: &Arguments, output: &mut Output) -> Result<(Server, String), Failure> {
    let offline = |namespace: Option<String>| {
        let namespace = namespace.or_else(|| arguments.namespace.clone()).unwrap_or_else(|| "default".to_owned());
        Ok((Server::Offline(Box::new(Offline::start()?)), namespace))
    };
    if arguments.offline {
        return offline(None);
    }
    let named = arguments.kubeconfig.is_some() || arguments.context.is_some();
    let config = match connect::config(arguments.kubeconfig.as_deref(), arguments.context.as_deref()).await {
        Ok(config) => config,
        Err(failure) if named => return Err(failure),
        Err(_) => {
            output.say("no cluster is configured: looked at offline, without what is in a cluster");
            return offline(None);
        }
    };
    let (address, namespace) = (config.cluster_url.to_string(), config.default_namespace.clone());
    let namespace = arguments.namespace.clone().unwrap_or(namespace);
    let client = Client::try_from(config).map_err(|error| Failure::of(&format!("no client can be made for {address}"), &error))?;
    let online = Online::new(client);
    match online.version().await {
        Ok(version) => {
            output.say(&format!("asked the cluster at {address} ({version}); nothing is written"));
            Ok((Server::Online(Box::new(online)), namespace))
        }
        Err(error) if named => Err(Failure::of(&format!("the cluster at {address} does not answer; --offline looks without it"), &error)),
        Err(_) => {
            output.say(&format!("the cluster at {address} does not answer: looked at offline, without what is in it"));
            offline(Some(namespace))
        }
    }
}

/// One run.
struct Inspection<'a> {
    server: Server,
    /// Of objects that name none.
    namespace: String,
    arguments: &'a Arguments,
    configuration: Option<OperatorConfiguration>,
    /// Models of the documents, by namespace and name.
    models: BTreeMap<(String, String), Model>,
    findings: Vec<Finding>,
}

impl Inspection<'_> {
    /// Shows the documents to the server, Models before those that need them.
    async fn look_at(&mut self, documents: &[Located]) {
        let is_deployment = |document: &&Located| is_ours(document, "ModelDeployment");
        for document in documents.iter().filter(|document| !is_deployment(document)) {
            if let Some((_, object)) = self.submit(document).await
                && is_ours(document, "Model")
                && let Ok(model) = serde_json::from_value::<Model>(object)
            {
                self.models.insert((self.namespace_of(document), document.text(&["metadata", "name"]).to_owned()), model);
            }
        }
        for document in documents.iter().filter(is_deployment) {
            if let Some((about, object)) = self.submit(document).await {
                self.look_into(&about, object).await;
            }
        }
    }

    fn namespace_of(&self, document: &Located) -> String {
        match document.text(&["metadata", "namespace"]) {
            "" => self.namespace.clone(),
            given => given.to_owned(),
        }
    }

    /// Whether the server takes it; gives it as it would be stored.
    async fn submit(&mut self, document: &Located) -> Option<(About, Value)> {
        let namespace = self.namespace_of(document);
        let about = About {
            object: format!("{}/{}", document.text(&["kind"]).to_lowercase(), document.text(&["metadata", "name"])),
            namespace: namespace.clone(),
            place: document.place.to_string(),
        };
        let submitted = match &mut self.server {
            Server::Offline(offline) => offline.submit(document, &namespace),
            Server::Online(online) => online.submit(document, &namespace).await,
        };
        match submitted {
            Submitted::Taken(object, warnings) => {
                self.findings.push(about.ok("schema", "the API server takes it"));
                self.findings.extend(warnings.iter().map(|warning| about.warning("schema", "", warning.as_str())));
                Some((about, object))
            }
            Submitted::Refused(problems) => {
                self.findings.extend(problems.iter().map(|problem| about.refused("schema", "", problem.as_str())));
                None
            }
            Submitted::Unknown(why) => {
                self.findings.push(about.warning("schema", "", format!("not looked at: {why}")));
                None
            }
        }
    }

    /// Everything about one ModelDeployment.
    async fn look_into(&mut self, about: &About, object: Value) {
        let deployment: ModelDeployment = match serde_json::from_value(object) {
            Ok(deployment) => deployment,
            Err(error) => return self.findings.push(about.warning("schema", "", format!("not looked into: {error}"))),
        };
        let name = deployment.metadata.name.clone().unwrap_or_default();
        let model = self.model(about, &deployment.spec.model).await;
        let live = match &self.server {
            Server::Offline(_) => None,
            Server::Online(online) => match online.deployment(&about.namespace, &name).await {
                Ok(live) => live.and_then(|live| live.status),
                Err(why) => {
                    self.findings.push(about.warning("metrics", "", format!("what the operator says of it cannot be read: {why}")));
                    None
                }
            },
        };
        let failed_share = Some(self.arguments.error_rate);
        let context = Context {
            configured: self.configuration.as_ref(),
            assumed: self.arguments.requests_per_second.map(|rate| Traffic { requests_per_second: rate, failed_share }),
            live: live.as_ref(),
            offline: matches!(self.server, Server::Offline(_)),
        };
        let (found, valid) = deployment::findings(about, &deployment, &model, &context);
        self.findings.extend(found);
        self.try_pods(about, &name, &valid).await;
        self.find_scaler(about, &valid).await;
        self.find_gateways(about, &deployment, &valid).await;
    }

    async fn model(&mut self, about: &About, name: &str) -> Lookup {
        if let Some(model) = self.models.get(&(about.namespace.clone(), name.to_owned())) {
            return Lookup::Found(Box::new(model.clone()));
        }
        match &self.server {
            Server::Offline(_) => Lookup::Unknown,
            Server::Online(online) => match online.model(&about.namespace, name).await {
                Ok(Some(model)) => Lookup::Found(Box::new(model)),
                Ok(None) => Lookup::Absent,
                Err(why) => {
                    self.findings.push(about.warning("release", "", format!("Model {name} cannot be read: {why}")));
                    Lookup::Unknown
                }
            },
        }
    }

    /// Shows the pods of the version to the server, as the operator does before anything moves.
    async fn try_pods(&mut self, about: &About, name: &str, valid: &Valid) {
        let Ok(input) = &valid.input else { return };
        let owner = Owner { namespace: about.namespace.clone(), name: name.to_owned(), uid: String::new() };
        let child = revision::name(name, input, 0);
        let recorded = revision::recorded(name, &child, input.clone());
        let options = workload::Options { replicas: Some(0), restarted_at: None, progress_deadline_seconds: 600 };
        let mut object = workload::build(&owner, &child, &recorded, options);
        // What is never made has no owner, and is not in the way of what is there.
        if let Some(metadata) = object["metadata"].as_object_mut() {
            metadata.remove("ownerReferences");
            metadata.insert("name".to_owned(), Value::from(format!("{child}-preflight")));
        }
        let tried = match &mut self.server {
            Server::Offline(offline) => offline.try_workload(&about.namespace, object).map(|()| None),
            Server::Online(online) => online.try_workload(&about.namespace, &object).await,
        };
        self.findings.push(match tried {
            Ok(None) => about.ok("pods", "the API server takes its pods"),
            Ok(Some(why)) => about.warning("pods", "", format!("not looked at: {why}")),
            Err(why) => about.refused("pods", reason::INVALID_POD_TEMPLATE, format!("its pods would be refused: {why}")),
        });
    }

    /// Whether KEDA is there for those that scale by it; only a cluster knows.
    async fn find_scaler(&mut self, about: &About, valid: &Valid) {
        let Server::Online(online) = &mut self.server else { return };
        if valid.settings.scaler.is_none_or(|scaler| scaler.kind != ScalerKind::Keda) {
            return;
        }
        self.findings.push(match online.has_kind("keda.sh/v1alpha1", "ScaledObject").await {
            Ok(()) => about.ok("scaler", "KEDA is installed"),
            Err(why) => about.refused("scaler", reason::KEDA_NOT_INSTALLED, why),
        });
    }

    /// Whether the gateways of its route are there; only a cluster knows.
    async fn find_gateways(&mut self, about: &About, deployment: &ModelDeployment, valid: &Valid) {
        let Server::Online(online) = &mut self.server else { return };
        if valid.settings.traffic != TrafficMode::Gateway {
            return;
        }
        let kind = route::kind(valid.traffic.protocol);
        if let Err(why) = online.has_kind("gateway.networking.k8s.io/v1", kind).await {
            return self.findings.push(about.refused("gateway", reason::GATEWAY_API_MISSING, why));
        }
        for gateway in deployment.spec.gateways() {
            let namespace = gateway.namespace.as_deref().unwrap_or(&about.namespace);
            let (version, kind) = match gateway.kind {
                GatewayKind::Gateway => ("gateway.networking.k8s.io/v1", "Gateway"),
                GatewayKind::Service => ("v1", "Service"),
            };
            let which = format!("{kind} {namespace}/{}", gateway.name);
            self.findings.push(match online.is_there(version, kind, namespace, &gateway.name).await {
                Ok(true) => about.ok("gateway", format!("{which} is there")),
                Ok(false) => about.warning("gateway", "", format!("{which} is not there: nobody takes the route until it is")),
                Err(why) => about.warning("gateway", "", format!("{which} cannot be looked at: {why}")),
            });
        }
    }
}

fn is_ours(document: &Located, kind: &str) -> bool {
    document.text(&["kind"]) == kind && document.text(&["apiVersion"]) == crate::api::API_VERSION
}

fn print(format: Format, findings: &[Finding], output: &mut Output) -> Result<(), Failure> {
    match format {
        Format::Table => output.data(&finding::table(findings, output.style()))?,
        Format::Json => findings.iter().try_for_each(|finding| output.line(&finding.json().to_string()))?,
    }
    output.flush()?;
    let count = |verdict: Verdict| findings.iter().filter(|finding| finding.verdict == verdict).count();
    let (refused, warnings) = (count(Verdict::Refused), count(Verdict::Warning));
    output.say(&format!("{} looked at: {refused} refused, {warnings} warnings", findings.len()));
    if refused == 0 { Ok(()) } else { Err(Failure::NotMet) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_and_shares_are_checked_before_anything_is_read() {
        assert_eq!((rate("0.5"), share("0.01")), (Ok(0.5), Ok(0.01)));
        for wrong in ["", "0", "-1", "NaN", "inf", "many"] {
            assert!(rate(wrong).is_err(), "{wrong:?}");
        }
        for wrong in ["", "1", "-0.1", "NaN", "2 %"] {
            assert!(share(wrong).is_err(), "{wrong:?}");
        }
    }
}
