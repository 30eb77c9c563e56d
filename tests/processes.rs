//! The verbs that run until they are stopped, as processes: `cluster` and `operator`, which meet over HTTP as a user's would.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// A folder that is removed at the end of a test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("modelward-processes-{}-{name}", std::process::id()));
        fs::create_dir_all(&path).expect("a folder");
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

/// A process of ours; killed if the test fails before it has stopped it.
struct Process(Child);

impl Process {
    fn start(arguments: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_modelward"));
        command.args(arguments).current_dir(ROOT).env_remove("RUST_LOG").env_remove("KUBECONFIG").stdin(Stdio::null());
        Self(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary runs"))
    }

    /// Asks it to end, as Kubernetes does; gives its exit code and what it said on standard error.
    fn stop(mut self) -> (Option<i32>, String) {
        let asked = Command::new("kill").arg(self.0.id().to_string()).status().expect("kill");
        assert!(asked.success());
        let mut said = String::new();
        self.0.stderr.take().expect("a pipe").read_to_string(&mut said).expect("text");
        (self.0.wait().expect("it ends").code(), said)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// A served cluster: its process, the file that says where it is, and its address.
struct Served {
    process: Process,
    kubeconfig: PathBuf,
    address: String,
}

fn cluster(folder: &Folder, arguments: &[&str]) -> Served {
    let kubeconfig = folder.0.join("kubeconfig");
    let file = kubeconfig.to_str().expect("UTF-8");
    let mut process = Process::start(&[&["cluster", "--for", "120s", "--kubeconfig", file], arguments].concat());
    let mut first = String::new();
    BufReader::new(process.0.stdout.take().expect("a pipe")).read_line(&mut first).expect("a line");
    assert_eq!(first, format!("export KUBECONFIG={file}\n"));
    let text = fs::read_to_string(&kubeconfig).expect("the kubeconfig");
    let address = text.split("http://").nth(1).and_then(|rest| rest.split_whitespace().next()).expect("an address").to_owned();
    Served { process, kubeconfig, address }
}

/// What a server answers; nothing if nobody listens.
fn try_get(address: &str, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(10))).expect("a timeout");
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    Some(answer)
}

fn get(address: &str, path: &str) -> String {
    try_get(address, path).expect("an answer")
}

/// Looks until the answer is as `wanted`.
fn until(address: &str, path: &str, wanted: impl Fn(&str) -> bool) -> String {
    let mut last = None;
    for _ in 0..300 {
        last = try_get(address, path);
        if last.as_deref().is_some_and(&wanted) {
            break;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    let last = last.unwrap_or_default();
    assert!(wanted(&last), "{path}: {last}");
    last
}

const CHAT: &str = "/apis/modelward.dev/v1alpha1/namespaces/default/modeldeployments/chat";

#[test]
fn a_cluster_answers_once_it_has_said_where_and_stops_in_order() {
    let folder = Folder::new("cluster");
    let served = cluster(&folder, &["examples/canary", "--speed", "max"]);
    assert!(get(&served.address, "/readyz").ends_with("ok"));
    assert!(get(&served.address, CHAT).contains("\"kind\":\"ModelDeployment\""));
    let (code, said) = served.process.stop();
    assert_eq!((code, served.kubeconfig.exists()), (Some(0), false), "{said}");
}

#[test]
fn an_operator_process_serves_a_model_in_a_cluster_and_stops_in_order() {
    let folder = Folder::new("operator");
    let objects = ["crds", "examples/canary/model.yaml", "examples/canary/v2.0.3.yaml", "--without-operator", "--speed", "120"];
    let served = cluster(&folder, &objects);
    assert!(!get(&served.address, CHAT).contains("\"stable\""), "nobody is at work yet");
    // A port that was free a moment ago.
    let probes = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address").to_string();
    let kubeconfig = served.kubeconfig.to_str().expect("UTF-8");
    let operator =
        Process::start(&["operator", "--kubeconfig", kubeconfig, "--metrics-address", &probes, "--log-format", "json", "--qps", "50"]);
    until(&probes, "/readyz", |answer| answer.starts_with("HTTP/1.1 200"));
    until(&served.address, CHAT, |answer| answer.contains("\"phase\":\"Active\""));
    assert!(get(&probes, "/livez").starts_with("HTTP/1.1 200"));
    let metrics = get(&probes, "/metrics");
    assert!(metrics.contains("modelward_api_requests_total{"), "{metrics}");
    let (code, said) = operator.stop();
    assert_eq!(code, Some(0), "{said}");
    let lines: Vec<serde_json::Value> = said.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect();
    let told = |words: &str| lines.iter().any(|line| line["fields"]["message"] == words || line["message"] == words);
    assert!(told("operator starts") && told("operator stopped"), "{said}");
    assert_eq!(served.process.stop().0, Some(0));
}

#[test]
fn preflight_asks_a_cluster_and_leaves_nothing_there() {
    let folder = Folder::new("preflight");
    let served = cluster(&folder, &["examples/twenty-lines", "--speed", "60"]);
    let kubeconfig = served.kubeconfig.to_str().expect("UTF-8");
    let fraud = CHAT.replace("/chat", "/fraud");
    until(&served.address, &fraud, |answer| answer.contains("\"reason\":\"Measured\""));
    let preflight = |path: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_modelward"));
        command.args(["preflight", "--kubeconfig", kubeconfig, "-o", "json", "-f", path]).current_dir(ROOT).stdin(Stdio::null());
        let output = command.output().expect("the binary runs");
        let lines = String::from_utf8(output.stdout).expect("UTF-8");
        let found: Vec<serde_json::Value> = lines.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect();
        (output.status.code(), found, String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (code, found, said) = preflight("examples/twenty-lines");
    assert_eq!(code, Some(0), "{found:?}{said}");
    assert!(said.contains("nothing is written"), "{said}");
    let is = |check: &str, verdict: &str| found.iter().any(|finding| finding["check"] == check && finding["verdict"] == verdict);
    assert!(is("release", "ok") && is("pods", "ok") && is("metrics", "ok") && is("traffic", "ok"), "{found:?}");
    // The Model of the cluster counts where no document has one, and what is there does not change by being asked about.
    let file = folder.0.join("other.yaml");
    let text = fs::read_to_string(format!("{ROOT}/examples/twenty-lines/fraud.yaml")).expect("the example");
    let (_, deployment) = text.split_once("---\n").expect("two documents");
    fs::write(&file, deployment.replace("version: 1.4.0", "version: 9.9.9").replace("version: 1.5.0", "version: 9.9.9")).expect("a file");
    let (code, found, said) = preflight(file.to_str().expect("UTF-8"));
    assert_eq!(code, Some(1), "{found:?}{said}");
    assert!(found.iter().any(|finding| finding["reason"] == "VersionNotFound"), "{found:?}");
    assert!(!get(&served.address, &fraud).contains("9.9.9"), "nothing was written");
    fs::write(&file, deployment.replace("name: fraud", "name: newcomer")).expect("a file");
    let (_, found, said) = preflight(file.to_str().expect("UTF-8"));
    assert!(found.iter().any(|finding| finding["object"] == "modeldeployment/newcomer" && finding["verdict"] == "ok"), "{found:?}{said}");
    assert!(get(&served.address, &CHAT.replace("/chat", "/newcomer")).starts_with("HTTP/1.1 404"), "nothing was made");
    assert!(!get(&served.address, "/apis/apps/v1/namespaces/default/deployments").contains("preflight"), "no pods were asked for");
    assert_eq!(served.process.stop().0, Some(0));
}
