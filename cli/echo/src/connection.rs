//! One accepted connection, and a socket that can end with a TCP reset.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

use crate::introduction::Introduction;
use crate::report::TlsReport;

/// What all requests of a connection share.
#[derive(Debug)]
pub(crate) struct Connection {
    /// From 1, at this server.
    pub(crate) number: u64,
    pub(crate) peer: SocketAddr,
    pub(crate) local: SocketAddr,
    pub(crate) introduction: Option<Introduction>,
    pub(crate) tls: Option<TlsReport>,
    pub(crate) fuse: Fuse,
}

/// Ends a connection from within one of its requests.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fuse {
    blown: CancellationToken,
    reset: Arc<AtomicBool>,
}

impl Fuse {
    /// Ends the connection with a TCP RST.
    pub(crate) fn reset(&self) {
        self.reset.store(true, Ordering::Relaxed);
        self.blown.cancel();
    }

    pub(crate) async fn blown(&self) {
        self.blown.cancelled().await;
    }
}

/// A TCP stream that closes with RST rather than FIN once its fuse was blown.
#[derive(Debug)]
pub(crate) struct Socket {
    tcp: TcpStream,
    fuse: Fuse,
}

impl Socket {
    pub(crate) fn new(tcp: TcpStream, fuse: Fuse) -> Self {
        Self { tcp, fuse }
    }

    /// The first byte that comes, which can still be read.
    pub(crate) async fn peek(&self) -> io::Result<u8> {
        let mut first = [0];
        self.tcp.peek(&mut first).await.map(|_| first[0])
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        if self.fuse.reset.load(Ordering::Relaxed)
            && let Err(error) = self.tcp.set_zero_linger()
        {
            tracing::debug!(%error, "cannot end the connection with a reset; it closes in order");
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_read(cx, buf)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.tcp).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.tcp).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.tcp.is_write_vectored()
    }
}
