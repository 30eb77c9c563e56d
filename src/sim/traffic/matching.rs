//! Which rule of which route takes a request, by the precedence of the Gateway API.
//!
//! Takes routes as the data plane serves them; gives a rule. The most specific hostname wins, then of an HTTPRoute an exact
//! path, the longest prefix, a method, the most headers, of a GRPCRoute the longest service, the longest method, the most
//! headers; then the oldest route, the first by name, the first rule. Pure.

use std::cmp::Reverse;

use regex::Regex;
use serde_json::Value;

use super::demand::{Protocol, Request};
use crate::sim::actors::object::{at, items, key, name, namespace, text};

/// How well a hostname fits: exact before wildcard before none, longer before shorter.
pub type HostRank = (u8, usize);

/// A rule that takes the request.
#[derive(Clone, Debug)]
pub struct Match<'a> {
    /// The route.
    pub route: &'a Value,
    /// Place of the rule in it.
    pub rule: usize,
    host: HostRank,
    fit: Fit,
}

/// Exactness and length of the path, whether a method is asked for, number of headers. Of gRPC: length of the service and of
/// the method in place of the path's.
type Fit = (bool, usize, usize, usize);

/// How well a pattern such as `*.example.com` takes a host; none if it does not.
pub fn host_rank(pattern: &str, host: &str) -> Option<HostRank> {
    if pattern.eq_ignore_ascii_case(host) {
        return Some((2, pattern.len()));
    }
    let suffix = pattern.strip_prefix('*')?;
    let fits = host.len() > suffix.len() && host.to_ascii_lowercase().ends_with(&suffix.to_ascii_lowercase());
    fits.then_some((1, pattern.len()))
}

/// The rule that takes a request among those of several routes, each with how well it fits the host.
pub fn best<'a>(routes: impl Iterator<Item = (&'a Value, HostRank)>, request: &Request) -> Option<Match<'a>> {
    let rules = routes.flat_map(|(route, host)| {
        let fits = |(index, rule)| Some((index, fit(rule, request)?));
        let rules = items(route, &["spec", "rules"]).iter().enumerate().filter_map(fits);
        rules.map(move |(rule, fit)| Match { route, rule, host, fit })
    });
    let created = |route: &'a Value| text(route, &["metadata", "creationTimestamp"]);
    rules.max_by(|one, other| {
        let rank = |found: &Match<'a>| {
            let id = key(namespace(found.route), name(found.route));
            (found.host, found.fit, Reverse((created(found.route), id, found.rule)))
        };
        rank(one).cmp(&rank(other))
    })
}

/// The best of a rule's matches; a rule without any takes every path.
fn fit(rule: &Value, request: &Request) -> Option<Fit> {
    let matches = items(rule, &["matches"]);
    if matches.is_empty() {
        return Some((false, usize::from(request.protocol == Protocol::Http), 0, 0));
    }
    let fit_of = |wanted| if request.protocol == Protocol::Grpc { grpc_fit(wanted, request) } else { fit_of(wanted, request) };
    matches.iter().filter_map(fit_of).max()
}

/// A call of a method of a service has both in its path.
fn grpc_fit(wanted: &Value, request: &Request) -> Option<Fit> {
    let (service, method) = request.path.strip_prefix('/')?.split_once('/')?;
    let by_pattern = text(wanted, &["method", "type"]) == "RegularExpression";
    let fits = |field: &str, given: &str| match text(wanted, &["method", field]) {
        "" => Some(0),
        pattern if by_pattern => whole(pattern)?.is_match(given).then_some(pattern.len()),
        name => (name == given).then_some(name.len()),
    };
    let headers = items(wanted, &["headers"]);
    let (service, method) = (fits("service", service)?, fits("method", method)?);
    headers.iter().all(|header| header_fits(header, request)).then_some((!by_pattern && service > 0, service, method, headers.len()))
}

fn fit_of(wanted: &Value, request: &Request) -> Option<Fit> {
    // No query is sent, so that nothing in it can match.
    if !items(wanted, &["queryParams"]).is_empty() {
        return None;
    }
    let method = text(wanted, &["method"]);
    let headers = items(wanted, &["headers"]);
    let (exact, length) = path_fit(wanted, &request.path)?;
    let fits = (method.is_empty() || method == request.method) && headers.iter().all(|header| header_fits(header, request));
    fits.then_some((exact, length, usize::from(!method.is_empty()), headers.len()))
}

fn path_fit(wanted: &Value, path: &str) -> Option<(bool, usize)> {
    let value = at(wanted, &["path", "value"]).and_then(Value::as_str).unwrap_or("/");
    match text(wanted, &["path", "type"]) {
        "Exact" => (path == value).then_some((true, value.len())),
        "RegularExpression" => whole(value).is_some_and(|pattern| pattern.is_match(path)).then_some((false, value.len())),
        _ => {
            let prefix = value.strip_suffix('/').unwrap_or(value);
            let rest = path.strip_prefix(prefix)?;
            (rest.is_empty() || rest.starts_with('/')).then_some((false, value.len()))
        }
    }
}

fn header_fits(wanted: &Value, request: &Request) -> bool {
    let value = text(wanted, &["value"]);
    let Some(given) = request.headers.get(&text(wanted, &["name"]).to_ascii_lowercase()) else { return false };
    match text(wanted, &["type"]) {
        "RegularExpression" => whole(value).is_some_and(|pattern| pattern.is_match(given)),
        _ => given == value,
    }
}

/// A pattern that has to take the whole text; one that cannot be read takes nothing.
fn whole(pattern: &str) -> Option<Regex> {
    Regex::new(&format!("^(?:{pattern})$")).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn route(name: &str, created: &str, rules: Value) -> Value {
        json!({ "metadata": { "name": name, "namespace": "n", "creationTimestamp": created }, "spec": { "rules": rules } })
    }

    fn prefix(path: &str) -> Value {
        json!({ "matches": [{ "path": { "type": "PathPrefix", "value": path } }] })
    }

    fn chosen(routes: &[(Value, HostRank)], request: &Request) -> Option<(String, usize)> {
        let found = best(routes.iter().map(|(route, host)| (route, *host)), request)?;
        Some((name(found.route).to_owned(), found.rule))
    }

    fn get(path: &str) -> Request {
        Request { path: path.to_owned(), ..Request::default() }
    }

    #[test]
    fn hosts_fit_exactly_or_by_wildcard() {
        assert_eq!(host_rank("chat.example.com", "Chat.example.com"), Some((2, 16)));
        assert_eq!(host_rank("*.example.com", "chat.example.com"), Some((1, 13)));
        assert_eq!(host_rank("*.example.com", "example.com"), None);
        assert_eq!(host_rank("other.example.com", "chat.example.com"), None);
    }

    #[test]
    fn the_longest_prefix_wins_and_ends_at_a_segment() {
        let routes = [(route("a", "1", json!([prefix("/"), prefix("/v1"), prefix("/v1/chat/")])), (0, 0))];
        assert_eq!(chosen(&routes, &get("/v1/chat/x")), Some(("a".to_owned(), 2)));
        assert_eq!(chosen(&routes, &get("/v1/chat")), Some(("a".to_owned(), 2)));
        assert_eq!(chosen(&routes, &get("/v1/chatter")), Some(("a".to_owned(), 1)));
        assert_eq!(chosen(&routes, &get("/v10")), Some(("a".to_owned(), 0)));
    }

    #[test]
    fn headers_and_methods_narrow_a_rule_and_win_over_none() {
        let canary = json!({ "matches": [{ "headers": [{ "name": "X-Canary", "value": "always" }] }] });
        let routes = [(route("a", "1", json!([{}, canary, { "matches": [{ "method": "DELETE" }] }])), (0, 0))];
        assert_eq!(chosen(&routes, &get("/")), Some(("a".to_owned(), 0)));
        let marked = Request { headers: [("x-canary".to_owned(), "always".to_owned())].into(), ..get("/") };
        assert_eq!(chosen(&routes, &marked), Some(("a".to_owned(), 1)));
        let deleting = Request { method: "DELETE".to_owned(), ..marked };
        assert_eq!(chosen(&routes, &deleting), Some(("a".to_owned(), 2)));
    }

    #[test]
    fn hosts_decide_before_paths_and_age_before_names() {
        let two = [(route("b", "1", json!([prefix("/v1")])), (1, 5)), (route("c", "1", json!([{}])), (2, 9))];
        assert_eq!(chosen(&two, &get("/v1")), Some(("c".to_owned(), 0)));
        let old = [(route("a", "2", json!([{}])), (0, 0)), (route("z", "1", json!([{}])), (0, 0))];
        assert_eq!(chosen(&old, &get("/")), Some(("z".to_owned(), 0)));
        let same = [(route("b", "1", json!([{}])), (0, 0)), (route("a", "1", json!([{}, {}])), (0, 0))];
        assert_eq!(chosen(&same, &get("/")), Some(("a".to_owned(), 0)));
    }

    #[test]
    fn what_cannot_match_matches_nothing() {
        let query = json!([{ "matches": [{ "queryParams": [{ "name": "a", "value": "b" }] }] }]);
        assert_eq!(chosen(&[(route("a", "1", query), (0, 0))], &get("/")), None);
        let exact = json!([{ "matches": [{ "path": { "type": "Exact", "value": "/a" } }, { "path": { "type": "RegularExpression", "value": "/b.+" } }] }]);
        let routes = [(route("a", "1", exact), (0, 0))];
        assert_eq!(chosen(&routes, &get("/a/")), None);
        assert_eq!(chosen(&routes, &get("/bcd")), Some(("a".to_owned(), 0)));
    }
}
