use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::*;
use crate::cli::simulate::line::Topic;
use crate::cli::simulate::report_page::data::{
    Bin, Bins, Changes, Counts, Estimate, Group, Judged, Judgement, Reading, Replicas, Standing, Workload,
};
use crate::sim::world::place::Place;

const EVIL: &str = "<script>alert(\"1\")</script>'&";

fn at(seconds: i64) -> SignedDuration {
    SignedDuration::from_secs(seconds)
}

/// Nothing happened.
pub(in crate::cli::simulate::report_page) fn recording() -> Recording {
    Recording {
        world: "canary".to_owned(),
        seed: 7,
        start: "2026-01-01T00:00:00Z".parse::<Timestamp>().unwrap(),
        end: Ended { elapsed: at(600), ending: "the world ends here".to_owned(), ..Ended::default() },
        lines: Vec::new(),
        lines_left_out: 0,
        warnings: Vec::new(),
        requests: None,
        weights: BTreeMap::new(),
        replicas: BTreeMap::new(),
        judgements: BTreeMap::new(),
    }
}

fn verdict(outcome: Outcome) -> Verdict {
    let (place, object, that) = (Place::start_of(EVIL), EVIL.to_owned(), format!("self == '{EVIL}'"));
    Verdict { place, at: at(60), at_end: false, object, that, outcome }
}

fn line() -> Line {
    Line {
        at: at(60),
        topic: Topic::Request,
        namespace: EVIL.to_owned(),
        object: format!("modeldeployment/{EVIL}"),
        what: EVIL.to_owned(),
        why: format!("until 2026-01-01T00:05:00Z {EVIL}"),
        by: EVIL.to_owned(),
        warning: true,
        changes: Vec::new(),
        repetitions_left_out: true,
    }
}

/// Two measurements, of which the second has a difference with an interval.
fn judgement() -> Judgement {
    let mut judgement = Judgement::default();
    let effect = Estimate { value: Some(0.03), low: Some(-0.01), high: None };
    for (from, effect) in [(0, Estimate::default()), (30, effect)] {
        let (from, to) = (at(from), at(from + 30));
        judgement.measured(Reading { from, to, value: Some(0.05), stable: Some(0.02), bounds: [None, Some(0.04)], effect });
    }
    let (phase, message) = (format!("Failed{EVIL}"), EVIL.to_owned());
    let (p_value, alpha, value) = (Some(0.012), Some(0.05), Some(0.05));
    judgement.stands(Standing {
        at: at(60),
        phase,
        weight: 10,
        samples: 7,
        stable_samples: Some(63),
        value,
        effect,
        p_value,
        alpha,
        message,
    });
    judgement.standings_left_out = 1;
    judgement
}

/// Everything that a user names is hostile.
fn hostile() -> Recording {
    let subject = Subject { namespace: EVIL.to_owned(), deployment: EVIL.to_owned() };
    let group = Group { subject: subject.clone(), version: EVIL.to_owned() };
    let mut changes = Changes::default();
    changes.set(at(0), Some(100.0));
    let counts = Counts { arrived: 100, answered: 90, errors: 10, durations: vec![0, 50, 50] };
    let mut bins = Bins::new(at(5));
    bins.push(Bin { from: at(0), to: at(5), sent: 101, unserved: 1, groups: BTreeMap::from([(group.clone(), counts)]) });
    let workload = Workload { subject, revision: EVIL.to_owned(), version: EVIL.to_owned() };
    let judged = Judged { subject: workload.subject.clone(), metric: EVIL.to_owned(), revision: EVIL.to_owned() };
    let row = Row {
        resource: EVIL.to_owned(),
        namespace: EVIL.to_owned(),
        name: EVIL.to_owned(),
        columns: vec![(EVIL.to_owned(), json!({ "deep": EVIL }))],
    };
    Recording {
        world: EVIL.to_owned(),
        lines: vec![line()],
        lines_left_out: 3,
        warnings: vec![EVIL.to_owned()],
        end: Ended {
            elapsed: at(600),
            ending: EVIL.to_owned(),
            rows: vec![row],
            verdicts: vec![verdict(Outcome::Met), verdict(Outcome::Unmet(EVIL.to_owned()))],
            unjudged: 2,
            mistakes: vec![EVIL.to_owned()],
        },
        requests: Some(bins),
        weights: BTreeMap::from([(group, changes.clone())]),
        judgements: BTreeMap::from([(judged, judgement())]),
        replicas: BTreeMap::from([(workload, Replicas { asked: changes.clone(), ready: changes })]),
        ..recording()
    }
}

/// The tags of a page; each that opens is closed in order.
fn tags(html: &str) -> Vec<String> {
    let (mut open, mut all) = (Vec::new(), Vec::new());
    for tag in html.split('<').skip(1) {
        let name: String = tag.chars().take_while(|letter| letter.is_alphanumeric() || *letter == '/').collect();
        let alone = ["meta", "br"].contains(&name.as_str()) || tag.split('>').next().is_some_and(|inside| inside.ends_with('/'));
        match name.strip_prefix('/') {
            Some(closed) => assert_eq!(open.pop().as_deref(), Some(closed), "{tag}"),
            None if name.is_empty() || alone => {}
            None => open.push(name.clone()),
        }
        all.push(name);
    }
    assert_eq!(open, Vec::<String>::new());
    all
}

#[test]
fn nothing_that_a_user_names_becomes_markup() {
    let html = html(&hostile());
    assert!(!tags(&html).iter().any(|tag| tag == "script"), "{html}");
    assert!(!html.contains("alert(\""), "{html}");
    assert!(html.matches("&lt;script&gt;").count() > 20, "the hostile names are shown");
}

#[test]
fn a_page_fetches_nothing_and_needs_no_script() {
    let html = html(&hostile());
    for banned in ["http://", "https://", "src=", "url(", "@import", "<script", "<link", "javascript:"] {
        assert!(!html.contains(banned), "{banned}");
    }
    assert!(html.contains("default-src 'none'"));
}

#[test]
fn a_recording_of_nothing_is_a_page_that_says_so() {
    let html = html(&recording());
    tags(&html);
    assert!(html.contains("This world has no traffic") && html.contains("It ended after 10m00s: the world ends here."), "{html}");
    assert!(!html.contains("<svg") && !html.contains("NaN") && !html.contains("id=\"mistakes\""), "{html}");
}

#[test]
fn a_page_tells_what_was_expected_what_happened_and_what_there_is() {
    let html = html(&hostile());
    tags(&html);
    for told in [
        "1 of 2 expectations met",
        "not judged: 2,",
        "NOT MET",
        "until 5m00s",
        "(repetitions are left out)",
        "3 later lines are left out",
        "id=\"mistakes\"",
        "<td>7, stable 63</td><td>0.05</td><td>0.03 (-0.01 to –)</td><td>0.012 (fails at 0.05)</td>",
        "1 later change is left out.",
    ] {
        assert!(html.contains(told), "{told}");
    }
    let headings: Vec<&str> = html.split("<h4>").skip(1).filter_map(|rest| rest.split("</h4>").next()).collect();
    let expected = ["Traffic share", "Requests per second", "Error rate", "Latency, 95th percentile", "Pods", "All requests per second"];
    assert_eq!(headings[..expected.len()], expected);
    let judged: Vec<&str> =
        headings[expected.len()..].iter().filter_map(|heading| heading.rsplit_once("&amp;, ")).map(|parts| parts.1).collect();
    assert_eq!(judged, ["as measured", "difference to stable"]);
    assert!(html.contains("<td>-0.01</td>"), "ends of intervals are in the table");
    assert!(html.contains("<td>10 %</td>") && html.contains("<td>100 %</td>"), "error rate and share in the tables");
}

#[test]
fn without_traffic_weights_and_pods_are_shown_all_the_same() {
    let html = html(&Recording { requests: None, judgements: BTreeMap::new(), ..hostile() });
    let headings: Vec<&str> = html.split("<h4>").skip(1).filter_map(|rest| rest.split("</h4>").next()).collect();
    assert_eq!(headings, ["Weight", "Pods"]);
    assert!(html.contains("This world has no traffic"));
}

#[test]
fn ids_are_unique_and_links_lead_somewhere() {
    let html = html(&hostile());
    let ids: Vec<&str> = html.split(" id=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    let unique: std::collections::BTreeSet<&str> = ids.iter().copied().collect();
    assert_eq!(unique.len(), ids.len(), "{ids:?}");
    let links = html.split("href=\"#").skip(1).chain(html.split("labelledby=\"").skip(1));
    for link in links.filter_map(|rest| rest.split('"').next()).flat_map(str::split_whitespace) {
        assert!(unique.contains(link), "{link}");
    }
}
