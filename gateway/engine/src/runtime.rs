//! What a snapshot compiles to: immutable, shared, and pinned once per request.

mod compile;
mod listener;
mod rule;
mod weighted;

pub(crate) use compile::Compiler;
pub use listener::Speaks;
pub(crate) use listener::{ListenerState, ListenerTlsState, Port};
pub(crate) use rule::{AuthState, Destination, ForwardState, MirrorState, RuleState};
pub(crate) use weighted::Weighted;

use crate::egress::Gate;
use crate::upstream::BackendCell;
use lychgate_ir::{BackendId, GatewayId, Listener, Snapshot, Transport};
use serde::Serialize;
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

/// A socket to listen on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Bind {
    /// The address; `None` is every address of the host, over IPv6 and IPv4.
    pub address: Option<IpAddr>,
    /// The port.
    pub port: u16,
    /// What it speaks.
    pub transport: Transport,
}

impl Bind {
    /// The sockets of a listener.
    pub fn of(listener: &Listener) -> Vec<Self> {
        let Listener { addresses, port, protocol, .. } = listener;
        let bind = |address| Self { address, port: *port, transport: protocol.transport() };
        match addresses.as_slice() {
            [] => vec![bind(None)],
            some => some.iter().map(|address| bind(Some(*address))).collect(),
        }
    }

    /// As a socket address.
    pub fn socket(&self) -> SocketAddr {
        SocketAddr::new(self.address.unwrap_or(IpAddr::V6(Ipv6Addr::UNSPECIFIED)), self.port)
    }
}

impl fmt::Display for Bind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.address {
            Some(address) => SocketAddr::new(address, self.port).fmt(f)?,
            None => write!(f, "*:{}", self.port)?,
        }
        match self.transport {
            Transport::Tcp => Ok(()),
            Transport::Udp => f.write_str("/udp"),
        }
    }
}

/// Everything that requests need, at one moment.
#[derive(Default)]
pub(crate) struct Runtime {
    pub(crate) snapshot: Arc<Snapshot>,
    pub(crate) ports: HashMap<Bind, Arc<Port>>,
    pub(crate) backends: HashMap<BackendId, Arc<BackendCell>>,
    pub(crate) gates: HashMap<GatewayId, Arc<Gate>>,
    /// The backends whose names are kept resolved; `None` is all of them.
    pub(crate) resolved: Option<HashSet<BackendId>>,
}

impl Runtime {
    /// Whether the names of a backend are kept resolved.
    pub(crate) fn resolves(&self, id: &BackendId) -> bool {
        self.resolved.as_ref().is_none_or(|resolved| resolved.contains(id))
    }
}
