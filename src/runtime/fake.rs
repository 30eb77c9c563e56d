//! A small API server for the tests of this layer: one tower service with list, watch and the writes that
//! [`crate::kube_io`] sends, faults on demand, and a log of every request with its virtual time.
//!
//! It checks resourceVersions and uids and does not do anything else of a real server's work: no schemas, no field ownership,
//! no selectors. An apply is a merge.

use std::{
    collections::{BTreeMap, VecDeque},
    convert::Infallible,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use bytes::Bytes;
use futures::{StreamExt, stream};
use http::{Method, Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt, Full, StreamBody, combinators::UnsyncBoxBody};
use kube::{Client, client::Body};
use serde_json::{Value, json};
use tokio::{
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    time::{Instant, sleep, timeout_at},
};
use tower::{ServiceExt, service_fn};

type Answer = Response<UnsyncBoxBody<Bytes, Infallible>>;

/// What goes wrong with the next request of a verb.
#[derive(Debug, Clone)]
pub(crate) enum Fault {
    /// An error answer, before anything is done.
    Status(u16, &'static str),
    /// 429 in plain text, with so many seconds to wait in a header, before anything is done.
    Throttled(u32),
    /// Everything is done, and the answer is lost.
    LostAnswer,
    /// The watch ends at once.
    Closed,
    /// The watch sends nothing and does not end.
    Stalled,
    /// The watch answers 200 and then an error frame with this code.
    ErrorFrame(u16),
    /// The request is never answered.
    Silent,
}

#[derive(Default)]
struct State {
    revision: u64,
    uids: u64,
    /// By collection path without namespace, namespace, name.
    objects: BTreeMap<(String, String, String), Value>,
    history: Vec<(u64, String, Value)>,
    watchers: Vec<(String, UnboundedSender<Value>)>,
    absent: Vec<String>,
    losing: bool,
    faults: BTreeMap<&'static str, VecDeque<Fault>>,
    log: Vec<String>,
}

#[derive(Clone)]
pub(crate) struct Fake {
    state: Arc<Mutex<State>>,
    started: Instant,
    latency: Duration,
    pub(crate) page_size: usize,
}

struct Place {
    collection: String,
    namespace: String,
    name: Option<String>,
    subresource: Option<String>,
}

impl Fake {
    pub(crate) fn new() -> Self {
        Self { state: Arc::default(), started: Instant::now(), latency: Duration::from_millis(5), page_size: 500 }
    }

    pub(crate) fn client(&self) -> Client {
        let fake = self.clone();
        let service = service_fn(move |request: Request<Body>| {
            let fake = fake.clone();
            async move { Ok::<_, Infallible>(fake.handle(request).await) }
        });
        Client::new(service.boxed_clone(), "default")
    }

    pub(crate) fn fail(&self, verb: &'static str, fault: Fault) {
        self.state().faults.entry(verb).or_default().push_back(fault);
    }

    /// Makes a kind unknown (`/apis/group/version/plural`), or known again.
    pub(crate) fn set_absent(&self, collection: &str, absent: bool) {
        let mut state = self.state();
        state.absent.retain(|known| known != collection);
        if absent {
            state.absent.push(collection.to_owned());
        }
    }

    /// What was asked, one line per request.
    pub(crate) fn log(&self) -> Vec<String> {
        self.state().log.clone()
    }

    /// How many requests of this verb there were.
    pub(crate) fn count(&self, verb: &str) -> usize {
        self.state().log.iter().filter(|line| line.split(' ').nth(1) == Some(verb)).count()
    }

    /// Stores an object past the API, as another client would.
    pub(crate) fn put(&self, collection: &str, object: Value) -> Value {
        let place = Place {
            collection: collection.to_owned(),
            namespace: object["metadata"]["namespace"].as_str().unwrap_or_default().to_owned(),
            name: object["metadata"]["name"].as_str().map(str::to_owned),
            subresource: None,
        };
        self.state().store(&place, object)
    }

    /// Removes an object past the API.
    pub(crate) fn remove(&self, collection: &str, namespace: &str, name: &str) {
        let key = (collection.to_owned(), namespace.to_owned(), name.to_owned());
        self.state().remove(&key);
    }

    /// Open watches are not told of what happens meanwhile; those that resume are.
    pub(crate) fn losing(&self, happens: impl FnOnce()) {
        self.state().losing = true;
        happens();
        self.state().losing = false;
    }

    /// Forgets what a watch could resume from.
    pub(crate) fn compact(&self) {
        self.state().history.clear();
    }

    /// Ends all watches.
    pub(crate) fn close_watches(&self) {
        self.state().watchers.clear();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    async fn handle(&self, request: Request<Body>) -> Answer {
        let (head, body) = request.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let query = head.uri.query().unwrap_or_default().to_owned();
        let place = place(head.uri.path());
        let verb = verb(&head.method, &query, &place);
        let at = self.started.elapsed();
        let line = format!("{} {verb} {} {}", at.as_millis(), head.uri, String::from_utf8_lossy(&body));
        self.state().log.push(line);
        sleep(self.latency).await;
        let fault = self.state().faults.get_mut(verb).and_then(VecDeque::pop_front);
        match &fault {
            Some(Fault::Status(code, reason)) => return refusal(*code, reason, "by order of the test"),
            Some(Fault::Throttled(seconds)) => return throttled(*seconds),
            Some(Fault::Silent) => std::future::pending().await,
            _ => {}
        }
        if self.state().absent.contains(&place.collection) {
            return refusal(404, "NotFound", "the server could not find the requested resource");
        }
        let answer = match verb {
            "watch" => return self.watch(&place, &query, fault),
            "list" => self.list(&place, &query),
            _ => self.state().write(verb, &place, &serde_json::from_slice(&body).unwrap_or_default()),
        };
        match (fault, answer) {
            (Some(Fault::LostAnswer), _) => refusal(504, "Timeout", "lost by order of the test"),
            (_, Ok(object)) => full(200, &object),
            (_, Err(refused)) => refusal(refused.0, refused.1, &refused.2),
        }
    }

    fn list(&self, place: &Place, query: &str) -> Result<Value, Refused> {
        let state = self.state();
        let from = parameter(query, "continue").map_or(0, |token| token.parse::<usize>().unwrap());
        let all = state.objects.iter().filter(|(key, _)| place.covers(key)).map(|(_, object)| object.clone());
        let all = all.collect::<Vec<_>>();
        let page = all.iter().skip(from).take(self.page_size).collect::<Vec<_>>();
        let next = from + page.len();
        let token = if next < all.len() { next.to_string() } else { String::new() };
        Ok(json!({"metadata": {"resourceVersion": state.revision.to_string(), "continue": token}, "items": page}))
    }

    fn watch(&self, place: &Place, query: &str, fault: Option<Fault>) -> Answer {
        let since = parameter(query, "resourceVersion").and_then(|text| text.parse::<u64>().ok());
        let seconds = parameter(query, "timeoutSeconds").and_then(|text| text.parse().ok()).unwrap_or(200);
        let (sender, receiver) = unbounded_channel();
        let mut state = self.state();
        let oldest = state.history.first().map_or(state.revision + 1, |(revision, ..)| *revision);
        match (fault, since) {
            (Some(Fault::Closed), _) => {}
            (Some(Fault::Stalled), _) => return streaming(receiver, Some(sender), Duration::MAX / 2),
            (Some(Fault::ErrorFrame(code)), _) => drop(sender.send(error_frame(code))),
            (_, Some(since)) if since + 1 < oldest && since < state.revision => drop(sender.send(error_frame(410))),
            (_, since) => {
                let since = since.unwrap_or(state.revision);
                let missed = state.history.iter().filter(|(at, ..)| *at > since);
                for (_, collection, event) in missed {
                    if *collection == place.collection {
                        sender.send(event.clone()).unwrap();
                    }
                }
                state.watchers.push((place.collection.clone(), sender));
            }
        }
        streaming(receiver, None, Duration::from_secs(seconds))
    }
}

type Refused = (u16, &'static str, String);

impl State {
    fn write(&mut self, verb: &str, place: &Place, body: &Value) -> Result<Value, Refused> {
        let name = place.name.clone().or_else(|| body["metadata"]["name"].as_str().map(str::to_owned)).unwrap();
        let key = (place.collection.clone(), place.namespace.clone(), name);
        let live = self.objects.get(&key).cloned();
        if verb == "create" {
            return match live {
                Some(_) => Err((409, "AlreadyExists", format!("{} already exists", key.2))),
                None => Ok(self.store(place, body.clone())),
            };
        }
        let Some(mut object) = live else {
            if verb == "patch" && body["metadata"]["uid"].is_null() && body["kind"].is_string() {
                return Ok(self.store(place, body.clone()));
            }
            return Err((404, "NotFound", format!("{} not found", key.2)));
        };
        let wanted = if verb == "delete" { &body["preconditions"] } else { &body["metadata"] };
        let (wanted, patch_of_status) = match body.as_array() {
            Some(operations) => (json!({"resourceVersion": operations[0]["value"]}), Some(operations[1]["value"].clone())),
            None => (wanted.clone(), None),
        };
        for field in ["uid", "resourceVersion"] {
            if !wanted[field].is_null() && wanted[field] != object["metadata"][field] {
                return Err((409, "Conflict", format!("{field} differs")));
            }
        }
        match (verb, place.subresource.as_deref()) {
            ("get", _) => Ok(object),
            ("delete", _) => {
                self.remove(&key);
                Ok(json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}))
            }
            (_, Some("scale")) => {
                object["spec"]["replicas"] = body["spec"]["replicas"].clone();
                let stored = self.store(place, object);
                Ok(json!({"kind": "Scale", "apiVersion": "autoscaling/v1", "metadata": stored["metadata"], "spec": body["spec"]}))
            }
            (_, Some("status")) => {
                object["status"] = patch_of_status.unwrap();
                Ok(self.store(place, object))
            }
            _ => {
                merge(&mut object, body);
                Ok(self.store(place, object))
            }
        }
    }

    fn store(&mut self, place: &Place, mut object: Value) -> Value {
        let name = object["metadata"]["name"].as_str().unwrap().to_owned();
        let key = (place.collection.clone(), place.namespace.clone(), name);
        self.revision += 1;
        let live = self.objects.get(&key).map(|live| live["metadata"]["uid"].clone());
        let kind = if live.is_some() { "MODIFIED" } else { "ADDED" };
        object["metadata"]["uid"] = live.unwrap_or_else(|| {
            self.uids += 1;
            json!(format!("uid-{}", self.uids))
        });
        object["metadata"]["resourceVersion"] = json!(self.revision.to_string());
        self.objects.insert(key, object.clone());
        self.send(&place.collection, kind, &object);
        object
    }

    fn remove(&mut self, key: &(String, String, String)) {
        if let Some(mut object) = self.objects.remove(key) {
            self.revision += 1;
            object["metadata"]["resourceVersion"] = json!(self.revision.to_string());
            self.send(&key.0, "DELETED", &object);
        }
    }

    fn send(&mut self, collection: &str, kind: &str, object: &Value) {
        let event = json!({"type": kind, "object": object});
        self.history.push((self.revision, collection.to_owned(), event.clone()));
        if self.losing {
            return;
        }
        self.watchers.retain(|(watched, sender)| watched != collection || sender.send(event.clone()).is_ok());
    }
}

impl Place {
    fn covers(&self, key: &(String, String, String)) -> bool {
        self.collection == key.0 && (self.namespace.is_empty() || self.namespace == key.1)
    }
}

fn place(path: &str) -> Place {
    let segments = path.trim_matches('/').split('/').map(str::to_owned).collect::<Vec<_>>();
    let (base, rest) = segments.split_at(if segments[0] == "api" { 2 } else { 3 });
    let (namespace, rest) = match rest {
        [word, namespace, rest @ ..] if word == "namespaces" && !rest.is_empty() => (namespace.clone(), rest),
        rest => (String::new(), rest),
    };
    let collection = format!("/{}/{}", base.join("/"), rest[0]);
    Place { collection, namespace, name: rest.get(1).cloned(), subresource: rest.get(2).cloned() }
}

fn verb(method: &Method, query: &str, place: &Place) -> &'static str {
    match method.as_str() {
        "GET" if parameter(query, "watch").is_some() => "watch",
        "GET" if place.name.is_some() => "get",
        "GET" => "list",
        "POST" => "create",
        "PATCH" => "patch",
        "PUT" => "update",
        _ => "delete",
    }
}

fn parameter<'a>(query: &'a str, name: &str) -> Option<&'a str> {
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    pairs.filter(|(key, value)| *key == name && !value.is_empty()).map(|(_, value)| value).next()
}

fn merge(object: &mut Value, patch: &Value) {
    let Some(fields) = patch.as_object() else {
        *object = patch.clone();
        return;
    };
    if !object.is_object() {
        *object = json!({});
    }
    for (name, value) in fields {
        if value.is_null() {
            object.as_object_mut().unwrap().remove(name);
        } else {
            merge(&mut object[name.as_str()], value);
        }
    }
}

fn error_frame(code: u16) -> Value {
    let reason = if code == 410 { "Expired" } else { "InternalError" };
    let status = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": reason, "message": "by order"});
    json!({"type": "ERROR", "object": status})
}

fn full(code: u16, body: &Value) -> Answer {
    let body = Full::new(Bytes::from(body.to_string())).boxed_unsync();
    Response::builder().status(code).body(body).unwrap()
}

fn throttled(seconds: u32) -> Answer {
    let body = Full::new(Bytes::from("Too many requests, please try again later.\n")).boxed_unsync();
    Response::builder().status(429).header("retry-after", seconds.to_string()).body(body).unwrap()
}

fn refusal(code: u16, reason: &str, message: &str) -> Answer {
    full(code, &json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": reason, "message": message}))
}

/// Sends what the receiver gets, one line each, until the sender is gone or the time is over.
fn streaming(receiver: UnboundedReceiver<Value>, keep: Option<UnboundedSender<Value>>, span: Duration) -> Answer {
    let deadline = Instant::now() + span.min(Duration::from_secs(1_000_000));
    let lines = stream::unfold((receiver, keep), move |(mut receiver, keep)| async move {
        let event = timeout_at(deadline, receiver.recv()).await.ok().flatten()?;
        Some((Bytes::from(format!("{event}\n")), (receiver, keep)))
    });
    let body = StreamBody::new(lines.map(|line| Ok::<_, Infallible>(Frame::data(line))));
    Response::new(body.boxed_unsync())
}
