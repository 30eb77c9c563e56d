//! Cluster addresses and node ports of Services: who has which, and the next free one.
//!
//! Allocation is a draw keyed by the Service, then the next free number: independent of the order of other Services
//! unless two draws meet.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use serde_json::Value;

use super::Cluster;
use crate::sim::draw::Draws;

/// First address after the network address of 10.96.0.0/12.
const FIRST_ADDRESS: u32 = 0x0a60_0001;
/// Usable addresses in the range.
const ADDRESSES: u64 = (1 << 20) - 2;
/// First node port.
const FIRST_PORT: u16 = 30_000;
/// Number of node ports.
const PORTS: u64 = 2_768;

#[derive(Default)]
pub(super) struct Addresses {
    addresses: BTreeSet<Ipv4Addr>,
    ports: BTreeSet<u16>,
}

impl Addresses {
    pub(super) fn cluster_ips(&self) -> BTreeSet<Ipv4Addr> {
        self.addresses.clone()
    }

    /// A free address; `None` when the range is full.
    pub(super) fn free_address(&self, draws: &Draws, service: &str) -> Option<Ipv4Addr> {
        let start = draws.below("cluster-ip", service, 0, ADDRESSES);
        (0..ADDRESSES)
            .map(|step| Ipv4Addr::from(FIRST_ADDRESS + ((start + step) % ADDRESSES) as u32))
            .find(|address| !self.addresses.contains(address))
    }

    /// A free node port that is not in `taken` either; `None` when the range is full.
    pub(super) fn free_port(&self, draws: &Draws, service: &str, taken: &BTreeSet<u16>) -> Option<u16> {
        let start = draws.below("node-port", service, taken.len() as u64, PORTS);
        (0..PORTS).map(|step| FIRST_PORT + ((start + step) % PORTS) as u16).find(|port| !self.ports.contains(port) && !taken.contains(port))
    }

    /// Follows a write.
    pub(super) fn follow(&mut self, resource: &str, before: Option<&Value>, after: Option<&Value>) {
        if resource != "services" {
            return;
        }
        if let Some(service) = before {
            addresses_of(service).for_each(|address| _ = self.addresses.remove(&address));
            ports_of(service).for_each(|port| _ = self.ports.remove(&port));
        }
        if let Some(service) = after {
            self.addresses.extend(addresses_of(service));
            self.ports.extend(ports_of(service));
        }
    }
}

fn addresses_of(service: &Value) -> impl Iterator<Item = Ipv4Addr> {
    service["spec"]["clusterIPs"].as_array().into_iter().flatten().filter_map(|address| address.as_str()?.parse().ok())
}

/// The node ports that a Service asks for or has.
fn ports_of(service: &Value) -> impl Iterator<Item = u16> {
    let ports = service["spec"]["ports"].as_array().into_iter().flatten();
    ports.filter_map(|port| u16::try_from(port["nodePort"].as_u64()?).ok().filter(|port| *port != 0))
}

impl Cluster {
    pub(in crate::sim) fn free_address(&self, service: &str) -> Option<Ipv4Addr> {
        self.addresses.free_address(&self.draws, service)
    }

    pub(in crate::sim) fn has_address(&self, address: Ipv4Addr) -> bool {
        self.addresses.addresses.contains(&address)
    }

    /// Whether an address is in 10.96.0.0/12 and usable.
    pub(in crate::sim) fn in_service_range(address: Ipv4Addr) -> bool {
        u32::from(address).checked_sub(FIRST_ADDRESS).is_some_and(|offset| u64::from(offset) < ADDRESSES)
    }

    pub(in crate::sim) fn free_port(&self, service: &str, taken: &BTreeSet<u16>) -> Option<u16> {
        self.addresses.free_port(&self.draws, service, taken)
    }

    pub(in crate::sim) fn has_port(&self, port: u16) -> bool {
        self.addresses.ports.contains(&port)
    }

    /// The node ports that a Service asks for or has.
    pub(in crate::sim) fn node_ports_of(service: &Value) -> BTreeSet<u16> {
        ports_of(service).collect()
    }
}
