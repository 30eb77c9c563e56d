//! What is done to the operator, once in a run, at a place that is a number.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use modelward::sim::api_error::ApiError;
use modelward::sim::routes::access::{Decision, Failure};

/// Seconds that a throttled client has to wait.
pub const RETRY_AFTER: u32 = 5;
/// Longer than any client of ours waits.
const STALL: Duration = Duration::from_secs(90);

/// On which side of a request something happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// The request never arrives.
    Before,
    /// It is carried out, and its answer is never seen.
    After,
}

/// An answer that is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// 409: what it was decided on has changed.
    Conflict,
    /// 429 with a time to wait.
    Throttled,
    /// 500, before or after everything was done.
    Error(Moment),
    /// 503.
    Unavailable,
    /// None at all: the connection hangs, before or after everything was done.
    Timeout(Moment),
}

/// What becomes of an event of a watch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum News {
    /// It is never sent on this stream.
    Hidden,
    /// It is never sent at all. No server does that; to the sweep it is an operator that never looks again.
    Lost,
    /// It is sent twice.
    Twice,
    /// It comes so many seconds late, and everything behind it on its stream.
    Late(u64),
    /// In its place comes a 410, and for five seconds lists of the kind are so many changes old.
    Expired(usize),
}

/// See the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The process dies at a request, and another one starts.
    Kill(Moment),
    /// As [`Fault::Kill`], before the request; for ten seconds the new process sees, of every kind, a state that is so many changes old.
    Behind(usize),
    /// A request is answered so.
    Answer(Answer),
    /// This becomes of an event.
    News(News),
}

/// What the number of a place counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// All requests of the operator.
    Request,
    /// Those that may change something, among all.
    Write,
    /// Events of all its watches, without bookmarks and repetitions.
    Event,
}

const NAMES: [(&str, Fault); 19] = [
    ("before", Fault::Kill(Moment::Before)),
    ("after", Fault::Kill(Moment::After)),
    ("stale-1", Fault::Behind(1)),
    ("stale-3", Fault::Behind(3)),
    ("stale-10", Fault::Behind(10)),
    ("409", Fault::Answer(Answer::Conflict)),
    ("429", Fault::Answer(Answer::Throttled)),
    ("500", Fault::Answer(Answer::Error(Moment::Before))),
    ("500-after", Fault::Answer(Answer::Error(Moment::After))),
    ("503", Fault::Answer(Answer::Unavailable)),
    ("timeout", Fault::Answer(Answer::Timeout(Moment::Before))),
    ("timeout-after", Fault::Answer(Answer::Timeout(Moment::After))),
    ("hidden", Fault::News(News::Hidden)),
    ("lost", Fault::News(News::Lost)),
    ("twice", Fault::News(News::Twice)),
    ("late-1", Fault::News(News::Late(1))),
    ("late-30", Fault::News(News::Late(30))),
    ("expired-1", Fault::News(News::Expired(1))),
    ("expired-10", Fault::News(News::Expired(10))),
];

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, _) = NAMES.iter().find(|(_, fault)| fault == self).ok_or(fmt::Error)?;
        f.write_str(name)
    }
}

impl FromStr for Fault {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = NAMES.iter().find(|(name, _)| *name == text).map(|(_, fault)| *fault);
        found.ok_or_else(|| format!("{text} is none of {}", NAMES.map(|(name, _)| name).join(", ")))
    }
}

impl Fault {
    /// What its number counts.
    pub fn place(self) -> Place {
        match self {
            Self::News(_) => Place::Event,
            // A read is not refused for what has changed, and changes nothing that its lost answer could hide.
            Self::Answer(Answer::Conflict | Answer::Error(Moment::After) | Answer::Timeout(Moment::After)) => Place::Write,
            Self::Kill(_) | Self::Behind(_) | Self::Answer(_) => Place::Request,
        }
    }
}

impl Answer {
    /// What the server does.
    pub fn decision(self) -> Decision {
        let status = |error: ApiError| Failure::Status(Box::new(error));
        let broken = || status(ApiError::new(500, "InternalError", "etcdserver: leader changed"));
        match self {
            Self::Conflict => Decision::FailBefore(status(ApiError::new(409, "Conflict", "the object has been modified"))),
            Self::Throttled => {
                let error = ApiError::new(429, "TooManyRequests", "too many requests, please try again later");
                Decision::FailBefore(status(error.retry_after(RETRY_AFTER)))
            }
            Self::Error(Moment::Before) => Decision::FailBefore(broken()),
            Self::Error(Moment::After) => Decision::FailAfter(broken()),
            Self::Unavailable => Decision::FailBefore(status(ApiError::new(503, "ServiceUnavailable", "apiserver is shutting down"))),
            Self::Timeout(Moment::Before) => Decision::FailBefore(Failure::Stall(STALL)),
            Self::Timeout(Moment::After) => Decision::FailAfter(Failure::Stall(STALL)),
        }
    }

    /// Seconds after which a new try has been answered, at the latest.
    pub fn seconds(self) -> i64 {
        match self {
            Self::Conflict | Self::Error(_) | Self::Unavailable => 5,
            Self::Throttled => 10,
            Self::Timeout(_) => 80,
        }
    }
}
