//! A small gateway double for the real arm: it answers every route of a namespace, a moment after it was written, as it
//! was told to; and how a scenario tells the double of either arm.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use kube::api::{DynamicObject, ListParams, Patch, PatchParams};
use kube::{Api, Client};
use serde_json::{Value, json};

use crate::arena::kind;

/// What a gateway says of routes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Answer {
    /// It takes them.
    #[default]
    Accept,
    /// It does not, and says why: reason and message.
    Reject(&'static str, &'static str),
    /// It takes those that use nothing of this name: a field of a rule, or a type of a filter.
    Lack(&'static str),
    /// It says nothing of what is written from now on.
    Silence,
}

/// A gateway double that a scenario can talk to.
pub trait Gateway {
    /// Answers like this from now on.
    fn answers(&self, answer: Answer);
}

/// The double of the real arm.
#[derive(Clone, Default)]
pub struct Double(Arc<Mutex<Answer>>);

impl Gateway for Double {
    fn answers(&self, answer: Answer) {
        *self.0.lock().unwrap() = answer;
    }
}

impl Double {
    /// Answers routes for ever.
    pub async fn serve(self, client: Client, namespace: String) {
        let kinds = ["route", "grpcroute"].map(|short| Api::namespaced_with(client.clone(), &namespace, &kind(short)));
        loop {
            tokio::time::sleep(Duration::from_millis(200)).await;
            for routes in &kinds {
                self.answer_all(routes).await;
            }
        }
    }

    async fn answer_all(&self, routes: &Api<DynamicObject>) {
        let Ok(list) = routes.list(&ListParams::default()).await else { return };
        let said = *self.0.lock().unwrap();
        for route in list.items {
            let route = serde_json::to_value(route).unwrap();
            if let Some(status) = answer(&route, said) {
                let name = route["metadata"]["name"].as_str().unwrap().to_owned();
                let patch = json!({"status": status});
                let params = PatchParams { field_manager: Some("gateway-double".to_owned()), ..PatchParams::default() };
                // The route may have gone meanwhile.
                let _gone = routes.patch_status(&name, &params, &Patch::Merge(&patch)).await;
            }
        }
    }
}

/// The status that a route lacks for its present generation and what is to be said.
fn answer(route: &Value, said: Answer) -> Option<Value> {
    let (status, reason, message) = match said {
        Answer::Accept => ("True", "Accepted", ""),
        Answer::Lack(feature) if route["spec"]["rules"].to_string().contains(&format!("\"{feature}\"")) => {
            ("False", "UnsupportedValue", "This gateway does not support it")
        }
        Answer::Lack(_) => ("True", "Accepted", ""),
        Answer::Reject(reason, message) => ("False", reason, message),
        Answer::Silence => return None,
    };
    let generation = &route["metadata"]["generation"];
    let condition = |kind: &str, status: &str, reason: &str, message: &str| {
        json!({"type": kind, "status": status, "reason": reason, "message": message, "observedGeneration": generation,
            "lastTransitionTime": "2026-01-01T00:00:00Z"})
    };
    let parents = route["spec"]["parentRefs"].as_array()?.iter().map(|parent| {
        json!({"parentRef": parent, "controllerName": "modelward.dev/gateway-double",
            "conditions": [condition("Accepted", status, reason, message), condition("ResolvedRefs", "True", "ResolvedRefs", "")]})
    });
    let wanted = json!({"parents": parents.collect::<Vec<_>>()});
    (route.get("status") != Some(&wanted)).then_some(wanted)
}
