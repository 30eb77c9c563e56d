//! The front: HTTP connections on an ordinary runtime, and the beat of real time.

use std::convert::Infallible;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::Sender;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Full, Limited, combinators::UnsyncBoxBody};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, Sleep};

use super::world::{Asked, Command};
use crate::sim::cluster::{Identity, WatchId};
use crate::sim::routes::{Answer, ApiRequest, BODY_BYTES_MAX, FrameSink, Query, Reply, response, too_large};

/// Pause between two beats of real time.
const BEAT: Duration = Duration::from_millis(5);
/// Frames that may wait for a reader; one more closes its watch.
const FRAMES_MAX: usize = 16_384;
/// Real seconds of a watch that names no timeout.
const WATCH_SECONDS: u64 = 2700;
/// Real time between two bookmarks of one watch.
const BOOKMARK_EVERY: Duration = Duration::from_secs(60);

type ReplyBody = UnsyncBoxBody<Bytes, Infallible>;

/// Real time since the beginning, as the front last said.
#[derive(Default)]
pub(super) struct Elapsed {
    milliseconds: AtomicU64,
    /// A tick is on its way: no need for another.
    announced: AtomicBool,
}

impl Elapsed {
    /// Reads the time and asks for the next tick.
    pub(super) fn consume(&self) -> Duration {
        self.announced.store(false, Ordering::Release);
        self.get()
    }

    fn get(&self) -> Duration {
        Duration::from_millis(self.milliseconds.load(Ordering::Acquire))
    }
}

/// Tells the world of the passing of real time until it is gone.
pub(super) async fn ticks<W>(commands: Sender<Command<W>>, elapsed: Arc<Elapsed>) {
    let start = Instant::now();
    let mut beat = tokio::time::interval(BEAT);
    beat.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        beat.tick().await;
        let milliseconds = u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX);
        elapsed.milliseconds.store(milliseconds, Ordering::Release);
        if !elapsed.announced.swap(true, Ordering::AcqRel) && commands.send(Command::Tick).is_err() {
            return;
        }
    }
}

/// What every connection needs.
struct Front<W> {
    commands: Sender<Command<W>>,
    identity: Identity,
    elapsed: Arc<Elapsed>,
}

/// Accepts connections until the task is aborted; its connections end with it.
pub(super) async fn accept<W: 'static>(listener: TcpListener, commands: Sender<Command<W>>, identity: Identity, elapsed: Arc<Elapsed>) {
    let front = Arc::new(Front { commands, identity, elapsed });
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => {
                let Ok((stream, _)) = accepted else {
                    // Out of file descriptors, most likely: give connections time to end.
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                };
                let front = Arc::clone(&front);
                connections.spawn(async move {
                    let service = service_fn(move |request| answer(Arc::clone(&front), request));
                    // A broken connection is the client's affair.
                    drop(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await);
                });
            }
        }
    }
}

/// The connection is to be broken.
#[derive(Debug, thiserror::Error)]
#[error("the simulated server breaks the connection")]
struct Broken;

async fn answer<W: 'static>(front: Arc<Front<W>>, request: http::Request<Incoming>) -> Result<http::Response<ReplyBody>, Broken> {
    let (parts, body) = request.into_parts();
    if !is_own_host(&parts.headers) {
        return Ok(whole(Reply::text(403, "this server answers to its address and to localhost only\n")));
    }
    let Ok(body) = Limited::new(body, BODY_BYTES_MAX + 1).collect().await else {
        return Ok(whole(Reply::error(&too_large())));
    };
    let mut request = ApiRequest::from_http(&parts, body.to_bytes(), &front.identity);
    request.real_time = true;
    let timeout = Query::parse(&request.query).get("timeoutSeconds").and_then(|text| text.parse().ok()).filter(|seconds| *seconds > 0);
    let (sender, frames) = mpsc::channel(FRAMES_MAX);
    let queue = FrameQueue { sender, elapsed: Arc::clone(&front.elapsed), next_bookmark: Duration::ZERO };
    let (reply, answer) = oneshot::channel();
    front.commands.send(Command::Request(Box::new(Asked { request, frames: queue, reply }))).map_err(|_| Broken)?;
    match answer.await.map_err(|_| Broken)? {
        Answer::Whole(reply) => Ok(whole(reply)),
        Answer::Watch { id, headers } => {
            let ends = Box::pin(tokio::time::sleep(Duration::from_secs(timeout.unwrap_or(WATCH_SECONDS))));
            let stream = Stream { frames, ends, id, commands: front.commands.clone() };
            Ok(response(200, &headers, stream.boxed_unsync()))
        }
        Answer::Broken => Err(Broken),
    }
}

fn whole(reply: Reply) -> http::Response<ReplyBody> {
    reply.into_http(|bytes| Full::new(bytes).boxed_unsync())
}

/// Whether the client meant this server: by an address or as localhost, not by a name that somebody else controls.
fn is_own_host(headers: &http::HeaderMap) -> bool {
    let Some(host) = headers.get(http::header::HOST).and_then(|host| host.to_str().ok()) else { return true };
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or(rest),
        None => host.split(':').next().unwrap_or(host),
    };
    name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok()
}

/// The world's end of a watch.
pub(super) struct FrameQueue {
    sender: mpsc::Sender<Bytes>,
    /// Tokio's own clock is the virtual one on the thread where frames are made.
    elapsed: Arc<Elapsed>,
    /// Real time before which no bookmark is sent.
    next_bookmark: Duration,
}

impl FrameQueue {
    /// A queue that nobody reads.
    pub(super) fn closed() -> Self {
        let (sender, _) = mpsc::channel(1);
        Self { sender, elapsed: Arc::default(), next_bookmark: Duration::MAX }
    }
}

impl FrameSink for FrameQueue {
    /// Delays are virtual time, which readers outside do not live in: their frames go at once.
    fn frame(&mut self, frame: Bytes, _: Duration) -> bool {
        self.sender.try_send(frame).is_ok()
    }

    fn wants_bookmark(&mut self) -> bool {
        let elapsed = self.elapsed.get();
        let due = elapsed >= self.next_bookmark;
        if due {
            self.next_bookmark = elapsed + BOOKMARK_EVERY;
        }
        due
    }
}

/// The reader's end of a watch: ends with the queue or after its real time, and tells the world when it is dropped.
struct Stream<W> {
    frames: mpsc::Receiver<Bytes>,
    ends: Pin<Box<Sleep>>,
    id: WatchId,
    commands: Sender<Command<W>>,
}

impl<W> Body for Stream<W> {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.ends.as_mut().poll(context).is_ready() {
            return Poll::Ready(None);
        }
        self.frames.poll_recv(context).map(|frame| frame.map(|frame| Ok(Frame::data(frame))))
    }
}

impl<W> Drop for Stream<W> {
    fn drop(&mut self) {
        drop(self.commands.send(Command::Unwatch(self.id)));
    }
}
