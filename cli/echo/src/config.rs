//! What a server listens on, and who it says it is.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use rustls::ServerConfig;
use serde::{Deserialize, Serialize};

use crate::limits::DEFAULT_RECORDED;

/// Who answers: what a client sees of the backend, to tell one from another.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EchoIdentity {
    /// The namespace of the pod.
    pub namespace: String,
    /// The ingress controller under test, as the conformance suite names it. Mostly empty.
    pub ingress: String,
    /// The Service in front of the pod.
    pub service: String,
    /// The pod.
    pub pod: String,
}

impl EchoIdentity {
    /// A pod in the namespace `default`.
    pub fn pod(name: impl Into<String>) -> Self {
        Self { namespace: "default".to_owned(), pod: name.into(), ..Self::default() }
    }
}

/// How the TCP and UDP ports answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RawMode {
    /// Every byte comes back as it came.
    #[default]
    Bytes,
    /// As the Gateway API conformance backends do: TCP greets, and answers the lines `PING`, `IS_TLS` and `TEST`; UDP
    /// answers a JSON object with the datagram and the identity.
    Conformance,
}

/// An address with the TLS settings that it serves.
#[derive(Clone, Debug)]
pub(crate) struct TlsPort {
    pub(crate) addr: SocketAddr,
    pub(crate) tls: Arc<ServerConfig>,
}

/// What an [`EchoServer`](crate::EchoServer) serves. Port 0 takes a free one; nothing is served that was not asked for.
#[derive(Clone, Debug)]
pub struct EchoConfig {
    pub(crate) http: Option<SocketAddr>,
    pub(crate) https: Option<TlsPort>,
    pub(crate) tcp: Option<SocketAddr>,
    pub(crate) tls: Option<TlsPort>,
    pub(crate) udp: Option<SocketAddr>,
    pub(crate) identity: EchoIdentity,
    pub(crate) raw: RawMode,
    pub(crate) recorded: usize,
    pub(crate) introduced: bool,
}

impl Default for EchoConfig {
    fn default() -> Self {
        Self {
            http: None,
            https: None,
            tcp: None,
            tls: None,
            udp: None,
            identity: EchoIdentity::default(),
            raw: RawMode::default(),
            recorded: DEFAULT_RECORDED,
            introduced: false,
        }
    }
}

impl EchoConfig {
    /// HTTP on a free loopback port: what most tests want.
    pub fn loopback() -> Self {
        Self::default().with_http(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))
    }

    /// Serves HTTP/1.1, h2c, gRPC and WebSocket, in the clear.
    pub fn with_http(mut self, addr: SocketAddr) -> Self {
        self.http = Some(addr);
        self
    }

    /// Serves the same over TLS. Where `tls` names no ALPN protocols, `h2` and `http/1.1` are offered.
    pub fn with_https(mut self, addr: SocketAddr, tls: impl Into<Arc<ServerConfig>>) -> Self {
        let mut tls: Arc<ServerConfig> = tls.into();
        if tls.alpn_protocols.is_empty() {
            let mut offered = ServerConfig::clone(&tls);
            offered.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
            tls = Arc::new(offered);
        }
        self.https = Some(TlsPort { addr, tls });
        self
    }

    /// Serves a TCP echo.
    pub fn with_tcp(mut self, addr: SocketAddr) -> Self {
        self.tcp = Some(addr);
        self
    }

    /// Serves a TCP echo under TLS.
    pub fn with_tls(mut self, addr: SocketAddr, tls: impl Into<Arc<ServerConfig>>) -> Self {
        self.tls = Some(TlsPort { addr, tls: tls.into() });
        self
    }

    /// Serves a UDP echo.
    pub fn with_udp(mut self, addr: SocketAddr) -> Self {
        self.udp = Some(addr);
        self
    }

    /// Says who answers.
    pub fn with_identity(mut self, identity: EchoIdentity) -> Self {
        self.identity = identity;
        self
    }

    /// Says how TCP and UDP answer.
    pub fn with_raw(mut self, raw: RawMode) -> Self {
        self.raw = raw;
        self
    }

    /// Every connection has to begin with a header of the PROXY protocol, of either version; others are closed.
    pub fn with_proxy_protocol(mut self) -> Self {
        self.introduced = true;
        self
    }

    /// How many requests are kept for [`EchoServer::requests`](crate::EchoServer::requests); 0 keeps none.
    pub fn with_recorded(mut self, most: usize) -> Self {
        self.recorded = most;
        self
    }
}
