//! Compiled listeners, and the ports that they share.

use super::{AuthState, RuleState};
use crate::proxy_protocol::Proxies;
use crate::stream::StreamTable;
use crate::tls::server::ServerTls;
use lychgate_ir::{Certificate, Listener, Protocol, Refusal};
use lychgate_router::{Listeners, RouteTable};
use lychgate_telemetry::{ListenerMetrics, SocketMetrics, StreamMetrics};
use std::sync::Arc;

/// A listener with its routes.
pub(crate) struct ListenerState {
    pub(crate) spec: Arc<Listener>,
    pub(crate) metrics: Arc<ListenerMetrics>,
    pub(crate) stream_metrics: Arc<StreamMetrics>,
    /// For HTTPS. A broken setting refuses every handshake.
    pub(crate) tls: Option<Result<Arc<ListenerTlsState>, Refusal>>,
    /// Services that are asked about each request before it is routed, in this order.
    pub(crate) auth: Vec<Arc<AuthState>>,
    pub(crate) routes: RouteTable<Arc<RuleState>>,
    /// For TLS, TCP and UDP.
    pub(crate) streams: StreamTable,
    /// Whether what its routes carry leaves: then policies decide about all of it.
    pub(crate) leaves: bool,
}

/// TLS of a listener with what it was made of, so that a reload that changes neither keeps sessions and tickets.
#[derive(Debug)]
pub(crate) struct ListenerTlsState {
    pub(crate) server: ServerTls,
    pub(crate) certificates: Vec<Arc<Certificate>>,
}

impl ListenerState {
    /// Whether TLS is passed through unread.
    pub(crate) fn passes_through(&self) -> bool {
        self.spec.protocol == Protocol::Tls && self.tls.is_none()
    }
}

/// All listeners on one socket; they speak what can be told apart there.
pub(crate) struct Port {
    pub(crate) speaks: Speaks,
    pub(crate) metrics: Arc<SocketMetrics>,
    /// Whose connections begin with a header of the PROXY protocol.
    pub(crate) proxies: Proxies,
    pub(crate) listeners: Listeners<Arc<ListenerState>>,
}

/// What comes first on a socket. Behind a TLS handshake, the listener of the server name says how it goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Speaks {
    /// HTTP in clear text.
    Http,
    /// A TLS handshake.
    Tls,
    /// Anything.
    Tcp,
    /// Datagrams.
    Udp,
    /// What clients say that know they talk to a proxy.
    Proxy,
    /// What was meant for somebody else, and led here.
    Transparent,
    /// Questions to DNS in datagrams.
    Dns,
    /// Questions to DNS.
    DnsOverTcp,
}

impl From<Protocol> for Speaks {
    fn from(protocol: Protocol) -> Self {
        match protocol {
            Protocol::Http => Self::Http,
            Protocol::Https | Protocol::Tls => Self::Tls,
            Protocol::Tcp => Self::Tcp,
            Protocol::Proxy => Self::Proxy,
            Protocol::Transparent => Self::Transparent,
            Protocol::DnsOverTcp => Self::DnsOverTcp,
            Protocol::Dns => Self::Dns,
            Protocol::Udp => Self::Udp,
        }
    }
}
