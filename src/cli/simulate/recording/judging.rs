//! How revisions are judged, read from `status.analysis` as each write of it says.
//!
//! Takes a deployment; adds to a recording every measurement once, and each change of how a metric stands.

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::cli::simulate::report_page::data::{Estimate, Judged, Reading, Recording, Standing, Subject};

/// Adds what is new; a deployment without an analysis has nothing.
pub fn judge(recording: &mut Recording, at: SignedDuration, object: &Value) {
    let analysis = &object["status"]["analysis"];
    let Some(revision) = analysis["revision"].as_str() else { return };
    for metric in analysis["metrics"].as_array().into_iter().flatten() {
        let Some(name) = metric["name"].as_str() else { continue };
        let text = |field: &str| object["metadata"][field].as_str().unwrap_or_default().to_owned();
        let subject = Subject { namespace: text("namespace"), deployment: text("name") };
        let key = Judged { subject, metric: name.to_owned(), revision: revision.to_owned() };
        let start = recording.start;
        let judgement = recording.judgements.entry(key).or_default();
        let known = judgement.readings.last().map(|last| last.to);
        let values = metric["values"].as_array().into_iter().flatten();
        let new: Vec<Reading> =
            values.filter_map(|value| reading(value, start)).filter(|new| known.is_none_or(|known| new.to > known)).collect();
        let last = new.len();
        for (number, reading) in (1..).zip(new) {
            // What is compared is known of now only.
            let effect = if number == last { estimate(&metric["comparison"]["effect"]) } else { Estimate::default() };
            judgement.measured(Reading { bounds: bounds(object, name), effect, ..reading });
        }
        judgement.stands(standing(at, &analysis["weight"], metric));
    }
}

fn reading(value: &Value, start: Timestamp) -> Option<Reading> {
    let to = value["at"].as_str()?.parse::<Timestamp>().ok()?.duration_since(start);
    let from = (to - SignedDuration::from_secs(value["seconds"].as_i64()?)).max(SignedDuration::ZERO);
    let (measured, stable) = (value["value"].as_f64(), value["stableValue"].as_f64());
    Some(Reading { from, to, value: measured, stable, bounds: [None; 2], effect: Estimate::default() })
}

/// The bounds that the spec has for a metric.
fn bounds(object: &Value, name: &str) -> [Option<f64>; 2] {
    let metrics = object["spec"]["analysis"]["metrics"].as_array();
    let metric = metrics.into_iter().flatten().find(|metric| metric["name"] == name);
    ["min", "max"].map(|bound| metric?[bound].as_f64())
}

fn estimate(value: &Value) -> Estimate {
    Estimate { value: value["value"].as_f64(), low: value["low"].as_f64(), high: value["high"].as_f64() }
}

fn standing(at: SignedDuration, weight: &Value, metric: &Value) -> Standing {
    let comparison = &metric["comparison"];
    let last = metric["values"].as_array().and_then(|values| values.last());
    Standing {
        at,
        phase: metric["phase"].as_str().unwrap_or_default().to_owned(),
        weight: weight.as_i64().unwrap_or_default(),
        samples: metric["samples"].as_i64().unwrap_or_default(),
        stable_samples: metric["stableSamples"].as_i64(),
        value: last.and_then(|last| last["value"].as_f64()),
        effect: estimate(&comparison["effect"]),
        p_value: comparison["pValue"].as_f64(),
        alpha: comparison["alpha"].as_f64(),
        message: metric["message"].as_str().unwrap_or_default().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::cli::simulate::recording::Recorder;
    use crate::cli::simulate::report_page::data::Judgement;

    fn object(phase: &str, values: &Value) -> Value {
        json!({
            "metadata": { "name": "chat", "namespace": "ml" },
            "spec": { "analysis": { "metrics": [{ "name": "latencyP95" }, { "name": "errorRate", "max": 0.02 }] } },
            "status": { "analysis": { "revision": "chat-a", "weight": 10, "metrics": [{
                "name": "errorRate", "phase": phase, "samples": 500, "stableSamples": 4500, "values": values, "message": "why",
                "comparison": { "pValue": 0.5, "alpha": 0.05, "effect": { "value": 0.001, "low": -0.01 } },
            }] } },
        })
    }

    fn value(at: &str, value: f64) -> Value {
        json!({ "at": format!("1970-01-01T00:0{at}Z"), "seconds": 30, "value": value, "stableValue": 0.002 })
    }

    fn judged(objects: &[Value]) -> Judgement {
        let labels = crate::cli::simulate::recording::tests::LABELS;
        let mut recorder = Recorder::new("w", 1, Timestamp::UNIX_EPOCH, labels);
        for (minute, object) in (0..).zip(objects) {
            judge(recorder.recording(), SignedDuration::from_mins(minute), object);
        }
        recorder.recording().judgements.values().next().cloned().unwrap_or_default()
    }

    #[test]
    fn every_measurement_is_taken_once_and_a_standing_when_it_changes() {
        let first = json!([value("1:00", 0.01)]);
        let second = json!([value("1:00", 0.01), value("1:30", 0.03), value("2:00", 0.04)]);
        let judgement = judged(&[object("Passing", &first), object("Passing", &first), object("Failed", &second)]);
        let ends: Vec<(i64, i64, Option<f64>)> =
            judgement.readings.iter().map(|reading| (reading.from.as_secs(), reading.to.as_secs(), reading.value)).collect();
        assert_eq!(ends, [(30, 60, Some(0.01)), (60, 90, Some(0.03)), (90, 120, Some(0.04))]);
        let effects: Vec<Option<f64>> = judgement.readings.iter().map(|reading| reading.effect.low).collect();
        assert_eq!(effects, [Some(-0.01), None, Some(-0.01)], "what was compared is known of the last one only");
        assert!(judgement.readings.iter().all(|reading| reading.bounds == [None, Some(0.02)] && reading.stable == Some(0.002)));
        let standings: Vec<(i64, &str)> =
            judgement.standings.iter().map(|standing| (standing.at.as_secs(), standing.phase.as_str())).collect();
        assert_eq!(standings, [(0, "Passing"), (120, "Failed")]);
        let last = &judgement.standings[1];
        assert_eq!((last.weight, last.samples, last.stable_samples, last.value), (10, 500, Some(4500), Some(0.04)));
        assert_eq!((last.p_value, last.alpha, last.effect.high, last.message.as_str()), (Some(0.5), Some(0.05), None, "why"));
    }

    #[test]
    fn a_deployment_without_an_analysis_has_no_judgement() {
        assert_eq!(judged(&[json!({ "metadata": { "name": "chat" }, "status": {} })]), Judgement::default());
    }
}
