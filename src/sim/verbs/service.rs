//! What the API server allocates for Services: cluster addresses and node ports.

use std::net::Ipv4Addr;

use serde_json::{Value, json};

use super::{Asked, errors};
use crate::sim::api_error::{ApiError, Cause};
use crate::sim::cluster::Cluster;

/// Fills in addresses and ports of a Service; `old` is the Service before an update.
///
/// # Errors
/// 422 if an asked address or port is taken, 500 if none is left.
pub(super) fn allocate(cluster: &Cluster, asked: &Asked<'_>, service: &mut Value, old: Option<&Value>) -> Result<(), ApiError> {
    if !asked.is("services") || asked.subresource.is_some() {
        return Ok(());
    }
    let kind = service["spec"]["type"].as_str().unwrap_or("ClusterIP").to_owned();
    carry_over(service, old, &kind);
    if kind == "ExternalName" {
        for field in ["clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"] {
            remove(&mut service["spec"], field);
        }
        return Ok(());
    }
    let identity = format!("{}/{}", asked.namespace, asked.name);
    let address = service["spec"]["clusterIP"].as_str().unwrap_or_default().to_owned();
    let address = match address.as_str() {
        "" => cluster.free_address(&identity).ok_or_else(|| errors::internal("failed to allocate a serviceIP: range is full"))?.to_string(),
        "None" => address,
        _ => check_address(cluster, asked, address, old)?,
    };
    service["spec"]["clusterIP"] = json!(address);
    service["spec"]["clusterIPs"] = json!([address]);
    if service["spec"]["ipFamilies"].is_null() {
        service["spec"]["ipFamilies"] = json!(["IPv4"]);
    }
    if service["spec"]["ipFamilyPolicy"].is_null() {
        service["spec"]["ipFamilyPolicy"] = json!("SingleStack");
    }
    if matches!(kind.as_str(), "NodePort" | "LoadBalancer") { allocate_ports(cluster, asked, service, old, &identity) } else { Ok(()) }
}

/// An update that does not mention what was allocated keeps it.
fn carry_over(service: &mut Value, old: Option<&Value>, kind: &str) {
    let Some(old) = old else { return };
    if kind == "ExternalName" || old["spec"]["type"] == "ExternalName" {
        return;
    }
    for field in ["clusterIP", "clusterIPs"] {
        if service["spec"][field].as_str().is_none_or(str::is_empty) && !service["spec"][field].is_array() && !old["spec"][field].is_null()
        {
            service["spec"][field] = old["spec"][field].clone();
        }
    }
    if !matches!(kind, "NodePort" | "LoadBalancer") {
        for port in service["spec"]["ports"].as_array_mut().into_iter().flatten() {
            remove(port, "nodePort");
        }
        return;
    }
    let ports_before: Vec<Value> = old["spec"]["ports"].as_array().cloned().unwrap_or_default();
    for port in service["spec"]["ports"].as_array_mut().into_iter().flatten() {
        let same = ports_before.iter().find(|before| before["port"] == port["port"] && before["protocol"] == port["protocol"]);
        if let Some(node_port) = same.map(|before| before["nodePort"].clone()).filter(|_| port["nodePort"].is_null())
            && !node_port.is_null()
        {
            port["nodePort"] = node_port;
        }
    }
}

fn check_address(cluster: &Cluster, asked: &Asked<'_>, address: String, old: Option<&Value>) -> Result<String, ApiError> {
    let kept = old.is_some_and(|old| old["spec"]["clusterIP"] == json!(address));
    let problem = match address.parse::<Ipv4Addr>() {
        _ if kept => return Ok(address),
        Err(_) => "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)".to_owned(),
        Ok(parsed) if !Cluster::in_service_range(parsed) => {
            "failed to allocate IP ".to_owned()
                + &address
                + ": the provided IP ("
                + &address
                + ") is not in the valid range. The range of valid IPs is 10.96.0.0/12"
        }
        Ok(parsed) if cluster.has_address(parsed) => format!("failed to allocate IP {address}: provided IP is already allocated"),
        Ok(_) => return Ok(address),
    };
    let cause = Cause::new("FieldValueInvalid", "spec.clusterIPs", format!("Invalid value: [{address:?}]: {problem}"));
    Err(errors::invalid(&asked.resource, asked.name, &[cause]))
}

fn allocate_ports(cluster: &Cluster, asked: &Asked<'_>, service: &mut Value, old: Option<&Value>, identity: &str) -> Result<(), ApiError> {
    let own = |port: u16| old.is_some_and(|old| Cluster::node_ports_of(old).contains(&port));
    let mut taken = Cluster::node_ports_of(service);
    for (at, port) in service["spec"]["ports"].as_array_mut().into_iter().flatten().enumerate() {
        let wanted = port["nodePort"].as_u64().and_then(|port| u16::try_from(port).ok()).unwrap_or(0);
        if wanted == 0 {
            let free =
                cluster.free_port(identity, &taken).ok_or_else(|| errors::internal("failed to allocate a nodePort: range is full"))?;
            taken.insert(free);
            port["nodePort"] = json!(free);
        } else if !own(wanted) && cluster.has_port(wanted) {
            let message = format!("Invalid value: {wanted}: provided port is already allocated");
            let cause = Cause::new("FieldValueInvalid", format!("spec.ports[{at}].nodePort"), message);
            return Err(errors::invalid(&asked.resource, asked.name, &[cause]));
        }
    }
    Ok(())
}

fn remove(object: &mut Value, field: &str) {
    if let Some(fields) = object.as_object_mut() {
        fields.remove(field);
    }
}
