use serde_json::{Value, json};

use super::super::finding::Verdict;
use super::*;

fn about() -> About {
    About { object: "modeldeployment/chat".to_owned(), namespace: "team".to_owned(), place: "a.yaml:1:1".to_owned() }
}

fn deployment(edit: impl Fn(&mut Value)) -> ModelDeployment {
    let mut object = json!({
        "apiVersion": "modelward.dev/v1alpha1", "kind": "ModelDeployment", "metadata": {"name": "chat"},
        "spec": {
            "model": "chat", "version": "1.0.0", "replicas": 4, "container": {"image": "example.com/server:1"},
            "strategy": {"type": "Canary", "canary": {"steps": [{"weight": 10, "holdFor": "10m"}, {"weight": 50, "holdFor": "10m"}]}},
        },
    });
    edit(&mut object["spec"]);
    serde_json::from_value(object).unwrap()
}

fn model(versions: &[&str]) -> Lookup {
    let entry = |version: &&str| ModelVersion { version: (*version).to_owned(), ..ModelVersion::default() };
    Lookup::Found(Box::new(Model::new("chat", ModelSpec { versions: versions.iter().map(entry).collect(), ..ModelSpec::default() })))
}

const NOTHING: Context<'_> = Context { configured: None, assumed: None, live: None, offline: true };

/// Checks, verdicts and reasons.
fn found(deployment: &ModelDeployment, model: &Lookup, context: &Context<'_>) -> Vec<(&'static str, Verdict, String)> {
    let (found, _) = findings(&about(), deployment, model, context);
    found.into_iter().map(|finding| (finding.check, finding.verdict, finding.reason)).collect()
}

fn words(deployment: &ModelDeployment, context: &Context<'_>, check: &str) -> String {
    let (found, _) = findings(&about(), deployment, &model(&["1.0.0"]), context);
    found.into_iter().find(|finding| finding.check == check).map(|finding| finding.message).unwrap_or_default()
}

#[test]
fn version_that_the_model_lacks_is_refused_and_one_of_an_unseen_model_is_a_warning() {
    let chat = deployment(|_| {});
    assert_eq!(found(&chat, &model(&["1.0.0"]), &NOTHING), [("release", Verdict::Ok, String::new())]);
    assert_eq!(found(&chat, &model(&["2.0.0"]), &NOTHING), [("release", Verdict::Refused, "VersionNotFound".to_owned())]);
    assert_eq!(found(&chat, &Lookup::Absent, &NOTHING), [("release", Verdict::Refused, "ModelNotFound".to_owned())]);
    assert_eq!(found(&chat, &Lookup::Unknown, &NOTHING), [("release", Verdict::Warning, "ModelNotFound".to_owned())]);
    let bare = deployment(|spec| drop(spec.as_object_mut().unwrap().remove("container")));
    assert_eq!(found(&bare, &Lookup::Unknown, &NOTHING)[0].1, Verdict::Warning, "the version may name the image");
    assert_eq!(found(&bare, &model(&["1.0.0"]), &NOTHING)[0].2, "ImageMissing");
}

#[test]
fn analysis_that_cannot_be_judged_is_refused_also_without_the_model() {
    let wrong = deployment(|spec| spec["analysis"] = json!({"metrics": [{"name": "own", "query": "sum(", "max": 1}]}));
    assert_eq!(found(&wrong, &Lookup::Unknown, &NOTHING)[0], ("release", Verdict::Refused, "InvalidAnalysis".to_owned()));
    let profile = deployment(|spec| spec["analysis"] = json!({"profile": "tgi", "metrics": [{"name": "errorRate", "max": 0.1}]}));
    assert_eq!(found(&profile, &model(&["1.0.0"]), &NOTHING)[0].1, Verdict::Warning, "it may be one of the operator's");
    let configured = OperatorConfiguration::without_file();
    let known = Context { configured: Some(&configured), ..NOTHING };
    assert_eq!(found(&profile, &model(&["1.0.0"]), &known)[0].1, Verdict::Refused, "it is not");
}

#[test]
fn share_that_differs_more_than_twofold_is_said_only_without_a_gateway() {
    let one = deployment(|spec| spec["replicas"] = 1.into());
    assert_eq!(
        words(&one, &NOTHING, "share"),
        "the step of 10 % gives the new version 50 %: 1 of 2 pods; more replicas or a gateway come closer"
    );
    assert_eq!(words(&deployment(|_| {}), &NOTHING, "share"), "", "20 % is twofold");
    let routed = deployment(|spec| {
        spec["replicas"] = 1.into();
        spec["traffic"] = json!({"gateways": [{"name": "public"}]});
    });
    assert_eq!(words(&routed, &NOTHING, "share"), "");
}

#[test]
fn surge_that_is_too_small_is_refused_and_a_small_one_says_what_it_costs() {
    let with = |replicas: i32, surge: Value, gateway: bool| {
        deployment(|spec| {
            spec["replicas"] = replicas.into();
            spec["strategy"]["maxSurge"] = surge.clone();
            if gateway {
                spec["traffic"] = json!({"gateways": [{"name": "public"}]});
            }
        })
    };
    assert!(
        words(&with(4, 1.into(), true), &NOTHING, "surge")
            .contains("stable goes down to 1 of 4: at the end of a release it could take back 25 %")
    );
    assert_eq!(words(&with(4, "100%".into(), true), &NOTHING, "surge"), "");
    let refused = found(&with(500, 1.into(), true), &model(&["1.0.0"]), &NOTHING);
    assert!(refused.contains(&("surge", Verdict::Refused, "SurgeTooSmall".to_owned())), "{refused:?}");
    assert!(!found(&with(500, 1.into(), false), &model(&["1.0.0"]), &NOTHING).iter().any(|(_, verdict, _)| *verdict == Verdict::Refused));
}

fn compared() -> ModelDeployment {
    deployment(|spec| {
        spec["analysis"] = json!({"metrics": [
            {"name": "errorRate", "comparedToStable": {"maxRegression": 10}}, {"name": "latencyP95", "max": 400},
        ]});
    })
}

#[test]
fn missing_provider_would_hold_a_release_with_no_data() {
    let configuration = |providers: &str| {
        OperatorConfiguration::parse(&format!("apiVersion: config.modelward.dev/v1alpha1\nkind: OperatorConfiguration\n{providers}"))
            .unwrap()
    };
    let (none, one) = (configuration(""), configuration("metricProviders: [{name: main, type: Prometheus, url: 'http://p:9090'}]\n"));
    let with = |configured| words(&compared(), &Context { configured, ..NOTHING }, "metrics");
    assert!(with(None).contains("would hold with NoData") && with(None).contains("--config"));
    assert!(with(Some(&none)).contains("would hold with NoData: no metric provider is the default"));
    assert_eq!(with(Some(&one)), "its metric providers are configured");
    let named = deployment(|spec| spec["analysis"] = json!({"provider": "other", "metrics": [{"name": "errorRate", "max": 0.1}]}));
    assert!(words(&named, &Context { configured: Some(&one), ..NOTHING }, "metrics").contains("there is no metric provider other"));
}

#[test]
fn traffic_that_cannot_tell_is_said_with_the_rate_that_was_given() {
    let with = |rate: f64| Context { assumed: Some(Traffic { requests_per_second: rate, failed_share: Some(0.005) }), ..NOTHING };
    let reasons = |rate: f64| {
        let found = found(&compared(), &model(&["1.0.0"]), &with(rate));
        found.into_iter().filter(|(check, ..)| *check == "traffic").map(|(_, _, reason)| reason).collect::<Vec<_>>()
    };
    assert_eq!(reasons(2.0), ["CannotTell"]);
    assert_eq!(reasons(0.1)[0], "TooFewRequests");
    assert_eq!(reasons(0.1).iter().filter(|reason| *reason == "TooFewRequests").count(), 1, "said once");
    assert_eq!(reasons(500.0), [""]);
    assert!(words(&compared(), &with(2.0), "traffic").contains("errorRate of 1 % against 0.5 % would not be told"));
}

#[test]
fn what_the_operator_says_of_the_object_in_the_cluster_counts() {
    let live = |status: &str, reason: &str| -> ModelDeploymentStatus {
        serde_json::from_value(json!({
            "conditions": [{
                "type": "AnalysisReady", "status": status, "reason": reason, "message": "in its words",
                "lastTransitionTime": "2026-01-01T00:00:00Z",
            }],
            "probes": [{
                "name": "errorRate", "definition": "x", "revision": "chat-a", "at": "2026-01-01T00:00:00Z", "query": "q",
                "seconds": 600, "requests": 1200, "failed": 6,
            }],
        }))
        .unwrap()
    };
    let said =
        |status: &ModelDeploymentStatus| found(&compared(), &model(&["1.0.0"]), &Context { live: Some(status), offline: false, ..NOTHING });
    let silent = said(&live("False", "NoSeries"));
    assert!(silent.contains(&("metrics", Verdict::Warning, "NoSeries".to_owned())), "{silent:?}");
    assert!(silent.contains(&("traffic", Verdict::Warning, "CannotTell".to_owned())), "2 requests/s were measured: {silent:?}");
    assert!(said(&live("True", "Measured")).contains(&("metrics", Verdict::Ok, String::new())));
    assert!(said(&live("False", "CannotTell")).contains(&("metrics", Verdict::Ok, String::new())), "that was of the plan of before");
}
