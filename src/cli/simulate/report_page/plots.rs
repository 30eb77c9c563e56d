//! The plots of one deployment, made of what was recorded.
//!
//! Takes intervals of requests, weights and numbers of pods; gives [`Plot`]s. An interval in which a version got no request is
//! a gap in its lines, not a zero. Pure.

use std::collections::BTreeSet;

use jiff::SignedDuration;

use super::data::{Bin, Changes, Counts, Group, Recording, Replicas, Subject, Workload};
use super::plot::{Marker, Plot, Point, Series, Shape};
use super::text::Unit;
use crate::cli::simulate::line::clock;
use crate::sim::traffic::truth::duration_bounds;

/// Most intervals of shares and rates.
const FINE: usize = 240;
/// Most intervals of errors and latencies: they need many requests each to say something.
const COARSE: usize = 60;
/// Requests that an interval must have for a 95th percentile.
const QUANTILE_LEAST: u64 = 20;

/// One deployment in a recording.
pub struct Subjects<'a> {
    recording: &'a Recording,
    subject: &'a Subject,
    markers: &'a [Marker],
    id: String,
    versions: Vec<String>,
    fine: Vec<Bin>,
    coarse: Vec<Bin>,
}

impl<'a> Subjects<'a> {
    /// `id` is unique on the page.
    pub fn new(recording: &'a Recording, subject: &'a Subject, markers: &'a [Marker], id: String) -> Self {
        let at_most = |count| recording.requests.as_ref().map(|bins| bins.at_most(count)).unwrap_or_default();
        let (fine, coarse) = (at_most(FINE), at_most(COARSE));
        let groups = fine.iter().flat_map(|bin| bin.groups.keys()).chain(recording.weights.keys());
        let own = groups.filter(|group| group.subject == *subject).map(|group| group.version.clone());
        let workloads = recording.replicas.keys().filter(|workload| workload.subject == *subject);
        let versions: BTreeSet<String> = own.chain(workloads.map(|workload| workload.version.clone())).collect();
        Self { recording, subject, markers, id, versions: versions.into_iter().collect(), fine, coarse }
    }

    /// Requests reached its pods at some time.
    pub fn has_requests(&self) -> bool {
        self.fine.iter().any(|bin| bin.groups.keys().any(|group| group.subject == *self.subject))
    }

    /// All plots that have something to show.
    pub fn all(&self) -> Vec<Plot<'a>> {
        let requests = if self.has_requests() { vec![self.rate(), self.errors(), self.latency()] } else { Vec::new() };
        let all = std::iter::once(self.share()).chain(requests).chain([self.replicas()]);
        all.filter(|plot| !plot.series.is_empty()).collect()
    }

    fn plot(&self, name: &str, title: &str, about: String, unit: Unit, least: f64, series: Vec<Series>) -> Plot<'a> {
        let (id, lasts) = (format!("{}-{name}", self.id), self.recording.end.elapsed);
        Plot { id, title: title.to_owned(), about, unit, least, lasts, series, markers: self.markers }
    }

    fn share(&self) -> Plot<'a> {
        let asked = self.versions.iter().enumerate().filter_map(|(colour, version)| {
            let points = self.held(self.recording.weights.get(&self.group(version))?);
            Some(Series { name: format!("{}, weight", shown(version)), colour, shape: Shape::Asked, points })
        });
        let measured = self.lines(&self.fine, |bin, counts| {
            let all: u64 = bin.groups.iter().filter(|(group, _)| group.subject == *self.subject).map(|(_, counts)| counts.arrived).sum();
            (counts.arrived > 0).then(|| 100.0 * counts.arrived as f64 / all as f64)
        });
        let (title, about) = if self.has_requests() {
            (
                "Traffic share",
                format!(
                    "Of the requests that reached its pods, how many reached each version, every {}; and the weight that the version was to have.",
                    width(&self.fine)
                ),
            )
        } else {
            ("Weight", "The weight that each version was to have.".to_owned())
        };
        self.plot("share", title, about, Unit::Percent, 100.0, measured.into_iter().chain(asked).collect())
    }

    fn rate(&self) -> Plot<'a> {
        let series = self.lines(&self.fine, |bin, counts| (counts.arrived > 0).then(|| counts.arrived as f64 / bin.seconds()));
        let about = format!("Requests that reached the pods of each version, every {}.", width(&self.fine));
        self.plot("rate", "Requests per second", about, Unit::PerSecond, 1.0, series)
    }

    fn errors(&self) -> Plot<'a> {
        let series = self.lines(&self.coarse, |_, counts| {
            let ended = counts.ended();
            (ended > 0).then(|| 100.0 * counts.errors as f64 / ended as f64)
        });
        let about = format!(
            "Of the requests that ended at its pods, how many got an error, were refused, given up or cut off, every {}.",
            width(&self.coarse)
        );
        self.plot("errors", "Error rate", about, Unit::Percent, 1.0, series)
    }

    fn latency(&self) -> Plot<'a> {
        let series = self.lines(&self.coarse, |_, counts| quantile(&counts.durations, duration_bounds(), 0.95));
        let about = format!(
            "95 of 100 requests took at most so long, every {}; refusals are left out, and so are intervals with fewer than {QUANTILE_LEAST} requests. \
             Estimated within the bounds in which the simulation counts durations.",
            width(&self.coarse)
        );
        self.plot("latency", "Latency, 95th percentile", about, Unit::Seconds, 0.0, series)
    }

    fn replicas(&self) -> Plot<'a> {
        let mut own: Vec<(&Workload, &Replicas)> =
            self.recording.replicas.iter().filter(|(workload, _)| workload.subject == *self.subject).collect();
        own.sort_by_key(|(workload, _)| &workload.version);
        let mut series = Vec::new();
        for (index, (workload, replicas)) in own.iter().enumerate() {
            let first = own.iter().position(|(other, _)| other.version == workload.version) == Some(index);
            let version = self.versions.iter().position(|version| *version == workload.version).filter(|_| first);
            let colour = version.unwrap_or(self.versions.len() + index);
            let name = if workload.version.is_empty() {
                workload.revision.clone()
            } else {
                format!("{} ({})", workload.version, workload.revision)
            };
            let one = |what: &str, shape, changes| Series { name: format!("{name}, {what}"), colour, shape, points: self.held(changes) };
            series.push(one("asked", Shape::Asked, &replicas.asked));
            series.push(one("ready", Shape::Steps, &replicas.ready));
        }
        self.plot("replicas", "Pods", "Pods of each revision: asked for, and ready.".to_owned(), Unit::Count, 1.0, series)
    }

    fn group(&self, version: &str) -> Group {
        Group { subject: self.subject.clone(), version: version.to_owned() }
    }

    /// One line per version that ever got a request.
    fn lines(&self, bins: &[Bin], value: impl Fn(&Bin, &Counts) -> Option<f64>) -> Vec<Series> {
        let line = |(colour, version): (usize, &String)| {
            let group = self.group(version);
            let point =
                |bin: &Bin| Point { from: bin.from, to: bin.to, value: bin.groups.get(&group).and_then(|counts| value(bin, counts)) };
            let seen = bins.iter().any(|bin| bin.groups.contains_key(&group));
            seen.then(|| Series { name: shown(version), colour, shape: Shape::Line, points: bins.iter().map(point).collect() })
        };
        self.versions.iter().enumerate().filter_map(line).collect()
    }

    /// Changes as points: each until the next one, the last until the end.
    fn held(&self, changes: &Changes) -> Vec<Point> {
        let changes = changes.all();
        let ends = changes.iter().skip(1).map(|(at, _)| *at).chain([self.recording.end.elapsed]);
        changes.iter().zip(ends).map(|((from, value), to)| Point { from: *from, to, value: *value }).collect()
    }
}

/// All requests, and those that reached no pod.
pub fn everything<'a>(recording: &Recording, markers: &'a [Marker]) -> Option<Plot<'a>> {
    let bins = recording.requests.as_ref()?.at_most(FINE);
    let series = |name: &str, colour, count: fn(&Bin) -> u64| {
        let value = |bin: &Bin| (bin.seconds() > 0.0).then(|| count(bin) as f64 / bin.seconds());
        let points = bins.iter().map(|bin| Point { from: bin.from, to: bin.to, value: value(bin) }).collect();
        Series { name: name.to_owned(), colour, shape: Shape::Line, points }
    };
    let both = vec![series("sent", 0, |bin| bin.sent), series("reached no pod", 1, |bin| bin.unserved)];
    let about = format!(
        "Requests that clients sent, every {}; and those among them that no route took, or that found no backend or no ready pod.",
        width(&bins)
    );
    Some(Plot {
        id: "all-requests".to_owned(),
        title: "All requests per second".to_owned(),
        about,
        unit: Unit::PerSecond,
        least: 1.0,
        lasts: recording.end.elapsed,
        series: both,
        markers,
    })
}

fn shown(version: &str) -> String {
    if version.is_empty() { "no version".to_owned() } else { version.to_owned() }
}

fn width(bins: &[Bin]) -> String {
    clock(bins.first().map_or(SignedDuration::ZERO, |bin| bin.to - bin.from))
}

/// A quantile of counted durations, in seconds; none of too few. Within a cell durations are taken to be spread evenly over
/// the orders of magnitude; beyond the last bound they are taken to be there.
fn quantile(cells: &[u64], bounds: &[f64], share: f64) -> Option<f64> {
    let all: u64 = cells.iter().sum();
    if all < QUANTILE_LEAST {
        return None;
    }
    let wanted = share * all as f64;
    let mut below = 0.0;
    for (index, count) in cells.iter().map(|count| *count as f64).enumerate() {
        if count > 0.0 && below + count >= wanted {
            let Some(end) = bounds.get(index) else { return bounds.last().copied() };
            let part = (wanted - below) / count;
            return Some(match index.checked_sub(1).and_then(|before| bounds.get(before)) {
                Some(begin) => begin * (end / begin).powf(part),
                None => end * part,
            });
        }
        below += count;
    }
    None
}

#[cfg(test)]
mod tests;
