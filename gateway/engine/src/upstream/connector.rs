//! Connections to backends that begin with more than HTTP. Pingora verifies less than a BackendTLSPolicy can ask, pools
//! connections without looking at how they were verified, and knows no PROXY protocol, so these are made here, and Pingora
//! gets one end of a socket pair that carries the clear text: pooled by the policy's own key, multiplexed or not as was
//! negotiated.

use super::negotiated::{Negotiated, Version};
use super::{Introduction, connect};
use crate::tls::client::ClientTls;
use async_trait::async_trait;
use lychgate_ir::RouteKind;
use pingora_core::connectors::L4Connect;
use pingora_core::protocols::l4::socket::SocketAddr as PingoraAddress;
use pingora_core::protocols::l4::stream::Stream as L4Stream;
use pingora_error::{Error, ErrorType};
use rustls::ClientConfig;
use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// How long a backend may take to end a connection that we have ended.
const LINGER: Duration = Duration::from_secs(5);

/// Dials one endpoint of a backend.
pub(crate) struct Dial {
    pub(crate) address: SocketAddr,
    /// Whose connection it is, if the backend wants to know.
    pub(crate) introduction: Option<Introduction>,
    /// How TLS is done, if it is.
    pub(crate) tls: Option<DialTls>,
}

/// Dials over TLS.
pub(crate) struct DialTls {
    pub(crate) tls: Arc<ClientTls>,
    /// What is offered by ALPN.
    pub(crate) offer: Offer,
    /// What the caller told Pingora that the connection speaks.
    pub(crate) expected: Version,
    pub(crate) state: Arc<super::BackendState>,
    /// A connection that was made to learn the version, for the first to come.
    pub(crate) ready: Mutex<Option<TlsStream<TcpStream>>>,
}

/// HTTP versions that are offered to an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Offer {
    /// All that the backend may speak.
    All,
    /// HTTP/1.1 alone, whatever else it may speak: for upgrades.
    Http1,
    /// HTTP/2 alone, in clear text by prior knowledge: for gRPC.
    Http2,
}

impl Offer {
    /// What routes of a kind need.
    pub(crate) fn of(route: RouteKind) -> Self {
        match route {
            RouteKind::Grpc => Self::Http2,
            RouteKind::Http | RouteKind::Tls | RouteKind::Tcp | RouteKind::Udp => Self::All,
        }
    }

    fn config(self, tls: &ClientTls) -> &Arc<ClientConfig> {
        match self {
            Self::All => &tls.config,
            Self::Http1 => &tls.http1,
            Self::Http2 => &tls.http2,
        }
    }
}

impl fmt::Debug for Dial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dial").field("address", &self.address).finish_non_exhaustive()
    }
}

#[async_trait]
impl L4Connect for Dial {
    async fn connect(&self, _: &PingoraAddress) -> pingora_error::Result<L4Stream> {
        let introduction = self.introduction.as_ref();
        match &self.tls {
            None => carry(tcp(self.address, introduction).await?, self.introduction.clone()),
            Some(tls) => carry(tls.connect(self.address, introduction).await?, self.introduction.clone()),
        }
    }
}

impl DialTls {
    async fn connect(
        &self,
        address: SocketAddr,
        introduction: Option<&Introduction>,
    ) -> pingora_error::Result<TlsStream<TcpStream>> {
        let ready = self.ready.lock().ok().and_then(|mut ready| ready.take());
        let stream = match ready {
            Some(stream) => stream,
            None => handshake(address, &self.tls, self.offer, introduction).await?,
        };
        if version(&stream) != self.expected {
            self.state.negotiated.forget(address);
            let mut error =
                Error::explain(ErrorType::ConnectError, format!("{address} chose another HTTP version than before"));
            error.set_retry(true);
            return Err(error);
        }
        Ok(stream)
    }
}

/// Connects and learns which version the endpoint chooses.
pub(crate) async fn probe(
    address: SocketAddr,
    tls: &ClientTls,
    negotiated: &Negotiated,
    patience: Duration,
    introduction: Option<&Introduction>,
) -> pingora_error::Result<(Version, TlsStream<TcpStream>)> {
    let handshake = handshake(address, tls, Offer::All, introduction);
    let stream = tokio::time::timeout(patience, handshake).await.map_err(|_| {
        Error::explain(ErrorType::ConnectTimedout, format!("no TLS connection to {address} within {patience:?}"))
    })??;
    let version = version(&stream);
    negotiated.learn(address, version);
    Ok((version, stream))
}

async fn tcp(address: SocketAddr, introduction: Option<&Introduction>) -> pingora_error::Result<TcpStream> {
    connect::tcp(address, introduction.map(|introduction| introduction.header.as_slice())).await.map_err(|error| {
        let kind = match error.kind() {
            std::io::ErrorKind::ConnectionRefused => ErrorType::ConnectRefused,
            _ => ErrorType::ConnectError,
        };
        Error::because(kind, format!("connecting to {address}"), error)
    })
}

async fn handshake(
    address: SocketAddr,
    tls: &ClientTls,
    offer: Offer,
    introduction: Option<&Introduction>,
) -> pingora_error::Result<TlsStream<TcpStream>> {
    let tcp = tcp(address, introduction).await?;
    TlsConnector::from(offer.config(tls).clone()).connect(tls.server_name.clone(), tcp).await.map_err(|error| {
        let kind = match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
            Some(rustls::Error::InvalidCertificate(_)) => ErrorType::InvalidCert,
            _ => ErrorType::TLSHandshakeFailure,
        };
        Error::because(kind, format!("TLS with {address}"), error)
    })
}

fn version(stream: &TlsStream<TcpStream>) -> Version {
    match stream.get_ref().1.alpn_protocol() {
        Some(b"h2") => Version::Http2,
        _ => Version::Http1,
    }
}

/// Hands clear text to Pingora over a socket pair, for as long as both ends live, and its owner if it has one.
pub(crate) fn carry(
    stream: impl AsyncRead + AsyncWrite + Send + 'static,
    introduction: Option<Introduction>,
) -> pingora_error::Result<L4Stream> {
    let (ours, theirs) =
        UnixStream::pair().map_err(|error| Error::because(ErrorType::InternalError, "making a socket pair", error))?;
    tokio::spawn(async move {
        let (mut from_backend, mut to_backend) = tokio::io::split(stream);
        let (mut from_pingora, mut to_pingora) = ours.into_split();
        // How it ended is seen by whoever reads or writes the other end.
        let down = async {
            let _ = tokio::io::copy(&mut from_backend, &mut to_pingora).await;
            let _ = to_pingora.shutdown().await;
        };
        let up = async {
            tokio::select! {
                _ = tokio::io::copy(&mut from_pingora, &mut to_backend) => {}
                () = over(introduction) => {}
            }
            let _ = to_backend.shutdown().await;
        };
        let mut down = std::pin::pin!(down);
        let mut up = std::pin::pin!(up);
        tokio::select! {
            // Pingora takes the end of what it reads for the end, and closes.
            () = &mut down => up.await,
            // It never closes half: nobody reads any more.
            () = &mut up => {
                let _ = tokio::time::timeout(LINGER, down).await;
            }
        }
    });
    Ok(theirs.into())
}

async fn over(introduction: Option<Introduction>) {
    match introduction {
        Some(introduction) => introduction.over().await,
        None => std::future::pending().await,
    }
}
