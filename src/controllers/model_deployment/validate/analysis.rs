//! From `spec.analysis` to what a revision is judged by. Refuses what could never be judged, before anything moves.

use std::time::Duration;

use serde_json::json;
use sha2::{Digest, Sha256};

use crate::api::conditions::reason;
use crate::api::model_deployment::{Analysis, ComparedToStable, Metric, OnNoData};
use crate::domain::analysis::criteria::{self, Criteria, Margin};
use crate::domain::analysis::profile::{Better, BuiltIn, Kind, Measure, Profiles};
use crate::domain::analysis::template::{Parameters, Template};
use crate::domain::analysis::threshold::Threshold;
use crate::domain::rollout::Reason;
use crate::domain::statistics::error_share;

/// Characters of a definition's name.
const DEFINITION_LENGTH: usize = 16;

/// Validates `analysis` for pods of `image`.
///
/// # Errors
/// A profile that is unknown or lacks a metric, a query with a mistake.
pub(super) fn criteria(analysis: &Analysis, image: Option<&str>, profiles: &Profiles) -> Result<Criteria, Reason> {
    let compared = analysis.metrics.iter().filter(|metric| metric.compared_to_stable.is_some()).count();
    let metrics = analysis.metrics.iter().map(|metric| {
        let refused = |words: String| Reason::new(reason::INVALID_ANALYSIS, format!("metric {}: {words}", metric.name));
        one(analysis, metric, image, profiles, compared).map_err(refused)
    });
    Ok(Criteria {
        metrics: metrics.collect::<Result<_, _>>()?,
        interval: super::signed(analysis.interval()),
        minimum_samples: analysis.minimum_samples(),
        data_deadline: analysis.data_deadline.map(super::signed),
        on_no_data: match analysis.on_no_data.unwrap_or_default() {
            OnNoData::Hold => criteria::OnNoData::Hold,
            OnNoData::Rollback => criteria::OnNoData::Rollback,
        },
        after_promotion: analysis.after_promotion.map(super::signed),
        standby_replicas: analysis.standby_replicas.unwrap_or(0).max(0),
    })
}

fn one(
    analysis: &Analysis,
    metric: &Metric,
    image: Option<&str>,
    profiles: &Profiles,
    compared: usize,
) -> Result<criteria::Metric, String> {
    let (measure, better) = match &metric.query {
        Some(query) => (own(query)?, Better::Lower),
        None => built_in(analysis, metric, image, profiles)?,
    };
    let bounded = metric.min.is_some() || metric.max.is_some();
    let threshold = bounded.then(|| Threshold { min: metric.min, max: metric.max, failure_limit: analysis.failure_limit() });
    let margin = metric.compared_to_stable.as_ref().map(|with| margin(with, compared)).transpose()?;
    Ok(criteria::Metric {
        name: metric.name.clone(),
        provider: metric.provider.clone().or_else(|| analysis.provider.clone()),
        definition: definition(&measure, threshold.as_ref(), margin, analysis.minimum_samples()),
        measure,
        better,
        threshold,
        margin,
    })
}

fn margin(with: &ComparedToStable, compared: usize) -> Result<Margin, String> {
    let alpha = error_share(with.confidence(), compared).map_err(|problem| problem.to_string())?;
    Ok(Margin { max_regression_percent: with.max_regression, alpha })
}

fn built_in(analysis: &Analysis, metric: &Metric, image: Option<&str>, profiles: &Profiles) -> Result<(Measure, Better), String> {
    let known = BuiltIn::parse(&metric.name).map_err(|error| error.to_string())?;
    let profile = metric.profile.as_deref().or(analysis.profile.as_deref()).unwrap_or_else(|| Profiles::for_image(image.unwrap_or("")));
    let mut measure = profiles.measure(profile, known).map_err(|error| error.to_string())?.clone();
    if let (Some(percentile), Kind::Quantile { quantile, .. }) = (metric.quantile, &mut measure.kind) {
        *quantile = percentile / 100.0;
    }
    Ok((measure, known.better()))
}

/// A user's query is tried with the values of some revision: what is no PromQL now, never will be.
fn own(query: &str) -> Result<Measure, String> {
    let template = Template::parse(query).map_err(|error| format!("its query has a mistake: {error}"))?;
    let text = template.render(&some_revision()).map_err(|error| format!("its query has a mistake: {error}"))?;
    crate::promql::parse(&text).map_err(|why| format!("its query is no PromQL: {}", first_line(&why)))?;
    Ok(Measure::of_query(template))
}

fn first_line(text: &str) -> String {
    text.lines().find(|line| !line.trim().is_empty()).unwrap_or("it cannot be parsed").chars().take(200).collect()
}

fn some_revision() -> Parameters {
    let name = || "some-name".to_owned();
    Parameters {
        namespace: name(),
        deployment: name(),
        revision: name(),
        service: name(),
        model: name(),
        version: "1.0.0".to_owned(),
        window: Duration::from_secs(30),
    }
}

/// Everything that decides what a value means, in one short name.
fn definition(measure: &Measure, threshold: Option<&Threshold>, margin: Option<Margin>, minimum_samples: u64) -> String {
    let queries: Vec<&str> = measure.queries().into_iter().map(Template::source).collect();
    let quantile = match measure.kind {
        Kind::Quantile { quantile, .. } => Some(quantile),
        _ => None,
    };
    let bounds = threshold.map(|threshold| json!([threshold.min, threshold.max, threshold.failure_limit]));
    let margin = margin.map(|margin| json!([margin.max_regression_percent, margin.alpha]));
    let text = json!([queries, quantile, bounds, margin, minimum_samples]).to_string();
    let digest = Sha256::digest(text.as_bytes());
    digest.iter().map(|byte| format!("{byte:02x}")).collect::<String>().chars().take(DEFINITION_LENGTH).collect()
}
