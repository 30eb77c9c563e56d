//! The scenarios that are swept, and how one is run.

use std::time::Duration;

use modelward::sim::cluster::{Identity, Patch, WriteOptions};
use modelward::sim::simulation::Settings;
use serde_json::{Value, json};

use super::Outcome;
use super::end::EndState;
use super::fault::Fault;
use super::saboteur::Saboteur;
use crate::arena::at;
use crate::fixtures::{Split, canary, model, with_startup};
use crate::numbers::To;
use crate::simulated::{Stage, runtime};

/// Virtual time between a death and the next process.
const DOWNTIME: Duration = Duration::from_secs(3);
/// Looks before a wait is given up, one per virtual second.
const LOOKS_MAX: usize = 900;

/// What happens to the new version.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    TakesOver,
    Aborted,
    NeverReady,
    /// By blue/green, when a person says so.
    Switched,
    /// It takes over, and with it gRPC.
    SpeaksGrpc,
    /// Every other request fails, and its analysis says so.
    Failing,
    /// It takes over at once, and somebody asks for the one before.
    GoneBack,
    /// It takes over, and an autoscaler decides how many pods there are.
    Scaled,
}

/// A scenario to sweep.
pub struct Play {
    pub name: &'static str,
    split: Split,
    fate: Fate,
    /// Killed at every request by `cargo test`, not only at some.
    pub every: bool,
}

pub const ROUTE: Play = Play { name: "route", split: Split::Route, fate: Fate::TakesOver, every: true };
pub const PODS: Play = Play { name: "pods", split: Split::Pods, fate: Fate::TakesOver, every: true };
pub const ROUTE_GRPC: Play = Play { name: "route-grpc", split: Split::Route, fate: Fate::SpeaksGrpc, every: false };
pub const ROUTE_PREVIEW: Play = Play { name: "route-preview", split: Split::Route, fate: Fate::Switched, every: true };
pub const PODS_PREVIEW: Play = Play { name: "pods-preview", split: Split::Pods, fate: Fate::Switched, every: true };
pub const ROUTE_ABORT: Play = Play { name: "route-abort", split: Split::Route, fate: Fate::Aborted, every: false };
pub const PODS_ABORT: Play = Play { name: "pods-abort", split: Split::Pods, fate: Fate::Aborted, every: false };
pub const ROUTE_NEVER_READY: Play = Play { name: "route-never-ready", split: Split::Route, fate: Fate::NeverReady, every: false };
pub const ROUTE_FAILING: Play = Play { name: "route-failing", split: Split::Route, fate: Fate::Failing, every: true };
pub const PODS_NEVER_READY: Play = Play { name: "pods-never-ready", split: Split::Pods, fate: Fate::NeverReady, every: false };

pub const ROUTE_SCALED: Play = Play { name: "route-scaled", split: Split::Route, fate: Fate::Scaled, every: false };
pub const PODS_SCALED: Play = Play { name: "pods-scaled", split: Split::Pods, fate: Fate::Scaled, every: false };

pub const ROUTE_ROLLBACK: Play = Play { name: "route-rollback", split: Split::Route, fate: Fate::GoneBack, every: true };
pub const PODS_ROLLBACK: Play = Play { name: "pods-rollback", split: Split::Pods, fate: Fate::GoneBack, every: true };

/// Runs `play` from the first release to its end and `rest` longer, with a fault at a place, or with none. What has not come
/// to its end in time is a violation.
pub fn run(play: &Play, fault: Option<(Fault, usize)>, rest: Duration) -> Outcome {
    runtime().block_on(async {
        let stage = Stage::with(1, Settings { events: false, ..Settings::default() }).await;
        stage.make_namespace("play");
        let saboteur = Saboteur::hire(&stage, fault);
        let user = User(&stage);
        let played = tokio::select! {
            biased;
            () = process(&stage, &saboteur) => Ok(()),
            played = user.plays(play, rest) => played,
        };
        assert!(saboteur.is_done(), "{}: there was nothing at this place", play.name);
        let end = stage.cluster(|cluster| EndState::of(cluster, "play"));
        let mut violations: Vec<String> = played.err().into_iter().collect();
        violations.extend(saboteur.violations().into_iter().chain(stage.violations()));
        Outcome { end, violations, trace: saboteur.trace(), planted: saboteur.planted() }
    })
}

/// The operator's process, and its successor.
async fn process(stage: &Stage, saboteur: &Saboteur) {
    loop {
        let (operator, _) = stage.start_operator(None);
        saboteur.fallen.notified().await;
        stage.stop_operator(&operator);
        tokio::time::sleep(DOWNTIME).await;
        saboteur.revive();
    }
}

/// Who applies, commands and looks, through the direct door: it costs no requests.
struct User<'a>(&'a Stage);

impl User<'_> {
    /// Plays, and looks on for `rest`.
    async fn plays(&self, play: &Play, rest: Duration) -> Result<(), String> {
        let played = self.acts(play).await;
        tokio::time::sleep(rest).await;
        played
    }

    async fn acts(&self, play: &Play) -> Result<(), String> {
        self.apply("models.modelward.dev", "Model", model());
        self.apply("modeldeployments.modelward.dev", "ModelDeployment", self.deployment("1.0.0", play));
        self.until("the first release serves", |object| phase(object) == "Active").await?;
        if play.fate == Fate::Failing {
            let arena = self.0.arena("play");
            arena.numbers.fails("1.1.0", 0.5);
            arena.numbers.requests(&[(To::Everybody, 40.0)]);
        }
        if play.fate == Fate::Scaled {
            self.queues("stable", 38).await?;
            self.until("four pods", |object| at(object, "/status/stable/ready") == 4).await?;
        }
        self.apply("modeldeployments.modelward.dev", "ModelDeployment", self.deployment("1.1.0", play));
        match play.fate {
            Fate::Scaled => {
                // One pod's work: what the release is sized by does not depend on when its scaler looks.
                self.queues("candidate", 1).await?;
                let new = |object: &Value| at(object, "/status/stable/version") == "1.1.0" && phase(object) == "Active";
                self.until("the new version serves", new).await?;
                self.queues("stable", 38).await?;
                self.until("as many pods", |object| new(object) && at(object, "/status/stable/ready") == 4).await?;
            }
            Fate::TakesOver | Fate::SpeaksGrpc => {
                self.until("the new version serves", |object| phase(object) == "Active" && at(object, "/status/stable/version") == "1.1.0")
                    .await?;
            }
            Fate::Switched => {
                let up = |object: &Value| phase(object) == "Holding" && at(object, "/status/candidate/ready") == 4;
                self.until("the preview is up", up).await?;
                self.patch(json!({"metadata": {"annotations": {"modelward.dev/command": "promote:1"}}}));
                self.until("the new version serves", |object| phase(object) == "Active" && at(object, "/status/stable/version") == "1.1.0")
                    .await?;
            }
            Fate::Aborted => {
                self.until("25 % hold", |object| phase(object) == "Holding" && at(object, "/status/candidate/weight") == 25).await?;
                self.patch(json!({"metadata": {"annotations": {"modelward.dev/command": "abort:1"}}}));
                self.until("it is taken back", |object| phase(object) == "RolledBack").await?;
            }
            Fate::GoneBack => {
                self.until("the new version serves", |object| phase(object) == "Active" && at(object, "/status/stable/version") == "1.1.0")
                    .await?;
                let spec = json!({"deployment": "chat", "toVersion": "1.0.0"});
                self.apply("rollbacks.modelward.dev", "Rollback", json!({"metadata": {"name": "back"}, "spec": spec}));
                self.until("it is back", |object| phase(object) == "RolledBack" && at(object, "/status/stable/version") == "1.0.0").await?;
            }
            Fate::NeverReady | Fate::Failing => drop(self.until("it is taken back", |object| phase(object) == "RolledBack").await?),
        }
        Ok(())
    }

    /// The canary of other scenarios with short holds; by a route with pins, a mirror, and a field that the route lacks.
    fn deployment(&self, version: &str, play: &Play) -> Value {
        let mut pace = crate::pace::virtual_time();
        (pace.hold, pace.drain, pace.propagation) = ("20s", "10s", "2s");
        let arena = crate::Arena { pace, ..self.0.arena("play") };
        let mut object = canary(&arena, version, play.split);
        if play.split == Split::Route {
            object["spec"]["traffic"]["candidateMatches"] = json!([{"headers": [{"name": "x-canary", "value": "always"}]}]);
            object["spec"]["traffic"]["mirror"] = json!({"percent": 10});
            match play.fate == Fate::SpeaksGrpc && version == "1.1.0" {
                true => object["spec"]["traffic"]["protocol"] = "GRPC".into(),
                false => object["spec"]["traffic"]["http"] = json!({"retry": {"attempts": 2}}),
            }
        }
        if play.fate == Fate::Scaled {
            object["spec"].as_object_mut().unwrap().remove("replicas");
            object["spec"]["autoscaling"] = crate::autoscaling::by_hpa();
        }
        if play.fate == Fate::Switched {
            object["spec"]["strategy"] = json!({"type": "BlueGreen"});
        }
        if play.fate == Fate::GoneBack {
            object["spec"]["strategy"] = json!({"type": "Immediate"});
        }
        if play.fate == Fate::Failing {
            let metrics = json!([{"name": "errorRate", "max": 0.05}]);
            object["spec"]["analysis"] = json!({"profile": "generic", "interval": "10s", "failureLimit": 2, "metrics": metrics});
        }
        if play.fate == Fate::NeverReady && version == "1.1.0" { with_startup(object, "never", "60s") } else { object }
    }

    /// So much work waits for the revision of a side, once there is one.
    async fn queues(&self, side: &str, waiting: i64) -> Result<(), String> {
        let name = format!("/status/{side}/revision");
        let revision = self.until("a revision", |object| at(object, &name).is_string()).await?;
        self.0.arena("play").load.queue(at(&revision, &name).as_str().unwrap(), waiting);
        Ok(())
    }

    fn apply(&self, resource: &str, kind: &str, mut object: Value) {
        object["apiVersion"] = "modelward.dev/v1alpha1".into();
        object["kind"] = kind.into();
        let name = object["metadata"]["name"].as_str().unwrap().to_owned();
        self.write(resource, &name, Patch::Apply { object, force: true });
    }

    fn patch(&self, patch: Value) {
        self.write("modeldeployments.modelward.dev", "chat", Patch::Merge(patch));
    }

    fn write(&self, resource: &str, name: &str, patch: Patch) {
        let options = WriteOptions::manager("kubectl");
        self.0.cluster(|cluster| cluster.patch(&Identity::user("admin"), resource, "play", name, None, patch, &options)).unwrap();
    }

    async fn until(&self, what: &str, reached: impl Fn(&Value) -> bool) -> Result<Value, String> {
        let mut last = Value::Null;
        for _ in 0..LOOKS_MAX {
            let object = self.0.cluster(|cluster| cluster.get("modeldeployments.modelward.dev", "play", "chat"));
            last = object.map_or(Value::Null, |object| (*object).clone());
            let current = at(&last, "/status/observedGeneration") == at(&last, "/metadata/generation");
            if current && reached(&last) {
                return Ok(last);
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        Err(format!("L1 never happened: {what}; {}", serde_json::to_string_pretty(&last["status"]).unwrap()))
    }
}

fn phase(object: &Value) -> &str {
    at(object, "/status/phase").as_str().unwrap_or_default()
}
