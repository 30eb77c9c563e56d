//! Asks whether the metrics of a revision can be measured at all.
//!
//! Takes one metric with the names of the revision; gives what was counted, or what keeps it from being measured. Beside windows and with their
//! sources, under the same bound. Never judges a value.

use std::time::Duration;

use jiff::Timestamp;

use crate::domain::analysis::profile::Measure;
use crate::domain::analysis::reading::{self, Answer, NoData, STALE_AFTER};
use crate::domain::analysis::template::{Parameters, Template};
use crate::domain::beforehand::probe::{Counted, Outcome, Probed, Question, Trouble};
use crate::domain::revision::RevisionName;
use crate::metric_source::{MetricSource, SourceError, Sources};

/// One question with everything needed to ask it.
#[derive(Clone, Debug, PartialEq)]
pub struct Probing {
    /// What is asked.
    pub question: Question,
    /// Name of the metric.
    pub metric: String,
    /// Its definition.
    pub definition: String,
    /// The provider to ask; none: the default one.
    pub provider: Option<String>,
    /// How it is measured.
    pub measure: Measure,
    /// The stable revision.
    pub revision: RevisionName,
    /// The names by which its series are found, and how far back they are looked at.
    pub parameters: Parameters,
}

/// Asks it.
pub(super) async fn probed(sources: &Sources, probing: &Probing) -> Probed {
    let Probing { question, metric, definition, provider, measure, revision, parameters } = probing;
    let outcome = match sources.get(provider.as_deref()) {
        Ok(source) => counted(&**source, measure, parameters, question.to, question.window).await,
        Err(unknown) => Err((Trouble::NoProvider, unknown.to_string())),
    };
    let query = measure.queries().first().and_then(|query| query.render(parameters).ok()).unwrap_or_default();
    let probed = Probed {
        name: metric.clone(),
        definition: definition.clone(),
        provider: provider.clone(),
        revision: revision.clone(),
        at: question.to,
        outcome: outcome.map_or_else(|(trouble, words)| Outcome::Missing(trouble, words), Outcome::Measured),
        query,
    };
    probed.bounded()
}

type Problem = (Trouble, String);

async fn counted(
    source: &dyn MetricSource,
    measure: &Measure,
    parameters: &Parameters,
    to: Timestamp,
    window: Duration,
) -> Result<Counted, Problem> {
    if let Some(freshness) = &measure.freshness {
        let answer = ask(source, freshness, parameters, to).await?;
        reading::fresh(&answer, to, STALE_AFTER).map_err(missing)?;
    }
    let mut answers = Vec::new();
    for query in measure.queries() {
        answers.push(ask(source, query, parameters, to).await?);
    }
    let reading = measure.read(&answers, to, window).map_err(missing)?;
    Ok(Counted::of(&reading, window))
}

async fn ask(source: &dyn MetricSource, query: &Template, parameters: &Parameters, at: Timestamp) -> Result<Answer, Problem> {
    let text = query.render(parameters).map_err(|why| (Trouble::NotMeasurable, why.to_string()))?;
    source.query(&text, at).await.map_err(failed)
}

fn failed(error: SourceError) -> Problem {
    let trouble = match &error {
        SourceError::Refused(_) => Trouble::Refused,
        SourceError::Unavailable(_) | SourceError::Misconfigured(_) | SourceError::Garbage(_) => Trouble::Unreachable,
        SourceError::TooLarge { .. } => Trouble::NotMeasurable,
    };
    (trouble, error.to_string())
}

fn missing(why: NoData) -> Problem {
    let trouble = match &why {
        NoData::Empty | NoData::Stale { .. } => Trouble::NoSeries,
        NoData::NotANumber
        | NoData::Infinite
        | NoData::Negative(_)
        | NoData::NotWhole(_)
        | NoData::TooLarge(_)
        | NoData::WrongType(_)
        | NoData::ManySeries(_)
        | NoData::OtherTime { .. }
        | NoData::Warned(_)
        | NoData::Inconsistent(_)
        | NoData::NoEvents => Trouble::NotMeasurable,
    };
    (trouble, why.to_string())
}
