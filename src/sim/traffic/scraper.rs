//! A double of Prometheus' scraping: it asks every target at its own moment of each interval and keeps what it says.
//!
//! Takes targets and the series that they expose; appends samples to a [`Storage`], with `up` for every target, and stale
//! markers for what is no longer there. The moments of a target are drawn from its name. Never reads a clock.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use super::registry::Registry;
use crate::sim::draw::Draws;
use crate::sim::promql::{Labels, Place, Storage};

/// Time between two scrapes of a target.
pub const INTERVAL: SignedDuration = SignedDuration::from_secs(15);
/// How long samples are kept.
pub const RETENTION: SignedDuration = SignedDuration::from_hours(6);
/// Time between two looks for samples that are too old.
const SWEEP: SignedDuration = SignedDuration::from_mins(10);

/// See the module.
#[derive(Debug)]
pub struct Scraper {
    interval: SignedDuration,
    retention: SignedDuration,
    storage: Storage,
    targets: BTreeMap<String, Target>,
    due: BTreeSet<(Timestamp, String)>,
    next_sweep: Timestamp,
}

#[derive(Debug)]
struct Target {
    up: Labels,
    up_place: Place,
    next: Timestamp,
    /// What the last scrape found, of which run of the target.
    run: String,
    found: Vec<Labels>,
    /// Where those are in the storage.
    places: Vec<Place>,
}

impl Scraper {
    /// Nothing to scrape yet.
    pub fn new(now: Timestamp, interval: SignedDuration, retention: SignedDuration) -> Self {
        let next_sweep = now + SWEEP;
        Self { interval, retention, storage: Storage::new(), targets: BTreeMap::new(), due: BTreeSet::new(), next_sweep }
    }

    /// What was scraped.
    pub fn storage(&self) -> &Storage {
        &self.storage
    }

    /// Scrapes a target from now on, first within an interval; a known one goes on.
    pub fn follow(&mut self, id: &str, labels: &[(String, String)], now: Timestamp, draws: &Draws) {
        if self.targets.contains_key(id) {
            return;
        }
        let share = draws.fraction("scrape", id, 0);
        let delay = SignedDuration::from_millis((self.interval.as_millis() as f64 * share) as i64);
        let pairs = labels.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let up = Labels::new(pairs.chain([("__name__", "up")]));
        let next = now + delay;
        self.targets.insert(
            id.to_owned(),
            Target { up, up_place: Place::default(), next, run: String::new(), found: Vec::new(), places: Vec::new() },
        );
        self.due.insert((next, id.to_owned()));
    }

    /// A target is gone: its series end.
    pub fn forget(&mut self, id: &str, now: Timestamp) {
        let Some(target) = self.targets.remove(id) else { return };
        self.due.remove(&(target.next, id.to_owned()));
        self.end(&target.found, now);
        self.end(&[target.up], now);
    }

    /// When a target is next asked.
    pub fn next_due(&self) -> Option<Timestamp> {
        self.due.first().map(|(at, _)| *at)
    }

    /// The first target that is due, and when it is asked again.
    pub fn take_due(&mut self, now: Timestamp) -> Option<String> {
        let (at, id) = self.due.pop_first()?;
        if at > now {
            self.due.insert((at, id));
            return None;
        }
        if let Some(target) = self.targets.get_mut(&id) {
            target.next = at + self.interval;
            self.due.insert((target.next, id.clone()));
        }
        Some(id)
    }

    /// Keeps what a target says; none: it does not answer. `run` names its process: another one has other series.
    pub fn keep(&mut self, id: &str, run: &str, exposed: Option<&Registry>, now: Timestamp) {
        let Some(mut target) = self.targets.remove(id) else { return };
        let at = now.as_millisecond();
        // Only a second sample of one millisecond is refused: Prometheus drops it too.
        let up = f64::from(u8::from(exposed.is_some()));
        let _dropped = self.storage.append_at(&mut target.up_place, &target.up, at, up);
        let series = exposed.map_or(&[][..], Registry::series);
        target.places.resize(series.len().max(target.places.len()), Place::default());
        for (one, place) in series.iter().zip(&mut target.places) {
            let _dropped = self.storage.append_at(place, &one.labels, at, one.value);
        }
        if target.run != run || exposed.is_none() {
            let present: BTreeSet<&Labels> = series.iter().map(|one| &one.labels).collect();
            let gone: Vec<Labels> = target.found.iter().filter(|labels| !present.contains(labels)).cloned().collect();
            self.end(&gone, now);
            target.found.clear();
            target.run = run.to_owned();
        }
        // A registry only grows: what was found before is a part of it.
        target.found.extend(series.iter().skip(target.found.len()).map(|one| one.labels.clone()));
        self.targets.insert(id.to_owned(), target);
        self.sweep(now);
    }

    fn end(&mut self, series: &[Labels], now: Timestamp) {
        for labels in series {
            let _dropped = self.storage.mark_stale(labels, now.as_millisecond());
        }
    }

    fn sweep(&mut self, now: Timestamp) {
        if now >= self.next_sweep {
            self.storage.drop_before((now - self.retention).as_millisecond());
            self.next_sweep = now + SWEEP;
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::sim::promql::respond;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn labels(pod: &str) -> Vec<(String, String)> {
        vec![("pod".to_owned(), pod.to_owned())]
    }

    /// Values of an instant query.
    fn asked(scraper: &Scraper, query: &str, second: i64) -> Vec<String> {
        let parameters = [("query".to_owned(), query.to_owned()), ("time".to_owned(), second.to_string())];
        let (status, body) = respond(scraper.storage(), 0, "/api/v1/query", &parameters);
        assert_eq!(status, 200, "{body}");
        let items = body["data"]["result"].as_array().unwrap().iter();
        items.map(|item| item["value"][1].as_str().unwrap_or_default().to_owned()).collect()
    }

    fn scraped(retention: SignedDuration) -> (Scraper, Registry) {
        let mut scraper = Scraper::new(at(0), INTERVAL, retention);
        scraper.follow("a", &labels("a"), at(0), &Draws::new(1));
        let mut registry = Registry::new(labels("a"));
        registry.add("m", &[], 5.0);
        (scraper, registry)
    }

    #[test]
    fn every_target_has_its_own_moment_and_keeps_its_interval() {
        let mut scraper = Scraper::new(at(0), INTERVAL, RETENTION);
        for id in ["a", "b", "c"] {
            scraper.follow(id, &labels(id), at(0), &Draws::new(1));
        }
        let mut moments: BTreeMap<String, Vec<Timestamp>> = BTreeMap::new();
        while let Some(due) = scraper.next_due().filter(|due| *due < at(45)) {
            let id = scraper.take_due(due).unwrap();
            moments.entry(id).or_default().push(due);
        }
        let firsts: BTreeSet<Timestamp> = moments.values().map(|moments| moments[0]).collect();
        assert_eq!(firsts.len(), 3);
        assert!(moments.values().all(|moments| moments.len() == 3 && moments[0] < at(15) && moments[1] - INTERVAL == moments[0]));
        assert_eq!(scraper.take_due(at(1)), None);
    }

    #[test]
    fn a_target_that_does_not_answer_is_down_and_its_series_end() {
        let (mut scraper, registry) = scraped(RETENTION);
        scraper.keep("a", "1", Some(&registry), at(10));
        assert_eq!((asked(&scraper, "up", 10), asked(&scraper, "m", 10)), (vec!["1".to_owned()], vec!["5".to_owned()]));
        scraper.keep("a", "", None, at(25));
        assert_eq!((asked(&scraper, "up", 25), asked(&scraper, "m", 25)), (vec!["0".to_owned()], vec![]));
    }

    #[test]
    fn a_restart_ends_the_series_that_are_not_there_again() {
        let (mut scraper, mut registry) = scraped(RETENTION);
        registry.add("errors", &[], 1.0);
        scraper.keep("a", "1", Some(&registry), at(10));
        let mut fresh = Registry::new(labels("a"));
        fresh.add("m", &[], 1.0);
        scraper.keep("a", "2", Some(&fresh), at(25));
        assert_eq!((asked(&scraper, "m", 25), asked(&scraper, "errors", 25)), (vec!["1".to_owned()], vec![]));
        fresh.add("errors", &[], 2.0);
        scraper.keep("a", "2", Some(&fresh), at(40));
        assert_eq!(asked(&scraper, "errors", 40), ["2"]);
    }

    #[test]
    fn a_target_that_is_gone_leaves_nothing() {
        let (mut scraper, registry) = scraped(RETENTION);
        scraper.keep("a", "1", Some(&registry), at(10));
        scraper.forget("a", at(12));
        assert_eq!(asked(&scraper, r#"{__name__=~".+"}"#, 12), Vec::<String>::new());
        assert_eq!((scraper.next_due(), asked(&scraper, "m", 11)), (None, vec!["5".to_owned()]));
    }

    #[test]
    fn old_samples_are_dropped() {
        let (mut scraper, registry) = scraped(SignedDuration::from_mins(5));
        for round in 0..200 {
            scraper.keep("a", "1", Some(&registry), at(15 * round));
        }
        assert!(scraper.storage().sample_count() < 140, "{}", scraper.storage().sample_count());
        assert_eq!(asked(&scraper, "m", 15 * 199), ["5"]);
        assert!(matches!(respond(scraper.storage(), 0, "/api/v1/labels", &[]), (200, Value::Object(_))));
    }
}
