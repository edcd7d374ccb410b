//! Listeners: where connections come in, and how TLS is ended there.

use crate::filter::ListenerFilter;
use crate::{CertificateId, HostPattern, ListenerId, Redacted, Refusal};
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;
use std::sync::Arc;

/// A listener that can be served. Several may share one port and are told apart by host name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listener {
    /// What it is called everywhere.
    pub id: ListenerId,
    /// Addresses to bind, sorted; empty means every address of the host.
    pub addresses: Vec<IpAddr>,
    /// The port to bind, and the one that redirects and `parentRef.port` speak of.
    pub port: u16,
    /// What is spoken on it.
    pub protocol: Protocol,
    /// SNI and Host that belong to it; on one port the most specific listener wins (listener isolation).
    pub hostname: HostPattern,
    /// Present exactly for HTTPS, for TLS that is ended here, and for proxies that are spoken to over TLS.
    pub tls: Option<ListenerTls>,
    /// The certificate that its Gateway presents to backends (`spec.tls.backend`).
    pub upstream_identity: Option<CertificateId>,
    /// How many proxies in front of us may be believed when they say `X-Forwarded-*` or `Forwarded`; 0 believes nobody.
    pub trusted_hops: u8,
    /// Proxies in front of us whose connections begin with a header of the PROXY protocol, sorted; the same for all
    /// listeners of a socket. Nobody else's header is believed. Means nothing for UDP.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub proxy_protocol_from: Vec<IpNet>,
    /// What each request passes before it is routed, in this order; only for HTTP and HTTPS.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub filters: Vec<ListenerFilter>,
    /// Whether it belongs to an egress Gateway: what its routes carry leaves, and policies decide about all of it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub leaves: bool,
}

/// What a listener speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Protocol {
    /// HTTP/1.1 and HTTP/2 in clear text.
    Http,
    /// HTTP/1.1 and HTTP/2 over TLS.
    Https,
    /// Anything over TLS: ended here if [`Listener::tls`] is present, else passed through unread.
    Tls,
    /// Anything over TCP.
    Tcp,
    /// Datagrams.
    Udp,
    /// What clients say that know they talk to a proxy: CONNECT and absolute-form of HTTP, SOCKS5; over TLS if
    /// [`Listener::tls`] is present. Only for Gateways that are in [`crate::Snapshot::egress`], as are those below.
    Proxy,
    /// Connections that were meant for somebody else, and led here.
    Transparent,
    /// Questions to DNS, in datagrams.
    Dns,
    /// Questions to DNS, over TCP.
    DnsOverTcp,
}

impl Protocol {
    /// What it is carried over.
    pub fn transport(self) -> Transport {
        match self {
            Self::Http | Self::Https | Self::Tls | Self::Tcp | Self::Proxy | Self::Transparent | Self::DnsOverTcp => {
                Transport::Tcp
            }
            Self::Udp | Self::Dns => Transport::Udp,
        }
    }
}

/// What sockets speak. A port of one has nothing to do with the same port of the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Transport {
    /// Connections.
    Tcp,
    /// Datagrams.
    Udp,
}

/// How a listener ends TLS.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListenerTls {
    /// Certificates to choose from, in the order written; at least one.
    pub certificates: Vec<CertificateId>,
    /// The oldest version to accept.
    pub min_version: TlsVersion,
    /// Client certificates (GEP-91); `None` asks for none. A broken setting refuses the handshake.
    pub client_validation: Option<Result<ClientValidation, Refusal>>,
}

/// TLS versions that can be asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum TlsVersion {
    /// TLS 1.2.
    #[default]
    V1_2,
    /// TLS 1.3.
    V1_3,
}

/// How client certificates are verified.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientValidation {
    /// Trust anchors, PEM, sorted by where they came from.
    pub roots_pem: Vec<Arc<str>>,
    /// What happens without a valid certificate.
    pub mode: ValidationMode,
}

/// What happens to a client without a valid certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ValidationMode {
    /// The handshake fails.
    AllowValidOnly,
    /// The handshake goes on, and the connection counts as not authenticated.
    AllowInsecureFallback,
}

/// A certificate chain and its key, both PEM and known to belong together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Certificate {
    /// The Secret they come from.
    pub id: CertificateId,
    /// Leaf first.
    pub chain_pem: Arc<str>,
    /// The private key.
    pub key_pem: Redacted,
}
