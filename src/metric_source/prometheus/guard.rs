//! Which addresses a provider's name may lead to.
//!
//! An administrator names the host. What it resolves to is checked before anything connects, and nothing else is connected to:
//! a name that comes to point at the cloud's metadata service, at this pod itself or at the API server leads nowhere.

use std::collections::BTreeSet;
use std::future::Future;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use hyper_util::client::legacy::connect::dns::{GaiResolver, Name};
use tower::Service;

/// Services of clouds that hand out credentials, beside the link-local ones: Alibaba, Azure, Oracle; AWS over IPv6.
const METADATA: [IpAddr; 4] = [
    IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)),
    IpAddr::V4(Ipv4Addr::new(168, 63, 129, 16)),
    IpAddr::V4(Ipv4Addr::new(192, 0, 0, 192)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)),
];

/// An address that may not be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{host} leads to {address}, which is {what}: metric providers are not looked for there")]
pub struct Denied {
    /// The host in the provider's URL.
    pub host: String,
    /// The address.
    pub address: IpAddr,
    /// What sort of address it is.
    pub what: &'static str,
}

/// Lets through the addresses that the host of one provider may have.
#[derive(Clone, Debug)]
pub struct Guard {
    loopback: bool,
    forbidden: Arc<BTreeSet<IpAddr>>,
}

impl Guard {
    /// For the host of a provider's URL: loopback only if the URL names it; never the addresses of `forbidden`.
    ///
    /// # Errors
    /// The host is an address that is not let through.
    pub fn new(host: &str, forbidden: BTreeSet<IpAddr>) -> Result<Self, Denied> {
        let name = host.trim_end_matches('.').to_ascii_lowercase();
        let literal = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().ok();
        let loopback =
            name == "localhost" || name.ends_with(".localhost") || literal.is_some_and(|address| address.to_canonical().is_loopback());
        let guard = Self { loopback, forbidden: Arc::new(forbidden) };
        match literal.and_then(|address| Some((address, guard.refusal(address)?))) {
            Some((address, what)) => Err(Denied { host: host.to_owned(), address, what }),
            None => Ok(guard),
        }
    }

    /// What speaks against an address; nothing: it may be used.
    fn refusal(&self, address: IpAddr) -> Option<&'static str> {
        let address = plain(address);
        match address {
            _ if self.forbidden.iter().any(|forbidden| plain(*forbidden) == address) => Some("an address of the API server"),
            _ if METADATA.contains(&address) => Some("a metadata service"),
            _ if address.is_loopback() && !self.loopback => Some("this pod itself"),
            _ if address.is_multicast() || address.is_unspecified() => Some("no address of a server"),
            IpAddr::V4(v4) if v4.is_link_local() => Some("link-local"),
            IpAddr::V4(v4) if v4.is_broadcast() || v4.octets()[0] == 0 => Some("no address of a server"),
            IpAddr::V6(v6) if v6.is_unicast_link_local() => Some("link-local"),
            _ => None,
        }
    }

    /// The addresses that may be used.
    ///
    /// # Errors
    /// None may; the first one is told.
    fn pass(&self, host: &str, found: impl Iterator<Item = SocketAddr>) -> io::Result<std::vec::IntoIter<SocketAddr>> {
        let (mut passed, mut denied) = (Vec::new(), None);
        for address in found {
            match self.refusal(address.ip()) {
                None => passed.push(address),
                Some(what) => denied = denied.or(Some(Denied { host: host.to_owned(), address: address.ip(), what })),
            }
        }
        match denied {
            Some(denied) if passed.is_empty() => Err(io::Error::new(io::ErrorKind::PermissionDenied, denied)),
            _ => Ok(passed.into_iter()),
        }
    }
}

/// The address that packets go to: an IPv4 one may be wrapped in IPv6, as mapped, compatible or by NAT64.
fn plain(address: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = address else { return address };
    let [.., high, low] = v6.segments();
    let wrapped = || {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        IpAddr::V4(Ipv4Addr::new(a, b, c, d))
    };
    match v6.segments() {
        [0, 0, 0, 0, 0, 0xffff, ..] | [0x64, 0xff9b, 0, 0, 0, 0, ..] => wrapped(),
        // `::` and `::1` are themselves.
        [0, 0, 0, 0, 0, 0, high, _] if high != 0 => wrapped(),
        _ => address,
    }
}

/// The system's resolver behind a guard.
#[derive(Clone)]
pub(super) struct GuardedResolver {
    resolver: GaiResolver,
    guard: Guard,
}

impl GuardedResolver {
    pub(super) fn new(guard: Guard) -> Self {
        Self { resolver: GaiResolver::new(), guard }
    }
}

impl Service<Name> for GuardedResolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, io::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), io::Error>> {
        self.resolver.poll_ready(context)
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let (host, guard) = (name.as_str().to_owned(), self.guard.clone());
        let found = self.resolver.call(name);
        Box::pin(async move { guard.pass(&host, found.await?) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn literal(host: &str) -> bool {
        Guard::new(host, BTreeSet::from([IpAddr::from([10, 96, 0, 1])])).is_ok()
    }

    #[test]
    fn a_host_that_is_an_address_is_judged_before_anything_connects() {
        for host in ["10.0.0.7", "192.168.1.1", "127.0.0.1", "[::1]", "[fd00::1]", "[::ffff:127.0.0.1]", "prometheus.monitoring.svc"] {
            assert!(literal(host), "{host}");
        }
        let denied = [
            "169.254.169.254",
            "[fe80::1]",
            "[fd00:ec2::254]",
            "100.100.100.200",
            "168.63.129.16",
            "0.0.0.0",
            "0.1.2.3",
            "[::]",
            "224.0.0.1",
            "255.255.255.255",
            "[::ffff:169.254.169.254]",
            "[::169.254.169.254]",
            "[64:ff9b::169.254.169.254]",
            "10.96.0.1",
            "[::ffff:10.96.0.1]",
        ];
        for host in denied {
            assert!(!literal(host), "{host}");
        }
    }

    #[test]
    fn a_name_that_resolves_to_a_denied_address_leads_nowhere() {
        let guard = Guard::new("prometheus", BTreeSet::new()).unwrap();
        let pass = |addresses: &[[u8; 4]]| {
            let found: Vec<SocketAddr> = addresses.iter().map(|address| SocketAddr::from((*address, 9090))).collect();
            guard.pass("prometheus", found.into_iter()).map(Iterator::count)
        };
        assert_eq!(pass(&[[10, 0, 0, 1], [10, 0, 0, 2]]).unwrap(), 2);
        assert_eq!(pass(&[[169, 254, 169, 254], [10, 0, 0, 2]]).unwrap(), 1, "only the allowed one is connected to");
        let error = pass(&[[169, 254, 169, 254], [127, 0, 0, 1]]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
        assert!(error.to_string().contains("169.254.169.254"), "{error}");
    }

    #[test]
    fn only_a_url_that_names_loopback_reaches_it() {
        let to_loopback = |host: &str| {
            let found = [SocketAddr::from(([127, 0, 0, 1], 9090))];
            Guard::new(host, BTreeSet::new()).unwrap().pass(host, found.into_iter()).is_ok()
        };
        assert!(to_loopback("localhost") && to_loopback("LocalHost.") && to_loopback("prometheus.localhost"));
        for host in ["prometheus", "localhost.example.com", "0x7f.1", "2130706433", "127.1"] {
            assert!(!to_loopback(host), "{host}");
        }
    }

    #[tokio::test]
    async fn numbers_in_disguise_are_resolved_by_the_system_and_denied() {
        for host in ["2130706433", "0x7f000001", "0251.0376.0251.0376", "127.1"] {
            let guard = Guard::new(host, BTreeSet::new()).unwrap();
            let answer = GuardedResolver::new(guard).call(host.parse().unwrap()).await;
            assert!(answer.is_err(), "{host}");
        }
    }
}
