//! The verb `preflight` without a cluster, as a process: what passes, what is refused, and what is said beforehand.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// A folder that is removed at the end of a test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str, text: &str) -> Self {
        let path = std::env::temp_dir().join(format!("modelward-preflight-{}-{name}", std::process::id()));
        fs::create_dir_all(&path).expect("a folder");
        fs::write(path.join("a.yaml"), text).expect("a file");
        Self(path)
    }

    fn path(&self) -> &str {
        self.0.to_str().expect("UTF-8")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

/// Nothing of the machine is seen: no kubeconfig, no home, no pod.
fn preflight(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_modelward"));
    command.arg("preflight").args(arguments).current_dir(ROOT).env_clear().env("HOME", "/nonexistent").stdin(Stdio::null());
    command.output().expect("the binary runs")
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("UTF-8")
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("UTF-8")
}

/// The findings of a run as JSON.
fn findings(output: &Output) -> Vec<Value> {
    stdout(output).lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect()
}

const MODEL: &str = "apiVersion: modelward.dev/v1alpha1
kind: Model
metadata: {name: chat}
spec:
  versions:
  - {version: 1.0.0, artifact: {uri: s3://models/chat/1.0.0}}
---
";

/// A ModelDeployment of `chat` with these further fields of its spec.
fn deployment(more: &str) -> String {
    format!(
        "{MODEL}apiVersion: modelward.dev/v1alpha1\nkind: ModelDeployment\nmetadata: {{name: chat}}\nspec:\n  model: chat\n  replicas: 4\n  \
         container: {{image: \"example.com/server:1\"}}\n{more}"
    )
}

#[test]
fn every_example_passes() {
    let folder = fs::read_dir(Path::new(ROOT).join("examples")).expect("examples");
    let mut examples: Vec<PathBuf> = folder.map(|entry| entry.expect("an entry").path()).filter(|path| path.is_dir()).collect();
    examples.sort();
    assert!(examples.len() >= 10, "{examples:?}");
    for example in examples {
        let output = preflight(&["-f", example.to_str().expect("UTF-8"), "--offline", "-o", "json"]);
        assert_eq!(output.status.code(), Some(0), "{}: {}{}", example.display(), stdout(&output), stderr(&output));
        let found = findings(&output);
        let looked_at = |check: &str| found.iter().any(|finding| finding["check"] == check && finding["verdict"] == "ok");
        assert!(looked_at("schema") && looked_at("release") && looked_at("pods"), "{}: {found:?}", example.display());
    }
}

#[test]
fn plans_that_cannot_work_are_refused_with_what_to_do() {
    let canary = "  strategy: {type: Canary}\n";
    let cases = [
        ("unknown-field", "  version: 1.0.0\n  replica: 3\n".to_owned(), "schema", "replica"),
        ("rule", "  version: 1.0.0\n  strategy: {type: BlueGreen, maxSurge: 50%}\n".to_owned(), "schema", "maxSurge"),
        ("version", "  version: 9.0.0\n".to_owned(), "release", "has no version 9.0.0: it has 1.0.0"),
        (
            "query",
            format!("  version: 1.0.0\n{canary}  analysis: {{metrics: [{{name: own, query: 'sum(', max: 1}}]}}\n"),
            "release",
            "its query is no PromQL",
        ),
        (
            "profile",
            format!("  version: 1.0.0\n{canary}  analysis: {{profile: triton, metrics: [{{name: latencyP95, max: 1}}]}}\n"),
            "release",
            "the metric profile triton has no latencyP95",
        ),
        (
            "pods",
            "  version: 1.0.0\n  resources: {requests: {cpu: '2'}, limits: {cpu: '1'}}\n".to_owned(),
            "pods",
            "must be less than or equal to cpu limit",
        ),
        (
            "surge",
            format!("  version: 1.0.0\n{canary}  traffic: {{gateways: [{{name: public}}], headroom: 1000}}\n")
                .replace("type: Canary", "type: Canary, maxSurge: 1")
                .replace("  version", "  replicas: 500\n  version"),
            "surge",
            "raise strategy.maxSurge",
        ),
    ];
    for (name, more, check, words) in cases {
        let text = if name == "surge" { deployment(&more).replace("  replicas: 4\n", "") } else { deployment(&more) };
        let folder = Folder::new(name, &text);
        let output = preflight(&["-f", folder.path(), "--offline", "-o", "json"]);
        assert_eq!(output.status.code(), Some(1), "{name}: {}{}", stdout(&output), stderr(&output));
        let found = findings(&output);
        let refused: Vec<&Value> = found.iter().filter(|finding| finding["verdict"] == "refused").collect();
        assert!(!refused.is_empty(), "{name}: {found:?}");
        let said = |finding: &&&Value| finding["check"] == check && finding["message"].as_str().is_some_and(|text| text.contains(words));
        assert!(refused.iter().any(|finding| said(&finding)), "{name}: {refused:?}");
        assert!(refused.iter().all(|finding| finding["object"] == "modeldeployment/chat"), "{name}: {refused:?}");
    }
}

#[test]
fn traffic_that_cannot_tell_is_said_before_anything_is_applied() {
    let compared = "  version: 1.0.0\n  strategy: {type: Canary, canary: {steps: [{weight: 10}, {weight: 25}, {weight: 50}]}}\n  traffic: \
                    {gateways: [{name: public}]}\n  analysis: {metrics: [{name: errorRate, comparedToStable: {maxRegression: 10}}]}\n";
    let folder = Folder::new("traffic", &deployment(compared));
    let said = |rate: &str| {
        let output = preflight(&["-f", folder.path(), "--offline", "--requests-per-second", rate, "-o", "json"]);
        assert_eq!(output.status.code(), Some(0), "a warning refuses nothing: {}", stdout(&output));
        let found = findings(&output);
        let traffic = found.into_iter().find(|finding| finding["check"] == "traffic").expect("something about traffic");
        (traffic["reason"].as_str().unwrap_or_default().to_owned(), traffic["message"].as_str().unwrap_or_default().to_owned())
    };
    let (reason, message) = said("2");
    assert_eq!(reason, "CannotTell");
    assert!(message.contains("errorRate of 1 % against 0.5 % would not be told"), "{message}");
    let (reason, message) = said("0.1");
    assert_eq!(reason, "TooFewRequests");
    assert!(message.contains("the step of 10 % takes 2h 47m to get 100 requests"), "{message}");
    assert_eq!(said("200").0, "");
}

#[test]
fn table_is_for_people_and_says_how_it_was_looked_at() {
    let folder = Folder::new("table", &deployment("  version: 9.0.0\n"));
    let output = preflight(&["-f", folder.path()]);
    assert_eq!(output.status.code(), Some(1));
    let text = stdout(&output);
    assert_eq!(text.lines().next().unwrap_or_default().split_whitespace().collect::<Vec<_>>(), ["OBJECT", "CHECK", "VERDICT", "WHAT"]);
    let row = text.lines().find(|line| line.contains(" release ")).expect("a row");
    assert!(row.starts_with("modeldeployment/chat") && row.contains(" refused  VersionNotFound: "), "{row}");
    assert!(stderr(&output).contains("no cluster is configured: looked at offline"), "{}", stderr(&output));
    assert!(stderr(&output).contains("1 refused"), "{}", stderr(&output));
}

#[test]
fn model_that_is_in_no_document_is_a_warning_offline() {
    let text = deployment("  version: 1.0.0\n").replace(MODEL, "");
    let folder = Folder::new("no-model", &text);
    let output = preflight(&["-f", folder.path(), "--offline"]);
    assert_eq!(output.status.code(), Some(0), "{}", stdout(&output));
    assert!(stdout(&output).contains("warning  ModelNotFound: Model chat is in none of the documents"), "{}", stdout(&output));
}

#[test]
fn wrong_usage_and_missing_files_are_told_apart_from_refusals() {
    assert_eq!(preflight(&[]).status.code(), Some(2));
    assert_eq!(preflight(&["-f", "a.yaml", "--requests-per-second", "0"]).status.code(), Some(2));
    assert_eq!(preflight(&["-f", "a.yaml", "--offline", "--context", "x"]).status.code(), Some(2));
    let missing = preflight(&["-f", "/nowhere/at/all.yaml", "--offline"]);
    assert_eq!(missing.status.code(), Some(1));
    assert!(stderr(&missing).contains("cannot be read"), "{}", stderr(&missing));
    let folder = Folder::new("named", &deployment("  version: 1.0.0\n"));
    let named = preflight(&["-f", folder.path(), "--kubeconfig", "/nowhere/config"]);
    assert_eq!((named.status.code(), stdout(&named).as_str()), (Some(1), ""), "a cluster that is named is not done without");
    assert!(stderr(&named).contains("/nowhere/config"), "{}", stderr(&named));
}
