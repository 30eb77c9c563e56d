//! What is neither stable nor candidate leaves, once it had no weight for long enough.

use jiff::Timestamp;

use crate::domain::record::Record;
use crate::domain::revision::RevisionName;
use crate::domain::rollout::{Acceptance, Plan, Situation, judge, standing, target};
use crate::domain::size::surge_pods;

/// Revisions that still have a workload or pods, other than stable and candidate.
pub(super) fn others<'a>(situation: &'a Situation<'_>, record: &'a Record) -> impl Iterator<Item = &'a RevisionName> {
    let candidate = record.candidate.as_ref().map(|candidate| &candidate.revision);
    let left = situation.revisions.iter().filter(|(_, view)| view.workload.is_some() || view.pods.total > 0);
    left.map(|(name, _)| name).filter(move |name| **name != record.stable && Some(*name) != candidate)
}

/// Adds to `plan` what has to leave now, or when to look again.
pub(super) fn leftovers(situation: &Situation<'_>, mut plan: Plan) -> Plan {
    let Some(mut record) = plan.record.take() else { return plan };
    let leaving: Vec<RevisionName> = others(situation, &record).cloned().collect();
    let removable = leaving.iter().filter(|name| situation.revisions.get(*name).is_some_and(|view| removable(&view.workload)));
    let removable: Vec<RevisionName> = removable.cloned().collect();
    if !without_weight(situation, &record, &leaving) {
        // Whoever gave one of them weight again: the drain time starts anew once it is gone.
        record.zero_since = None;
    } else if !removable.is_empty() {
        let settings = situation.settings;
        let replaced = target(situation, &record).is_some_and(|wanted| *wanted != record.stable) || record.candidate.is_some();
        let delay = if replaced { settings.drain } else { settings.drain.max(settings.scale_down_delay) };
        let since = *record.zero_since.get_or_insert(situation.stamp());
        match since + delay {
            due if due <= situation.now => plan = let_go(situation, plan, removable, standby(situation, &record).filter(|_| !replaced)),
            due => plan = plan.look_at(due),
        }
    }
    Plan { record: Some(record), ..plan }
}

/// A revision that keeps some pods for a quick return.
struct Standby {
    revision: RevisionName,
    pods: i32,
    until: Timestamp,
}

/// The revision before stable, while stable is still judged and pods are wanted for its return.
fn standby(situation: &Situation<'_>, record: &Record) -> Option<Standby> {
    let settings = situation.settings;
    let until = judge::watched_until(situation, record)?;
    let wanted = settings.analysis.as_ref()?.standby_replicas;
    let pods = wanted.min(surge_pods(settings.max_surge, settings.replicas)).min(settings.replicas);
    let revision = record.history.get(1)?.revision.clone();
    (pods > 0).then_some(Standby { revision, pods, until })
}

fn let_go(situation: &Situation<'_>, mut plan: Plan, removable: Vec<RevisionName>, standby: Option<Standby>) -> Plan {
    for name in removable {
        match standby.as_ref().filter(|standby| standby.revision == name) {
            Some(standby) => {
                plan = plan.look_at(standby.until);
                if situation.replicas(&name) > standby.pods {
                    plan.scale.push((name, standby.pods));
                }
            }
            None => plan.remove.push(name),
        }
    }
    plan
}

fn removable(workload: &Option<crate::domain::revision::Workload>) -> bool {
    workload.as_ref().is_some_and(|workload| !workload.terminating)
}

/// The traffic layer took a split in which none of `revisions` has weight.
fn without_weight(situation: &Situation<'_>, record: &Record, revisions: &[RevisionName]) -> bool {
    let split = &standing(situation, record).split;
    let zero = revisions.iter().all(|name| split.weight_of(name) == 0);
    zero && situation.live.intact && situation.live.acceptance == Acceptance::Accepted
}
