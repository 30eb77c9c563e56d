//! Watch events as frames: one JSON line each, in the shape that was negotiated.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};

use super::access::StreamInterceptor;
use super::negotiate::Shape;
use super::reply::to_json_line;
use super::request::RequestInfo;
use crate::sim::cluster::{EventKind, Identity, WatchEvent, WatchSink};
use crate::sim::table::{IncludeObject, Printer, partial};

/// Takes the frames of one watch. Dropping it is the end of the stream.
pub trait FrameSink: Send {
    /// Takes a frame, to be delivered after `delay` (virtual time) and not before the frames that came earlier; `false`: the
    /// reader is gone, the watch ends.
    fn frame(&mut self, frame: Bytes, delay: Duration) -> bool;

    /// Whether a bookmark may be sent now. Readers in real time slow them down; the one that ends the initial events
    /// always passes.
    fn wants_bookmark(&mut self) -> bool {
        true
    }
}

/// The virtual time, shared with sinks that compute ages when an event arrives.
#[derive(Clone, Debug, Default)]
pub struct VirtualClock(Arc<AtomicI64>);

impl VirtualClock {
    /// Sets the time.
    pub fn set(&self, now: Timestamp) {
        self.0.store(now.as_millisecond(), Ordering::Relaxed);
    }

    /// The time that was set last.
    pub fn now(&self) -> Timestamp {
        Timestamp::from_millisecond(self.0.load(Ordering::Relaxed)).unwrap_or_default()
    }
}

/// How the objects of a stream are shown.
pub(super) enum View {
    Plain,
    Partial,
    Table { printer: Printer, include: IncludeObject, clock: VirtualClock },
}

/// Somebody who interferes with streams, shared by all of them.
pub type SharedStreamInterceptor = Arc<Mutex<dyn StreamInterceptor + Send>>;

/// Interference with one stream: by whom, and what it is told about the stream.
pub(super) struct Interference {
    pub(super) hook: SharedStreamInterceptor,
    pub(super) who: Identity,
    pub(super) info: RequestInfo,
}

/// Turns events into frames.
pub(super) struct Frames {
    view: View,
    interference: Option<Interference>,
    sink: Box<dyn FrameSink>,
    /// Column definitions are sent once.
    headings_sent: bool,
}

impl Frames {
    pub(super) fn new(view: View, interference: Option<Interference>, sink: Box<dyn FrameSink>) -> Self {
        Self { view, interference, sink, headings_sent: false }
    }

    fn send(&mut self, event: &WatchEvent, delay: Duration) -> bool {
        let kind = event.kind.as_str();
        let plain = event.kind == EventKind::Error || matches!(self.view, View::Plain);
        let frame = if plain {
            to_json_line(&Frame { kind, object: &event.object })
        } else {
            let object = self.shown(&event.object);
            to_json_line(&Frame { kind, object: &object })
        };
        self.sink.frame(frame, delay)
    }

    fn shown(&mut self, object: &Value) -> Value {
        match &self.view {
            View::Plain => object.clone(),
            View::Partial => partial(object),
            View::Table { printer, include, clock } => {
                let headings = !std::mem::replace(&mut self.headings_sent, true);
                let metadata = json!({ "resourceVersion": object["metadata"]["resourceVersion"] });
                printer.table(&[object], metadata, *include, headings, clock.now())
            }
        }
    }
}

#[derive(Serialize)]
struct Frame<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    object: &'a Value,
}

impl WatchSink for Frames {
    fn event(&mut self, event: WatchEvent) -> bool {
        if event.kind == EventKind::Bookmark && !ends_initial_events(&event.object) && !self.sink.wants_bookmark() {
            return true;
        }
        let delivery = match &self.interference {
            None => return self.send(&event, Duration::ZERO),
            Some(Interference { hook, who, info }) => hook.lock().unwrap_or_else(PoisonError::into_inner).event(who, info, event),
        };
        delivery.events.iter().all(|event| self.send(event, delivery.delay)) && !delivery.ends
    }
}

fn ends_initial_events(bookmark: &Value) -> bool {
    bookmark["metadata"]["annotations"]["k8s.io/initial-events-end"] == "true"
}

/// The shape of a stream, from what was negotiated.
pub(super) fn view(shape: Shape, printer: impl FnOnce() -> Printer, include: IncludeObject, clock: &VirtualClock) -> View {
    match shape {
        Shape::Plain => View::Plain,
        Shape::Partial => View::Partial,
        Shape::Table => View::Table { printer: printer(), include, clock: clock.clone() },
    }
}
