//! What was recorded of a play: all that a page is made of.
//!
//! Plain data, bounded in size however long the play was: intervals are joined, and changes that follow each other closely
//! are left out, when there are too many. Knows nothing of how it is shown.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use crate::cli::simulate::end_state::Row;
use crate::cli::simulate::line::Line;
use crate::sim::world::play::Verdict;

/// So many intervals are too many: some of them are joined. A multiple of each of [`JOINED`].
pub const BINS_MAX: usize = 480;
/// How many become one, in turn: 5, 10, 20 seconds, then 1, 2, 4 minutes, and so on.
const JOINED: [usize; 3] = [2, 2, 3];
/// Lengths of intervals that are easily read, in seconds.
const LENGTHS: [i64; 14] = [5, 10, 20, 30, 60, 120, 240, 300, 600, 720, 900, 1200, 1800, 3600];
/// Most changes of one value that are kept.
pub const CHANGES_MAX: usize = 600;
/// Most changes of how a metric stands that are kept.
pub const STANDINGS_MAX: usize = 200;
/// The shortest moment of which only the last change is kept, once there are too many.
const RESOLUTION: SignedDuration = SignedDuration::from_secs(1);
/// Most lines of the timeline that are kept.
pub const LINES_MAX: usize = 5000;

/// A play from its start to its end.
#[derive(Clone, Debug)]
pub struct Recording {
    /// Name of the world.
    pub world: String,
    /// All chance came from this.
    pub seed: u64,
    /// The virtual date at which time began.
    pub start: Timestamp,
    /// How it ended.
    pub end: Ended,
    /// The timeline, at most [`LINES_MAX`].
    pub lines: Vec<Line>,
    /// Lines that were not kept.
    pub lines_left_out: usize,
    /// What the API server warned the user of.
    pub warnings: Vec<String>,
    /// Requests; none: the world has no traffic.
    pub requests: Option<Bins>,
    /// The weights that versions were asked to have, in percent.
    pub weights: BTreeMap<Group, Changes>,
    /// The pods of workloads.
    pub replicas: BTreeMap<Workload, Replicas>,
    /// How revisions were judged by their numbers.
    pub judgements: BTreeMap<Judged, Judgement>,
}

/// The end of a play.
#[derive(Clone, Debug, Default)]
pub struct Ended {
    /// How long it took.
    pub elapsed: SignedDuration,
    /// Why it ended.
    pub ending: String,
    /// The objects that there are.
    pub rows: Vec<Row>,
    /// What became of the expectations.
    pub verdicts: Vec<Verdict>,
    /// Expectations whose time did not come.
    pub unjudged: usize,
    /// What is wrong with the world itself.
    pub mistakes: Vec<String>,
}

/// A deployment, by what its pods are labelled with.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Subject {
    /// Namespace.
    pub namespace: String,
    /// Name; empty: pods that belong to none.
    pub deployment: String,
}

/// A version of a deployment.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Group {
    /// The deployment.
    pub subject: Subject,
    /// Its version; empty: pods that have none.
    pub version: String,
}

/// The workload of a revision.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Workload {
    /// The deployment.
    pub subject: Subject,
    /// Name of the revision, or of the workload where it has none.
    pub revision: String,
    /// The version that it serves.
    pub version: String,
}

/// A metric by which a revision is judged.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Judged {
    /// The deployment.
    pub subject: Subject,
    /// Name of the metric.
    pub metric: String,
    /// Name of the revision.
    pub revision: String,
}

/// What was measured of a metric and how it stood.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Judgement {
    /// Measurements, in order; in long plays only some of them.
    pub readings: Vec<Reading>,
    /// How it stood, each time that this changed; at most [`STANDINGS_MAX`].
    pub standings: Vec<Standing>,
    /// Changes that were not kept.
    pub standings_left_out: usize,
}

/// A figure with its interval; an end is absent where nothing bounds it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Estimate {
    /// The figure.
    pub value: Option<f64>,
    /// Lower end.
    pub low: Option<f64>,
    /// Upper end.
    pub high: Option<f64>,
}

/// One measurement.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    /// Begin, since the start.
    pub from: SignedDuration,
    /// End, since the start.
    pub to: SignedDuration,
    /// Of the judged revision.
    pub value: Option<f64>,
    /// Of the stable one.
    pub stable: Option<f64>,
    /// Least and greatest value that is good.
    pub bounds: [Option<f64>; 2],
    /// Judged less stable, by all measurements so far.
    pub effect: Estimate,
}

/// How a metric stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Standing {
    /// Since the start.
    pub at: SignedDuration,
    /// In one word.
    pub phase: String,
    /// Percent of the traffic that the revision has.
    pub weight: i64,
    /// Requests of the judged revision at that weight.
    pub samples: i64,
    /// Requests of the stable revision meanwhile.
    pub stable_samples: Option<i64>,
    /// The last value.
    pub value: Option<f64>,
    /// Judged less stable.
    pub effect: Estimate,
    /// Always-valid p value.
    pub p_value: Option<f64>,
    /// What it is held against.
    pub alpha: Option<f64>,
    /// What is wrong or missing.
    pub message: String,
}

impl Judgement {
    /// Adds a measurement; leaves every other one out when there are too many.
    pub fn measured(&mut self, reading: Reading) {
        self.readings.push(reading);
        if self.readings.len() > CHANGES_MAX {
            let later = |pair: &[Reading]| pair.last().map(|last| Reading { from: pair[0].from, ..last.clone() });
            self.readings = self.readings.chunks(2).filter_map(later).collect();
        }
    }

    /// Adds how it stands, if its phase or its weight is another than before.
    pub fn stands(&mut self, standing: Standing) {
        if self.standings.last().is_some_and(|last| (&last.phase, last.weight) == (&standing.phase, standing.weight)) {
            return;
        }
        if self.standings.len() < STANDINGS_MAX { self.standings.push(standing) } else { self.standings_left_out += 1 }
    }
}

/// How many pods a workload has.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Replicas {
    /// Asked for.
    pub asked: Changes,
    /// Ready.
    pub ready: Changes,
}

/// What became of requests in an interval.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Those that arrived.
    pub arrived: u64,
    /// Those that got a good answer.
    pub answered: u64,
    /// Those that ended otherwise: answered with an error, refused, given up, cut off.
    pub errors: u64,
    /// By how long they took, in the cells of [`crate::sim::traffic::truth::duration_bounds`].
    pub durations: Vec<u64>,
}

impl Counts {
    /// Those that have ended.
    pub fn ended(&self) -> u64 {
        self.answered + self.errors
    }

    /// What came to `before` since then.
    #[must_use]
    pub fn since(&self, before: &Self) -> Self {
        let cells = self.durations.iter().enumerate();
        Self {
            arrived: self.arrived - before.arrived,
            answered: self.answered - before.answered,
            errors: self.errors - before.errors,
            durations: cells.map(|(index, cell)| cell - before.durations.get(index).copied().unwrap_or(0)).collect(),
        }
    }

    /// Adds others.
    pub fn add(&mut self, other: &Self) {
        self.arrived += other.arrived;
        self.answered += other.answered;
        self.errors += other.errors;
        if self.durations.len() < other.durations.len() {
            self.durations.resize(other.durations.len(), 0);
        }
        for (cell, count) in self.durations.iter_mut().zip(&other.durations) {
            *cell += count;
        }
    }
}

/// Requests of an interval.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bin {
    /// Begin, since the start.
    pub from: SignedDuration,
    /// End, since the start.
    pub to: SignedDuration,
    /// All that clients sent.
    pub sent: u64,
    /// Of them, those that reached no pod.
    pub unserved: u64,
    /// Those that reached pods, by version; versions without any are left out.
    pub groups: BTreeMap<Group, Counts>,
}

impl Bin {
    /// Length in seconds.
    pub fn seconds(&self) -> f64 {
        (self.to - self.from).as_secs_f64()
    }

    /// Two neighbours as one.
    fn join(&mut self, next: &Self) {
        self.to = next.to;
        self.sent += next.sent;
        self.unserved += next.unserved;
        for (group, counts) in &next.groups {
            self.groups.entry(group.clone()).or_default().add(counts);
        }
    }
}

/// Intervals that follow each other without a gap. All but the last are equally long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bins {
    width: SignedDuration,
    /// How often some were joined.
    joins: usize,
    bins: Vec<Bin>,
}

impl Bins {
    /// None yet; the first ones are to be `width` long.
    pub fn new(width: SignedDuration) -> Self {
        Self { width, joins: 0, bins: Vec::new() }
    }

    /// All of them, in order.
    pub fn all(&self) -> &[Bin] {
        &self.bins
    }

    /// When the next one is to end: at a multiple of the present width.
    pub fn next_end(&self) -> SignedDuration {
        let last = self.bins.last().map_or(SignedDuration::ZERO, |bin| bin.to);
        let done = last.as_millis() / self.width.as_millis().max(1);
        self.width * i32::try_from(done + 1).unwrap_or(i32::MAX)
    }

    /// Adds the next one; joins some when there are too many.
    pub fn push(&mut self, bin: Bin) {
        self.bins.push(bin);
        if self.bins.len() == BINS_MAX {
            let size = JOINED[self.joins % JOINED.len()];
            self.width *= i32::try_from(size).unwrap_or(1);
            self.bins = joined(&self.bins, size);
            self.joins += 1;
        }
    }

    /// At most so many, joined from these; if possible of a length that is easily read.
    pub fn at_most(&self, count: usize) -> Vec<Bin> {
        let least = self.bins.len().div_ceil(count.max(1)).max(1);
        let is_round = |size: &usize| i64::try_from(*size).is_ok_and(|size| LENGTHS.contains(&(self.width.as_secs() * size)));
        let size = (least..=least * 2).find(is_round).unwrap_or(least);
        joined(&self.bins, size)
    }
}

fn joined(bins: &[Bin], size: usize) -> Vec<Bin> {
    let join = |chunk: &[Bin]| {
        let mut whole = chunk[0].clone();
        chunk[1..].iter().for_each(|bin| whole.join(bin));
        whole
    };
    bins.chunks(size).map(join).collect()
}

/// A value that stays until it changes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Changes {
    /// Length of a moment; zero as long as there is room for every change.
    resolution: SignedDuration,
    changes: Vec<(SignedDuration, Option<f64>)>,
}

impl Changes {
    /// All changes in order: since the start, and the value from then on; none: there is none.
    pub fn all(&self) -> &[(SignedDuration, Option<f64>)] {
        &self.changes
    }

    /// The value from `at` on, which is not before the last change.
    pub fn set(&mut self, at: SignedDuration, value: Option<f64>) {
        self.push((at, value));
        while self.changes.len() > CHANGES_MAX {
            self.resolution = (self.resolution * 2).max(RESOLUTION);
            for change in std::mem::take(&mut self.changes) {
                self.push(change);
            }
        }
    }

    /// Adds a change, unless it changes nothing. The last change of each moment counts: what came and went within one is forgotten.
    fn push(&mut self, change: (SignedDuration, Option<f64>)) {
        let moment = |at: SignedDuration| at.as_millis().checked_div(self.resolution.as_millis());
        if self.changes.last().is_some_and(|last| moment(last.0).is_some_and(|moment_of_last| moment(change.0) == Some(moment_of_last))) {
            self.changes.pop();
        }
        if self.changes.last().and_then(|last| last.1) != change.1 {
            self.changes.push(change);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> SignedDuration {
        SignedDuration::from_secs(seconds)
    }

    fn group(version: &str) -> Group {
        let subject = Subject { namespace: "default".to_owned(), deployment: "chat".to_owned() };
        Group { subject, version: version.to_owned() }
    }

    fn bin(from: i64, to: i64, version: &str) -> Bin {
        let counts = Counts { arrived: 3, answered: 2, errors: 1, durations: vec![1, 2] };
        Bin { from: at(from), to: at(to), sent: 4, unserved: 1, groups: BTreeMap::from([(group(version), counts)]) }
    }

    #[test]
    fn a_day_of_intervals_is_joined_and_nothing_is_lost() {
        let mut bins = Bins::new(at(5));
        let mut from = 0;
        let mut pushed = 0;
        while from < 86400 {
            let to = bins.next_end().as_secs();
            assert!(to > from, "{to} after {from}");
            bins.push(bin(from, to, if pushed % 2 == 0 { "1" } else { "2" }));
            (from, pushed) = (to, pushed + 1);
        }
        assert!((BINS_MAX / 2..BINS_MAX).contains(&bins.all().len()), "{}", bins.all().len());
        assert_eq!(bins.all().iter().map(|bin| bin.sent).sum::<u64>(), 4 * pushed);
        let arrived: u64 = bins.all().iter().flat_map(|bin| bin.groups.values()).map(|counts| counts.arrived).sum();
        let timed: u64 = bins.all().iter().flat_map(|bin| bin.groups.values()).flat_map(|counts| &counts.durations).sum();
        assert_eq!((arrived, timed), (3 * pushed, 3 * pushed));
        assert!(bins.all().windows(2).all(|pair| pair[0].to == pair[1].from));
        let first = bins.all()[0].seconds();
        assert!(bins.all().iter().rev().skip(1).all(|bin| (bin.seconds() - first).abs() < 1e-9));
        let mut hour = Bins::new(at(5));
        (0..720).for_each(|_| hour.push(Bin { from: hour.bins.last().map_or(at(0), |bin| bin.to), to: hour.next_end(), ..Bin::default() }));
        assert_eq!((hour.at_most(240)[0].seconds(), hour.at_most(60)[0].seconds()), (20.0, 120.0));
        let fewer = bins.at_most(60);
        assert!(fewer.len() <= 60 && fewer.len() >= 30, "{}", fewer.len());
        assert_eq!((first, fewer[0].seconds()), (240.0, 1440.0));
        assert_eq!(fewer.iter().map(|bin| bin.sent).sum::<u64>(), 4 * pushed);
    }

    #[test]
    fn no_intervals_stay_none() {
        assert_eq!(Bins::new(at(5)).at_most(10), []);
        assert_eq!(Bins::new(at(5)).next_end(), at(5));
    }

    #[test]
    fn a_value_is_kept_when_it_changes_only() {
        let mut changes = Changes::default();
        for (seconds, value) in [(0, None), (1, Some(1.0)), (2, Some(1.0)), (3, Some(2.0)), (4, None), (5, None)] {
            changes.set(at(seconds), value);
        }
        assert_eq!(changes.all(), [(at(1), Some(1.0)), (at(3), Some(2.0)), (at(4), None)]);
        let blink = SignedDuration::from_millis(1);
        changes.set(at(5), Some(1.0));
        changes.set(at(5) + blink, Some(2.0));
        assert_eq!(changes.all().len(), 5, "as long as there is room, nothing is left out");
    }

    #[test]
    fn measurements_are_thinned_and_cover_the_same_time() {
        let mut judgement = Judgement::default();
        for number in 0..5000_i64 {
            let (from, to, value) = (at(number * 30), at(number * 30 + 30), Some(number as f64));
            judgement.measured(Reading { from, to, value, stable: None, bounds: [None; 2], effect: Estimate::default() });
        }
        let kept = &judgement.readings;
        assert!(kept.len() <= CHANGES_MAX && kept.len() > CHANGES_MAX / 4, "{}", kept.len());
        assert!(kept.windows(2).all(|pair| pair[0].to == pair[1].from) && kept[0].from == at(0));
        assert_eq!(kept.last().map(|last| (last.to, last.value)), Some((at(150_000), Some(4999.0))));
    }

    #[test]
    fn too_many_changes_are_thinned_and_the_last_value_stays() {
        let mut changes = Changes::default();
        for seconds in 0..50_000 {
            changes.set(at(seconds), Some(f64::from(u8::try_from(seconds % 7).unwrap())));
            assert!(changes.all().len() <= CHANGES_MAX);
        }
        assert!(changes.all().len() > CHANGES_MAX / 8, "{}", changes.all().len());
        assert_eq!(changes.all().last().unwrap().1, Some(f64::from(49_999_u32 % 7)));
        assert!(changes.all().windows(2).all(|pair| pair[0].0 < pair[1].0 && pair[0].1 != pair[1].1));
    }
}
