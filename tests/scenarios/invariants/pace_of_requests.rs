//! I26 as requests show it: a process keeps to its limit, and what is refused is not asked again and again.

use modelward::sim::routes::access::RequestRecord;
use serde_json::Value;

use super::Watchdog;

/// Refused writes to one object in 10 s; the queue's backoff makes at most five of them.
const REFUSED_MAX: usize = 10;

/// At most what was allowed: 10 s touch at most 11 of the limit's seconds.
pub fn within_the_limit(watchdog: &mut Watchdog, record: &RequestRecord) -> Option<String> {
    let allowed = watchdog.requests_per_second? as usize * 11;
    watchdog.requests.push_back(record.at);
    while watchdog.requests.front().is_some_and(|at| record.at.duration_since(*at).as_secs_f64() >= 10.0) {
        watchdog.requests.pop_front();
    }
    let sent = watchdog.requests.len();
    // Told once: each further one would say the same.
    (sent == allowed + 1).then(|| format!("{sent} requests within 10 s"))
}

/// A refused write is repeated after a backoff. Conflicts are not refusals: they say that there is something new to see.
pub fn retries_are_spaced(watchdog: &mut Watchdog, record: &RequestRecord) -> Option<String> {
    let info = &record.info;
    let write = !["get", "list", "watch"].contains(&info.verb.as_str());
    if !write || record.code < 400 || record.code == 409 {
        return None;
    }
    let body = || serde_json::from_slice::<Value>(&record.body).ok();
    let in_body = || body().and_then(|body| body.pointer("/metadata/name")?.as_str().map(str::to_owned));
    let name = if info.name.is_empty() { in_body().unwrap_or_default() } else { info.name.clone() };
    let times = watchdog.refused.entry((info.resource.clone(), info.namespace.clone(), name)).or_default();
    times.push(record.at);
    times.retain(|at| record.at.duration_since(*at).as_secs_f64() < 10.0);
    (times.len() == REFUSED_MAX + 1).then(|| format!("refused {} times within 10 s", times.len()))
}
