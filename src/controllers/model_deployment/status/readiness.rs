//! Whether a new version could be judged, as a condition. Follows from what metrics said beforehand and from the plan of a release.

use crate::api::conditions::{ANALYSIS_READY, reason};
use crate::controllers::conditions::Wanted;
use crate::controllers::model_deployment::memory;
use crate::controllers::model_deployment::observe::Observed;
use crate::controllers::model_deployment::validate::Valid;
use crate::domain::analysis::criteria::{Criteria, Metric};
use crate::domain::analysis::verdict::number;
use crate::domain::beforehand::foresight::{self, Concern, Traffic};
use crate::domain::beforehand::probe::{Counted, Outcome, Probed, Trouble};
use crate::domain::settings::Settings;

/// The condition; none for a spec without an analysis.
pub(super) fn analysis_ready(observed: &Observed, valid: &Valid, known: &[Probed]) -> Option<Wanted> {
    observed.deployment.spec.analysis.as_ref()?;
    let Some(criteria) = &valid.settings.analysis else {
        let words = valid.input.as_ref().err().filter(|why| why.code == reason::INVALID_ANALYSIS).map_or("", |why| why.message.as_str());
        return Some(Wanted::new(ANALYSIS_READY, false, reason::INVALID_ANALYSIS, &memory::clip(words)));
    };
    let (code, words) = found(&valid.settings, criteria, known);
    let words = memory::clip(&words);
    Some(match code {
        reason::NOT_ASKED_YET => Wanted::unknown(ANALYSIS_READY, code, &words),
        _ => Wanted::new(ANALYSIS_READY, code == reason::MEASURED, code, &words),
    })
}

fn found(settings: &Settings, criteria: &Criteria, known: &[Probed]) -> (&'static str, String) {
    let of = |metric: &Metric| known.iter().find(|probed| probed.name == metric.name);
    let missing = criteria.metrics.iter().filter_map(of).filter_map(|probed| match &probed.outcome {
        Outcome::Missing(trouble, words) => Some((*trouble, said(probed, words))),
        Outcome::Measured(_) => None,
    });
    let mut missing: Vec<(Trouble, String)> = missing.collect();
    missing.sort_by_key(|(trouble, _)| *trouble);
    if let Some((gravest, _)) = missing.first() {
        let words: Vec<String> = missing.iter().map(|(_, words)| words.clone()).collect();
        return (code(*gravest), format!("a release would hold with NoData: {}", words.join("; ")));
    }
    if criteria.metrics.iter().any(|metric| of(metric).is_none()) {
        return (reason::NOT_ASKED_YET, "metrics are asked for once a version has served for a minute or two".to_owned());
    }
    let counted = criteria.metrics.iter().filter_map(|metric| match &of(metric)?.outcome {
        Outcome::Measured(counted) => Some((metric, *counted)),
        Outcome::Missing(..) => None,
    });
    foreseen(settings, criteria, &counted.collect::<Vec<_>>())
}

/// What the traffic that was counted can tell.
fn foreseen(settings: &Settings, criteria: &Criteria, counted: &[(&Metric, Counted)]) -> (&'static str, String) {
    let mut counted = counted.to_vec();
    let rate = |counted: &Counted| counted.requests_per_second().unwrap_or(f64::MAX);
    counted.sort_by(|(_, one), (_, other)| rate(one).total_cmp(&rate(other)));
    let concerns = counted.iter().flat_map(|(metric, counted)| {
        // A metric that counts nothing has no traffic to be judged by; that it is never looked at is said all the same.
        let requests_per_second = counted.requests_per_second().unwrap_or(0.0);
        foresight::concerns(settings, criteria, metric, Traffic { requests_per_second, failed_share: counted.failed_share() })
    });
    let concerns: Vec<Concern> = concerns.collect();
    // The rarest requests keep a step the longest; those of other metrics are there by then.
    let longer = concerns.iter().filter(|concern| matches!(concern, Concern::Longer(_))).map(Concern::words).take(1);
    let untold: Vec<&str> = concerns.iter().filter(|concern| matches!(concern, Concern::Untold(_))).map(Concern::words).collect();
    let longer: Vec<&str> = longer.collect();
    let words = || longer.iter().chain(&untold).copied().collect::<Vec<_>>().join("; ");
    match (longer.is_empty(), untold.is_empty()) {
        (true, true) => (reason::MEASURED, measured(&counted)),
        (false, _) => (reason::TOO_FEW_REQUESTS, words()),
        (true, false) => (reason::CANNOT_TELL, words()),
    }
}

fn measured(counted: &[(&Metric, Counted)]) -> String {
    let rates = counted.iter().filter_map(|(_, counted)| counted.requests_per_second());
    match rates.reduce(f64::max) {
        Some(rate) => format!("every metric can be measured; the stable version had {} requests/s when it was asked", number(rate)),
        None => "every metric can be measured".to_owned(),
    }
}

fn said(probed: &Probed, words: &str) -> String {
    let provider = probed.provider.as_deref().map_or_else(|| "the default provider".to_owned(), |name| format!("provider {name}"));
    let query: String = probed.query.chars().take(240).collect();
    format!("{} at {provider}: {words} ({query})", probed.name)
}

fn code(trouble: Trouble) -> &'static str {
    match trouble {
        Trouble::NoProvider => reason::NO_PROVIDER,
        Trouble::Refused => reason::SOURCE_REFUSES,
        Trouble::Unreachable => reason::SOURCE_UNREACHABLE,
        Trouble::NoSeries => reason::NO_SERIES,
        Trouble::NotMeasurable => reason::NOT_MEASURABLE,
    }
}
