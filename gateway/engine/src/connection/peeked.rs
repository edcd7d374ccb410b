//! A connection whose beginning was looked at, and can be had once more.

use crate::stream::{End, Socket};
use bytes::{Buf, Bytes, BytesMut};
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// A TCP connection that remembers what was read of it for as long as nobody has decided what to do with it.
#[derive(Debug)]
pub(crate) struct Peeked<IO = TcpStream> {
    io: IO,
    seen: Seen,
}

#[derive(Debug)]
enum Seen {
    Recording(BytesMut),
    Replaying(Bytes),
    Forgotten,
}

impl<IO> Peeked<IO> {
    /// Remembers from now on.
    pub(crate) fn new(io: IO) -> Self {
        Self { io, seen: Seen::Recording(BytesMut::new()) }
    }

    /// Whoever has read so far goes on: nothing needs to be remembered.
    pub(crate) fn forget(&mut self) {
        self.seen = Seen::Forgotten;
    }

    /// The next reader gets everything from the beginning.
    pub(crate) fn rewind(&mut self) {
        if let Seen::Recording(seen) = &mut self.seen {
            self.seen = Seen::Replaying(std::mem::take(seen).freeze());
        }
    }

    /// The connection, and what of it comes once more.
    pub(crate) fn into_parts(self) -> (Bytes, IO) {
        let seen = match self.seen {
            Seen::Recording(seen) => seen.freeze(),
            Seen::Replaying(seen) => seen,
            Seen::Forgotten => Bytes::new(),
        };
        (seen, self.io)
    }

    /// The connection itself.
    pub(crate) fn tcp(&self) -> &IO {
        &self.io
    }
}

impl End for Peeked {
    fn is_socket(&self) -> bool {
        match &self.seen {
            Seen::Recording(_) => false,
            Seen::Replaying(_) | Seen::Forgotten => true,
        }
    }

    fn socket(&mut self) -> Option<Socket<'_>> {
        let seen = match std::mem::replace(&mut self.seen, Seen::Forgotten) {
            recording @ Seen::Recording(_) => {
                self.seen = recording;
                return None;
            }
            Seen::Replaying(seen) => seen,
            Seen::Forgotten => Bytes::new(),
        };
        Some(Socket { seen, tcp: &mut self.io })
    }
}

impl<IO: AsyncRead + Unpin> AsyncRead for Peeked<IO> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        match &mut this.seen {
            Seen::Forgotten => Pin::new(&mut this.io).poll_read(cx, buf),
            Seen::Recording(seen) => {
                let before = buf.filled().len();
                let read = Pin::new(&mut this.io).poll_read(cx, buf);
                seen.extend_from_slice(buf.filled().get(before..).unwrap_or_default());
                read
            }
            Seen::Replaying(seen) => {
                let length = seen.len().min(buf.remaining());
                if let Some(again) = seen.get(..length) {
                    buf.put_slice(again);
                }
                seen.advance(length);
                if seen.is_empty() {
                    this.seen = Seen::Forgotten;
                }
                Poll::Ready(Ok(()))
            }
        }
    }
}

impl<IO: AsyncWrite + Unpin> AsyncWrite for Peeked<IO> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }
}

#[cfg(test)]
mod fuzz;

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    #[tokio::test]
    async fn what_was_seen_comes_once_more_and_then_the_rest() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        client.write_all(b"hello, world").await.unwrap();
        client.shutdown().await.unwrap();
        let mut peeked = Peeked::new(listener.accept().await.unwrap().0);
        let mut start = [0; 5];
        peeked.read_exact(&mut start).await.unwrap();
        assert_eq!(&start, b"hello");
        peeked.rewind();
        let mut all = String::new();
        peeked.read_to_string(&mut all).await.unwrap();
        assert_eq!(all, "hello, world");
    }
}
