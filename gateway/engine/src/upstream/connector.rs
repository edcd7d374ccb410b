//! TLS connections to backends. Pingora verifies less than a BackendTLSPolicy can ask and pools connections without
//! looking at how they were verified, so TLS is done here, and Pingora gets one end of a socket pair that carries the
//! clear text: pooled by the policy's own key, multiplexed or not as was negotiated.

use super::negotiated::{Negotiated, Version};
use crate::tls::client::ClientTls;
use async_trait::async_trait;
use pingora_core::connectors::L4Connect;
use pingora_core::protocols::l4::socket::SocketAddr as PingoraAddress;
use pingora_core::protocols::l4::stream::Stream as L4Stream;
use pingora_error::{Error, ErrorType};
use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Dials one endpoint of a backend over TLS.
pub(crate) struct Dial {
    pub(crate) address: SocketAddr,
    pub(crate) tls: Arc<ClientTls>,
    /// What the caller told Pingora that the connection speaks.
    pub(crate) expected: Version,
    pub(crate) state: Arc<super::BackendState>,
    /// A connection that was made to learn the version, for the first to come.
    pub(crate) ready: Mutex<Option<TlsStream<TcpStream>>>,
}

impl fmt::Debug for Dial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dial").field("address", &self.address).field("expected", &self.expected).finish_non_exhaustive()
    }
}

#[async_trait]
impl L4Connect for Dial {
    async fn connect(&self, _: &PingoraAddress) -> pingora_error::Result<L4Stream> {
        let ready = self.ready.lock().ok().and_then(|mut ready| ready.take());
        let stream = match ready {
            Some(stream) => stream,
            None => handshake(self.address, &self.tls).await?,
        };
        if version(&stream) != self.expected {
            self.state.negotiated.forget(self.address);
            let mut error = Error::explain(
                ErrorType::ConnectError,
                format!("{} chose another HTTP version than before", self.address),
            );
            error.set_retry(true);
            return Err(error);
        }
        carry(stream)
    }
}

/// Connects and learns which version the endpoint chooses.
pub(crate) async fn probe(
    address: SocketAddr,
    tls: &ClientTls,
    negotiated: &Negotiated,
    patience: Duration,
) -> pingora_error::Result<(Version, TlsStream<TcpStream>)> {
    let stream = tokio::time::timeout(patience, handshake(address, tls)).await.map_err(|_| {
        Error::explain(ErrorType::ConnectTimedout, format!("no TLS connection to {address} within {patience:?}"))
    })??;
    let version = version(&stream);
    negotiated.learn(address, version);
    Ok((version, stream))
}

async fn handshake(address: SocketAddr, tls: &ClientTls) -> pingora_error::Result<TlsStream<TcpStream>> {
    let tcp = TcpStream::connect(address).await.map_err(|error| {
        let kind = match error.kind() {
            std::io::ErrorKind::ConnectionRefused => ErrorType::ConnectRefused,
            _ => ErrorType::ConnectError,
        };
        Error::because(kind, format!("connecting to {address}"), error)
    })?;
    // Latency matters more than packet count; without it the connection only is slower.
    let _ = tcp.set_nodelay(true);
    TlsConnector::from(tls.config.clone()).connect(tls.server_name.clone(), tcp).await.map_err(|error| {
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

/// Hands clear text to Pingora over a socket pair, for as long as both ends live.
fn carry(mut stream: TlsStream<TcpStream>) -> pingora_error::Result<L4Stream> {
    let (ours, theirs) =
        UnixStream::pair().map_err(|error| Error::because(ErrorType::InternalError, "making a socket pair", error))?;
    tokio::spawn(async move {
        let mut ours = ours;
        // How it ended is seen by whoever reads or writes the other end.
        let _ = tokio::io::copy_bidirectional(&mut stream, &mut ours).await;
    });
    Ok(theirs.into())
}
