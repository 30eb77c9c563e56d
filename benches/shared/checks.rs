//! What is checked after every commit of a month: weights, who gets them, and numbers of pods.
//!
//! A part of the invariants of the scenarios, kept incrementally so that it costs next to nothing: the whole of them looks at
//! all pods of a namespace after each commit.

use std::collections::{BTreeMap, BTreeSet};

use modelward::sim::cluster::Commit;
use serde_json::Value;

use super::stage::OPERATOR;

/// Namespace and name.
type Place = (String, String);

/// What happened since somebody last took the counts.
#[derive(Default)]
pub struct Counts {
    /// Commits of everybody.
    pub commits: u64,
    /// Changes of a ModelDeployment's `spec.replicas`.
    pub resizes: u64,
    /// Revisions that became stable in the place of another one.
    pub promotions: u64,
}

/// See the module.
pub struct Checks {
    /// Each with the number of the scenarios' invariant.
    pub violations: Vec<String>,
    /// See there.
    pub counts: Counts,
    /// What autoscalers may choose.
    pods: (i64, i64),
    /// Ready pods by namespace and revision.
    ready: BTreeMap<Place, BTreeSet<String>>,
    /// Living pods by namespace and deployment.
    living: BTreeMap<Place, BTreeSet<String>>,
    /// The greatest wanted number of pods of a deployment since its number of living pods was last within bounds.
    wanted: BTreeMap<Place, i64>,
}

impl Checks {
    /// For deployments that have so many pods.
    pub fn new(pods: (i64, i64)) -> Self {
        let (ready, living, wanted) = Default::default();
        Self { violations: Vec::new(), counts: Counts::default(), pods, ready, living, wanted }
    }

    /// Checks a commit.
    pub fn see(&mut self, commit: &Commit) {
        self.counts.commits += 1;
        let found = match commit.resource.as_str() {
            "pods" => self.pod(commit),
            "httproutes.gateway.networking.k8s.io" => self.route(commit),
            "modeldeployments.modelward.dev" => self.deployment(commit),
            _ => None,
        };
        if let Some(words) = found {
            self.violations.push(format!("{} {}/{}: {words}", commit.at, commit.namespace, commit.name));
        }
    }

    /// I05: no more pods than wanted and the surge (100 %); pods that are leaving do not count.
    fn pod(&mut self, commit: &Commit) -> Option<String> {
        let object = commit.after.as_deref().or(commit.before.as_deref())?;
        let deployment = label(object, "modelward.dev/deployment")?;
        let revision = label(object, "modelward.dev/revision")?;
        let pod = commit.after.as_deref().filter(|pod| pod["metadata"]["deletionTimestamp"].is_null());
        let place = (commit.namespace.clone(), revision.to_owned());
        keep(self.ready.entry(place).or_default(), &commit.name, pod.is_some_and(is_ready));
        let place = (commit.namespace.clone(), deployment.to_owned());
        let living = self.living.entry(place.clone()).or_default();
        keep(living, &commit.name, pod.is_some());
        let wanted = self.wanted.get(&place).copied().unwrap_or(self.pods.0);
        let most = 2 * wanted;
        (commit.before.is_none() && i64::try_from(living.len()).unwrap() > most)
            .then(|| format!("I05: {} pods of {deployment}, at most {most}", living.len()))
    }

    /// I01 and I02: weights sum to 100, and who gets more has a ready pod.
    fn route(&mut self, commit: &Commit) -> Option<String> {
        let after = weights(commit.after.as_deref().filter(|_| commit.who.user == OPERATOR)?);
        let before = commit.before.as_deref().map(weights).unwrap_or_default();
        let sum: i64 = after.values().sum();
        if sum != 100 {
            return Some(format!("I01: weights sum to {sum}"));
        }
        let raised = after.iter().filter(|(service, weight)| **weight > before.get(*service).copied().unwrap_or(0));
        // The first version has all of the weight before it is ready: there is no other.
        let bare = raised.filter(|_| after.len() > 1).find(|(service, _)| {
            let ready = self.ready.get(&(commit.namespace.clone(), (*service).clone()));
            ready.is_none_or(BTreeSet::is_empty)
        });
        bare.map(|(service, weight)| format!("I02: {weight} % to {service}, which has no ready pod"))
    }

    fn deployment(&mut self, commit: &Commit) -> Option<String> {
        let after = commit.after.as_deref()?;
        let replicas = after["spec"]["replicas"].as_i64().unwrap_or(1);
        let place = (commit.namespace.clone(), commit.name.clone());
        let before = commit.before.as_deref();
        if before.is_none_or(|before| before["spec"]["replicas"] != after["spec"]["replicas"]) {
            self.counts.resizes += 1;
            // While it shrinks, the pods of the greater number are still there.
            let living = self.living.get(&place).map_or(0, BTreeSet::len);
            self.wanted.insert(place, replicas.max(i64::try_from(living).unwrap().div_euclid(2)));
        }
        let stable = |object: &Value| object["status"]["stable"]["revision"].as_str().map(str::to_owned);
        if let (Some(before), Some(after)) = (before.and_then(stable), stable(after))
            && before != after
        {
            self.counts.promotions += 1;
        }
        let (least, most) = self.pods;
        (!(least..=most).contains(&replicas)).then(|| format!("replicas {replicas} outside of {least} to {most}"))
    }
}

fn keep(set: &mut BTreeSet<String>, name: &str, there: bool) {
    if there {
        if !set.contains(name) {
            set.insert(name.to_owned());
        }
    } else {
        set.remove(name);
    }
}

fn label<'a>(object: &'a Value, key: &str) -> Option<&'a str> {
    object["metadata"]["labels"][key].as_str()
}

fn is_ready(pod: &Value) -> bool {
    let conditions = pod["status"]["conditions"].as_array();
    conditions.into_iter().flatten().any(|condition| condition["type"] == "Ready" && condition["status"] == "True")
}

/// Weights by Service, of the rule that splits.
fn weights(route: &Value) -> BTreeMap<String, i64> {
    let backends = route["spec"]["rules"][0]["backendRefs"].as_array();
    let weight = |backend: &Value| backend["weight"].as_i64().unwrap_or(1);
    backends.into_iter().flatten().map(|backend| (backend["name"].as_str().unwrap_or_default().to_owned(), weight(backend))).collect()
}
