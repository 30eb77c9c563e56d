//! The operator as a whole: caches, controllers and what wakes them. The same in production and in a simulation.

use std::future::Future;
use std::num::NonZeroU32;
use std::sync::Arc;

use crate::controllers::caches::{Child, Children, Ours, Pod, Pods, Scope, deployment_index};
use crate::controllers::inquiries::Inquiries;
use crate::controllers::model::Models;
use crate::controllers::model_deployment::ModelDeployments;
use crate::controllers::model_deployment::observe::Caches;
use crate::controllers::rollback::Rollbacks;
use crate::domain::analysis::profile::Profiles;
use crate::kube_io::Writer;
use crate::kube_io::events::Recorder;
use crate::kube_io::limit::limited;
use crate::metric_source::Sources;
use crate::runtime::cache::{AnyCache, Cache, Change, Entry, WriteObserver};
use crate::runtime::clock::Clock;
use crate::runtime::driver::{self, Activity, Driver, DriverError, Handle};
use crate::runtime::key::ObjectKey;
use crate::runtime::queue::Limits;
use crate::runtime::telemetry::metrics::Metrics;
use jiff::SignedDuration;
use kube::Client;

/// A Model's status follows its deployments after so long: a rollout changes them often.
const MODEL_DELAY: SignedDuration = SignedDuration::from_secs(1);

/// How the operator runs.
#[derive(Clone)]
pub struct Options {
    /// The only namespace to look at; `None`: all.
    pub namespace: Scope,
    /// Objects of one kind that are worked on at once; at least 1.
    pub concurrency: usize,
    /// Requests to the API server in a second; `None`: no limit but the server's own.
    pub requests_per_second: Option<NonZeroU32>,
    /// Name of this process, in Events.
    pub instance: String,
    /// Where metrics are asked for.
    pub sources: Sources,
    /// How built-in metrics are measured.
    pub profiles: Profiles,
    /// The driver's own options.
    pub driver: driver::Options,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            namespace: None,
            concurrency: 8,
            requests_per_second: None,
            instance: "modelward".to_owned(),
            sources: Sources::none(),
            profiles: Profiles::built_in(),
            driver: driver::Options::default(),
        }
    }
}

/// See the module.
pub struct Operator {
    driver: Driver,
    client: Client,
}

impl Operator {
    /// Puts the operator together; nothing runs yet. Must be called inside of a tokio runtime.
    pub fn new(client: Client, clock: Arc<dyn Clock>, metrics: Arc<Metrics>, options: &Options) -> Self {
        let client = match options.requests_per_second {
            Some(per_second) => limited(client, per_second),
            None => client,
        };
        let caches = Arc::new(caches(&options.namespace));
        let mut driver = Driver::new(Arc::clone(&clock), Arc::clone(&metrics), options.driver.clone());
        let writer = Writer::new(client.clone(), observers(&caches));
        let recorder = Recorder::new(client.clone(), Arc::clone(&clock), metrics, options.instance.clone());
        let inquiries = Inquiries::new(options.sources.clone());
        let controller = ModelDeployments::new(
            Arc::clone(&caches),
            writer.clone(),
            recorder.clone(),
            Arc::clone(&clock),
            inquiries.clone(),
            Arc::new(options.profiles.clone()),
        );
        let handle = add_deployments(&mut driver, &caches, controller, options.concurrency);
        inquiries.wake(handle);
        add_rollbacks(&mut driver, &caches, writer.clone(), Arc::clone(&clock), options.concurrency);
        add_models(&mut driver, &caches, writer, clock, options.concurrency);
        for cache in all(&caches) {
            driver.watch(cache);
        }
        let busy = recorder.clone();
        driver.busy_while(move || busy.is_busy());
        driver.background(recorder.run());
        let asking = inquiries.clone();
        driver.busy_while(move || asking.is_busy());
        driver.background(inquiries.run());
        Self { driver, client }
    }

    /// What goes on, to be asked while it runs.
    pub fn activity(&self) -> Activity {
        self.driver.activity()
    }

    /// Runs until `stop` is ready, then lets passes end.
    ///
    /// # Errors
    /// When a part ends that never ends.
    pub async fn run(self, stop: impl Future<Output = ()> + Send) -> Result<(), DriverError> {
        self.driver.run(self.client, stop).await
    }
}

fn caches(scope: &Scope) -> Caches {
    Caches {
        deployments: Cache::new(Ours::new(scope.clone())),
        models: Cache::new(Ours::new(scope.clone())),
        workloads: Cache::new(Children::workloads(scope.clone())),
        services: Cache::new(Children::services(scope.clone())),
        budgets: Cache::new(Children::budgets(scope.clone())),
        autoscalers: Cache::new(Children::autoscalers(scope.clone())),
        scaled_objects: Cache::new(Children::scaled_objects(scope.clone())),
        records: Cache::new(Children::records(scope.clone())),
        routes: Cache::new(Children::routes(scope.clone())),
        grpc_routes: Cache::new(Children::grpc_routes(scope.clone())),
        pods: Cache::new(Pods::new(scope.clone())),
        rollbacks: Cache::new(Ours::new(scope.clone())),
    }
}

/// Every kind of children.
fn children(caches: &Caches) -> [&Arc<Cache<Children>>; 8] {
    let Caches { workloads, services, budgets, autoscalers, scaled_objects, records, routes, grpc_routes, .. } = caches;
    [workloads, services, budgets, autoscalers, scaled_objects, records, routes, grpc_routes]
}

fn all(caches: &Caches) -> Vec<Arc<dyn AnyCache>> {
    let Caches { deployments, models, pods, rollbacks, .. } = caches;
    let mut all: Vec<Arc<dyn AnyCache>> =
        vec![Arc::clone(deployments) as _, Arc::clone(models) as _, Arc::clone(pods) as _, Arc::clone(rollbacks) as _];
    all.extend(children(caches).map(|children| Arc::clone(children) as Arc<dyn AnyCache>));
    all
}

fn observers(caches: &Caches) -> Vec<Arc<dyn WriteObserver>> {
    let Caches { deployments, models, rollbacks, .. } = caches;
    let mut all: Vec<Arc<dyn WriteObserver>> = vec![Arc::clone(deployments) as _, Arc::clone(models) as _, Arc::clone(rollbacks) as _];
    all.extend(children(caches).map(|children| Arc::clone(children) as Arc<dyn WriteObserver>));
    all
}

fn add_deployments(driver: &mut Driver, caches: &Arc<Caches>, controller: ModelDeployments, concurrency: usize) -> Handle {
    let handle = driver.controller(controller, Limits::with_concurrency(concurrency), all(caches));
    handle.on_own_change(&caches.deployments);
    wake_by_children(&handle, caches);
    wake_by_kinds(&handle, caches);
    handle.on_change(&caches.rollbacks, |change| if same(change, |old, new| old == new) { Vec::new() } else { owners(change) });
    let deployments = Arc::clone(&caches.deployments);
    handle.on_change(&caches.models, move |change| {
        let users = deployments.indexed(&deployment_index(&change.key.namespace, &change.key.name));
        let matters = !same(change, |old, new| old.spec == new.spec);
        if matters { users.iter().map(|entry| entry.key.clone()).collect() } else { Vec::new() }
    });
    handle
}

/// Every change of a child wakes its deployment; of a pod or a scaler only one that counts.
fn wake_by_children(handle: &Handle, caches: &Caches) {
    for children in children(caches) {
        handle.on_change(children, |change: &Change<Child>| if same(change, |old, new| old == new) { Vec::new() } else { owners(change) });
    }
    handle.on_change(&caches.pods, |change: &Change<Pod>| if same(change, |old, new| old == new) { Vec::new() } else { owners(change) });
}

/// A kind that may be missing comes or goes: whoever waits for it, or stands without it, looks again.
fn wake_by_kinds(handle: &Handle, caches: &Caches) {
    for optional in [&caches.routes, &caches.grpc_routes, &caches.scaled_objects] {
        let (handle, deployments) = (handle.clone(), Arc::clone(&caches.deployments));
        optional.on_presence(move || deployments.list_all().iter().for_each(|entry| handle.enqueue(entry.key.clone())));
    }
}

/// The change leaves what is kept of the object the same, by `equal`.
fn same<R>(change: &Change<R>, equal: impl Fn(&R, &R) -> bool) -> bool {
    match (&change.old, &change.new) {
        (Some(old), Some(new)) => match (&old.row, &new.row) {
            (Ok(before), Ok(after)) => old.deleting == new.deleting && equal(before, after),
            _ => false,
        },
        _ => false,
    }
}

/// The deployments that a child belonged to before, and belongs to now.
fn owners<R>(change: &Change<R>) -> Vec<ObjectKey> {
    let owner = |entry: &Arc<Entry<R>>| {
        let (namespace, name) = entry.indexed().first()?.split_once('/')?;
        Some(ObjectKey::new(namespace, name))
    };
    let mut owners: Vec<ObjectKey> = [&change.old, &change.new].into_iter().flatten().filter_map(owner).collect();
    owners.dedup();
    owners
}

/// A Rollback is looked at when it changes, and when its deployment does, until it is over.
fn add_rollbacks(driver: &mut Driver, caches: &Arc<Caches>, writer: Writer, clock: Arc<dyn Clock>, concurrency: usize) {
    let controller = Rollbacks { caches: Arc::clone(caches), writer, clock };
    let handle = driver.controller(controller, Limits::with_concurrency(concurrency), all(caches));
    handle.on_own_change(&caches.rollbacks);
    let rollbacks = Arc::clone(&caches.rollbacks);
    handle.on_change(&caches.deployments, move |change| {
        let about = rollbacks.indexed(&deployment_index(&change.key.namespace, &change.key.name));
        let open = about.iter().filter(|entry| entry.row.as_ref().is_ok_and(|rollback| !rollback.is_over()));
        open.map(|entry| entry.key.clone()).collect()
    });
}

fn add_models(driver: &mut Driver, caches: &Arc<Caches>, writer: Writer, clock: Arc<dyn Clock>, concurrency: usize) {
    let needs: Vec<Arc<dyn AnyCache>> = vec![Arc::clone(&caches.models) as _, Arc::clone(&caches.deployments) as _];
    let (models, deployments) = (Arc::clone(&caches.models), Arc::clone(&caches.deployments));
    let controller = Models { models, deployments, writer, clock: Arc::clone(&clock) };
    let handle = driver.controller(controller, Limits::with_concurrency(concurrency), needs);
    handle.on_own_change(&caches.models);
    let later = handle.clone();
    caches.deployments.on_change(move |change| {
        for entry in [&change.old, &change.new].into_iter().flatten() {
            if let Ok(deployment) = entry.row.as_ref() {
                let key = ObjectKey::new(Arc::clone(&change.key.namespace), deployment.spec.model.as_str());
                later.enqueue_at(key, clock.now() + MODEL_DELAY);
            }
        }
    });
}
