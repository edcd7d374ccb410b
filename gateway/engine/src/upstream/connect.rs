//! Connections to endpoints that carry anything but HTTP.

use crate::stream::{End, Socket};
use crate::tls::client::ClientTls;
use lychgate_telemetry::ConnectFailure;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// A connection in clear text or over TLS.
pub(crate) enum Upstream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// Why no connection came about.
#[derive(Debug)]
pub(crate) struct NotConnected {
    pub(crate) why: ConnectFailure,
    pub(crate) error: io::Error,
}

/// Connects to an endpoint, and tells it whose connection it is if it wants to know.
pub(super) async fn tcp(address: SocketAddr, header: Option<&[u8]>) -> io::Result<TcpStream> {
    let mut tcp = TcpStream::connect(address).await?;
    // Latency matters more than packet count; without it the connection only is slower.
    let _ = tcp.set_nodelay(true);
    if let Some(header) = header {
        tcp.write_all(header).await?;
    }
    Ok(tcp)
}

/// Connects to an endpoint, over TLS if its backend says so. A header of the PROXY protocol comes first, if there is one.
pub(crate) async fn stream(
    address: SocketAddr,
    tls: Option<&ClientTls>,
    header: Option<&[u8]>,
) -> Result<Upstream, NotConnected> {
    let failed = |why| move |error| NotConnected { why, error };
    let tcp = tcp(address, header).await.map_err(failed(ConnectFailure::Connect))?;
    match tls {
        None => Ok(Upstream::Plain(tcp)),
        Some(tls) => {
            let connector = TlsConnector::from(tls.raw.clone());
            let connected = connector.connect(tls.server_name.clone(), tcp).await;
            Ok(Upstream::Tls(Box::new(connected.map_err(failed(ConnectFailure::Tls))?)))
        }
    }
}

impl End for Upstream {
    fn is_socket(&self) -> bool {
        match self {
            Self::Plain(_) => true,
            Self::Tls(_) => false,
        }
    }

    fn socket(&mut self) -> Option<Socket<'_>> {
        match self {
            Self::Plain(tcp) => tcp.socket(),
            Self::Tls(_) => None,
        }
    }
}

impl AsyncRead for Upstream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(io) => Pin::new(io).poll_read(cx, buf),
            Self::Tls(io) => Pin::new(io).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Upstream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(io) => Pin::new(io).poll_write(cx, buf),
            Self::Tls(io) => Pin::new(io).poll_write(cx, buf),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(io) => Pin::new(io).poll_flush(cx),
            Self::Tls(io) => Pin::new(io).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(io) => Pin::new(io).poll_shutdown(cx),
            Self::Tls(io) => Pin::new(io).poll_shutdown(cx),
        }
    }
}
