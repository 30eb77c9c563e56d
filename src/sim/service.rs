//! The simulated cluster for clients in the same process: a tower service on a paused single-threaded runtime.
//!
//! [`SimServer::start`] takes a [`World`] and gives a server that owns it, and services for `kube::Client::new`. Requests of
//! one virtual instant are collected, and served one latency later in sorted order, so that the order in which tasks happened
//! to run never shows. Time is the clock of the runtime: what is due in the world happens when the runtime's clock gets
//! there. After each request the world's actors hear of what was written. No sockets, no threads, no wall clock.
//!
//! Determinism ends where a caller reads tasks' scheduling order from elsewhere, for example from a random hash map.

mod body;
mod driver;
mod inbox;

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;
use tokio::task::JoinHandle;

pub use self::body::ResponseBody;
use self::driver::Clock;
use self::inbox::Inbox;
use crate::sim::api_error::ApiError;
use crate::sim::cluster::{Cluster, Identity, WatchId};
use crate::sim::metrics_api::http::Asked;
use crate::sim::routes::{ApiRequest, Front, OpenSink, Served, measured};
use crate::sim::traffic::backend;

/// Time from the sending of a request to its answer.
pub const LATENCY: Duration = Duration::from_millis(1);

/// A cluster with whatever lives in it.
pub trait World: Send {
    /// The cluster that requests go to.
    fn cluster(&mut self) -> &mut Cluster;
    /// Tells the actors of what was written since the last call.
    fn settle(&mut self);
    /// When something happens next by itself.
    fn next_due(&mut self) -> Option<Timestamp>;
    /// When something happens next that may be seen by those who ask nothing, as an event of a watch. What is due before may happen
    /// late, as long as it has happened when somebody asks: [`World::advance`] keeps the order and the times.
    fn next_seen(&mut self) -> Option<Timestamp> {
        self.next_due()
    }

    /// Lets time pass up to `to`; what is due happens, in order.
    fn advance(&mut self, to: Timestamp);

    /// Answers a request to the metrics backend, whose path begins with `/api/v1/` or `/-/`; none: there is no such backend.
    fn ask_metrics(&mut self, request: &ApiRequest, path: &str) -> Option<Served> {
        let _ = (request, path);
        None
    }

    /// Answers a read of the metrics APIs; none: they are not installed.
    fn ask_metrics_apis(&mut self, asked: &Asked) -> Option<Result<Value, ApiError>> {
        let _ = asked;
        None
    }
}

/// The API server alone: watches end and CRDs become established, nothing else happens by itself.
impl World for Cluster {
    fn cluster(&mut self) -> &mut Cluster {
        self
    }

    fn settle(&mut self) {
        self.take_commits();
    }

    fn next_due(&mut self) -> Option<Timestamp> {
        self.next_deadline()
    }

    fn advance(&mut self, to: Timestamp) {
        while let Some(due) = self.next_deadline().filter(|due| *due <= to) {
            self.set_now(due);
            self.tick();
        }
        self.set_now(to);
        self.tick();
    }
}

/// World and surface, behind one lock.
pub struct State<W> {
    /// The world.
    pub world: W,
    /// The HTTP surface, with its hooks.
    pub front: Front,
}

impl<W: World> State<W> {
    /// Answers a request: to the metrics backend, which stands beside the API server, or to the API server.
    fn handle(&mut self, request: &ApiRequest, open: OpenSink<'_>) -> Served {
        let path = request.path.strip_prefix(backend::PREFIX).filter(|path| path.starts_with('/'));
        let asked = path.and_then(|path| self.world.ask_metrics(request, path));
        asked.unwrap_or_else(|| {
            let measured = measured(request).and_then(|asked| self.world.ask_metrics_apis(&asked));
            self.front.handle_measured(self.world.cluster(), request, measured, open)
        })
    }
}

/// A running server. Dropping it stops the clock of the world and breaks the connections.
pub struct SimServer<W> {
    state: Arc<Mutex<State<W>>>,
    inbox: Arc<Inbox>,
    clock: Clock,
    driver: JoinHandle<()>,
}

impl<W: World + 'static> SimServer<W> {
    /// Starts serving on the current runtime, which must be single-threaded with a paused clock. The world's present time is
    /// the runtime's present time.
    pub fn start(mut world: W) -> (Self, SimService) {
        let clock = Clock::starting(world.cluster().now());
        let state = Arc::new(Mutex::new(State { world, front: Front::default() }));
        let inbox = Arc::new(Inbox::default());
        let driver = tokio::spawn(driver::run(Arc::clone(&state), Arc::clone(&inbox), clock));
        let service = SimService { inbox: Arc::clone(&inbox), identity: Identity::user("simulation") };
        (Self { state, inbox, clock, driver }, service)
    }

    /// Access to world and surface, for tests, faults and reports. Before it the world catches up with the runtime's clock,
    /// afterwards the actors hear of what was written.
    pub fn with<R>(&self, access: impl FnOnce(&mut State<W>) -> R) -> R {
        let mut state = lock(&self.state);
        driver::catch_up(&mut state, self.clock);
        let result = access(&mut state);
        state.world.settle();
        drop(state);
        self.inbox.wake();
        result
    }

    /// Serves a request at once, past the inbox: for clients outside the world.
    pub fn serve_now(&self, request: &ApiRequest, open: OpenSink<'_>) -> Served {
        self.with(|state| state.handle(request, open))
    }

    /// Ends a watch whose reader is gone.
    pub fn unwatch(&self, id: WatchId) {
        self.with(|state| state.world.cluster().unwatch(id));
    }

    /// The virtual time, as the runtime's clock shows it.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }
}

impl<W> Drop for SimServer<W> {
    fn drop(&mut self) {
        self.driver.abort();
        self.inbox.close();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic in a hook must not hide behind a poisoned lock in every later request.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Sends requests to a [`SimServer`]. Clones share the server.
#[derive(Clone)]
pub struct SimService {
    inbox: Arc<Inbox>,
    identity: Identity,
}

impl SimService {
    /// The same server, asked by somebody else.
    pub fn identified(&self, identity: Identity) -> Self {
        Self { inbox: Arc::clone(&self.inbox), identity }
    }

    /// A client on this service.
    pub fn client(&self, default_namespace: &str) -> kube::Client {
        kube::Client::new(self.clone(), default_namespace)
    }
}

/// Why a request got no answer.
#[derive(Debug, thiserror::Error)]
pub enum SimError {
    /// The connection broke: by a fault, or because the server is gone.
    #[error("connection reset by the simulated server")]
    Reset,
    /// The request body could not be read.
    #[error("request body")]
    Body(#[source] kube::Error),
}

impl tower::Service<http::Request<kube::client::Body>> for SimService {
    type Response = http::Response<ResponseBody>;
    type Error = SimError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, SimError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), SimError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<kube::client::Body>) -> Self::Future {
        let (inbox, identity) = (Arc::clone(&self.inbox), self.identity.clone());
        Box::pin(async move {
            let (parts, body) = request.into_parts();
            let body = body.collect_bytes().await.map_err(SimError::Body)?;
            let reply = inbox.send(ApiRequest::from_http(&parts, body, &identity));
            reply.await.map_err(|_| SimError::Reset)
        })
    }
}

#[cfg(test)]
mod tests;
