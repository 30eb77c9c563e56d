//! With a cluster: its API server is shown every object, and asked for what is there. Writes nothing: every write is a dry run.

use std::collections::BTreeMap;
use std::fmt::Display;

use http::{Method, Request};
use kube::Client;
use kube::core::GroupVersionKind;
use kube::discovery::{self, ApiCapabilities, ApiResource, Scope};
use serde_json::{Value, json};

use super::offline::Submitted;
use crate::api::model::Model;
use crate::api::model_deployment::ModelDeployment;
use crate::sim::world::document::Located;

/// Under this name objects are shown to the server.
const MANAGER: &str = "modelward-preflight";

/// See the module.
pub struct Online {
    client: Client,
    kinds: BTreeMap<(String, String), Result<(ApiResource, ApiCapabilities), String>>,
}

/// Why there is no answer.
enum Unanswered {
    /// It is not there.
    Absent,
    /// The server refuses it, in its words.
    Refused(String),
    /// It may not be asked for, or nobody answers.
    Unknown(String),
}

impl Online {
    /// Asks through `client`.
    pub fn new(client: Client) -> Self {
        Self { client, kinds: BTreeMap::new() }
    }

    /// Which version the server has.
    ///
    /// # Errors
    /// Nobody answers.
    pub async fn version(&self) -> Result<String, kube::Error> {
        Ok(self.client.apiserver_version().await?.git_version)
    }

    /// Shows a document to the server; `namespace` is its own.
    pub async fn submit(&mut self, document: &Located, namespace: &str) -> Submitted {
        let (version, kind) = (document.text(&["apiVersion"]), document.text(&["kind"]));
        let (resource, capabilities) = match self.kind(version, kind).await {
            Ok(found) => found,
            Err(why) => return Submitted::Refused(vec![format!("{}: {why}", document.place_of("kind"))]),
        };
        let namespace = if capabilities.scope == Scope::Namespaced { namespace } else { "" };
        let mut object = document.to_json();
        if !namespace.is_empty() {
            object["metadata"]["namespace"] = json!(namespace);
        }
        let shown = match kind {
            // The file is the whole of its spec.
            "ModelDeployment" => self.replace(&resource, namespace, object).await,
            // Others write entries of their own.
            _ => self.apply(&resource, namespace, object).await,
        };
        match shown {
            Ok(stored) => Submitted::Taken(stored, Vec::new()),
            Err(Unanswered::Refused(why)) => Submitted::Refused(vec![format!("{}: {why}", document.place)]),
            Err(Unanswered::Absent) => Submitted::Refused(vec![format!("{}: namespace {namespace} is not there", document.place)]),
            Err(Unanswered::Unknown(why)) => Submitted::Unknown(why),
        }
    }

    /// Shows the Deployment of a new revision to the server.
    ///
    /// # Errors
    /// The server's words; `Ok(Some)` if it could not be asked.
    pub async fn try_workload(&self, namespace: &str, workload: &Value) -> Result<Option<String>, String> {
        let path =
            format!("/apis/apps/v1/namespaces/{}/deployments?dryRun=All&fieldManager={MANAGER}&fieldValidation=Strict", segment(namespace));
        match self.send(Method::POST, &path, "application/json", workload).await {
            Ok(_) => Ok(None),
            Err(Unanswered::Refused(why)) => Err(why),
            Err(Unanswered::Absent) => Err(format!("namespace {namespace} is not there")),
            Err(Unanswered::Unknown(why)) => Ok(Some(why)),
        }
    }

    /// The Model of this name, if there is one.
    ///
    /// # Errors
    /// Why it cannot be read.
    pub async fn model(&self, namespace: &str, name: &str) -> Result<Option<Model>, String> {
        self.read(&ours(namespace, "models", name)).await
    }

    /// The ModelDeployment of this name, if there is one.
    ///
    /// # Errors
    /// Why it cannot be read.
    pub async fn deployment(&self, namespace: &str, name: &str) -> Result<Option<ModelDeployment>, String> {
        self.read(&ours(namespace, "modeldeployments", name)).await
    }

    /// Whether something is there, by its kind.
    ///
    /// # Errors
    /// Why that cannot be said; of a kind that is not installed, that it is not.
    pub async fn is_there(&mut self, version: &str, kind: &str, namespace: &str, name: &str) -> Result<bool, String> {
        let (resource, _) = self.kind(version, kind).await?;
        Ok(self.read::<Value>(&format!("{}/{}", collection(&resource, namespace), segment(name))).await?.is_some())
    }

    /// Whether a kind is installed.
    ///
    /// # Errors
    /// That it is not, and what to do.
    pub async fn has_kind(&mut self, version: &str, kind: &str) -> Result<(), String> {
        self.kind(version, kind).await.map(drop)
    }

    async fn kind(&mut self, version: &str, kind: &str) -> Result<(ApiResource, ApiCapabilities), String> {
        let key = (version.to_owned(), kind.to_owned());
        if let Some(known) = self.kinds.get(&key) {
            return known.clone();
        }
        let (group, short) = version.split_once('/').unwrap_or(("", version));
        let found = discovery::pinned_kind(&self.client, &GroupVersionKind::gvk(group, short, kind)).await;
        let found = found.map_err(|error| {
            let hint = match group {
                "modelward.dev" => ": install it with modelward crds | kubectl apply --server-side -f -",
                "gateway.networking.k8s.io" => ": install the Gateway API",
                "keda.sh" => ": install KEDA, or scale by hpa",
                _ => "",
            };
            format!("the cluster has no kind {kind} of {version}{hint} ({})", first_line(&error))
        });
        self.kinds.insert(key, found.clone());
        found
    }

    /// What would be stored if the object were put in the place of the one that is there.
    async fn replace(&self, resource: &ApiResource, namespace: &str, mut object: Value) -> Result<Value, Unanswered> {
        let collection = collection(resource, namespace);
        let name = segment(object["metadata"]["name"].as_str().unwrap_or_default());
        let live: Option<Value> = self.read(&format!("{collection}/{name}")).await.map_err(Unanswered::Unknown)?;
        let options = format!("dryRun=All&fieldManager={MANAGER}&fieldValidation=Strict");
        match live {
            None => self.send(Method::POST, &format!("{collection}?{options}"), "application/json", &object).await,
            Some(live) => {
                object["metadata"]["resourceVersion"] = live["metadata"]["resourceVersion"].clone();
                self.send(Method::PUT, &format!("{collection}/{name}?{options}"), "application/json", &object).await
            }
        }
    }

    async fn apply(&self, resource: &ApiResource, namespace: &str, object: Value) -> Result<Value, Unanswered> {
        let name = segment(object["metadata"]["name"].as_str().unwrap_or_default());
        let path =
            format!("{}/{name}?dryRun=All&fieldManager={MANAGER}&fieldValidation=Strict&force=true", collection(resource, namespace));
        self.send(Method::PATCH, &path, "application/apply-patch+yaml", &object).await
    }

    async fn read<T: serde::de::DeserializeOwned>(&self, path: &str) -> Result<Option<T>, String> {
        match self.send(Method::GET, path, "application/json", &Value::Null).await {
            Ok(object) => serde_json::from_value(object).map(Some).map_err(|error| format!("what is there cannot be read: {error}")),
            Err(Unanswered::Absent) => Ok(None),
            Err(Unanswered::Refused(why) | Unanswered::Unknown(why)) => Err(why),
        }
    }

    async fn send(&self, method: Method, path: &str, content: &str, body: &Value) -> Result<Value, Unanswered> {
        let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
        let request = Request::builder().method(method).uri(path).header("content-type", content).body(body);
        let request = request.map_err(|error| Unanswered::Unknown(error.to_string()))?;
        self.client.request(request).await.map_err(|error| match error {
            kube::Error::Api(status) => match status.code {
                404 => Unanswered::Absent,
                401 | 403 => Unanswered::Unknown(status.message),
                400..=499 => Unanswered::Refused(status.message),
                _ => Unanswered::Unknown(status.message),
            },
            other => Unanswered::Unknown(first_line(&other)),
        })
    }
}

/// A name as a part of a path: what a file names must lead nowhere else.
fn segment(name: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    name.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

fn collection(resource: &ApiResource, namespace: &str) -> String {
    let group = if resource.group.is_empty() { "/api".to_owned() } else { format!("/apis/{}", resource.group) };
    let within = if namespace.is_empty() { String::new() } else { format!("/namespaces/{}", segment(namespace)) };
    format!("{group}/{}{within}/{}", resource.version, resource.plural)
}

fn ours(namespace: &str, plural: &str, name: &str) -> String {
    format!("/apis/{}/namespaces/{}/{plural}/{}", crate::api::API_VERSION, segment(namespace), segment(name))
}

fn first_line(error: &impl Display) -> String {
    error.to_string().lines().next().unwrap_or_default().chars().take(300).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_a_file_lead_nowhere_else() {
        assert_eq!(ours("team", "models", "chat"), "/apis/modelward.dev/v1alpha1/namespaces/team/models/chat");
        assert_eq!(ours("../a", "models", "b?c=d/e"), "/apis/modelward.dev/v1alpha1/namespaces/..%2Fa/models/b%3Fc%3Dd%2Fe");
    }
}
