//! The body of an answer: bytes, or the frames of a watch.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::Frame;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::sim::routes::FrameSink;

/// A body that never fails.
#[derive(Debug)]
pub struct ResponseBody(Content);

#[derive(Debug)]
enum Content {
    Whole(Option<Bytes>),
    Frames(UnboundedReceiver<Bytes>),
}

impl ResponseBody {
    pub(super) fn whole(bytes: Bytes) -> Self {
        Self(Content::Whole(Some(bytes).filter(|bytes| !bytes.is_empty())))
    }

    /// A stream and the sink that feeds it; dropping either ends it.
    pub(super) fn stream() -> (Box<dyn FrameSink>, Self) {
        let (sender, receiver) = unbounded_channel();
        (Box::new(Frames(sender)), Self(Content::Frames(receiver)))
    }
}

struct Frames(UnboundedSender<Bytes>);

impl FrameSink for Frames {
    fn frame(&mut self, frame: Bytes) -> bool {
        self.0.send(frame).is_ok()
    }
}

impl http_body::Body for ResponseBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match &mut self.0 {
            Content::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Content::Frames(receiver) => receiver.poll_recv(context).map(|frame| frame.map(|frame| Ok(Frame::data(frame)))),
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.0, Content::Whole(None))
    }
}
