//! Pages that describe the simulated cluster, compared with the program: what they name is there, and nothing else is.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeSet;
use std::path::Path;

use modelward::sim::discovery::REVIEWS;
use modelward::sim::kinds::Kinds;
use modelward::sim::world::document::{Located, parse};
use modelward::sim::world::scene::World;

#[path = "docs/how_to.rs"]
mod how_to;

fn page(name: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(name)).unwrap()
}

/// The section of a page under a heading, up to the next one of the same level.
fn section<'a>(page: &'a str, heading: &str) -> &'a str {
    let start = page.find(&format!("\n## {heading}\n")).unwrap();
    let text = &page[start + 1..];
    text.get(3..).and_then(|rest| rest.find("\n## ")).map_or(text, |end| &text[..end + 3])
}

/// The cells of the rows of all tables in a text, without headings.
fn rows(text: &str) -> Vec<Vec<String>> {
    let cells = |line: &str| line.trim_matches('|').split('|').map(|cell| cell.trim().replace('`', "")).collect::<Vec<_>>();
    let lines: Vec<&str> = text.lines().filter(|line| line.starts_with('|')).collect();
    let is_rule = |line: &&str| line.starts_with("|---");
    let heading = |index: usize| lines.get(index + 1).is_some_and(is_rule);
    lines.iter().enumerate().filter(|(index, line)| !is_rule(line) && !heading(*index)).map(|(_, line)| cells(line)).collect()
}

#[test]
fn the_kinds_of_the_page_are_the_kinds_that_are_served() {
    let text = page("simulated-cluster.md");
    let table = rows(section(&text, "Kinds"));
    let named: Vec<(String, String)> = table.iter().map(|cells| (cells[0].clone(), cells[1].clone())).collect();
    let unique: BTreeSet<&(String, String)> = named.iter().collect();
    assert_eq!(unique.len(), named.len(), "a kind has two rows");
    let kinds = Kinds::builtin();
    let stored = kinds.all().map(|resource| (resource.id.api_version(), resource.kind.clone()));
    let answered = REVIEWS.iter().map(|review| (format!("{}/{}", review.group, review.version), review.kind.to_owned()));
    let served: BTreeSet<(String, String)> = stored.chain(answered).collect();
    assert_eq!(named.into_iter().collect::<BTreeSet<_>>(), served);
    for cells in &table {
        assert!(["simulated", "stored only"].contains(&cells[2].as_str()), "{cells:?}");
    }
}

#[test]
fn kinds_that_the_page_calls_missing_are_missing() {
    let text = page("simulated-cluster.md");
    let section = section(&text, "Kinds");
    let sentence = section.split("that are not served: ").nth(1).unwrap();
    let kinds = Kinds::builtin();
    let served: BTreeSet<&str> =
        kinds.all().map(|resource| resource.kind.as_str()).chain(REVIEWS.iter().map(|review| review.kind)).collect();
    let words: Vec<&str> = sentence.split(|letter: char| !letter.is_alphanumeric()).collect();
    assert!(words.contains(&"RuntimeClass"), "{words:?}");
    // Served in another version, as the sentence says.
    for word in words.into_iter().filter(|word| *word != "HorizontalPodAutoscaler") {
        assert!(!served.contains(word), "{word} is served");
    }
    assert!(kinds.by_api_version("autoscaling/v1", "HorizontalPodAutoscaler").is_none());
}

/// The YAML examples of a page.
fn examples(page: &str) -> Vec<Located> {
    let blocks = page.split("```yaml\n").skip(1).map(|rest| rest.split("```").next().unwrap_or_default());
    blocks.flat_map(|block| parse("example.yaml", block).unwrap()).collect()
}

fn problems(text: &str) -> Vec<String> {
    let document = parse("world.yaml", text).unwrap().remove(0);
    World::read(&document).map_or_else(|problems| problems.iter().map(ToString::to_string).collect(), |_| Vec::new())
}

#[test]
fn every_world_on_the_page_is_read_without_a_mistake() {
    let examples = examples(&page("world.md"));
    assert_eq!(examples.len(), 8);
    for example in &examples {
        assert_eq!(World::read(example).err(), None);
    }
}

#[test]
fn every_field_of_a_world_is_on_the_page_and_in_an_example() {
    const UNKNOWN: &str = "not-a-known-field-of-any-kind: 1";
    let spec = |spec: &str| format!("apiVersion: simulation.modelward.dev/v1alpha1\nkind: World\nspec: {{{spec}}}\n");
    let places = [
        spec(UNKNOWN),
        spec(&format!("nodes: [{{{UNKNOWN}}}]")),
        spec(&format!("nodes: [{{taints: [{{key: a, effect: NoSchedule, {UNKNOWN}}}]}}]")),
        spec(&format!("gateway: {{{UNKNOWN}}}")),
        spec(&format!("metrics: {{{UNKNOWN}}}")),
        spec(&format!("metrics: {{custom: [{{name: a, query: b, {UNKNOWN}}}]}}")),
        spec(&format!("metrics: {{external: [{{name: a, query: b, {UNKNOWN}}}]}}")),
        spec(&format!("traffic: [{{host: a, requestsPerSecond: 1, {UNKNOWN}}}]")),
        spec(&format!("pods: [{{selector: {{}}, serving: {{{UNKNOWN}}}}}]")),
        spec(&format!("pods: [{{selector: {{}}, serving: {{latency: {{p50: 1s, p99: 1s, {UNKNOWN}}}}}}}]")),
        spec(&format!("pods: [{{selector: {{}}, serving: {{outcomes: {{a: {{rate: 1, {UNKNOWN}}}}}}}}}]")),
        spec(&format!("pods: [{{selector: {{}}, usage: {{{UNKNOWN}}}}}]")),
        spec(&format!("pods: [{{selector: {{}}, usage: {{memory: {{{UNKNOWN}}}}}}}]")),
        spec(&format!("pods: [{{selector: {{}}, {UNKNOWN}}}]")),
        spec(&format!("pods: [{{selector: {{{UNKNOWN}}}}}]")),
        spec(&format!("pods: [{{selector: {{matchExpressions: [{{key: a, operator: Exists, {UNKNOWN}}}]}}}}]")),
        spec(&format!("pods: [{{selector: {{}}, startup: {{{UNKNOWN}}}}}]")),
        spec(&format!("pods: [{{selector: {{}}, failure: {{type: Crash, {UNKNOWN}}}}}]")),
        spec(&format!("pods: [{{selector: {{}}, failure: {{type: ImagePull, {UNKNOWN}}}}}]")),
        spec(&format!("events: [{{at: 1m, apply: a, {UNKNOWN}}}]")),
        spec(&format!("events: [{{at: 1m, patch: {{object: a/b, merge: {{}}, {UNKNOWN}}}}}]")),
        spec(&format!("events: [{{at: 1m, change: {{selector: {{}}, shutdown: 1s, {UNKNOWN}}}}}]")),
        spec(&format!("events: [{{at: 1m, fault: {{drain: a, {UNKNOWN}}}}}]")),
        spec(&format!("events: [{{at: 1m, fault: {{metrics: Stale, {UNKNOWN}}}}}]")),
        spec(&format!("events: [{{at: 1m, fault: {{metrics: Slow, {UNKNOWN}}}}}]")),
        spec(&format!("expect: [{{object: a/b, that: 'true', {UNKNOWN}}}]")),
    ];
    let text = page("world.md");
    let refused = ["users"];
    // A message that the other examples need not show.
    let by_table = ["message"];
    for place in places {
        let found = problems(&place);
        let [problem] = found.as_slice() else { panic!("{place}{found:#?}") };
        let (_, known) = problem.split_once("known are ").unwrap_or_else(|| panic!("{problem}"));
        for field in known.split(", ") {
            let in_table = [format!("`{field}`"), format!(".{field}`")].iter().any(|name| text.contains(name.as_str()));
            assert!(in_table, "{field} is described nowhere");
            let in_example = text.contains(&format!("{field}: ")) || text.contains(&format!("{field}:\n"));
            assert!(in_example || refused.contains(&field) || by_table.contains(&field), "{field} is in no example");
        }
    }
}
