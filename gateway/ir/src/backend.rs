//! Backends: what a request is forwarded to, and how it is reached.

use crate::{BackendId, CertificateId, Refusal, SessionPersistence};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// One port of one backend object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backend {
    /// What it is called everywhere.
    pub id: BackendId,
    /// What it speaks.
    pub protocol: UpstreamProtocol,
    /// How connections are protected.
    pub tls: BackendTls,
    /// Where its endpoints come from.
    pub resolution: Resolution,
    /// How an endpoint is picked.
    pub balance: Balance,
    /// Session persistence of the backend itself; a rule's own wins.
    pub persistence: Option<SessionPersistence>,
    /// Whether connections begin with a header of the PROXY protocol, which tells the client's address. Never for UDP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proxy_protocol: Option<ProxyProtocol>,
}

/// What a backend speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum UpstreamProtocol {
    /// HTTP/1.1; over TLS, HTTP/2 if the backend offers it by ALPN.
    Auto,
    /// HTTP/1.1 only.
    Http1,
    /// HTTP/2 only: by prior knowledge in clear text (h2c), by ALPN over TLS.
    Http2,
    /// WebSocket (`kubernetes.io/ws`, `kubernetes.io/wss`): HTTP/1.1 with upgrade.
    WebSocket,
}

/// How connections to a backend are protected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum BackendTls {
    /// Clear text.
    Plain,
    /// TLS, verified.
    Tls(UpstreamTls),
    /// TLS was asked for in a way that cannot be done: every request is refused, none goes out in clear text.
    Broken(Refusal),
}

/// A verified TLS connection to a backend (BackendTLSPolicy, GEP-1897 and GEP-3155).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UpstreamTls {
    /// The SNI, and the name that the certificate must carry unless `subject_alt_names` says otherwise.
    pub hostname: Arc<str>,
    /// If not empty, one of these must be in the certificate instead of `hostname`.
    pub subject_alt_names: Vec<SubjectAltName>,
    /// Whom to believe.
    pub roots: Roots,
    /// What we present.
    pub identity: ClientIdentity,
}

/// A name that a certificate may carry.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum SubjectAltName {
    /// A DNS name, or a wildcard of one label's depth.
    Dns(Arc<str>),
    /// A URI, compared as text (SPIFFE).
    Uri(Arc<str>),
}

/// Trust anchors.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Roots {
    /// Those of the host.
    System,
    /// PEM, sorted by where they came from.
    Pem(Vec<Arc<str>>),
}

/// The client certificate that is presented to a backend.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ClientIdentity {
    /// The one of the Gateway that the request came through, if it has one.
    Gateway,
    /// None, whatever the Gateway has.
    None,
    /// This one.
    Certificate(CertificateId),
}

/// Where endpoints come from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Resolution {
    /// From the endpoint lane.
    Endpoints,
    /// From DNS (ExternalName Services and XBackends): resolved with its TTL, in the data plane.
    Dns {
        /// The name to resolve.
        hostname: Arc<str>,
        /// The port to connect to.
        port: u16,
    },
}

/// Versions of the PROXY protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ProxyProtocol {
    /// A line of text.
    V1,
    /// A block of bytes.
    V2,
}

/// How an endpoint is picked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Balance {
    /// One after the other.
    #[default]
    RoundRobin,
    /// The less busy of two picked at random (P2C).
    LeastRequest,
}
