//! Requests on their way to the server, and in which order they are served.

use std::sync::{Mutex, PoisonError};

use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;

use super::ResponseBody;
use crate::sim::routes::ApiRequest;

/// A request that waits for its turn.
pub(super) struct Pending {
    pub(super) sent: Instant,
    pub(super) request: ApiRequest,
    /// Dropped without an answer: the connection breaks.
    pub(super) reply: oneshot::Sender<http::Response<ResponseBody>>,
}

#[derive(Default)]
pub(super) struct Inbox {
    waiting: Mutex<Waiting>,
    news: Notify,
}

#[derive(Default)]
struct Waiting {
    requests: Vec<Pending>,
    closed: bool,
}

impl Inbox {
    /// Adds a request, sent now.
    pub(super) fn send(&self, request: ApiRequest) -> oneshot::Receiver<http::Response<ResponseBody>> {
        let (reply, answer) = oneshot::channel();
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if !waiting.closed {
            waiting.requests.push(Pending { sent: Instant::now(), request, reply });
        }
        drop(waiting);
        self.news.notify_one();
        answer
    }

    /// When the oldest request was sent.
    pub(super) fn oldest(&self) -> Option<Instant> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).requests.iter().map(|pending| pending.sent).min()
    }

    /// Takes the requests that were sent at or before `until`, oldest instant first, within one instant sorted by what they
    /// say: the order in which they came is an accident.
    pub(super) fn take(&self, until: Instant) -> Vec<Pending> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut due, later): (Vec<Pending>, Vec<Pending>) =
            std::mem::take(&mut waiting.requests).into_iter().partition(|pending| pending.sent <= until);
        waiting.requests = later;
        drop(waiting);
        due.sort_by(|left, right| {
            let key = |pending: &Pending| {
                let ApiRequest { method, path, query, identity, .. } = &pending.request;
                (pending.sent, identity.user_agent.clone(), identity.user.clone(), method.clone(), path.clone(), query.clone())
            };
            key(left).cmp(&key(right)).then_with(|| left.request.body.cmp(&right.request.body))
        });
        due
    }

    /// Resolves when something was sent, or [`Inbox::wake`] was called, since it last resolved.
    pub(super) async fn news(&self) {
        self.news.notified().await;
    }

    /// Makes the server look at the world again.
    pub(super) fn wake(&self) {
        self.news.notify_one();
    }

    /// Breaks all connections, now and later.
    pub(super) fn close(&self) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.closed = true;
        waiting.requests.clear();
    }
}
