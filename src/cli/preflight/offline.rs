//! Without a cluster: an API server of our own, with our CRDs, those of the Gateway API and KEDA's.
//!
//! Takes documents, one after the other; gives the objects as the server would store them, or why it refuses them. What is in no document is not
//! there, and no refusal comes from that alone.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::super::embedded;
use super::super::output::Failure;
use crate::sim::cluster::{Identity, WriteOptions};
use crate::sim::simulation::Simulation;
use crate::sim::world::document::Located;
use crate::sim::world::play::Play;
use crate::sim::world::scene::World;
use crate::sim::world::sources::Sources;

/// When it is there: no verdict depends on the time.
const START: Timestamp = Timestamp::UNIX_EPOCH;

/// See the module.
pub struct Offline {
    play: Play,
}

/// What became of a document.
pub enum Submitted {
    /// Taken: as it would be stored, and what the server warned of.
    Taken(Value, Vec<String>),
    /// Refused: every reason, with its place where that is known.
    Refused(Vec<String>),
    /// Nobody here can say: why.
    Unknown(String),
}

impl Offline {
    /// Starts it.
    ///
    /// # Errors
    /// When our own definitions are refused.
    pub fn start() -> Result<Self, Failure> {
        let world = World { nodes: Vec::new(), gateway: Some(Default::default()), keda: true, ..World::default() };
        let sources = Sources { world, ..Sources::default() };
        let play = Play::set_up_with(|seed, epoch, _| Simulation::without_actors(seed, epoch), 1, START, sources, &embedded::definitions());
        Ok(Self { play: play.map_err(|problems| embedded::mistakes(&problems))? })
    }

    /// Applies a document; `namespace` is its own.
    pub fn submit(&mut self, document: &Located, namespace: &str) -> Submitted {
        let (version, kind, name) = (document.text(&["apiVersion"]), document.text(&["kind"]), document.text(&["metadata", "name"]));
        let Some(resource) = self.play.simulation.cluster.kinds().by_api_version(version, kind).cloned() else {
            return Submitted::Unknown(format!("there is no {kind} of {version} offline: look at it with a cluster that has the kind"));
        };
        self.add_namespace(namespace);
        match self.play.apply(document, namespace) {
            Err(problems) => Submitted::Refused(problems.iter().map(ToString::to_string).collect()),
            Ok(warnings) => {
                let namespace = if resource.namespaced { namespace } else { "" };
                let key = format!("{}/{}", resource.key(), resource.id.version);
                let stored = self.play.simulation.cluster.get(&key, namespace, name);
                Submitted::Taken(stored.map_or(Value::Null, |stored| (*stored).clone()), warnings)
            }
        }
    }

    /// Shows the Deployment of a new revision to the server.
    ///
    /// # Errors
    /// The server's words.
    pub fn try_workload(&mut self, namespace: &str, workload: Value) -> Result<(), String> {
        let options = WriteOptions { dry_run: true, ..WriteOptions::manager("preflight") };
        let created = self.play.simulation.cluster.create(&administrator(), "deployments.apps", namespace, workload, &options);
        created.map(drop).map_err(|error| error.message)
    }

    /// Namespaces are there in whatever cluster this is for.
    fn add_namespace(&mut self, namespace: &str) {
        let cluster = &mut self.play.simulation.cluster;
        if cluster.get("namespaces", "", namespace).is_none() {
            let object = json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": namespace } });
            // A name that is none is refused again with the first object that lives there.
            drop(cluster.create(&administrator(), "namespaces", "", object, &WriteOptions::manager("preflight")));
        }
    }
}

fn administrator() -> Identity {
    let groups = vec!["system:masters".to_owned(), "system:authenticated".to_owned()];
    Identity { user: "preflight".to_owned(), groups, user_agent: "modelward".to_owned(), ..Identity::default() }
}
