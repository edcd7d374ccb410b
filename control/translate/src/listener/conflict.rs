//! Listeners that cannot be told apart.
//!
//! Within one object nobody wins: Gateway API forbids to pick one. Between objects the senior keeps what it has: the
//! Gateway before its ListenerSets, older sets before younger, and, where several Gateways share the ports of one
//! host or of the same pods, older Gateways before younger.
//!
//! A header of the PROXY protocol comes before anything that tells listeners apart, so those of one port have to agree on
//! whose connections begin with one.

use super::{ListenerPlan, spoken};
use crate::gateway::{GatewayPlan, Host};
use crate::names::PROXY_PROTOCOL_FROM;
use crate::status::condition::Problem;
use crate::status::reason;
use ipnet::IpNet;
use lychgate_api::gateway::ProtocolType;
use lychgate_ir::{HostPattern, ListenerId, Protocol, Transport};
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

/// What can share a port: HTTPS and TLS are told apart by SNI, the others take it whole.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Family {
    Http,
    Tls,
    Tcp,
    Udp,
    Unknown,
}

/// What the listeners of a Gateway have in common.
#[derive(Clone)]
struct Place {
    addresses: Arc<[IpAddr]>,
    /// Whose connections begin with a header of the PROXY protocol.
    proxies: Arc<[IpNet]>,
}

impl Family {
    fn of(protocol: &ProtocolType) -> Self {
        match protocol {
            ProtocolType::Http => Self::Http,
            ProtocolType::Https | ProtocolType::Tls => Self::Tls,
            ProtocolType::Tcp => Self::Tcp,
            ProtocolType::Udp => Self::Udp,
            ProtocolType::Other(name) => match spoken::ours(name).map(Protocol::transport) {
                Some(Transport::Tcp) => Self::Tcp,
                Some(Transport::Udp) => Self::Udp,
                None => Self::Unknown,
            },
        }
    }

    /// UDP ports are others than TCP ports. Streams and datagrams have nothing but the port to be told apart by.
    fn clashes(self, other: Self) -> bool {
        match (self, other) {
            (Self::Udp, Self::Udp) | (Self::Tcp, Self::Tcp) => true,
            (Self::Udp, _) | (_, Self::Udp) => false,
            (one, other) => one != other,
        }
    }

    /// Whether connections can begin with a header of the PROXY protocol.
    fn has_connections(self) -> bool {
        match self {
            Self::Http | Self::Tls | Self::Tcp => true,
            Self::Udp | Self::Unknown => false,
        }
    }
}

/// A listener that keeps its place.
struct Claim {
    place: Place,
    family: Family,
    protocol: ProtocolType,
    id: ListenerId,
}

/// What is taken, by port. One claim a hostname; families are kept apart to be found without a search.
#[derive(Default)]
struct Port {
    by_host: HashMap<HostPattern, Vec<Claim>>,
    /// The first of each family and set of addresses.
    families: Vec<Claim>,
}

#[derive(Default)]
struct Claims(HashMap<u16, Port>);

/// What the Gateways so far have taken.
pub(crate) struct Conflicts<'a> {
    standalone: bool,
    hosts: HashMap<Host<'a>, Claims>,
}

impl<'a> Conflicts<'a> {
    /// Nothing is taken yet.
    pub(crate) fn new(standalone: bool) -> Self {
        Self { standalone, hosts: HashMap::new() }
    }

    /// Marks every listener of a Gateway that conflicts. Gateways come the senior first, and it is known which are refused.
    pub(crate) fn mark(&mut self, plan: &mut GatewayPlan<'a>) {
        // What is refused as a whole takes no port from others.
        if plan.refused.is_some() {
            return;
        }
        let place =
            Place { addresses: plan.binds.clone().into(), proxies: plan.settings.proxy_protocol_from.clone().into() };
        let claims = self.hosts.entry(plan.host(self.standalone)).or_default();
        group(&mut plan.listeners, claims, &place);
        for set in &mut plan.sets {
            group(&mut set.listeners, claims, &place);
        }
    }
}

/// The listeners of one object.
fn group(listeners: &mut [ListenerPlan<'_>], claims: &mut Claims, place: &Place) {
    for listener in listeners.iter_mut() {
        listener.conflict = claims.conflict(listener, place);
    }
    let rivals: Vec<Option<Problem>> = listeners
        .iter()
        .enumerate()
        .map(|(at, listener)| {
            let others = listeners.iter().enumerate().filter(|(other, _)| *other != at).map(|(_, other)| other);
            if claimant(listener) {
                others.filter(|other| claimant(other)).find_map(|other| rivalry(listener, other))
            } else {
                None
            }
        })
        .collect();
    for (listener, rivalry) in listeners.iter_mut().zip(rivals) {
        if rivalry.is_some() {
            listener.conflict = rivalry;
        }
    }
    for listener in listeners.iter().filter(|listener| claimant(listener)) {
        claims.take(listener, place);
    }
}

/// A protocol that we do not speak takes no port, and what has lost already keeps nobody out.
fn claimant(listener: &ListenerPlan<'_>) -> bool {
    listener.protocol.is_some() && listener.conflict.is_none()
}

fn rivalry(one: &ListenerPlan<'_>, other: &ListenerPlan<'_>) -> Option<Problem> {
    if one.spec.port != other.spec.port {
        return None;
    }
    if Family::of(&one.spec.protocol).clashes(Family::of(&other.spec.protocol)) {
        return Some(protocol_conflict(one, &other.spec.protocol, &other.id));
    }
    let same = one.hostname == other.hostname && Family::of(&one.spec.protocol) == Family::of(&other.spec.protocol);
    same.then(|| hostname_conflict(one, &other.spec.protocol, &other.id))
}

impl Claims {
    fn conflict(&self, listener: &ListenerPlan<'_>, place: &Place) -> Option<Problem> {
        let port = self.0.get(&listener.spec.port)?;
        let family = Family::of(&listener.spec.protocol);
        let meets = |claim: &&Claim| overlap(&claim.place.addresses, &place.addresses);
        if let Some(claim) = port.families.iter().filter(meets).find(|claim| family.clashes(claim.family)) {
            return Some(protocol_conflict(listener, &claim.protocol, &claim.id));
        }
        let of_connections = |claim: &&Claim| family.has_connections() && claim.family.has_connections();
        let differs = |claim: &&Claim| claim.place.proxies != place.proxies;
        if let Some(claim) = port.families.iter().filter(meets).filter(of_connections).find(differs) {
            return Some(proxies_conflict(listener, &claim.id));
        }
        let same = port.by_host.get(&listener.hostname).into_iter().flatten();
        let same = same.filter(|claim| claim.family == family).find(meets);
        same.map(|claim| hostname_conflict(listener, &claim.protocol, &claim.id))
    }

    fn take(&mut self, listener: &ListenerPlan<'_>, place: &Place) {
        let port = self.0.entry(listener.spec.port).or_default();
        let family = Family::of(&listener.spec.protocol);
        let protocol = &listener.spec.protocol;
        let claim = || Claim { place: place.clone(), family, protocol: protocol.clone(), id: listener.id.clone() };
        if !port.families.iter().any(|known| known.family == family && known.place.addresses == place.addresses) {
            port.families.push(claim());
        }
        port.by_host.entry(listener.hostname.clone()).or_default().push(claim());
    }
}

/// Whether two sets of addresses to bind have one in common. No address at all means every one.
fn overlap(one: &[IpAddr], other: &[IpAddr]) -> bool {
    let all = |addresses: &[IpAddr]| addresses.is_empty() || addresses.iter().any(IpAddr::is_unspecified);
    all(one) || all(other) || one.iter().any(|address| other.contains(address))
}

fn protocol_conflict(listener: &ListenerPlan<'_>, spoken: &ProtocolType, other: &ListenerId) -> Problem {
    let port = listener.spec.port;
    let protocol = &listener.spec.protocol;
    let message = if spoken == protocol {
        format!("{protocol} port {port} belongs to {other} as well; use another port")
    } else {
        format!("port {port} speaks another protocol than {protocol} for {other}; use another port")
    };
    Problem::new(reason::PROTOCOL_CONFLICT, message)
}

fn proxies_conflict(listener: &ListenerPlan<'_>, other: &ListenerId) -> Problem {
    let port = listener.spec.port;
    let message = format!(
        "port {port} belongs to {other} as well, whose Gateway has another annotation {PROXY_PROTOCOL_FROM}; write the \
         same on both, or use another port"
    );
    Problem::new(reason::PROTOCOL_CONFLICT, message)
}

/// HTTPS and TLS may share a port, but not a host on it.
fn hostname_conflict(listener: &ListenerPlan<'_>, protocol: &ProtocolType, other: &ListenerId) -> Problem {
    let (port, host) = (listener.spec.port, &listener.hostname);
    let message = format!("hostname {host} on port {port} belongs to {other} as well; use another hostname or port");
    let same_protocol = *protocol == listener.spec.protocol;
    Problem::new(if same_protocol { reason::HOSTNAME_CONFLICT } else { reason::PROTOCOL_CONFLICT }, message)
}
