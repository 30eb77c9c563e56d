//! The requests of the model's world, and what a metric source says of them.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::super::name;
use super::Model;
use crate::domain::analysis::take_in::{Answered, Found};
use crate::domain::analysis::tests::support::failed;
use crate::domain::analysis::window::Question;
use crate::domain::revision::RevisionName;
use crate::domain::rollout::{Due, Plan};

/// How requests go.
#[derive(Default)]
pub(in crate::domain::rollout::tests) struct Numbers {
    /// Failed requests of a thousand, by revision.
    pub(in crate::domain::rollout::tests) errors: BTreeMap<RevisionName, u64>,
    /// Requests per second at 100 percent.
    pub(in crate::domain::rollout::tests) rate: u64,
    /// The source does not answer.
    pub(in crate::domain::rollout::tests) down: bool,
    /// Windows that were asked for, by revision.
    pub(in crate::domain::rollout::tests) asked: Vec<(RevisionName, Question)>,
    pub(super) answers: Vec<Answered>,
    /// Up to which moment each metric was asked for.
    pub(super) until: BTreeMap<String, Timestamp>,
}

impl Model {
    /// Answers what the plan asks for; the next pass gets it.
    pub(super) fn answer(&mut self, plan: &Plan) {
        self.numbers.answers.clear();
        let (Some(due), Some(criteria)) = (&plan.due, &self.settings.analysis) else { return };
        for question in &due.questions {
            let metric = &criteria.metrics[question.metric];
            let found = if self.numbers.down { Err("down".to_owned()) } else { Ok(self.found(due, question)) };
            self.numbers.until.insert(metric.name.clone(), question.to);
            let queries = vec!["q".to_owned()];
            let definition = metric.definition.clone();
            self.numbers.asked.push((due.subject.revision.clone(), question.clone()));
            self.numbers.answers.push(Answered { question: question.clone(), definition, queries, found, late: false });
        }
    }

    fn found(&self, due: &Due, question: &Question) -> Found {
        let seconds = u64::try_from(question.to.duration_since(question.from).as_secs()).unwrap();
        let all = self.numbers.rate * seconds;
        let candidate = all * u64::try_from(due.subject.weight).unwrap() / 100;
        let reading = |revision: &RevisionName, requests: u64| {
            let thousandth = self.numbers.errors.get(revision).copied().unwrap_or(0);
            failed((requests * thousandth).div_ceil(1000), requests)
        };
        Found {
            candidate: reading(&due.subject.revision, candidate),
            stable: due.subject.stable.as_ref().map(|stable| reading(stable, all - candidate)),
        }
    }

    /// Lets so many of a thousand requests to `revision` fail.
    pub(in crate::domain::rollout::tests) fn fail_requests(&mut self, revision: &str, thousandth: u64) {
        self.numbers.errors.insert(name(revision), thousandth);
    }
}
