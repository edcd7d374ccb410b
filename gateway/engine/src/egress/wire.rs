//! Connections, of clients and of destinations, in whatever they are wrapped.

use super::limits::{Metered, Seat, Share};
use super::requests::watched::Watched;
use crate::connection::Peeked;
use crate::stream::{End, Socket};
use bytes::{Buf, Bytes, BytesMut};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::{TlsStream, server};

/// One end of a connection.
#[derive(Debug)]
pub(crate) enum Wire {
    Tcp(TcpStream),
    /// Inside TLS that is ended here, or begun here.
    Tls(Box<TlsStream<Begun>>),
    /// Inside TLS that the listener of a route has ended.
    Ended(Box<server::TlsStream<Peeked>>),
    /// Inside a stream of HTTP/2, or whatever else HTTP made of it.
    Stream(Box<TokioIo<Upgraded>>),
    /// Whatever it is, its bytes are counted.
    Metered(Box<Metered>),
}

/// A connection of which something was read already, which comes first again.
#[derive(Debug)]
pub(crate) struct Begun {
    seen: BytesMut,
    io: Wire,
}

impl Begun {
    pub(crate) fn new(io: Wire) -> Self {
        Self { seen: BytesMut::new(), io }
    }

    /// The same, with its bytes counted from now on.
    pub(crate) fn metered(self, share: Share, seat: Seat) -> Self {
        let Self { seen, io } = self;
        Self { seen, io: Wire::Metered(Box::new(Metered::new(io, share, seat))) }
    }

    /// What was read of it, and is to be read again.
    pub(crate) fn seen(&self) -> &[u8] {
        &self.seen
    }

    /// What TLS has agreed on to be spoken inside (ALPN).
    pub(crate) fn agreed(&self) -> Option<&[u8]> {
        match &self.io {
            Wire::Tls(stream) => stream.get_ref().1.alpn_protocol(),
            // What is counted is below TLS.
            Wire::Tcp(_) | Wire::Ended(_) | Wire::Stream(_) | Wire::Metered(_) => None,
        }
    }

    /// Puts back what was read.
    pub(crate) fn put_back(&mut self, bytes: &[u8]) {
        if !bytes.is_empty() {
            let rest = std::mem::replace(&mut self.seen, BytesMut::from(bytes));
            self.seen.extend_from_slice(&rest);
        }
    }

    /// Takes what was read: it does not come again.
    pub(crate) fn take(&mut self, bytes: usize) {
        self.seen.advance(bytes.min(self.seen.len()));
    }

    /// Reads more, and keeps it. Tells how much; nothing is the end.
    pub(crate) async fn fill(&mut self) -> io::Result<usize> {
        self.io.read_buf(&mut self.seen).await
    }

    /// The connection, and what was read of it.
    pub(crate) fn into_parts(self) -> (Bytes, Wire) {
        (self.seen.freeze(), self.io)
    }

    /// What HTTP leaves when a connection is no longer its own.
    pub(crate) fn of_upgraded(upgraded: Upgraded) -> Self {
        // A client's, or a destination's.
        let (mut begun, read) = match upgraded.downcast::<TokioIo<Watched>>() {
            Ok(parts) => (parts.io.into_inner().into_inner(), parts.read_buf),
            Err(upgraded) => match upgraded.downcast::<TokioIo<Self>>() {
                Ok(parts) => (parts.io.into_inner(), parts.read_buf),
                Err(stream) => return Self::new(Wire::Stream(Box::new(TokioIo::new(stream)))),
            },
        };
        begun.put_back(&read);
        begun
    }
}

impl AsyncRead for Begun {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.seen.is_empty() {
            return Pin::new(&mut self.io).poll_read(cx, buf);
        }
        let length = self.seen.len().min(buf.remaining());
        buf.put_slice(&self.seen.split_to(length));
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Begun {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

impl End for Wire {
    fn is_socket(&self) -> bool {
        match self {
            Self::Tcp(_) => true,
            // What is counted has to pass where it is counted.
            Self::Tls(_) | Self::Ended(_) | Self::Stream(_) | Self::Metered(_) => false,
        }
    }

    fn socket(&mut self) -> Option<Socket<'_>> {
        match self {
            Self::Tcp(tcp) => tcp.socket(),
            Self::Tls(_) | Self::Ended(_) | Self::Stream(_) | Self::Metered(_) => None,
        }
    }
}

impl AsyncRead for Wire {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(io) => Pin::new(io).poll_read(cx, buf),
            Self::Tls(io) => Pin::new(io).poll_read(cx, buf),
            Self::Ended(io) => Pin::new(io).poll_read(cx, buf),
            Self::Stream(io) => Pin::new(io).poll_read(cx, buf),
            Self::Metered(io) => Pin::new(io).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Wire {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(io) => Pin::new(io).poll_write(cx, buf),
            Self::Tls(io) => Pin::new(io).poll_write(cx, buf),
            Self::Ended(io) => Pin::new(io).poll_write(cx, buf),
            Self::Stream(io) => Pin::new(io).poll_write(cx, buf),
            Self::Metered(io) => Pin::new(io).poll_write(cx, buf),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(io) => Pin::new(io).poll_flush(cx),
            Self::Tls(io) => Pin::new(io).poll_flush(cx),
            Self::Ended(io) => Pin::new(io).poll_flush(cx),
            Self::Stream(io) => Pin::new(io).poll_flush(cx),
            Self::Metered(io) => Pin::new(io).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(io) => Pin::new(io).poll_shutdown(cx),
            Self::Tls(io) => Pin::new(io).poll_shutdown(cx),
            Self::Ended(io) => Pin::new(io).poll_shutdown(cx),
            Self::Stream(io) => Pin::new(io).poll_shutdown(cx),
            Self::Metered(io) => Pin::new(io).poll_shutdown(cx),
        }
    }
}
