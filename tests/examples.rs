//! The examples play to their end with the shipped binary, as the README says; and what the command line promises.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

fn modelward(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_modelward"));
    command.args(arguments).current_dir(ROOT).env_remove("RUST_LOG").stdin(Stdio::null());
    command.output().expect("the binary runs")
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("UTF-8")
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("UTF-8")
}

fn examples() -> Vec<PathBuf> {
    let folder = fs::read_dir(Path::new(ROOT).join("examples")).expect("examples");
    let mut examples: Vec<PathBuf> = folder.map(|entry| entry.expect("an entry").path()).filter(|path| path.is_dir()).collect();
    examples.sort();
    assert!(examples.len() >= 3, "{examples:?}");
    examples
}

/// A folder that is removed at the end of a test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str, files: &[(&str, &str)]) -> Self {
        let path = std::env::temp_dir().join(format!("modelward-examples-{}-{name}", std::process::id()));
        fs::create_dir_all(&path).expect("a folder");
        for (file, text) in files {
            fs::write(path.join(file), text).expect("a file");
        }
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

fn example_file(path: &str) -> String {
    fs::read_to_string(Path::new(ROOT).join("examples").join(path)).expect("a file of the examples")
}

#[test]
fn every_example_plays_to_its_end_and_all_its_expectations_are_met() {
    let examples = examples();
    std::thread::scope(|scope| {
        for half in [0, 1] {
            let of_half = examples.iter().skip(half).step_by(2);
            scope.spawn(move || of_half.for_each(|example| plays_to_its_end(example)));
        }
    });
}

fn plays_to_its_end(example: &Path) {
    let output = modelward(&["simulate", example.to_str().expect("UTF-8")]);
    let text = stdout(&output);
    assert!(output.status.success(), "{}: {text}{}", example.display(), stderr(&output));
    let verdict = text.lines().find(|line| line.starts_with("EXPECTATIONS")).expect("an example expects something");
    let counts: Vec<&str> = verdict.split_whitespace().collect();
    assert!(counts[1] == counts[3] && counts[3] != "0", "{verdict}");
    assert!(text.contains("nothing will change any more"), "{}: {text}", example.display());
}

#[test]
fn the_canary_is_told_so_that_a_newcomer_understands_it() {
    let text = stdout(&modelward(&["simulate", "examples/canary"]));
    for told in [
        "modeldeployment/chat                created by you",
        "changed by you: spec.version 2.0.3 -> 2.1.0",
        "Weight 0 -> 10",
        "holding at 10 % until",
        "Weight 10 -> 50",
        "4/4 ready",
        "version 2.1.0 has all of the traffic",
    ] {
        assert!(text.contains(told), "{told:?} is missing in\n{text}");
    }
}

#[test]
fn the_twenty_lines_of_the_readme_are_the_example_and_take_a_bad_version_back() {
    let readme = fs::read_to_string(Path::new(ROOT).join("README.md")).expect("the page");
    let block = readme.split("```yaml\n").nth(1).and_then(|rest| rest.split("```").next()).expect("a block of YAML");
    assert_eq!(block, example_file("twenty-lines/fraud.yaml"), "the first block of the README is the file");
    assert!(block.lines().count() <= 20, "{} lines", block.lines().count());
    let mut kinds: Vec<&str> = block.lines().filter_map(|line| line.strip_prefix("kind: ")).collect();
    kinds.sort_unstable();
    assert_eq!(kinds, ["Model", "ModelDeployment"], "two objects");
    assert!(readme.contains("$ cargo run -- simulate examples/twenty-lines\n"));
    let text = stdout(&modelward(&["simulate", "examples/twenty-lines"]));
    for told in [
        "changed by you: spec.version 1.4.0 -> 1.5.0",
        "Weight 0 -> 10: version 1.5.0 gets 10 %",
        "Phase Holding -> RollingBack, Weight 10 -> 0, SpecSuperseded False -> True: errorRate was above 0.02 in 3 measurements in a row",
        "Phase InProgress -> Completed, Ready False -> True: version 1.4.0 has all of the traffic",
    ] {
        assert!(text.contains(told), "{told:?} is missing in\n{text}");
    }
    let record = text.lines().find(|line| line.starts_with("fraud-") && line.contains("Automatic")).expect("a Rollback at the end");
    assert_eq!(record.split_whitespace().skip(1).collect::<Vec<_>>(), ["fraud", "Automatic", "Completed", "1.5.0", "1.4.0"]);
}

#[test]
fn the_same_lines_let_a_good_version_through() {
    let world = example_file("twenty-lines/world.yaml").replace("errorRate: 0.06", "errorRate: 0.002");
    let world = world.split("  expect:").next().expect("a world");
    let folder = Folder::new("good", &[("w.yaml", world), ("d.yaml", &example_file("twenty-lines/fraud.yaml"))]);
    let text = stdout(&modelward(&["simulate", folder.path()]));
    assert!(text.contains("version 1.5.0 has all of the traffic") && !text.contains("rollback/"), "{text}");
}

#[test]
fn the_readme_lists_every_story() {
    let readme = fs::read_to_string(Path::new(ROOT).join("README.md")).expect("the page");
    let listed: BTreeSet<&str> = readme.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect();
    let folders = examples();
    let names: BTreeSet<&str> = folders.iter().filter_map(|path| path.file_name()?.to_str()).collect();
    assert_eq!(listed, names);
}

#[test]
fn the_canary_that_never_gets_ready_ends_on_the_old_version_with_the_reason() {
    let text = stdout(&modelward(&["simulate", "examples/canary-never-ready"]));
    assert!(text.contains("0 of 1 pods were ready within 15m"), "{text}");
    let row = text.lines().find(|line| line.starts_with("chat ") && line.contains("RolledBack")).expect("the deployment at the end");
    assert!(row.contains("2.0.3") && !row.contains("2.1.0"), "{row}");
}

#[test]
fn the_same_seed_gives_the_same_bytes_in_two_processes() {
    let mut different = BTreeSet::new();
    for seed in 1..=10 {
        let seed = seed.to_string();
        let play = || modelward(&["simulate", "examples/canary", "-o", "json", "--seed", &seed]).stdout;
        let first = play();
        assert_eq!(first, play(), "seed {seed}");
        different.insert(first);
    }
    assert!(different.len() > 5, "seeds must make a difference, {} of 10 did", different.len());
}

#[test]
fn json_lines_have_the_fields_that_are_documented() {
    let documented = fs::read_to_string(Path::new(ROOT).join("docs/simulate.md")).expect("the page");
    let text = stdout(&modelward(&["simulate", "examples/canary-gateway", "-o", "json"]));
    let mut types = BTreeSet::new();
    for line in text.lines() {
        let value: Value = serde_json::from_str(line).expect("one object per line");
        types.insert(value["type"].as_str().expect("a type").to_owned());
        for field in value.as_object().expect("an object").keys() {
            assert!(documented.contains(&format!("`{field}`")), "{field} is not documented");
        }
    }
    let expected = ["change", "end", "event", "expectation", "request", "start", "state"];
    assert_eq!(types.iter().map(String::as_str).collect::<Vec<_>>(), expected);
    assert!(expected.iter().all(|kind| documented.contains(&format!("`{kind}`"))));
}

#[test]
fn objects_without_a_world_play_in_the_default_one() {
    let output = modelward(&["simulate", "examples/canary/model.yaml", "examples/canary/v2.0.3.yaml"]);
    let text = stdout(&output);
    assert!(output.status.success(), "{text}{}", stderr(&output));
    assert!(text.contains("4/4 ready") && text.contains("version 2.0.3 has all of the traffic"), "{text}");
}

#[test]
fn until_ends_earlier_and_says_what_was_not_judged() {
    let output = modelward(&["simulate", "examples/canary", "--until", "25m"]);
    let text = stdout(&output);
    assert!(text.contains("Ended after 25m00s: as asked with --until."), "{text}");
    assert!(text.contains("NOT MET  at the end"), "{text}");
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn an_expectation_that_is_not_met_fails_with_what_was_found() {
    let world = "apiVersion: simulation.modelward.dev/v1alpha1\nkind: World\nspec:\n  expect:\n  - {object: modeldeployment/chat, that: \"self.status.stable.version == '9.9.9'\"}\n";
    let folder = Folder::new(
        "unmet",
        &[("w.yaml", world), ("m.yaml", &example_file("canary/model.yaml")), ("d.yaml", &example_file("canary/v2.0.3.yaml"))],
    );
    let output = modelward(&["simulate", folder.path()]);
    let text = stdout(&output);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        text.contains("EXPECTATIONS  0 of 1 met")
            && text.contains("self.status.stable.version is \"2.0.3\"")
            && text.contains("w.yaml:5:5"),
        "{text}"
    );
}

#[test]
fn a_report_is_one_page_with_plots_and_the_same_seed_gives_the_same_bytes() {
    let folder = Folder::new("report", &[("old.html", "the page of another play")]);
    let page = |name: &str, format: &str| {
        let file = format!("{}/{name}.html", folder.path());
        let output = modelward(&["simulate", "examples/canary-traffic", "-o", format, "--report", &file]);
        assert!(output.status.success(), "{}", stderr(&output));
        (fs::read_to_string(file).expect("the page"), stdout(&output))
    };
    let (first, lines) = page("old", "json");
    assert_eq!(lines, stdout(&modelward(&["simulate", "examples/canary-traffic", "-o", "json"])), "a report changes nothing of the play");
    assert!(first == page("new", "text").0, "the pages of two processes differ");
    for plot in [
        "Traffic share",
        "Requests per second",
        "Error rate",
        "Latency, 95th percentile",
        "Pods",
        "All requests per second",
        "errorRate, as measured",
        "latencyP95, difference to stable",
    ] {
        assert!(first.contains(&format!("<h4>{plot}</h4>")), "{plot}");
    }
    for told in [
        "5 of 5 expectations met",
        "errorRate was above 0.02 in 3 measurements in a row",
        "<td class=\"unmet\">Failed</td>",
        "RolledBack",
        "1.5.0, weight",
        "default-src 'none'",
    ] {
        assert!(first.contains(told), "{told}");
    }
    assert!(!first.contains("NaN") && !first.contains("http://") && !first.contains("<script") && !first.contains(folder.path()));
    let mut files: Vec<_> = fs::read_dir(&folder.0).expect("the folder").map(|entry| entry.expect("an entry").file_name()).collect();
    files.sort();
    assert_eq!(files, ["new.html", "old.html"], "nothing else is left there");
}

#[test]
fn a_report_of_a_world_without_traffic_says_why_there_are_no_requests_in_it() {
    let folder = Folder::new("report-plain", &[]);
    let file = format!("{}/page.html", folder.path());
    let output = modelward(&["simulate", "examples/canary", "--until", "25m", "--report", &file]);
    assert_eq!(output.status.code(), Some(1), "what is expected at the end is not so after 25 minutes");
    let page = fs::read_to_string(file).expect("the page is written all the same");
    assert!(
        page.contains("This world has no traffic") && page.contains("<h4>Weight</h4>") && !page.contains("<h4>Error rate</h4>"),
        "{page}"
    );
    assert!(page.contains("NOT MET") && page.contains("as asked with --until"), "{page}");
}

#[test]
fn a_report_that_cannot_be_written_is_an_error_before_anything_is_played() {
    let folder = Folder::new("report-wrong", &[]);
    fs::create_dir_all(folder.0.join("folder.html")).expect("a folder");
    for wrong in ["missing/page.html", "folder.html"] {
        let output = modelward(&["simulate", "examples/canary", "--report", &format!("{}/{wrong}", folder.path())]);
        assert_eq!((output.status.code(), stdout(&output).as_str()), (Some(1), ""), "{wrong}");
        assert!(stderr(&output).starts_with("error: the report ") && stderr(&output).contains("cannot be written"), "{}", stderr(&output));
    }
    assert_eq!(modelward(&["simulate", "examples/canary", "--report", "examples/canary/world.yaml"]).status.code(), Some(2));
}

#[test]
fn a_report_is_written_although_nobody_reads_what_is_printed() {
    let folder = Folder::new("report-closed", &[]);
    let file = format!("{}/page.html", folder.path());
    let mut command = Command::new(env!("CARGO_BIN_EXE_modelward"));
    command.args(["simulate", "examples/canary", "-o", "json", "--report", &file]).current_dir(ROOT).env_remove("RUST_LOG");
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("the binary runs");
    drop(child.stdout.take());
    assert_eq!(child.wait().expect("it ends").code(), Some(0));
    assert!(fs::read_to_string(file).expect("the page").contains("3 of 3 expectations met"));
}

#[test]
fn a_mistake_that_only_a_play_shows_is_in_the_report_too() {
    let world = "apiVersion: simulation.modelward.dev/v1alpha1\nkind: World\nspec:\n  duration: 1m\n  pods: [{selector: {matchLabels: {app: nobody}}}]\n";
    let folder = Folder::new("report-mistake", &[("w.yaml", world)]);
    let file = format!("{}/page.html", folder.path());
    let output = modelward(&["simulate", folder.path(), "--report", &file]);
    assert_eq!(output.status.code(), Some(1));
    let page = fs::read_to_string(file).expect("the page");
    assert!(page.contains("Mistakes in the world") && page.contains("this selector took no pod until the end"), "{page}");
}

#[test]
fn mistakes_are_named_with_file_line_and_column_and_nothing_is_played() {
    let deployment =
        example_file("canary/v2.0.3.yaml").replace("replicas: 4", "replicas: 4\n  replcias: 5").replace("weight: 10", "weight: 101");
    let world = "apiVersion: simulation.modelward.dev/v1alpha1\nkind: World\nspec:\n  traffic: [{host: chat.example.com}]\n  evnets: []\n";
    let cases = [
        (
            vec![("w.yaml", world)],
            vec!["w.yaml:4:13: requestsPerSecond is missing", "w.yaml:5:3: unknown field \"evnets\", did you mean \"events\"?"],
        ),
        (vec![("a.yaml", "kind: [\n")], vec!["a.yaml:1:7: "]),
        (vec![("d.yaml", deployment.as_str())], vec!["d.yaml:9:3: modeldeployment/chat is refused: spec.replcias: unknown field"]),
    ];
    for (number, (files, wanted)) in cases.into_iter().enumerate() {
        let folder = Folder::new(&format!("mistake-{number}"), &files);
        let output = modelward(&["simulate", folder.path()]);
        assert_eq!((output.status.code(), stdout(&output).as_str()), (Some(1), ""));
        let said = stderr(&output);
        assert!(wanted.iter().all(|wanted| said.contains(wanted)), "{wanted:?} in {said}");
        assert!(said.lines().all(|line| line.starts_with("error: ")), "{said}");
    }
}

#[test]
fn wrong_usage_is_told_apart_from_failure() {
    for wrong in [
        &["simulate"][..],
        &["simulate", "x", "--until", "1d"],
        &["nothing"],
        &["cluster", "--speed", "0"],
        &["operator", "--namespace", "A"],
    ] {
        assert_eq!(modelward(wrong).status.code(), Some(2), "{wrong:?}");
    }
    assert_eq!(modelward(&["simulate", "no/such/folder"]).status.code(), Some(1));
    assert_eq!(modelward(&["simulate", "--help"]).status.code(), Some(0));
}
