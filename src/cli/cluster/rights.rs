//! What the operator may do that is at work in a served cluster: what the chart's role allows, and nothing else.

use serde_json::{Value, json};

use super::super::embedded::OPERATOR;
use super::super::output::Failure;
use crate::sim::actors::client::administrator;
use crate::sim::api_error::ApiError;
use crate::sim::cluster::WriteOptions;
use crate::sim::simulation::Simulation;

/// The chart's rules stand as plain YAML in one helper.
const HELPERS: &str = include_str!("../../../charts/modelward/templates/_helpers.tpl");
/// Role and binding; the chart's own have another name, so that Helm can install it here.
const NAME: &str = "modelward:embedded";

/// The rules of the chart's role.
fn rules() -> Option<Vec<Value>> {
    let (_, rest) = HELPERS.split_once("{{- define \"modelward.rules\" -}}")?;
    let (rules, _) = rest.split_once("{{- end }}")?;
    serde_saphyr::from_str(rules).ok()
}

/// Lets the operator's service account do what its chart allows.
///
/// # Errors
/// What the server refuses, which only happens when a document has made objects of the same names.
pub(super) fn grant(simulation: &mut Simulation) -> Result<(), Failure> {
    let rules = rules().ok_or_else(|| Failure::new("the rules of the chart cannot be read; please report this".to_owned()))?;
    let subject = json!({ "apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": OPERATOR });
    let role = json!({ "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": NAME });
    let mut create = |plural: &str, mut object: Value| {
        object["metadata"] = json!({ "name": NAME });
        let resource = format!("{plural}.rbac.authorization.k8s.io");
        let created = simulation.cluster.create(&administrator(), &resource, "", object, &WriteOptions::manager("modelward"));
        created.map_err(|error: ApiError| Failure::new(error.message))
    };
    create("clusterroles", json!({ "rules": rules }))?;
    create("clusterrolebindings", json!({ "roleRef": role, "subjects": [subject] }))?;
    simulation.settle();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{NAME, grant, rules};
    use crate::cli::embedded::OPERATOR;
    use crate::sim::cluster::Identity;
    use crate::sim::routes::access::Attributes;
    use crate::sim::routes::rbac::decide;
    use crate::sim::simulation::Simulation;

    #[test]
    fn the_operator_may_what_the_chart_allows_and_nothing_else() {
        let mut simulation = Simulation::without_actors(1, jiff::Timestamp::UNIX_EPOCH);
        grant(&mut simulation).expect("the roles are taken");
        assert!(rules().is_some_and(|rules| rules.len() > 5));
        let may = |verb, resource, group| {
            let attributes = Attributes { verb, group, resource, namespace: "default", ..Attributes::default() };
            decide(&simulation.cluster, &Identity::user(OPERATOR), &attributes).allowed
        };
        assert!(may("create", "deployments", "apps") && may("list", "pods", ""));
        assert!(!may("create", "pods", "") && !may("get", "secrets", ""));
        assert!(grant(&mut simulation).is_err(), "{NAME} is there already");
    }
}
