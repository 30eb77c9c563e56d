//! The page as a whole: its sections in order.
//!
//! Takes a recording; gives HTML. A section is a function of the recording, and empty when there is nothing to say. Pure.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::analysis;
use super::data::{Ended, Recording, Subject};
use super::marks::{Mark, marks, of, shortened};
use super::plot::{Marker, Plot};
use super::plots::{Subjects, everything};
use super::style::STYLE;
use super::text::{ABSENT, counted, escape};
use crate::cli::simulate::end_state::{self, Row};
use crate::cli::simulate::line::{Line, clock};
use crate::sim::world::expectation::Outcome;
use crate::sim::world::play::Verdict;

/// A part of the page.
struct Section {
    id: &'static str,
    title: &'static str,
    body: fn(&Recording) -> String,
}

/// All sections, in order.
const SECTIONS: [Section; 7] = [
    Section { id: "mistakes", title: "Mistakes in the world", body: mistakes },
    Section { id: "expectations", title: "Expectations", body: expectations },
    Section { id: "plots", title: "Plots", body: plots },
    Section { id: "analysis", title: "Analysis", body: analyses },
    Section { id: "marks", title: "What the numbers in the plots mean", body: numbers },
    Section { id: "timeline", title: "Timeline", body: timeline },
    Section { id: "end", title: "State at the end", body: end },
];

/// The page.
pub fn html(recording: &Recording) -> String {
    let parts: Vec<(&Section, String)> =
        SECTIONS.iter().map(|section| (section, (section.body)(recording))).filter(|(_, body)| !body.is_empty()).collect();
    let links: String = parts.iter().map(|(section, _)| format!("<li><a href=\"#{}\">{}</a></li>", section.id, section.title)).collect();
    let bodies: String = parts
        .iter()
        .map(|(Section { id, title, .. }, body)| {
            format!("<section aria-labelledby=\"{id}\">\n<h2 id=\"{id}\">{title}</h2>\n{body}</section>\n")
        })
        .collect();
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>{world} – a simulated release</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<header>\n<h1>{world}</h1>\n{head}\
         <nav aria-label=\"Sections\"><ul>{links}</ul></nav>\n</header>\n<main>\n{bodies}</main>\n</body>\n</html>\n",
        world = escape(&recording.world),
        head = head(recording),
    )
}

fn head(recording: &Recording) -> String {
    let (seed, Ended { elapsed, ending, .. }) = (recording.seed, &recording.end);
    let mut html = format!(
        "<p>A release, played in a simulated cluster with seed {seed}. It ended after {}: {}. All times are virtual, since the start.</p>\n",
        clock(*elapsed),
        escape(ending)
    );
    if !recording.end.verdicts.is_empty() || recording.end.unjudged > 0 {
        let _infallible = writeln!(html, "<p>{}</p>", verdict_count(recording));
    }
    for warning in &recording.warnings {
        let _infallible = writeln!(html, "<p class=\"warning\">warning: {}</p>", escape(warning));
    }
    html
}

fn verdict_count(recording: &Recording) -> String {
    let (all, met) = (recording.end.verdicts.len(), recording.end.verdicts.iter().filter(|verdict| verdict.is_met()).count());
    let class = if met == all { "met" } else { "unmet" };
    let rest = if recording.end.unjudged == 0 {
        String::new()
    } else {
        format!("; not judged: {}, the simulation ended before their time", recording.end.unjudged)
    };
    format!("<span class=\"{class}\">{met} of {} met</span>{rest}.", counted(all, "expectation", "expectations"))
}

fn mistakes(recording: &Recording) -> String {
    if recording.end.mistakes.is_empty() {
        return String::new();
    }
    let items: String = recording.end.mistakes.iter().map(|mistake| format!("<li class=\"warning\">{}</li>\n", escape(mistake))).collect();
    format!("<ul>\n{items}</ul>\n")
}

fn expectations(recording: &Recording) -> String {
    if recording.end.verdicts.is_empty() {
        return String::new();
    }
    let rows: String = recording.end.verdicts.iter().map(verdict).collect();
    table("expectations", "", "Expectations", &["verdict", "when", "object", "expected", "found", "written in"], &rows)
}

fn verdict(verdict: &Verdict) -> String {
    let when = if verdict.at_end { "at the end".to_owned() } else { clock(verdict.at) };
    let (class, word, found) = match &verdict.outcome {
        Outcome::Met => ("met", "met", String::new()),
        Outcome::Unmet(found) => ("unmet", "NOT MET", escape(found)),
    };
    format!(
        "<tr><td class=\"{class}\">{word}</td><td>{when}</td><td>{}</td><td><code>{}</code></td><td>{found}</td><td>{}</td></tr>\n",
        escape(&verdict.object),
        escape(&verdict.that),
        escape(&verdict.place.to_string())
    )
}

fn plots(recording: &Recording) -> String {
    let marks = marks(recording);
    let mut html = truth(recording).to_owned();
    for (index, subject) in subjects(recording).iter().enumerate() {
        html.push_str(&of_subject(recording, subject, &marks, index + 1));
    }
    let markers: Vec<Marker> = marks.iter().map(|mark| Marker { at: mark.at, number: mark.number, what: texts(mark) }).collect();
    if let Some(plot) = everything(recording, &markers) {
        let _infallible = writeln!(html, "<h3>All of the traffic</h3>\n<div class=\"plots\">\n{}</div>", plot.html());
    }
    html
}

fn texts(mark: &Mark) -> Vec<String> {
    shortened(mark.what.iter().map(|(_, text)| text.clone()).collect())
}

/// Where figures of requests come from, or why there are none.
fn truth(recording: &Recording) -> &'static str {
    if recording.requests.is_some() {
        "<p>Requests are counted as they really went in the simulation, not as metrics report them: nothing of these figures depends on scrapes, \
         and a fault of the metrics backend does not show in them. Copies that a route mirrors to pods count there. \
         A line breaks where a version got no request.</p>\n"
    } else {
        "<p>This world has no traffic, so there are no requests to show: their shares, errors and latencies are plotted when the field \
         <code>spec.traffic</code> of the World says what clients ask for.</p>\n"
    }
}

/// Every deployment that has weights or pods; pods that belong to none only if they got requests.
fn subjects(recording: &Recording) -> BTreeSet<Subject> {
    let requests = recording.requests.iter().flat_map(|bins| bins.all()).flat_map(|bin| bin.groups.keys()).map(|group| &group.subject);
    let weights = recording.weights.keys().map(|group| &group.subject);
    let workloads = recording.replicas.keys().map(|workload| &workload.subject).filter(|subject| !subject.deployment.is_empty());
    requests.chain(weights).chain(workloads).cloned().collect()
}

fn of_subject(recording: &Recording, subject: &Subject, marks: &[Mark], number: usize) -> String {
    let markers = of(marks, subject);
    let subjects = Subjects::new(recording, subject, &markers, format!("plot-{number}"));
    let figures: String = subjects.all().iter().map(Plot::html).collect();
    let no_requests = if recording.requests.is_some() && !subjects.has_requests() { "<p>No request reached its pods.</p>\n" } else { "" };
    format!("<h3>{}</h3>\n{no_requests}<div class=\"plots\">\n{figures}</div>\n", escape(&name(subject)))
}

/// How revisions were judged by their numbers.
fn analyses(recording: &Recording) -> String {
    let marks = marks(recording);
    let one = |(number, subject): (usize, &Subject)| {
        let markers = of(&marks, subject);
        let plots = analysis::plots(recording, subject, &markers, &format!("analysis-{}", number + 1));
        let figures: String = plots.iter().map(Plot::html).collect();
        let (rows, more) = analysis::rows(recording, subject);
        let name = name(subject);
        let table = table("verdicts", "", &format!("Verdicts on {name}"), &analysis::HEADINGS, &rows);
        format!("<h3>{}</h3>\n{table}{more}<div class=\"plots\">\n{figures}</div>\n", escape(&name))
    };
    let bodies: String = analysis::subjects(recording).into_iter().enumerate().map(one).collect();
    let about =
        "<p>What the operator measured and decided, as the status of the deployments said it: these figures come from metrics.</p>\n";
    if bodies.is_empty() { bodies } else { format!("{about}{bodies}") }
}

fn name(subject: &Subject) -> String {
    let Subject { namespace, deployment } = subject;
    match (namespace.as_str(), deployment.as_str()) {
        (_, "") => format!("Other pods in namespace {namespace}"),
        ("default", _) => deployment.clone(),
        _ => format!("{namespace}/{deployment}"),
    }
}

fn numbers(recording: &Recording) -> String {
    let mut html = String::new();
    for mark in marks(recording) {
        let told: Vec<String> = texts(&mark).iter().map(|text| escape(text)).collect();
        let _infallible =
            writeln!(html, "<li><b>{}</b><span class=\"time\">{}</span><div>{}</div></li>", mark.number, clock(mark.at), told.join("<br>"));
    }
    if html.is_empty() { html } else { format!("<ul class=\"marks\">\n{html}</ul>\n") }
}

fn timeline(recording: &Recording) -> String {
    let rows: String = recording.lines.iter().map(|line| line_row(line, recording)).collect();
    let more = match recording.lines_left_out {
        0 => String::new(),
        count => format!("<p>{} left out here: the command prints all of them.</p>\n", counted(count, "later line is", "later lines are")),
    };
    let table = table("lines", "timeline", "Timeline", &["time", "object", "what", "why", "by"], &rows);
    table + &more
}

fn line_row(line: &Line, recording: &Recording) -> String {
    let class = if line.warning { "told warning" } else { "told" };
    let more = if line.repetitions_left_out { " (repetitions are left out)" } else { "" };
    format!(
        "<tr><td class=\"time\">{}</td><td>{}</td><td class=\"{class}\">{}{more}</td><td>{}</td><td>{}</td></tr>\n",
        clock(line.at),
        escape(&line.shown_object()),
        escape(&line.what),
        escape(&line.why_since(recording.start)),
        escape(&line.by)
    )
}

fn end(recording: &Recording) -> String {
    recording.end.rows.chunk_by(|one, other| one.resource == other.resource).map(of_kind).collect()
}

fn of_kind(rows: &[Row]) -> String {
    let resource = &rows[0].resource;
    let headings: Vec<&str> = ["namespace", "name"].into_iter().chain(rows[0].columns.iter().map(|(name, _)| name.as_str())).collect();
    let row = |row: &Row| {
        let cells: String = row.columns.iter().map(|(_, value)| format!("<td>{}</td>", escape(&end_state::show(value)))).collect();
        let namespace = if row.namespace.is_empty() { ABSENT.to_owned() } else { escape(&row.namespace) };
        format!("<tr><td>{namespace}</td><th scope=\"row\">{}</th>{cells}</tr>\n", escape(&row.name))
    };
    let body: String = rows.iter().map(row).collect();
    format!("<h3>{}</h3>\n{}", escape(resource), table("state", "", resource, &headings, &body))
}

fn table(kind: &str, class: &str, caption: &str, headings: &[&str], rows: &str) -> String {
    let heads: String = headings.iter().map(|heading| format!("<th scope=\"col\">{}</th>", escape(heading))).collect();
    let caption = escape(caption);
    format!(
        "<div class=\"wide\" tabindex=\"0\" role=\"group\" aria-label=\"{caption}\">\n<table class=\"{kind} {class}\"><caption class=\"hidden\">{caption}</caption>\n\
         <thead><tr>{heads}</tr></thead>\n<tbody>\n{rows}</tbody></table>\n</div>\n"
    )
}

#[cfg(test)]
pub(super) mod tests;
