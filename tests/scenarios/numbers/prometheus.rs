//! A real Prometheus, one for all scenarios of the process that use it at the same time: started with the first, ended with the
//! last.

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use super::http::{self, Server};
use super::meter;

/// Ends the program when nobody holds the other end of the pipe any more, however this process ends.
const SITTER: &str = r#""$@" & pid=$!; read -r _; kill "$pid"; (sleep 5; kill -9 "$pid") 2>/dev/null & wait "$pid""#;

/// See the module.
pub struct Prometheus {
    pub address: SocketAddr,
    sitter: Child,
    folder: PathBuf,
    /// What it scrapes.
    _exposition: Server,
}

/// The one that runs, or a new one.
pub fn shared() -> Arc<Prometheus> {
    static SHARED: Mutex<Weak<Prometheus>> = Mutex::new(Weak::new());
    let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(running) = shared.upgrade() {
        return running;
    }
    let started = Arc::new(Prometheus::start());
    *shared = Arc::downgrade(&started);
    started
}

fn program() -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|folder| folder.join("prometheus")).find(|program| program.is_file());
    found.unwrap_or_else(|| panic!("there is no prometheus in PATH: install Debian's package prometheus, or Prometheus 2.42 or newer"))
}

impl Prometheus {
    fn start() -> Self {
        let program = program();
        let exposition = Server::start(|_| Some(http::response("text/plain; version=0.0.4", &meter::exposed())));
        let folder = std::env::temp_dir().join(format!("modelward-prometheus-{}-{}", std::process::id(), exposition.address.port()));
        fs::create_dir_all(&folder).unwrap();
        let configuration = format!(
            "global: {{scrape_interval: 1s, scrape_timeout: 1s}}\nscrape_configs:\n- job_name: scenarios\n  honor_labels: true\n  \
             static_configs: [{{targets: ['{}']}}]\n",
            exposition.address
        );
        fs::write(folder.join("prometheus.yaml"), configuration).unwrap();
        // Free a moment ago; nobody else on this machine takes ports at random.
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let sitter = Command::new("sh")
            .args(["-c", SITTER, "sh"])
            .arg(program)
            .arg(format!("--config.file={}", folder.join("prometheus.yaml").display()))
            .arg(format!("--storage.tsdb.path={}", folder.join("data").display()))
            .arg(format!("--web.listen-address={address}"))
            .arg("--log.level=warn")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(fs::File::create(folder.join("log")).unwrap())
            .spawn()
            .unwrap();
        let started = Self { address, sitter, folder, _exposition: exposition };
        started.wait();
        started
    }

    /// Waits until it has scraped for the first time: it looks at its targets some seconds after it begins to answer.
    fn wait(&self) {
        for _ in 0..300 {
            let up = http::ask(self.address, "GET", "/api/v1/query?query=up", "text/plain", b"");
            if up.is_some_and(|response| String::from_utf8_lossy(&response).contains("\"__name__\":\"up\"")) {
                return;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        panic!("prometheus does not answer: {}", fs::read_to_string(self.folder.join("log")).unwrap_or_default());
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        drop(self.sitter.stdin.take());
        let ended = self.sitter.wait();
        let removed = fs::remove_dir_all(&self.folder);
        if !std::thread::panicking() {
            assert!(ended.is_ok() && removed.is_ok(), "{ended:?} {removed:?}");
        }
    }
}
