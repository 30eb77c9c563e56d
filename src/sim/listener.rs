//! The simulated cluster over loopback HTTP, for kubectl and other programs.
//!
//! Takes a world and what else is to live in its time (the operator, as a client in the same process); gives an address.
//! Two sides: the *front*, HTTP/1.1 on the caller's ordinary runtime, and the *world*, a thread of its own with a paused
//! runtime. Every few milliseconds the front says how much real time has passed, and the world runs up to the virtual time
//! that this means; requests are served between such steps. Nothing runs while nothing is due and nobody asks.
//!
//! What clients outside say in seconds (`timeoutSeconds`, the pause between bookmarks) is real time. A watch whose reader
//! does not keep up is closed. Requests with a foreign `Host` are refused, so that no web page reaches the server by a name
//! that points to loopback. Runs are reproducible only until the first request from outside.

mod front;
mod kubeconfig;
mod world;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::task::JoinHandle;

pub use self::kubeconfig::kubeconfig;
use self::world::{Command, Pace};
use crate::sim::cluster::Identity;
use crate::sim::service::{SimServer, SimService, State, World};

/// Virtual seconds per real second.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Speed {
    /// This many, more than 0.
    Times(f64),
    /// As fast as the machine can.
    Max,
}

/// How a world is served.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where to listen; port 0 takes a free one.
    pub address: SocketAddr,
    /// How fast time goes.
    pub speed: Speed,
    /// How far the world's beginning lies before the real present. Virtual time never overtakes real time, because clients
    /// compute ages with their own clock: having caught up, it goes at its pace.
    pub head_start: Duration,
    /// Who asks, unless a request says otherwise by impersonation.
    pub identity: Identity,
}

impl Settings {
    /// A free loopback port, real pace, asked by an administrator.
    pub fn loopback() -> Self {
        let groups = vec!["system:masters".to_owned(), "system:authenticated".to_owned()];
        Self {
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            speed: Speed::Times(1.0),
            head_start: Duration::ZERO,
            identity: Identity { user: "kubernetes-admin".to_owned(), groups, ..Identity::default() },
        }
    }
}

/// A served world. Dropping it ends the connections and the world.
pub struct Listener<W> {
    address: SocketAddr,
    commands: Sender<Command<W>>,
    tasks: Vec<JoinHandle<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

/// Why a world could not be served.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// The address cannot be bound.
    #[error("cannot listen on {address}")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The thread of the world could not be started.
    #[error("cannot start the thread of the simulated world")]
    Thread(#[source] std::io::Error),
    /// The world has ended, by a panic inside it.
    #[error("the simulated world has ended")]
    Ended,
}

impl<W: World + 'static> Listener<W> {
    /// Binds the address and starts the world on its thread. There, inside the world's runtime, `make` builds it, then
    /// `settle_in` may start tasks (such as an operator on a client of the service) with `tokio::spawn`.
    ///
    /// # Errors
    /// See [`ListenError`].
    pub async fn start(
        settings: Settings,
        make: impl FnOnce() -> W + Send + 'static,
        settle_in: impl FnOnce(&SimServer<W>, SimService) + Send + 'static,
    ) -> Result<Self, ListenError> {
        let bind = |source| ListenError::Bind { address: settings.address, source };
        let listener = TcpListener::bind(settings.address).await.map_err(bind)?;
        let address = listener.local_addr().map_err(bind)?;
        let (commands, inbox) = std::sync::mpsc::channel();
        let pace = Pace { speed: settings.speed, head_start: settings.head_start };
        let elapsed = Arc::<front::Elapsed>::default();
        let world = world::Thread { commands: inbox, pace, elapsed: Arc::clone(&elapsed) };
        let thread = std::thread::Builder::new().name("simulated-world".to_owned());
        let thread = thread.spawn(move || world.run(make, settle_in)).map_err(ListenError::Thread)?;
        let ticks = tokio::spawn(front::ticks(commands.clone(), Arc::clone(&elapsed)));
        let accepting = tokio::spawn(front::accept(listener, commands.clone(), settings.identity, elapsed));
        Ok(Self { address, commands, tasks: vec![ticks, accepting], thread: Some(thread) })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Access to world and surface, on the world's thread, between two requests.
    ///
    /// # Errors
    /// The world has ended.
    pub async fn with<R: Send + 'static>(&self, access: impl FnOnce(&mut State<W>) -> R + Send + 'static) -> Result<R, ListenError> {
        let (sender, receiver) = tokio::sync::oneshot::channel();
        let run = Box::new(move |server: &SimServer<W>| drop(sender.send(server.with(access))));
        self.commands.send(Command::Run(run)).map_err(|_| ListenError::Ended)?;
        receiver.await.map_err(|_| ListenError::Ended)
    }
}

impl<W> Drop for Listener<W> {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
        // The world may have ended before; then there is nothing to tell and nothing to wait for.
        let told = self.commands.send(Command::Stop).is_ok();
        if let Some(thread) = self.thread.take().filter(|_| told) {
            drop(thread.join());
        }
    }
}

#[cfg(test)]
mod tests;
