//! Same seed, same bytes, in two processes: of what `simulate` prints, and of every request and every write below it.

use std::collections::BTreeSet;
use std::process::Command;
use std::sync::{Arc, Mutex};

use modelward::sim::cluster::Commit;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::arena::at;
use crate::fixtures::{Split, canary, serving};
use crate::simulated::{Stage, runtime};

const SEEDS: std::ops::RangeInclusive<u64> = 1..=10;

/// What `modelward simulate -o json` prints for a seed.
fn simulated(seed: u64) -> Vec<u8> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/canary");
    let arguments = ["simulate", "-o", "json", "--seed", &seed.to_string(), folder];
    let output = Command::new(env!("CARGO_BIN_EXE_modelward")).args(arguments).output().unwrap();
    assert!(output.status.success(), "seed {seed}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

#[test]
fn two_processes_simulate_the_same_bytes_from_the_same_seed() {
    let mut different = BTreeSet::new();
    for seed in SEEDS {
        let first = simulated(seed);
        assert!(first.iter().filter(|byte| **byte == b'\n').count() > 20, "seed {seed}: {}", String::from_utf8_lossy(&first));
        let second = simulated(seed);
        let line = first.split(|byte| *byte == b'\n').zip(second.split(|byte| *byte == b'\n')).find(|(left, right)| left != right);
        let line = line.map(|(left, right)| (String::from_utf8_lossy(left), String::from_utf8_lossy(right)));
        assert_eq!(line, None, "seed {seed}");
        assert_eq!(first, second, "seed {seed}");
        different.insert(first);
    }
    assert_eq!(different.len(), SEEDS.count(), "each seed plays another run");
}

/// What one run was, as a hash: every commit with its object, and every request with its body and answer's code.
#[derive(Default)]
struct Trace(Sha256);

impl Trace {
    fn commit(&mut self, commit: &Commit) {
        let Commit { revision, at, resource, namespace, name, change, before: _, after, who, manager, subresource } = commit;
        let object = after.as_deref().unwrap_or(&Value::Null);
        let line = format!("{revision} {at} {resource} {namespace}/{name} {change:?} {who:?} {manager} {subresource:?} {object}\n");
        self.0.update(line);
    }
}

fn hex(hash: impl AsRef<[u8]>) -> String {
    hash.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Hashes of the commits and of the requests of a canary by route.
fn traced(seed: u64) -> String {
    runtime().block_on(async {
        let stage = Stage::set(seed).await;
        let trace = Arc::new(Mutex::new(Trace::default()));
        let seeing = Arc::clone(&trace);
        stage.server.with(|state| state.world.observe(Box::new(move |commit, _| seeing.lock().unwrap().commit(commit))));
        stage.make_namespace("play");
        let (operator, _) = stage.start_operator(None);
        let arena = stage.arena("play");
        serving(&arena, Split::Route).await;
        arena.apply("modeldeployment", canary(&arena, "1.1.0", Split::Route)).await;
        let done = |object: &Value| at(object, "/status/stable/version") == "1.1.0" && at(object, "/status/phase") == "Active";
        arena.until("1.1.0 serves", "modeldeployment", "chat", done).await;
        stage.stop_operator(&operator);
        let mut requests = Sha256::new();
        for record in stage.log.lock().unwrap().iter() {
            requests.update(format!("{record:?}\n"));
        }
        let commits = trace.lock().unwrap().0.clone();
        format!("{} {}", hex(commits.finalize()), hex(requests.finalize()))
    })
}

/// Marks the lines that another process prints for this test.
const MARK: &str = "trace of seed";

#[test]
fn seeds_differ_and_print_their_traces() {
    let traces: Vec<String> = SEEDS.map(traced).collect();
    for (seed, trace) in SEEDS.zip(&traces) {
        println!("{MARK} {seed} {trace}");
    }
    assert_eq!(traces.iter().collect::<BTreeSet<_>>().len(), traces.len(), "each seed plays another run");
}

/// The traces that a process of its own prints.
fn traces_of_a_process() -> Vec<String> {
    let test = ["determinism::seeds_differ_and_print_their_traces", "--exact", "--nocapture"];
    let output = Command::new(std::env::current_exe().unwrap()).args(test).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let lines: Vec<String> = text.lines().filter_map(|line| line.find(MARK).map(|place| line[place..].to_owned())).collect();
    assert_eq!(lines.len(), SEEDS.count(), "{text}");
    lines
}

#[test]
fn two_processes_send_the_same_requests_and_make_the_same_writes_from_the_same_seed() {
    assert_eq!(traces_of_a_process(), traces_of_a_process());
}
