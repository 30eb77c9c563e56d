//! Everything that a pass needs to know, gathered once. Reads caches; the only request is the dry run of a new pod.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value;

use crate::api::model_deployment::Protocol;
use crate::api::{Model, ModelDeployment, Rollback};
use crate::controllers::caches::{Child, Children, Ours, Pod, Pods, deployment_index};
use crate::domain::revision::RevisionName;
use crate::domain::settings::ScalerKind;
use crate::resources::Owner;
use crate::resources::revision::{FAILED, Recorded, SERVED};
use crate::resources::service::preview_name;
use crate::runtime::cache::{Cache, CacheState, Entry};
use crate::runtime::key::ObjectKey;

/// The caches that the controller reads.
pub struct Caches {
    /// ModelDeployments.
    pub deployments: Arc<Cache<Ours<ModelDeployment>>>,
    /// Models.
    pub models: Arc<Cache<Ours<Model>>>,
    /// Deployments.
    pub workloads: Arc<Cache<Children>>,
    /// Services.
    pub services: Arc<Cache<Children>>,
    /// PodDisruptionBudgets.
    pub budgets: Arc<Cache<Children>>,
    /// HorizontalPodAutoscalers.
    pub autoscalers: Arc<Cache<Children>>,
    /// ScaledObjects of KEDA.
    pub scaled_objects: Arc<Cache<Children>>,
    /// ControllerRevisions.
    pub records: Arc<Cache<Children>>,
    /// HTTPRoutes.
    pub routes: Arc<Cache<Children>>,
    /// GRPCRoutes.
    pub grpc_routes: Arc<Cache<Children>>,
    /// Pods.
    pub pods: Arc<Cache<Pods>>,
    /// Rollbacks.
    pub rollbacks: Arc<Cache<Ours<Rollback>>>,
}

/// A child as it was seen.
#[derive(Clone)]
pub struct Seen {
    /// The cache's entry: uid, resourceVersion, generation.
    pub entry: Arc<Entry<Child>>,
    /// The object.
    pub object: Value,
}

impl Seen {
    fn of(entry: Arc<Entry<Child>>) -> Option<Self> {
        let object = entry.row.as_ref().ok()?.object();
        Some(Self { entry, object })
    }

    /// Every field that `wanted` sets is still ours.
    pub fn owns(&self, wanted: &Value) -> bool {
        self.entry.row.as_ref().is_ok_and(|child| child.owns(wanted))
    }

    /// An annotation's value.
    pub fn annotation(&self, key: &str) -> Option<&str> {
        self.object.get("metadata")?.get("annotations")?.get(key)?.as_str()
    }
}

/// What is seen of one revision.
#[derive(Clone, Default)]
pub struct SeenRevision {
    /// Its record, with what is in it.
    pub record: Option<(Seen, Recorded)>,
    /// Its Deployment.
    pub workload: Option<Seen>,
    /// Its Service.
    pub service: Option<Seen>,
    /// Its PodDisruptionBudget.
    pub budget: Option<Seen>,
    /// Its HorizontalPodAutoscaler.
    pub autoscaler: Option<Seen>,
    /// Its ScaledObject.
    pub scaled_object: Option<Seen>,
    /// Its pods.
    pub pods: Vec<Arc<Entry<Pod>>>,
}

impl SeenRevision {
    /// It had all of the traffic once.
    pub fn served(&self) -> bool {
        self.record.as_ref().is_some_and(|(seen, _)| seen.annotation(SERVED).is_some())
    }

    /// What scales it; two only after the kind of scaler was changed, until the former is gone.
    pub fn scalers(&self) -> impl Iterator<Item = (ScalerKind, &Seen)> {
        let hpa = self.autoscaler.iter().map(|seen| (ScalerKind::Hpa, seen));
        hpa.chain(self.scaled_object.iter().map(|seen| (ScalerKind::Keda, seen)))
    }

    /// Why it was given up, if it was.
    pub fn failed(&self) -> Option<crate::domain::revision::Failed> {
        let (seen, _) = self.record.as_ref()?;
        serde_json::from_str(seen.annotation(FAILED)?).ok()
    }
}

/// Everything that was seen.
pub struct Observed {
    /// When.
    pub now: Timestamp,
    /// The cache's entry of the ModelDeployment.
    pub entry: Arc<Entry<Arc<ModelDeployment>>>,
    /// The ModelDeployment.
    pub deployment: Arc<ModelDeployment>,
    /// Whose children are ours.
    pub owner: Owner,
    /// Its Model, or why that cannot be read.
    pub model: Option<Result<Arc<Model>, String>>,
    /// Revisions by name.
    pub revisions: BTreeMap<RevisionName, SeenRevision>,
    /// The stable Service.
    pub service: Option<Seen>,
    /// The preview Service.
    pub preview: Option<Seen>,
    /// The route, of the protocol that the spec asks for: the only one that is believed.
    pub route: Option<Seen>,
    /// A route of the other protocol, which has to go once this one is taken.
    pub former_route: Option<Seen>,
    /// Its Rollbacks, by name.
    pub rollbacks: Vec<Arc<Rollback>>,
    /// The Gateway API is installed, with the kind of route that the spec asks for, and all of these routes are known.
    pub gateway_api: bool,
    /// KEDA's kinds are installed.
    pub keda: bool,
    /// Children of a deleted namesake that are still there.
    pub orphans: usize,
    /// Kinds and names of objects that carry our labels and belong to nobody: somebody took their owner away.
    pub unowned: BTreeSet<(String, String)>,
}

/// Gathers what is known about `key`; `None` when it is gone, being deleted, or cannot be decoded.
pub fn observe(caches: &Caches, key: &ObjectKey, now: Timestamp) -> Option<Observed> {
    let entry = caches.deployments.get(key).filter(|entry| !entry.deleting)?;
    let deployment = Arc::clone(entry.row.as_ref().ok()?);
    let owner = Owner { namespace: key.namespace.to_string(), name: key.name.to_string(), uid: entry.uid.to_string() };
    let model = caches.models.get(&ObjectKey::new(Arc::clone(&key.namespace), deployment.spec.model.as_str()));
    let mut gathered = Gathered { owner, revisions: BTreeMap::new(), orphans: 0, unowned: BTreeSet::new() };
    let index = deployment_index(&key.namespace, &key.name);
    gathered.records(&caches.records, &index);
    gathered.children(&caches.workloads, &index, |revision, seen| revision.workload = Some(seen));
    gathered.children(&caches.budgets, &index, |revision, seen| revision.budget = Some(seen));
    gathered.children(&caches.autoscalers, &index, |revision, seen| revision.autoscaler = Some(seen));
    gathered.children(&caches.scaled_objects, &index, |revision, seen| revision.scaled_object = Some(seen));
    let mut services = gathered.children(&caches.services, &index, |revision, seen| revision.service = Some(seen));
    let service = services.remove(&*key.name);
    let preview = services.remove(preview_name(&key.name).as_str());
    let grpc = deployment.spec.traffic.as_ref().is_some_and(|traffic| traffic.protocol == Protocol::Grpc);
    let (routes, others) = if grpc { (&caches.grpc_routes, &caches.routes) } else { (&caches.routes, &caches.grpc_routes) };
    let route = gathered.children(routes, &index, |_, _| {}).remove(&*key.name);
    let former_route = gathered.children(others, &index, |_, _| {}).remove(&*key.name);
    gathered.pods(&caches.pods, &index);
    Some(Observed {
        now,
        deployment,
        model: model.map(|entry| entry.row.clone()),
        revisions: gathered.revisions,
        service,
        preview,
        route,
        former_route,
        rollbacks: caches.rollbacks.indexed(&index).iter().filter_map(|entry| entry.row.as_ref().ok().cloned()).collect(),
        gateway_api: routes.is_complete(),
        keda: caches.scaled_objects.state() != CacheState::Absent,
        orphans: gathered.orphans,
        unowned: gathered.unowned,
        owner: gathered.owner,
        entry,
    })
}

struct Gathered {
    owner: Owner,
    revisions: BTreeMap<RevisionName, SeenRevision>,
    orphans: usize,
    unowned: BTreeSet<(String, String)>,
}

impl Gathered {
    /// Children that are ours, by revision; those without a revision are returned by name, and only who asks for a name gets
    /// it: a child that lost the label of its revision must not pass for one that has none. Those of a namesake that is gone
    /// are only counted: nothing is adopted.
    fn children(&mut self, cache: &Cache<Children>, index: &str, put: impl Fn(&mut SeenRevision, Seen)) -> BTreeMap<String, Seen> {
        let mut single = BTreeMap::new();
        for entry in cache.indexed(index) {
            let Ok(child) = entry.row.as_ref() else { continue };
            if child.owner_uid.as_deref() != Some(self.owner.uid.as_str()) {
                match child.owner_uid {
                    Some(_) => self.orphans += 1,
                    None => drop(self.unowned.insert((child.kind(), entry.key.name.to_string()))),
                }
                continue;
            }
            let revision = child.revision.as_deref().map(RevisionName::new);
            let Some(seen) = Seen::of(Arc::clone(&entry)) else { continue };
            match revision {
                Some(name) => put(self.revisions.entry(name).or_default(), seen),
                None => drop(single.insert(entry.key.name.to_string(), seen)),
            }
        }
        single
    }

    fn records(&mut self, cache: &Cache<Children>, index: &str) {
        self.children(cache, index, |revision, seen| {
            // A record that cannot be read is as good as none; the revision is then found by its name alone.
            if let Ok(recorded) = serde_json::from_value::<Recorded>(seen.object["data"].clone()) {
                revision.record = Some((seen, recorded));
            }
        });
    }

    fn pods(&mut self, cache: &Cache<Pods>, index: &str) {
        for entry in cache.indexed(index) {
            let Some(pod) = entry.row.as_ref().ok().filter(|pod| !pod.ended) else { continue };
            match self.revisions.get_mut(&RevisionName::new(&*pod.revision)) {
                Some(revision) => revision.pods.push(entry),
                // Its Deployment went before it: it would take part in what a new one of the same name serves.
                None => self.orphans += 1,
            }
        }
    }
}
