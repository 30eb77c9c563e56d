//! The body of an answer: bytes, or the frames of a watch.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::Frame;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::{Instant, Sleep, sleep_until};

use crate::sim::routes::FrameSink;

/// A body that never fails.
#[derive(Debug)]
pub struct ResponseBody(Content);

#[derive(Debug)]
enum Content {
    Whole(Option<Bytes>),
    Frames(Stream),
}

/// Frames with the earliest time of their delivery, and the one that waits for it.
#[derive(Debug)]
struct Stream {
    frames: UnboundedReceiver<(Instant, Bytes)>,
    waiting: Option<(Pin<Box<Sleep>>, Bytes)>,
}

impl ResponseBody {
    pub(super) fn whole(bytes: Bytes) -> Self {
        Self(Content::Whole(Some(bytes).filter(|bytes| !bytes.is_empty())))
    }

    /// A stream and the sink that feeds it; dropping either ends it.
    pub(super) fn stream() -> (Box<dyn FrameSink>, Self) {
        let (sender, frames) = unbounded_channel();
        (Box::new(Frames(sender)), Self(Content::Frames(Stream { frames, waiting: None })))
    }
}

struct Frames(UnboundedSender<(Instant, Bytes)>);

impl FrameSink for Frames {
    fn frame(&mut self, frame: Bytes, delay: Duration) -> bool {
        self.0.send((Instant::now() + delay, frame)).is_ok()
    }
}

impl Stream {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Bytes>> {
        if self.waiting.is_none() {
            match self.frames.poll_recv(context) {
                Poll::Ready(Some((due, frame))) if due > Instant::now() => self.waiting = Some((Box::pin(sleep_until(due)), frame)),
                Poll::Ready(next) => return Poll::Ready(next.map(|(_, frame)| frame)),
                Poll::Pending => return Poll::Pending,
            }
        }
        if let Some((due, _)) = &mut self.waiting
            && due.as_mut().poll(context).is_pending()
        {
            return Poll::Pending;
        }
        Poll::Ready(self.waiting.take().map(|(_, frame)| frame))
    }
}

impl http_body::Body for ResponseBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match &mut self.0 {
            Content::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Content::Frames(stream) => stream.poll(context).map(|frame| frame.map(|frame| Ok(Frame::data(frame)))),
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.0, Content::Whole(None))
    }
}
