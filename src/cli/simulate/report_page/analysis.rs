//! How revisions were judged: what was measured, the difference to the stable one with its interval, and the verdicts.
//!
//! Takes recorded judgements; gives plots and table rows. Pure.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::data::{Estimate, Judged, Judgement, Reading, Recording, Standing, Subject};
use super::plot::{COLOURS, Marker, Plot, Point, Series, Shape};
use super::text::{ABSENT, Unit, counted, escape};
use crate::cli::simulate::line::clock;

/// Headings of the rows of [`rows`].
pub const HEADINGS: [&str; 10] =
    ["time", "revision", "metric", "verdict", "at weight", "requests", "last value", "difference to stable", "p value", "message"];

/// Every deployment that was judged.
pub fn subjects(recording: &Recording) -> BTreeSet<&Subject> {
    recording.judgements.keys().map(|judged| &judged.subject).collect()
}

/// The plots of a deployment: of each metric what was measured, and what the comparison shows if there is one.
pub fn plots<'a>(recording: &Recording, subject: &Subject, markers: &'a [Marker], id: &str) -> Vec<Plot<'a>> {
    let metrics: BTreeSet<&str> =
        recording.judgements.keys().filter(|judged| judged.subject == *subject).map(|judged| judged.metric.as_str()).collect();
    let of = |(number, metric): (usize, &str)| {
        let judged: Vec<(&Judged, &Judgement)> =
            recording.judgements.iter().filter(|(judged, _)| judged.subject == *subject && judged.metric == metric).collect();
        let plot = |name: &str, title: String, about: &str, series| Plot {
            id: format!("{id}-{name}-{number}"),
            title,
            about: about.to_owned(),
            unit: Unit::Plain,
            least: 0.0,
            lasts: recording.end.elapsed,
            series,
            markers,
        };
        [
            plot(
                "measured",
                format!("{metric}, as measured"),
                "What the operator measured, in the unit of the metric, and the bounds.",
                measured(recording, &judged),
            ),
            plot(
                "difference",
                format!("{metric}, difference to stable"),
                "The judged revision less the stable one, by all measurements so far, with the interval that holds at every look.",
                difference(recording, &judged),
            ),
        ]
    };
    metrics.into_iter().enumerate().flat_map(of).filter(|plot| !plot.series.is_empty()).collect()
}

fn measured(recording: &Recording, judged: &[(&Judged, &Judgement)]) -> Vec<Series> {
    let mut all = Vec::new();
    for (number, (judged, judgement)) in judged.iter().enumerate() {
        let revision = name(recording, judged);
        let one = |what: &str, colour, shape, value: fn(&Reading) -> Option<f64>| {
            series(format!("{revision}{what}"), colour, shape, judgement, value)
        };
        let colour = colour(recording, judged, number);
        all.extend(one("", colour, Shape::Line, |reading| reading.value));
        all.extend(one(", stable meanwhile", COLOURS - 1, Shape::Line, |reading| reading.stable));
        all.extend(one(", max", colour, Shape::Asked, |reading| reading.bounds[1]));
        all.extend(one(", min", colour, Shape::Asked, |reading| reading.bounds[0]));
    }
    all
}

fn difference(recording: &Recording, judged: &[(&Judged, &Judgement)]) -> Vec<Series> {
    let mut all = Vec::new();
    for (number, (judged, judgement)) in judged.iter().enumerate() {
        let colour = colour(recording, judged, number);
        let revision = name(recording, judged);
        let one =
            |what: &str, shape, value: fn(&Reading) -> Option<f64>| series(format!("{revision}{what}"), colour, shape, judgement, value);
        all.extend(one("", Shape::Line, |reading| reading.effect.value));
        all.extend(one(", at least", Shape::Asked, |reading| reading.effect.low));
        all.extend(one(", at most", Shape::Asked, |reading| reading.effect.high));
    }
    all
}

/// A line of measurements; none if nothing was measured.
fn series(name: String, colour: usize, shape: Shape, judgement: &Judgement, value: fn(&Reading) -> Option<f64>) -> Option<Series> {
    let points: Vec<Point> =
        judgement.readings.iter().map(|reading| Point { from: reading.from, to: reading.to, value: value(reading) }).collect();
    points.iter().any(|point| point.value.is_some()).then_some(Series { name, colour, shape, points })
}

/// The colour that the version has in the other plots; revisions of one version after the first have others.
fn colour(recording: &Recording, judged: &Judged, number: usize) -> usize {
    let own = || recording.replicas.keys().filter(|workload| workload.subject == judged.subject);
    let versions: BTreeSet<&str> = own().map(|workload| workload.version.as_str()).collect();
    let workload = own().find(|workload| workload.revision == judged.revision);
    let first =
        |version: &str| own().find(|workload| workload.version == version).map(|workload| &workload.revision) == Some(&judged.revision);
    let version = workload.map(|workload| workload.version.as_str()).filter(|version| first(version));
    version.and_then(|version| versions.iter().position(|other| *other == version)).unwrap_or(versions.len() + number)
}

/// The version of a revision, or else its name.
fn name(recording: &Recording, judged: &Judged) -> String {
    let workload =
        recording.replicas.keys().find(|workload| (&workload.subject, &workload.revision) == (&judged.subject, &judged.revision));
    match workload.map(|workload| workload.version.as_str()).filter(|version| !version.is_empty()) {
        Some(version) => format!("{version} ({})", judged.revision),
        None => judged.revision.clone(),
    }
}

/// Rows of a table with [`HEADINGS`]: each change of how a metric of a deployment stood, in order of time; and how many are left out.
pub fn rows(recording: &Recording, subject: &Subject) -> (String, String) {
    let judgements = recording.judgements.iter().filter(|(judged, _)| judged.subject == *subject);
    let mut all: Vec<(&Judged, &Standing)> =
        judgements.clone().flat_map(|(judged, judgement)| judgement.standings.iter().map(move |standing| (judged, standing))).collect();
    all.sort_by_key(|(_, standing)| standing.at);
    let mut html = String::new();
    for (judged, standing) in all {
        let class = if standing.phase == "Failed" { "unmet" } else { "" };
        let p_value = match (standing.p_value, standing.alpha) {
            (Some(p_value), Some(alpha)) => format!("{} (fails at {})", plain(Some(p_value)), plain(Some(alpha))),
            (p_value, _) => plain(p_value),
        };
        let requests =
            standing.stable_samples.map_or_else(|| standing.samples.to_string(), |stable| format!("{}, stable {stable}", standing.samples));
        let _infallible = writeln!(
            html,
            "<tr><td class=\"time\">{}</td><td>{}</td><td>{}</td><td class=\"{class}\">{}</td><td>{} %</td><td>{requests}</td><td>{}</td><td>{}</td><td>{p_value}</td><td>{}</td></tr>",
            clock(standing.at),
            escape(&name(recording, judged)),
            escape(&judged.metric),
            escape(&standing.phase),
            standing.weight,
            plain(standing.value),
            interval(standing.effect),
            escape(&standing.message)
        );
    }
    let more = match judgements.map(|(_, judgement)| judgement.standings_left_out).sum() {
        0 => String::new(),
        count => format!("<p>{} left out.</p>\n", counted(count, "later change is", "later changes are")),
    };
    (html, more)
}

fn plain(value: Option<f64>) -> String {
    escape(&Unit::Plain.show(value))
}

fn interval(estimate: Estimate) -> String {
    match estimate {
        Estimate { value: None, low: None, high: None } => ABSENT.to_owned(),
        Estimate { value, low, high } => format!("{} ({} to {})", plain(value), plain(low), plain(high)),
    }
}
