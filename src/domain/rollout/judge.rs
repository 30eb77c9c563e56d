//! The numbers: who is judged now, what to ask, and what the answers come to.

use jiff::Timestamp;

use crate::domain::analysis::criteria::Criteria;
use crate::domain::analysis::progress::{Progress, Subject};
use crate::domain::analysis::take_in;
use crate::domain::analysis::verdict::{self, Verdict, Waiting};
use crate::domain::analysis::window::{self, Question};
use crate::domain::record::Record;
use crate::domain::rollout::{Plan, Situation, goes_back};
use crate::domain::settings::FULL_WEIGHT;

/// Who is judged: a candidate whose weight is in effect, or, for a while, what has just replaced another revision.
fn subject(situation: &Situation<'_>, record: &Record, criteria: &Criteria) -> Option<Subject> {
    let Some(candidate) = &record.candidate else { return promoted(situation, record, criteria) };
    let since = candidate.reached.filter(|reached| *reached <= situation.now)?;
    let going = candidate.retreat.is_none() && !record.pending() && !goes_back(record);
    let weight = record.settled_weight();
    going.then(|| Subject { revision: candidate.revision.clone(), stable: Some(record.stable.clone()), weight, since })
}

fn promoted(situation: &Situation<'_>, record: &Record, criteria: &Criteria) -> Option<Subject> {
    let time = criteria.after_promotion?;
    let [newest, _before, ..] = record.history.as_slice() else { return None };
    let watched = newest.revision == record.stable && situation.now < newest.since + time && !goes_back(record);
    watched.then(|| Subject { revision: record.stable.clone(), stable: None, weight: FULL_WEIGHT, since: newest.since })
}

/// How long the revision before stable keeps its standby pods.
pub(super) fn watched_until(situation: &Situation<'_>, record: &Record) -> Option<Timestamp> {
    let criteria = situation.settings.analysis.as_ref()?;
    let subject = promoted(situation, record, criteria).filter(|_| record.candidate.is_none())?;
    Some(subject.since + criteria.after_promotion?)
}

/// The analysis as it goes on now.
fn current<'a>(situation: &Situation<'a>, record: &Record) -> Option<(&'a Criteria, Progress)> {
    let criteria = situation.settings.analysis.as_ref()?;
    let subject = subject(situation, record, criteria)?;
    let metrics = criteria.metrics.iter().map(|metric| (metric.name.clone(), metric.definition.clone()));
    Some((criteria, Progress::of(record.analysis.as_ref(), subject, metrics)))
}

/// What has to be asked.
#[derive(Clone, Debug, PartialEq)]
pub struct Due {
    /// Who is judged.
    pub subject: Subject,
    /// At least one.
    pub questions: Vec<Question>,
}

/// Adds to `plan` what is to be asked now, and when to look again.
pub(super) fn ask(situation: &Situation<'_>, mut plan: Plan) -> Plan {
    let Some((criteria, progress)) = plan.record.as_ref().and_then(|record| current(situation, record)) else { return plan };
    let asked = |name: &str| situation.asked.get(name).copied();
    let questions = window::due(criteria, &progress, situation.now, &asked);
    let next = window::next(criteria, &progress, situation.now, &asked);
    let deadline = verdict::data_due(criteria, &progress).filter(|due| *due > situation.now);
    let end = plan.record.as_ref().and_then(|record| watched_until(situation, record));
    plan.due = (!questions.is_empty()).then(|| Due { subject: progress.subject.clone(), questions });
    match [next, deadline, end].into_iter().flatten().min() {
        Some(at) => plan.look_at(at),
        None => plan,
    }
}

/// Takes the answers into what is remembered.
pub(super) fn take_in(situation: &Situation<'_>, mut record: Record) -> Record {
    let Some((criteria, mut progress)) = current(situation, &record) else { return record };
    for answered in situation.answers {
        take_in::take_in(criteria, &mut progress, answered, situation.stamp());
    }
    record.analysis = Some(progress);
    record
}

/// What the numbers say now; none while nobody is judged.
pub(super) fn verdict(situation: &Situation<'_>, record: &Record) -> Option<Verdict> {
    let (criteria, progress) = current(situation, record)?;
    Some(verdict::verdict(criteria, &progress, situation.now))
}

/// Why the numbers keep a step from ending.
pub(super) fn waiting(situation: &Situation<'_>, record: &Record) -> Option<Waiting> {
    match verdict(situation, record)? {
        Verdict::Wait(waiting) => Some(waiting),
        Verdict::Pass | Verdict::Fail(_) => None,
    }
}
