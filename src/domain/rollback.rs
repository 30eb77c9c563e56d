//! From what a Rollback asks for to the revisions that it is about. Pure.
//!
//! *Last good*: of the revisions that reached 100 % before the one being left, the latest that was not given up.

use crate::domain::record::Record;
use crate::domain::revision::{RevisionName, Revisions};

/// What is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wish {
    /// A version to go back to.
    pub to_version: Option<String>,
    /// A revision to go back to.
    pub to_revision: Option<RevisionName>,
    /// The revision that has to go.
    pub from: Option<RevisionName>,
}

/// What it comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resolution {
    /// From here to there.
    Go {
        /// The revision that is left.
        from: RevisionName,
        /// The revision that serves instead.
        to: RevisionName,
    },
    /// There is nothing to do, and why.
    NotNeeded(String),
    /// It cannot be done, and why.
    Impossible(String),
}

/// An order that was resolved and is to be carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// Name of the Rollback.
    pub name: String,
    /// Its uid: it is carried out once.
    pub uid: String,
    /// The revision that is left.
    pub from: RevisionName,
    /// The revision that serves instead.
    pub to: RevisionName,
    /// Why, in words.
    pub reason: String,
}

/// Resolves `wish` by what serves and what served.
pub fn resolve(wish: &Wish, record: &Record, revisions: &Revisions) -> Resolution {
    let candidate = record.candidate.as_ref().filter(|candidate| candidate.retreat.is_none()).map(|candidate| &candidate.revision);
    let left = candidate.unwrap_or(&record.stable);
    let from = wish.from.as_ref().unwrap_or(left);
    if *from != record.stable && Some(from) != candidate {
        return Resolution::NotNeeded(format!("revision {from} does not serve: revision {} does", record.stable));
    }
    let to = match (&wish.to_revision, &wish.to_version) {
        (Some(revision), _) => by_revision(revision, revisions),
        (None, Some(version)) => by_version(version, revisions),
        (None, None) => last_good(from, record, revisions).ok_or_else(|| format!("no revision served before {from} that was not given up")),
    };
    match to {
        Err(why) => Resolution::Impossible(why),
        Ok(to) if to == record.stable && candidate.is_none() => {
            Resolution::NotNeeded(format!("revision {to} has all of the traffic already"))
        }
        Ok(to) if to == *from => Resolution::Impossible(format!("revision {to} is the one that should go: name another one")),
        Ok(to) => Resolution::Go { from: from.clone(), to },
    }
}

/// The revision to go back to when `left` is given up and nobody says where to.
pub fn last_good(left: &RevisionName, record: &Record, revisions: &Revisions) -> Option<RevisionName> {
    let served = record.history.iter().map(|served| &served.revision);
    // Before its first service is before it came; a candidate came after all of them.
    let earlier = served.filter(|name| *name != left);
    let usable = |name: &&RevisionName| revisions.get(*name).is_some_and(|view| view.number > 0 && view.failed.is_none());
    earlier.into_iter().find(usable).cloned()
}

fn by_revision(revision: &RevisionName, revisions: &Revisions) -> Result<RevisionName, String> {
    match revisions.get(revision).filter(|view| view.number > 0) {
        None => Err(format!("there is no revision {revision} any more: its record is gone")),
        Some(view) if !view.served => Err(format!("revision {revision} never had all of the traffic: only what served can come back")),
        Some(_) => Ok(revision.clone()),
    }
}

fn by_version(version: &str, revisions: &Revisions) -> Result<RevisionName, String> {
    let of_version = revisions.iter().filter(|(_, view)| view.version == version && view.number > 0);
    let newest = of_version.filter(|(_, view)| view.served).max_by_key(|(_, view)| view.number);
    newest
        .map(|(name, _)| name.clone())
        .ok_or_else(|| format!("no revision of version {version} ever had all of the traffic, or its record is gone"))
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::domain::record::Candidate;
    use crate::domain::revision::{Failed, RevisionView};

    fn name(text: &str) -> RevisionName {
        RevisionName::new(text)
    }

    fn revisions(list: &[(&str, bool, bool)]) -> Revisions {
        let failed = |failed: &bool| failed.then(|| Failed { reason: "bad".to_owned(), generation: 1 });
        let view = |(number, (revision, served, bad)): (i64, &(&str, bool, bool))| {
            (
                name(revision),
                RevisionView { number, version: format!("1.{number}.0"), served: *served, failed: failed(bad), ..RevisionView::default() },
            )
        };
        (1..).zip(list).map(view).collect()
    }

    /// Served in this order, the oldest first.
    fn record(served: &[&str]) -> Record {
        let mut record = Record::first(name(served[served.len() - 1]), 1, None, Timestamp::UNIX_EPOCH);
        for revision in served {
            record.note_served(&name(revision), "", Timestamp::UNIX_EPOCH);
        }
        record
    }

    fn with_candidate(mut record: Record, revision: &str) -> Record {
        let at = Timestamp::UNIX_EPOCH;
        record.candidate = Some(Candidate {
            revision: name(revision),
            stage_weight: 10,
            pods: 1,
            begun: at,
            waiting_since: at,
            blocked: false,
            reached: None,
            hold_ended: false,
            retreat: None,
        });
        record
    }

    fn go(from: &str, to: &str) -> Resolution {
        Resolution::Go { from: name(from), to: name(to) }
    }

    #[test]
    fn last_good_is_what_served_before_and_was_not_given_up() {
        let wish = Wish::default();
        let all = [("a", true, false), ("b", true, true), ("c", true, false)];
        assert_eq!(resolve(&wish, &record(&["a", "b", "c"]), &revisions(&all)), go("c", "a"), "b was given up");
        assert_eq!(
            resolve(&wish, &with_candidate(record(&["a", "c"]), "d"), &revisions(&all)),
            go("d", "c"),
            "a candidate is left for stable"
        );
        assert!(matches!(resolve(&wish, &record(&["a"]), &revisions(&all)), Resolution::Impossible(_)), "a first release has no target");
        let gone = revisions(&all[2..]);
        assert!(matches!(resolve(&wish, &record(&["a", "c"]), &gone), Resolution::Impossible(_)), "its record is gone");
    }

    #[test]
    fn what_no_longer_serves_needs_no_rollback() {
        let all = revisions(&[("a", true, false), ("b", true, false)]);
        let wish = Wish { from: Some(name("b")), ..Wish::default() };
        assert!(matches!(resolve(&wish, &record(&["b", "a"]), &all), Resolution::NotNeeded(_)));
        assert_eq!(resolve(&wish, &record(&["a", "b"]), &all), go("b", "a"));
        let there = Wish { to_revision: Some(name("b")), ..Wish::default() };
        assert!(matches!(resolve(&there, &record(&["a", "b"]), &all), Resolution::NotNeeded(_)));
        let itself = Wish { to_revision: Some(name("b")), from: Some(name("b")), ..Wish::default() };
        assert!(matches!(resolve(&itself, &with_candidate(record(&["a", "b"]), "c"), &all), Resolution::Impossible(_)));
    }

    #[test]
    fn target_by_name_must_have_served() {
        let all = revisions(&[("a", true, true), ("b", true, false), ("c", false, false)]);
        let to = |revision: &str| Wish { to_revision: Some(name(revision)), ..Wish::default() };
        assert_eq!(resolve(&to("a"), &record(&["a", "b"]), &all), go("b", "a"), "who asks for a failed one by name gets it");
        for gone in ["c", "z"] {
            assert!(matches!(resolve(&to(gone), &record(&["a", "b"]), &all), Resolution::Impossible(_)), "{gone}");
        }
        let version = |version: &str| Wish { to_version: Some(version.to_owned()), ..Wish::default() };
        assert_eq!(resolve(&version("1.1.0"), &record(&["a", "b"]), &all), go("b", "a"));
        assert!(matches!(resolve(&version("1.3.0"), &record(&["a", "b"]), &all), Resolution::Impossible(_)));
    }
}
