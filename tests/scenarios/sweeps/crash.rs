//! Kills the operator's process at one of its requests.

use std::sync::{Arc, Mutex};

use modelward::sim::cluster::Identity;
use modelward::sim::routes::RequestInfo;
use modelward::sim::routes::access::{Decision, Failure, Interceptor};
use tokio::sync::Notify;

use crate::invariants::OPERATOR;

/// On which side of a request the process dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// The request never arrives.
    Before,
    /// It is carried out, and its answer is never seen.
    After,
}

/// When the process dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kill {
    pub moment: Moment,
    /// Of the operator's requests, from 0.
    pub index: u64,
}

/// What the guillotine and the one who starts the next process share.
#[derive(Default)]
pub struct Guillotine {
    state: Mutex<State>,
    /// Told when the process has to die.
    pub fallen: Notify,
}

#[derive(Default)]
struct State {
    kill: Option<Kill>,
    /// Requests of the operator so far.
    requests: u64,
    /// The process is dead: nothing of it arrives any more.
    dead: bool,
}

impl Guillotine {
    /// One that falls as `kill` says; without, it only counts.
    pub fn new(kill: Option<Kill>) -> Arc<Self> {
        Arc::new(Self { state: Mutex::new(State { kill, ..State::default() }), fallen: Notify::new() })
    }

    /// Requests that the operator has sent.
    pub fn requests(&self) -> u64 {
        self.state.lock().unwrap().requests
    }

    /// It has fallen, or was never meant to.
    pub fn is_done(&self) -> bool {
        self.state.lock().unwrap().kill.is_none()
    }

    /// A new process lives.
    pub fn revive(&self) {
        self.state.lock().unwrap().dead = false;
    }
}

/// The hook in the server.
pub struct Hook(pub Arc<Guillotine>);

impl Interceptor for Hook {
    fn before(&mut self, _: u64, who: &Identity, _: &RequestInfo) -> Decision {
        if who.user != OPERATOR {
            return Decision::Pass;
        }
        let mut state = self.0.state.lock().unwrap();
        if state.dead {
            return Decision::FailBefore(Failure::Reset);
        }
        let index = state.requests;
        state.requests += 1;
        let Some(kill) = state.kill.filter(|kill| kill.index == index) else { return Decision::Pass };
        state.kill = None;
        state.dead = true;
        self.0.fallen.notify_one();
        match kill.moment {
            Moment::Before => Decision::FailBefore(Failure::Reset),
            Moment::After => Decision::FailAfter(Failure::Reset),
        }
    }
}
