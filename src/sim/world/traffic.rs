//! The requests of a world, and how their metrics are scraped.
//!
//! Takes `traffic` and `metrics` of a world; gives demands with their places. Whether something takes a demand is known only at
//! the end of a run.

use std::collections::BTreeMap;

use jiff::SignedDuration;

use super::document::Located;
use super::duration;
use super::fields::{self, Fields};
use super::place::{Place, Problems};
use super::rules;
use crate::sim::metrics_api::rules::Rules;
use crate::sim::traffic::arrivals::Arrivals;
use crate::sim::traffic::demand::{Demand, Destination, Protocol, Request};
use crate::sim::traffic::scraper::{INTERVAL, RETENTION};

/// Most requests per second of one entry.
const PER_SECOND_MAX: f64 = 100_000.0;
/// Hour of the day at which most requests arrive, when only the ratio is given.
const PEAK: SignedDuration = SignedDuration::from_hours(14);
/// Rate at the peak over the lowest rate, when only the hour is given.
const PEAK_TO_TROUGH: f64 = 3.0;
/// A client waits so long when nothing else is said.
const PATIENCE: SignedDuration = SignedDuration::from_secs(30);
/// Longest time that a client waits.
const PATIENCE_MAX: SignedDuration = SignedDuration::from_hours(1);
/// Why stickiness is refused.
const NO_USERS: &str = "users that keep their backend are not simulated: requests are independent; take it out";

/// One stream of requests.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Where its host or Service was written.
    pub place: Place,
    /// What is asked.
    pub demand: Demand,
}

/// How metrics are scraped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scraping {
    /// Time between two scrapes of a target.
    pub interval: SignedDuration,
    /// How long samples are kept.
    pub retention: SignedDuration,
}

impl Default for Scraping {
    fn default() -> Self {
        Self { interval: INTERVAL, retention: RETENTION }
    }
}

/// Reads the entries of `traffic`.
pub fn read(node: &Located, problems: &mut Problems) -> Vec<Entry> {
    fields::items(node, "traffic", problems).iter().filter_map(|item| entry(item, problems)).collect()
}

fn entry(node: &Located, problems: &mut Problems) -> Option<Entry> {
    let mut fields = Fields::of(node, "an entry of traffic", problems)?;
    let to = match fields.one_of(&["host", "service"], problems) {
        Some(("host", node)) => host(node, problems).map(|to| (to, node.place.clone())),
        Some((_, node)) => service(node, problems).map(|to| (to, node.place.clone())),
        None => None,
    };
    let arrivals = arrivals(&mut fields, problems);
    let request = request(&mut fields, problems);
    let patience = fields.read("timeout", fields::time, problems).unwrap_or(PATIENCE);
    if patience.is_zero() || patience > PATIENCE_MAX {
        problems.push(node.place_of("timeout").problem("timeout must be more than nothing and at most 1h"));
    }
    fields.refuse("users", NO_USERS, problems);
    fields.finish(problems);
    let (to, place) = to?;
    Some(Entry { place, demand: Demand { to, arrivals: arrivals?, request: request?, patience } })
}

fn host(node: &Located, problems: &mut Problems) -> Option<Destination> {
    let host = fields::text(node, "host", problems)?;
    let fits = |sign: char| sign.is_ascii_lowercase() || sign.is_ascii_digit() || ".-".contains(sign);
    if host.chars().all(fits) {
        return Some(Destination::Host(host));
    }
    problems.push(node.place.problem(format!("host must be a name such as chat.example.com, found {host:?}")));
    None
}

fn service(node: &Located, problems: &mut Problems) -> Option<Destination> {
    let text = fields::text(node, "service", problems)?;
    match text.split_once('/') {
        Some((namespace, name)) if !namespace.is_empty() && !name.is_empty() && !name.contains('/') => {
            Some(Destination::Service { namespace: namespace.to_owned(), name: name.to_owned() })
        }
        _ => {
            problems.push(node.place.problem(format!("service must be NAMESPACE/NAME such as default/chat, found {text:?}")));
            None
        }
    }
}

fn arrivals(fields: &mut Fields<'_>, problems: &mut Problems) -> Option<Arrivals> {
    if fields.node.get("requestsPerSecond").is_none() {
        problems.push(fields.node.place.problem("requestsPerSecond is missing"));
    }
    let per_second = fields.number("requestsPerSecond", 0.0..=PER_SECOND_MAX, problems);
    let peak = fields.read("dailyPeak", fields::time, problems);
    if peak.is_some_and(|peak| peak >= SignedDuration::from_hours(24)) {
        problems.push(fields.node.place_of("dailyPeak").problem("dailyPeak is a time of day, below 24h"));
    }
    let ratio = fields.number("peakToTrough", 1.0..=100.0, problems);
    Some(Arrivals {
        daily_peak: peak.unwrap_or(PEAK),
        peak_to_trough: ratio.unwrap_or(if peak.is_some() { PEAK_TO_TROUGH } else { 1.0 }),
        weekend: fields.number("weekend", 0.0..=10.0, problems).unwrap_or(1.0),
        burstiness: fields.number("burstiness", 1.0..=100.0, problems).unwrap_or(1.0),
        per_second: per_second?,
    })
}

fn request(fields: &mut Fields<'_>, problems: &mut Problems) -> Option<Request> {
    let usual = Request::default();
    let protocol = fields.read("protocol", protocol, problems).unwrap_or_default();
    let path = fields.read("path", fields::text, problems).unwrap_or(usual.path);
    let method = fields.read("method", fields::text, problems).unwrap_or(usual.method);
    let headers: BTreeMap<String, String> = fields.read("headers", fields::labels, problems).unwrap_or_default();
    let mut fits = true;
    let mut refuse = |field: &str, message: String| {
        problems.push(fields.node.place_of(field).problem(message));
        fits = false;
    };
    if !path.starts_with('/') || path.contains(['?', '#', ' ']) {
        refuse("path", format!("path must begin with / and have no query, found {path:?}"));
    }
    let called = path.strip_prefix('/').and_then(|path| path.split_once('/'));
    if protocol == Protocol::Grpc && called.is_none_or(|(service, method)| service.is_empty() || method.is_empty() || method.contains('/'))
    {
        refuse("path", format!("path of a gRPC request must be /package.Service/Method, found {path:?}"));
    }
    if protocol == Protocol::Grpc && method != "POST" {
        refuse("method", format!("gRPC requests are POST, found {method:?}"));
    }
    if !["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"].contains(&method.as_str()) {
        refuse("method", format!("method must be one of HTTP in capitals, found {method:?}"));
    }
    let headers = headers.into_iter().map(|(name, value)| (name.to_ascii_lowercase(), value)).collect();
    fits.then_some(Request { protocol, method, path, headers })
}

fn protocol(node: &Located, what: &str, problems: &mut Problems) -> Option<Protocol> {
    match fields::text(node, what, problems)?.as_str() {
        "HTTP" => Some(Protocol::Http),
        "GRPC" => Some(Protocol::Grpc),
        other => {
            problems.push(node.place.problem(format!("protocol must be HTTP or GRPC, found {other:?}")));
            None
        }
    }
}

/// Reads `metrics`: how they are scraped, and which of them the metrics APIs show.
pub fn read_scraping(node: &Located, problems: &mut Problems) -> Option<(Scraping, Rules)> {
    let mut fields = Fields::of(node, "metrics", problems)?;
    let usual = Scraping::default();
    let mut within = |field: &'static str, usual: SignedDuration, least: SignedDuration, most: SignedDuration| {
        let given = fields.read(field, fields::time, problems).unwrap_or(usual);
        if given < least || given > most {
            let (least, most) = (duration::show(least), duration::show(most));
            problems.push(node.place_of(field).problem(format!("{field} must be from {least} to {most}")));
        }
        given
    };
    let interval = within("scrapeInterval", usual.interval, SignedDuration::from_secs(1), SignedDuration::from_mins(10));
    let retention = within("retention", usual.retention, SignedDuration::from_mins(10), SignedDuration::from_hours(24));
    let rules = rules::read(&mut fields, problems);
    fields.finish(problems);
    Some((Scraping { interval, retention }, rules))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::world::document::{parse, read_text};

    fn entries(text: &str) -> (Vec<Entry>, Vec<String>) {
        read_text(text, read)
    }

    #[test]
    fn a_grpc_entry_names_a_method_in_its_path() {
        let (read, problems) = entries("- {host: a.b, requestsPerSecond: 1, protocol: GRPC, path: /chat.v1.Chat/Complete}\n");
        assert_eq!(problems, Vec::<String>::new());
        assert_eq!(read[0].demand.request.protocol, Protocol::Grpc);
        for wrong in ["protocol: GRPC", "protocol: GRPC, path: /a/b/c", "protocol: gRPC", "protocol: GRPC, path: /a/b, method: GET"] {
            let (read, problems) = entries(&format!("- {{host: a.b, requestsPerSecond: 1, {wrong}}}\n"));
            assert!(!problems.is_empty(), "{wrong}: {read:?}");
        }
    }

    #[test]
    fn an_entry_is_read_with_its_shape_and_its_request() {
        let (entries, problems) = entries(
            "- {host: chat.example.com, requestsPerSecond: 40, dailyPeak: 9h, burstiness: 2, path: /v1, headers: {X-Canary: always}}\n- {service: ml/chat, requestsPerSecond: 0.5, method: GET, timeout: 5s}\n",
        );
        assert_eq!(problems, Vec::<String>::new());
        let first = &entries[0].demand;
        assert_eq!((first.arrivals.per_second, first.arrivals.peak_to_trough, first.arrivals.burstiness), (40.0, 3.0, 2.0));
        assert_eq!(first.request.headers["x-canary"], "always");
        assert_eq!(entries[1].demand.arrivals.peak_to_trough, 1.0);
        assert_eq!(entries[1].demand.to, Destination::Service { namespace: "ml".to_owned(), name: "chat".to_owned() });
        assert_eq!((entries[1].place.line, entries[1].place.column), (2, 13));
    }

    #[test]
    fn mistakes_are_reported_with_their_places() {
        let (entries, problems) = entries(
            "- {host: a.b, service: c/d, requestsPerSecond: 1}\n- {host: A b, requestsPerSecond: 1}\n- {service: chat, requestsPerSecond: 1}\n- {host: a.b}\n- {host: a.b, requestsPerSecond: -1}\n- {host: a.b, requestsPerSecond: 1, dailyPeak: 25h}\n- {host: a.b, requestsPerSecond: 1, path: v1}\n- {host: a.b, requestsPerSecond: 1, users: 5}\n- {host: a.b, requestsPerSecond: 1, burst: 5}\n- {host: a.b, requestsPerSecond: 1, timeout: 0s}\n",
        );
        let lines: Vec<&str> = problems.iter().filter_map(|problem| problem.split(':').nth(1)).collect();
        assert_eq!(lines, ["1", "2", "3", "4", "5", "6", "7", "8", "9", "10"], "{problems:#?}");
        assert!(entries.len() < 10);
    }

    #[test]
    fn scraping_has_bounds() {
        let read = |text: &str| {
            let document = parse("w.yaml", text).unwrap().remove(0);
            let mut problems = Problems::new();
            (read_scraping(&document, &mut problems).map(|(scraping, _)| scraping.interval.as_secs()), problems.len())
        };
        assert_eq!(read("scrapeInterval: 30s\nretention: 1h\n"), (Some(30), 0));
        assert_eq!(read("scrapeInterval: 0s\nretention: 2m\nother: 1\n").1, 3);
    }
}
