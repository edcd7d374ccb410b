//! One look at a name: the host's own table first, then DNS.

use hickory_resolver::config::{LookupIpStrategy, ResolveHosts, ResolverConfig};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::op::Query;
use hickory_resolver::proto::rr::{Name, RecordType};
use hickory_resolver::{Hosts, TokioResolver};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket};
use std::time::{Duration, Instant};

/// Whom to ask.
pub(super) struct Dns {
    resolver: TokioResolver,
    hosts: Hosts,
}

/// The addresses of a name, and how long they hold.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) addresses: Vec<IpAddr>,
    pub(super) ttl: Duration,
}

/// Why there are none.
#[derive(Debug)]
pub(super) enum Failure {
    /// Somebody who must know says that the name does not exist.
    NoSuchName,
    /// Nobody could tell.
    Unanswered(NetError),
}

impl Dns {
    /// Asks these name servers, or those of the host.
    pub(super) fn new(servers: Option<ResolverConfig>) -> Result<Self, NetError> {
        let mut builder = match servers {
            Some(servers) => TokioResolver::builder_with_config(servers, TokioRuntimeProvider::default()),
            None => TokioResolver::builder_tokio()?,
        };
        let options = builder.options_mut();
        // Whoever asks keeps the answer for its TTL: a second cache below would only make it older.
        options.cache_size = 0;
        options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
        // Looked at below, for both families at once.
        options.use_hosts_file = ResolveHosts::Never;
        Ok(Self { resolver: builder.build()?, hosts: Hosts::from_system().unwrap_or_default() })
    }

    /// Resolves a name, always taken as complete: no search list applies to names in API objects.
    pub(super) async fn lookup(&self, name: &str) -> Result<Answer, Failure> {
        const FOR_GOOD: Duration = Duration::MAX;
        if let Ok(ip) = name.parse::<IpAddr>() {
            return Ok(Answer { addresses: vec![ip], ttl: FOR_GOOD });
        }
        let unanswered = |error: NetError| Failure::Unanswered(error);
        let mut name = Name::from_ascii(name).map_err(|error| unanswered(error.into()))?;
        name.set_fqdn(true);
        let addresses = self.in_hosts(&name);
        if !addresses.is_empty() {
            return Ok(Answer { addresses, ttl: FOR_GOOD });
        }
        let answer = self
            .resolver
            .lookup_ip(name)
            .await
            .map_err(|error| if error.is_nx_domain() { Failure::NoSuchName } else { Failure::Unanswered(error) })?;
        let ttl = answer.valid_until().saturating_duration_since(Instant::now());
        Ok(Answer { addresses: reachable(answer.iter().collect()), ttl })
    }

    /// What the host's table says goes before DNS, for both families: a name that is there has no other addresses.
    fn in_hosts(&self, name: &Name) -> Vec<IpAddr> {
        let of = |family| self.hosts.lookup_static_host(&Query::query(name.clone(), family));
        let found = [RecordType::A, RecordType::AAAA].into_iter().filter_map(of);
        found
            .flat_map(|found| found.answers().iter().filter_map(|record| record.data.ip_addr()).collect::<Vec<_>>())
            .collect()
    }
}

/// The addresses that this host has a route to: where there is no IPv6, every second request to a name that has both
/// would have to be tried again. If there is a route to none, the error of connecting says more than an empty list.
fn reachable(addresses: Vec<IpAddr>) -> Vec<IpAddr> {
    let is_reachable = |ip: &IpAddr| {
        let own: IpAddr = if ip.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
        // Connecting a datagram socket sends nothing: it only looks for a route.
        UdpSocket::bind((own, 0)).and_then(|socket| socket.connect((*ip, 9))).is_ok()
    };
    let reachable: Vec<IpAddr> = addresses.iter().copied().filter(is_reachable).collect();
    if reachable.is_empty() { addresses } else { reachable }
}
