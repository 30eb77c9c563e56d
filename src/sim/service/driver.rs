//! The task that serves requests and moves the world along with the runtime's clock.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::time::{Instant, sleep_until};

use super::inbox::{Inbox, Pending};
use super::{LATENCY, ResponseBody, State, World, lock};
use crate::sim::routes::{Answer, response};

/// Serves until the task is aborted.
pub(super) async fn run<W: World + 'static>(state: Arc<Mutex<State<W>>>, inbox: Arc<Inbox>, clock: Clock) {
    loop {
        let due = lock(&state).world.next_seen().map(|due| clock.instant(due));
        let turn = inbox.oldest().map(|sent| sent + LATENCY);
        let next = [due, turn].into_iter().flatten().min();
        tokio::select! {
            biased;
            () = sleep_or_never(next) => step(&state, &inbox, clock),
            () = inbox.news() => {}
        }
    }
}

async fn sleep_or_never(until: Option<Instant>) {
    match until {
        Some(until) => sleep_until(until).await,
        None => std::future::pending().await,
    }
}

/// One instant: first what is due in the world, then the requests whose turn it is, each followed by the actors' hearing.
fn step<W: World>(state: &Arc<Mutex<State<W>>>, inbox: &Inbox, clock: Clock) {
    let mut state = lock(state);
    catch_up(&mut state, clock);
    // Requests of this very instant may still be coming from tasks that have not run yet: they wait for their turn.
    for pending in inbox.take(Instant::now() - LATENCY) {
        serve(&mut state, pending);
    }
}

/// Brings the world to the time of the runtime, one due instant after the other, so that ages in tables are right.
pub(super) fn catch_up<W: World>(state: &mut State<W>, clock: Clock) {
    let now = clock.now();
    while let Some(due) = state.world.next_seen().filter(|due| *due < now) {
        let due = due.max(state.front.clock().now());
        state.front.clock().set(due);
        state.world.advance(due);
    }
    state.front.clock().set(now);
    state.world.advance(now);
}

fn serve<W: World>(state: &mut State<W>, pending: Pending) {
    let Pending { request, reply, .. } = pending;
    let mut stream = None;
    let served = state.handle(&request, &mut || {
        let (sink, body) = ResponseBody::stream();
        stream = Some(body);
        sink
    });
    state.world.settle();
    let response = match (served.answer, stream) {
        (Answer::Whole(whole), _) => whole.into_http(ResponseBody::whole),
        (Answer::Watch { headers, .. }, Some(body)) => response(200, &headers, body),
        // Dropping the sender breaks the connection.
        (Answer::Watch { .. } | Answer::Broken, _) => return drop_after(served.delay, reply),
    };
    if served.delay.is_zero() {
        // A client that no longer waits has crashed or timed out; its request was served all the same.
        drop(reply.send(response));
    } else {
        let delay: Duration = served.delay;
        tokio::spawn(async move {
            tokio::time::sleep(delay).await;
            drop(reply.send(response));
        });
    }
}

/// Breaks a connection, at once or later.
fn drop_after<T: Send + 'static>(delay: Duration, reply: T) {
    if !delay.is_zero() {
        tokio::spawn(async move {
            tokio::time::sleep(delay).await;
            drop(reply);
        });
    }
}

/// Virtual time as the runtime's clock shows it.
#[derive(Clone, Copy)]
pub(super) struct Clock {
    start: Instant,
    epoch: Timestamp,
}

impl Clock {
    /// The runtime's present time is `epoch`.
    pub(super) fn starting(epoch: Timestamp) -> Self {
        Self { start: Instant::now(), epoch }
    }

    pub(super) fn now(self) -> Timestamp {
        let elapsed = SignedDuration::try_from(Instant::now() - self.start).unwrap_or(SignedDuration::MAX);
        self.epoch.checked_add(elapsed).unwrap_or(Timestamp::MAX)
    }

    /// The instant of a time; before the start: the start.
    fn instant(self, at: Timestamp) -> Instant {
        let ahead = Duration::try_from(at.duration_since(self.epoch)).unwrap_or(Duration::ZERO);
        self.start + ahead
    }
}
