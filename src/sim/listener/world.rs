//! The world's thread: a paused runtime that is let run up to the virtual time that real time allows.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, TryRecvError};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::{Instant, sleep_until};

use super::Speed;
use super::front::{Elapsed, FrameQueue};
use crate::sim::cluster::WatchId;
use crate::sim::routes::{Answer, ApiRequest, Served};
use crate::sim::service::{SimServer, SimService, World};

/// Longest stretch of virtual time between two looks at the requests that wait.
const STRETCH: Duration = Duration::from_secs(1);

/// Something to run on the thread of the world.
pub(super) type Run<W> = Box<dyn FnOnce(&SimServer<W>) + Send>;

/// What the front tells the world.
pub(super) enum Command<W> {
    /// Real time has passed; how much, the shared counter says.
    Tick,
    /// A request from outside.
    Request(Box<Asked>),
    /// The reader of a watch is gone.
    Unwatch(WatchId),
    /// Something of the owner's.
    Run(Run<W>),
    /// The end.
    Stop,
}

/// A request from outside. `frames` is used if it turns out to be a watch.
pub(super) struct Asked {
    pub(super) request: ApiRequest,
    pub(super) frames: FrameQueue,
    pub(super) reply: oneshot::Sender<Answer>,
}

/// From real to virtual time.
#[derive(Clone, Copy)]
pub(super) struct Pace {
    pub(super) speed: Speed,
    pub(super) head_start: Duration,
}

impl Pace {
    /// Virtual time since the beginning, after this much real time.
    pub(super) fn reached(self, elapsed: Duration) -> Duration {
        let present = self.head_start.saturating_add(elapsed);
        match self.speed {
            Speed::Max => present,
            Speed::Times(times) => Duration::try_from_secs_f64(elapsed.as_secs_f64() * times).unwrap_or(present).min(present),
        }
    }
}

pub(super) struct Thread<W> {
    pub(super) commands: Receiver<Command<W>>,
    pub(super) pace: Pace,
    pub(super) elapsed: Arc<Elapsed>,
}

impl<W: World + 'static> Thread<W> {
    /// Runs until told to stop, or until nobody is left to tell.
    pub(super) fn run(self, make: impl FnOnce() -> W, settle_in: impl FnOnce(&SimServer<W>, SimService)) {
        let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build() else { return };
        // The runtime's clock is asked outside of its tasks too.
        let _context = runtime.enter();
        let (server, service) = SimServer::start(make());
        let start = Instant::now();
        settle_in(&server, service);
        let (mut reached, mut allowed) = (Duration::ZERO, Duration::ZERO);
        loop {
            let command =
                if reached < allowed { self.commands.try_recv() } else { self.commands.recv().map_err(|_| TryRecvError::Disconnected) };
            match command {
                Ok(Command::Tick) => allowed = allowed.max(self.pace.reached(self.elapsed.consume())),
                Ok(Command::Request(asked)) => serve(&server, *asked),
                Ok(Command::Unwatch(id)) => server.unwatch(id),
                Ok(Command::Run(run)) => run(&server),
                Err(TryRecvError::Empty) => {
                    reached = allowed.min(reached + STRETCH);
                    runtime.block_on(sleep_until(start + reached));
                }
                Ok(Command::Stop) | Err(TryRecvError::Disconnected) => return,
            }
        }
    }
}

fn serve<W: World + 'static>(server: &SimServer<W>, asked: Asked) {
    let Asked { request, frames, reply } = asked;
    let mut frames = Some(frames);
    let Served { answer, delay } = server.serve_now(&request, &mut || match frames.take() {
        Some(frames) => Box::new(frames),
        None => Box::new(FrameQueue::closed()),
    });
    if delay.is_zero() {
        drop(reply.send(answer));
        return;
    }
    tokio::spawn(async move {
        tokio::time::sleep(delay).await;
        drop(reply.send(answer));
    });
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Pace, Speed};

    #[test]
    fn virtual_time_is_scaled_and_never_overtakes_the_present() {
        let hour = Duration::from_secs(3600);
        let pace = Pace { speed: Speed::Times(60.0), head_start: hour };
        assert_eq!(pace.reached(Duration::from_secs(1)), Duration::from_secs(60));
        assert_eq!(pace.reached(hour), 2 * hour);
        assert_eq!(Pace { speed: Speed::Max, head_start: hour }.reached(Duration::ZERO), hour);
        assert_eq!(Pace { speed: Speed::Times(f64::INFINITY), head_start: hour }.reached(Duration::ZERO), hour);
    }
}
