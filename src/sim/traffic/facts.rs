//! What of a stored pod matters to its traffic and its metrics.
//!
//! Takes a pod and how it serves; gives names, address and the present run of its containers. Pure.

use serde_json::Value;

use super::serving::Serving;
use crate::sim::actors::object::{self, at, controller, count, int, items, labels, name, namespace, text, uid};

/// The port at which a pod is asked for its metrics when it declares none.
const METRICS_PORT: i64 = 8080;

/// See the module.
#[derive(Clone, Debug, PartialEq)]
pub struct Facts {
    /// `namespace/name`.
    pub key: String,
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// `metadata.uid`.
    pub uid: String,
    /// Names the present run of its containers: another one begins with counters at 0. Empty: they do not run.
    pub run: String,
    /// Its node.
    pub node: String,
    /// `address:port` at which it is scraped.
    pub instance: String,
    /// Its first container.
    pub container: String,
    /// Name of the workload that it belongs to: a Deployment rather than its ReplicaSet.
    pub workload: String,
    /// Label `app.kubernetes.io/name` or `app`; else the workload.
    pub app: String,
    /// Label `app.kubernetes.io/version` or `version`; else `latest`.
    pub version: String,
    /// What it serves, as its arguments name it: `--served-model-name`, `--model`; else its container.
    pub model: String,
    /// How it serves.
    pub serving: Serving,
}

impl Facts {
    /// Of a pod whose containers have started at some time and have not ended for good; of others none.
    pub fn of(pod: &Value, serving: Serving) -> Option<Self> {
        if text(pod, &["status", "phase"]) != "Running" || text(pod, &["status", "podIP"]).is_empty() {
            return None;
        }
        let container = items(pod, &["spec", "containers"]).first()?;
        let port = items(container, &["ports"]).first().and_then(|port| int(port, &["containerPort"])).unwrap_or(METRICS_PORT);
        let workload = workload(pod);
        let label = |keys: [&str; 2]| keys.iter().find_map(|key| labels(pod)?.get(*key)?.as_str()).map(str::to_owned);
        Some(Self {
            key: object::key(namespace(pod), name(pod)),
            namespace: namespace(pod).to_owned(),
            name: name(pod).to_owned(),
            uid: uid(pod).to_owned(),
            run: run(pod),
            node: text(pod, &["spec", "nodeName"]).to_owned(),
            instance: format!("{}:{port}", text(pod, &["status", "podIP"])),
            container: text(container, &["name"]).to_owned(),
            app: label(["app.kubernetes.io/name", "app"]).unwrap_or_else(|| workload.clone()),
            version: label(["app.kubernetes.io/version", "version"]).unwrap_or_else(|| "latest".to_owned()),
            workload,
            model: model(container),
            serving,
        })
    }

    /// The labels that a scrape of the pod adds.
    pub fn target(&self) -> Vec<(String, String)> {
        let own = |text: &String| text.clone();
        let pairs = [
            ("job", "kubernetes-pods".to_owned()),
            ("namespace", own(&self.namespace)),
            ("pod", own(&self.name)),
            ("container", own(&self.container)),
            ("instance", own(&self.instance)),
        ];
        pairs.into_iter().map(|(label, value)| (label.to_owned(), value)).collect()
    }
}

fn run(pod: &Value) -> String {
    let Some(status) = items(pod, &["status", "containerStatuses"]).first() else { return String::new() };
    match at(status, &["state", "running"]) {
        Some(running) => format!("{}/{}/{}", uid(pod), count(status, &["restartCount"]), text(running, &["startedAt"])),
        None => String::new(),
    }
}

fn workload(pod: &Value) -> String {
    let Some(owner) = controller(pod) else { return name(pod).to_owned() };
    let owner_name = text(owner, &["name"]);
    let hash = labels(pod).and_then(|labels| labels.get("pod-template-hash")).and_then(Value::as_str).unwrap_or("-");
    let of_deployment = owner_name.strip_suffix(hash).and_then(|rest| rest.strip_suffix('-'));
    of_deployment.unwrap_or(owner_name).to_owned()
}

fn model(container: &Value) -> String {
    let words: Vec<&str> = items(container, &["command"]).iter().chain(items(container, &["args"])).filter_map(Value::as_str).collect();
    let value = |flag: &str| {
        words.iter().enumerate().find_map(|(index, word)| match word.strip_prefix(flag)? {
            "" => words.get(index + 1).copied(),
            rest => rest.strip_prefix('='),
        })
    };
    value("--served-model-name").or_else(|| value("--model")).unwrap_or_else(|| text(container, &["name"])).to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pod() -> Value {
        json!({
            "metadata": { "name": "chat-7d9-x", "namespace": "ml", "uid": "u", "labels": { "app": "chat", "pod-template-hash": "7d9" },
                "ownerReferences": [{ "kind": "ReplicaSet", "name": "chat-7d9", "controller": true }] },
            "spec": { "nodeName": "node-1", "containers": [
                { "name": "server", "args": ["--port", "8000", "--model", "org/chat"], "ports": [{ "containerPort": 8000 }] }] },
            "status": { "phase": "Running", "podIP": "10.128.0.2", "containerStatuses": [
                { "restartCount": 2, "state": { "running": { "startedAt": "2026-01-01T00:00:00Z" } } }] },
        })
    }

    #[test]
    fn names_come_from_the_pod_and_what_it_belongs_to() {
        let facts = Facts::of(&pod(), Serving::default()).unwrap();
        assert_eq!((facts.workload.as_str(), facts.app.as_str(), facts.version.as_str()), ("chat", "chat", "latest"));
        assert_eq!((facts.instance.as_str(), facts.model.as_str()), ("10.128.0.2:8000", "org/chat"));
        assert_eq!(facts.run, "u/2/2026-01-01T00:00:00Z");
    }

    #[test]
    fn a_pod_that_waits_for_a_restart_has_no_run_and_one_that_never_started_no_facts() {
        let mut waiting = pod();
        waiting["status"]["containerStatuses"][0]["state"] = json!({ "waiting": { "reason": "CrashLoopBackOff" } });
        assert_eq!(Facts::of(&waiting, Serving::default()).unwrap().run, "");
        waiting["status"]["phase"] = json!("Pending");
        assert_eq!(Facts::of(&waiting, Serving::default()), None);
    }
}
