//! I09-I11: what is said about the numbers of a version, and what is decided by it, follows from evidence of that version.
//!
//! Read from the status that the operator writes. Verdicts are computed again: thresholds from the values, comparisons from the
//! counts, by the same statistics and by this file's own way from status to them.

use modelward::domain::statistics::counts::{Counts, Pair};
use modelward::domain::statistics::error_share;
use modelward::domain::statistics::evidence::{Evidence, StepEvidence, Tally};
use modelward::domain::statistics::proportions::{Better, Comparison};
use modelward::domain::statistics::quantiles::{Histogram, HistogramPair, QuantileComparison, QuantileEvidence};
use modelward::sim::cluster::Commit;
use serde_json::Value;

use super::sight::Sight;
use super::view::{self, DEPLOYMENTS};
use super::{Watchdog, ours};

/// `minimumSamples`, `failureLimit` and `confidence` where the spec gives none.
const MINIMUM_SAMPLES: i64 = 100;
const FAILURE_LIMIT: i64 = 3;
const CONFIDENCE: f64 = 95.0;

/// A status of ours, before and after, of a deployment whose spec has an analysis.
fn judged(commit: &Commit) -> Option<(&Value, &Value)> {
    let (before, after) = (commit.before.as_deref()?, commit.after.as_deref()?);
    let status = ours(commit) && commit.resource == DEPLOYMENTS && commit.subresource.as_deref() == Some("status");
    (status && after.pointer("/spec/analysis").is_some()).then_some((before, after))
}

fn at<'a>(object: &'a Value, pointer: &str) -> &'a Value {
    object.pointer(pointer).unwrap_or(&Value::Null)
}

fn list<'a>(object: &'a Value, pointer: &str) -> &'a [Value] {
    at(object, pointer).as_array().map_or(&[], Vec::as_slice)
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().into_iter().flatten().filter_map(Value::as_f64).collect()
}

/// The weight of the step that ends with this status: the next one is asked for, and nobody goes past the analysis.
fn ended_step(before: &Value, after: &Value) -> Option<i64> {
    let intent = at(after, "/status/intent");
    let asked = intent["number"].as_i64()? > at(before, "/status/decision/number").as_i64()? && intent["cause"] == "Advance";
    let candidate = at(before, "/status/candidate");
    let same = candidate["revision"].is_string() && intent["candidate"]["revision"] == candidate["revision"];
    let weight = at(before, "/status/decision/stepWeight").as_i64()?;
    // A weight that is only on its way to that of the step is not judged.
    let reached = candidate["weight"] == weight && at(before, "/status/decision/candidate/weight") == weight;
    let past = view::annotation(after, "modelward.dev/command").is_some_and(|command| command.starts_with("promote-full"));
    let back = at(after, "/status/override/revision") == &candidate["revision"];
    let next = intent["stepWeight"].as_i64()? > weight;
    // Stable has no ready pods: nobody to protect.
    let alone = at(after, "/status/stable/ready") == 0;
    (asked && same && reached && next && !past && !back && !alone && at(before, "/status/intent").is_null()).then_some(weight)
}

/// I09 a step ends on evidence of the same revision, at its weight.
pub fn advance_is_about_the_same_revision(_: &mut Watchdog, commit: &Commit, _: &dyn Sight) -> Option<String> {
    let (before, after) = judged(commit)?;
    let weight = ended_step(before, after)?;
    let analysis = at(after, "/status/analysis");
    let same = analysis["revision"] == at(after, "/status/candidate")["revision"] && analysis["weight"] == weight;
    (!same).then(|| format!("the step of {weight} % ends on evidence of {} at {} %", analysis["revision"], analysis["weight"]))
}

/// I10 evidence of another revision, or judged by another definition, is not used.
pub fn evidence_stays_with_its_definition(_: &mut Watchdog, commit: &Commit, _: &dyn Sight) -> Option<String> {
    let (before, after) = judged(commit)?;
    let same_revision = at(before, "/status/analysis/revision") == at(after, "/status/analysis/revision");
    list(after, "/status/analysis/metrics").iter().find_map(|new| {
        let old = list(before, "/status/analysis/metrics").iter().find(|old| old["name"] == new["name"])?;
        if same_revision && old["definition"] == new["definition"] {
            return None;
        }
        let kept = list(new, "/values").iter().find(|value| list(old, "/values").contains(value));
        kept.map(|value| format!("{} keeps {value} of another revision or definition", new["name"]))
    })
}

/// I11 a step ends only when every metric passes with enough samples.
pub fn advance_has_its_samples(_: &mut Watchdog, commit: &Commit, _: &dyn Sight) -> Option<String> {
    let (before, after) = judged(commit)?;
    let weight = ended_step(before, after)?;
    let minimum = at(after, "/spec/analysis/minimumSamples").as_i64().unwrap_or(MINIMUM_SAMPLES);
    list(after, "/spec/analysis/metrics").iter().find_map(|wanted| {
        let found = list(after, "/status/analysis/metrics").iter().find(|metric| metric["name"] == wanted["name"]);
        let Some(metric) = found else { return Some(format!("{} was not judged at {weight} %", wanted["name"])) };
        let counts = |field: &str| metric[field].as_i64().unwrap_or(0);
        let counted = wanted["query"].is_string() || ["throughput", "queueDepth"].iter().any(|gauge| wanted["name"] == *gauge);
        let stable = wanted["comparedToStable"].is_null() || counts("stableSamples") >= minimum;
        let enough = counted || (counts("samples") >= minimum && stable);
        let passes = metric["phase"] == "Passing" && metric["measuredUntil"].is_string() && metric["noDataSince"].is_null();
        (!enough || !passes).then(|| format!("the step of {weight} % ends with {metric}"))
    })
}

/// I11 a version is given up by evidence that breaks a bound or shows that it is worse, or for want of data if that is asked for.
pub fn rollback_has_its_evidence(_: &mut Watchdog, commit: &Commit, _: &dyn Sight) -> Option<String> {
    let (before, after) = judged(commit)?;
    let (old, new) = (at(before, "/status/override"), at(after, "/status/override"));
    if new["by"] != "analysis" || old["by"] == "analysis" {
        return None;
    }
    let evidence = &new["evidence"];
    let value = evidence["value"].as_f64();
    let out = value.is_some_and(|value| is_broken(evidence, value));
    let worse = evidence["pValue"].as_f64().zip(evidence["alpha"].as_f64()).is_some_and(|(p, alpha)| p <= alpha);
    let asked = at(after, "/spec/analysis/onNoData") == "Rollback";
    let silent = asked && evidence["message"].as_str().is_some_and(|message| message.contains("no data"));
    if !out && !worse && !silent {
        return Some(format!("given up without a reason: {evidence}"));
    }
    let metric = list(after, "/status/analysis/metrics").iter().find(|metric| metric["name"] == evidence["metric"])?;
    // Of a pass that ended before its status was written, the values were not kept.
    let complete = list(metric, "/values").last().is_some_and(|last| last["at"] == evidence["at"]);
    let limit = at(after, "/spec/analysis/failureLimit").as_i64().unwrap_or(FAILURE_LIMIT);
    let broken =
        list(metric, "/values").iter().rev().take_while(|value| value["value"].as_f64().is_some_and(|value| is_broken(evidence, value)));
    let short = i64::try_from(broken.count()).unwrap() < limit;
    (complete && out && !worse && short).then(|| format!("not {limit} values in a row break the bound: {metric}"))
}

fn is_broken(bounds: &Value, value: f64) -> bool {
    bounds["max"].as_f64().is_some_and(|max| value > max) || bounds["min"].as_f64().is_some_and(|min| value < min)
}

/// I11 what status says of values and comparisons follows from what it keeps of them.
pub fn verdicts_can_be_computed_again(_: &mut Watchdog, commit: &Commit, _: &dyn Sight) -> Option<String> {
    let (_, after) = judged(commit)?;
    // What was judged by an earlier spec is shown as it was.
    if at(after, "/status/observedGeneration") != at(after, "/metadata/generation") {
        return None;
    }
    list(after, "/status/analysis/metrics").iter().find_map(|metric| {
        let wanted = list(after, "/spec/analysis/metrics").iter().find(|wanted| wanted["name"] == metric["name"])?;
        let wrong = list(metric, "/values").iter().find(|value| {
            let breach = value["breach"] == true;
            value["value"].as_f64().is_none_or(|number| is_broken(wanted, number) != breach)
        });
        if let Some(value) = wrong {
            return Some(format!("{} of {} is not what its bounds say", value, metric["name"]));
        }
        let told = at(metric, "/comparison/pValue").as_f64()?;
        let computed = p_value(at(after, "/spec/analysis"), wanted, metric, at(after, "/status/analysis/weight").as_i64()?);
        (computed != Some(told)).then(|| format!("p is {told}, computed again {computed:?}: {metric}"))
    })
}

/// The p value of a comparison, from what status keeps.
fn p_value(analysis: &Value, wanted: &Value, metric: &Value, weight: i64) -> Option<f64> {
    let compared = list(analysis, "/metrics").iter().filter(|metric| !metric["comparedToStable"].is_null()).count();
    let with = &wanted["comparedToStable"];
    let alpha = error_share(with["confidence"].as_f64().unwrap_or(CONFIDENCE), compared).ok()?;
    let regression = with["maxRegression"].as_f64()?;
    let minimum = analysis["minimumSamples"].as_i64().unwrap_or(MINIMUM_SAMPLES) as f64;
    let weight = u32::try_from(weight).ok()?;
    let kept = &metric["comparison"];
    let peak = kept["logEvidence"].as_f64()?;
    if kept["histogram"].is_null() {
        let better = if wanted["name"] == "successRate" { Better::Higher } else { Better::Lower };
        let comparison = Comparison::new(better, regression, alpha, minimum).ok()?;
        return Some(comparison.judge(&shares(kept, peak)?, weight).finding().p_value);
    }
    let comparison = QuantileComparison::new(numbers(&kept["histogram"]["bounds"]), quantile(wanted), regression, alpha, minimum).ok()?;
    Some(comparison.judge(&histograms(&kept["histogram"], peak)?, weight).finding().p_value)
}

fn quantile(wanted: &Value) -> f64 {
    let name = wanted["name"].as_str().unwrap_or_default();
    let of_name = name.strip_prefix("latencyP").and_then(|percentile| percentile.parse::<f64>().ok());
    of_name.or_else(|| wanted["quantile"].as_f64()).unwrap_or(95.0) / 100.0
}

fn pair(value: &Value) -> Option<Pair> {
    let [events, trials, of_stable, stable] = *numbers(value).as_slice() else { return None };
    Some(Pair { candidate: Counts::new(events, trials).ok()?, stable: Counts::new(of_stable, stable).ok()? })
}

fn shares(kept: &Value, peak: f64) -> Option<Evidence> {
    let step = |step: &Value| {
        let [candidate, both, allowed, exposure, exposure_part, exposure_square] = *numbers(&step["sums"]).as_slice() else { return None };
        let tally = Tally { candidate, both, allowed, exposure, exposure_part, exposure_square };
        Some(StepEvidence { step: u32::try_from(step["weight"].as_i64()?).ok()?, counts: pair(&step["counts"])?, tally })
    };
    let steps = list(kept, "/steps").iter().map(step).collect::<Option<Vec<_>>>()?;
    let pending = if kept["pending"].is_null() { Pair::default() } else { pair(&kept["pending"])? };
    Evidence::restored(steps, pending, peak).ok()
}

fn histograms(kept: &Value, peak: f64) -> Option<QuantileEvidence> {
    let side = |name: &str| Histogram::new(&numbers(&kept[name]), kept[format!("{name}Total")].as_f64()?).ok();
    let sum = HistogramPair { candidate: side("candidate")?, stable: side("stable")? };
    let [of_candidate, of_stable] = *numbers(&kept["stepCounts"]).as_slice() else { return None };
    QuantileEvidence::restored(sum, u32::try_from(kept["weight"].as_i64()?).ok()?, [of_candidate, of_stable], peak).ok()
}
