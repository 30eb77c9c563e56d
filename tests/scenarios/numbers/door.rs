//! What stands between the operator and Prometheus on the real arm, and can be broken.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::Source;
use super::http::{self, Request, Server};
use super::prometheus::{self, Prometheus};

/// Longer than the provider's timeout.
const LATE: Duration = Duration::from_secs(5);
/// How old the answers of a stale source are, in seconds.
const AGE: f64 = 1200.0;

/// See the module.
pub struct Door {
    server: Server,
    state: Arc<State>,
}

struct State {
    source: Mutex<Source>,
    /// The Prometheus behind it, started when it is first needed.
    prometheus: Mutex<Option<Arc<Prometheus>>>,
}

impl State {
    fn prometheus(&self) -> SocketAddr {
        self.prometheus.lock().unwrap().get_or_insert_with(prometheus::shared).address
    }
}

impl Door {
    /// Opens it on a free port.
    pub fn open() -> Self {
        let state = Arc::new(State { source: Mutex::new(Source::Sound), prometheus: Mutex::default() });
        let asked = Arc::clone(&state);
        Self { server: Server::start(move |request| answer(&asked, request)), state }
    }

    /// Where the operator asks.
    pub fn address(&self) -> SocketAddr {
        self.server.address
    }

    /// Starts what is behind it.
    pub fn prepare(&self) {
        self.state.prometheus();
    }

    /// Answers like this from now on.
    pub fn set(&self, source: Source) {
        *self.state.source.lock().unwrap() = source;
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        // Not with the last thread that answers: nobody waits for that one.
        drop(self.state.prometheus.lock().unwrap_or_else(PoisonError::into_inner).take());
    }
}

fn answer(state: &State, request: &Request) -> Option<Vec<u8>> {
    let source = *state.source.lock().unwrap();
    let vector = |result: &str| {
        let body = format!(r#"{{"status":"success","data":{{"resultType":"vector","result":[{result}]}}}}"#);
        Some(http::response("application/json", &body))
    };
    match source {
        Source::Sound => {
            let mut words = request.line.split(' ');
            http::ask(state.prometheus(), words.next()?, words.next()?, &request.content_type, &request.body)
        }
        Source::Down => None,
        Source::Empty => vector(""),
        Source::NaN => vector(&format!(r#"{{"metric":{{}},"value":[{},"NaN"]}}"#, time(request)?)),
        Source::Garbage => Some(http::response("application/json", r#"{"status":"success","data":{"resultType":"vec"#)),
        Source::Slow => {
            std::thread::sleep(LATE);
            vector("")
        }
        Source::Stale => vector(&format!(r#"{{"metric":{{}},"value":[{},"3"]}}"#, time(request)? - AGE)),
    }
}

/// The moment that a query is about.
fn time(request: &Request) -> Option<f64> {
    let mut form = form_urlencoded::parse(&request.body);
    form.find(|(key, _)| key == "time").and_then(|(_, value)| value.parse().ok())
}
