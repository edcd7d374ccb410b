//! Writes that go together: what is small waits until somebody flushes, or until there is more than fits.
//!
//! `tokio::io::BufWriter` does the same, and holds its buffer for as long as it lives. Connections are idle most of the time,
//! and there are many of them, so this one holds a buffer only while something is in it.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Room for a small body after its head. More room than is needed is memory that is not in the processor's caches.
const BODY: usize = 512;

/// A connection that is written to in whole pieces.
#[derive(Debug)]
pub(crate) struct Pieces<IO> {
    io: IO,
    /// What is written and not sent yet …
    held: Vec<u8>,
    /// … without so many bytes, which are.
    sent: usize,
    most: usize,
}

impl<IO> Pieces<IO> {
    /// Pieces of this size or more are not copied.
    pub(super) fn new(most: usize, io: IO) -> Self {
        Self { io, held: Vec::new(), sent: 0, most }
    }

    pub(super) fn get_ref(&self) -> &IO {
        &self.io
    }

    pub(super) fn get_mut(&mut self) -> &mut IO {
        &mut self.io
    }

    fn hold(&mut self, bytes: &[u8]) {
        if self.held.capacity() == 0 {
            self.held.reserve_exact((bytes.len() + BODY).min(self.most));
        }
        self.held.extend_from_slice(bytes);
    }
}

impl<IO: AsyncWrite + Unpin> Pieces<IO> {
    /// Sends what is held.
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some(rest) = self.held.get(self.sent..).filter(|rest| !rest.is_empty()) {
            let sent = ready!(Pin::new(&mut self.io).poll_write(cx, rest))?;
            if sent == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.sent += sent;
        }
        (self.held, self.sent) = (Vec::new(), 0);
        Poll::Ready(Ok(()))
    }

    /// Sees to it that so many bytes can be held, if they may be.
    fn poll_room(&mut self, cx: &mut Context<'_>, length: usize) -> Poll<io::Result<()>> {
        if self.held.len() + length > self.most { self.poll_send(cx) } else { Poll::Ready(Ok(())) }
    }
}

impl<IO: AsyncRead + Unpin> AsyncRead for Pieces<IO> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, buf)
    }
}

impl<IO: AsyncWrite + Unpin> AsyncWrite for Pieces<IO> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        ready!(self.poll_room(cx, buf.len()))?;
        if buf.len() >= self.most {
            return Pin::new(&mut self.io).poll_write(cx, buf);
        }
        self.hold(buf);
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_send(cx))?;
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_send(cx))?;
        Pin::new(&mut self.io).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let length = bufs.iter().map(|buf| buf.len()).fold(0, usize::saturating_add);
        ready!(self.poll_room(cx, length))?;
        if length >= self.most {
            return Pin::new(&mut self.io).poll_write_vectored(cx, bufs);
        }
        bufs.iter().for_each(|buf| self.hold(buf));
        Poll::Ready(Ok(length))
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use tokio::io::AsyncWriteExt;

    /// What gets through, write by write. Takes no more than `room` bytes at once, and is not ready every other time.
    #[derive(Debug, Default)]
    struct Sent {
        writes: Vec<Vec<u8>>,
        room: usize,
        is_ready: bool,
    }

    impl AsyncWrite for Sent {
        fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
            self.is_ready = !self.is_ready;
            if !self.is_ready {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            let taken = buf.len().min(self.room);
            self.writes.push(buf[..taken].to_vec());
            Poll::Ready(Ok(taken))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    fn pieces(most: usize, room: usize) -> Pieces<Sent> {
        Pieces::new(most, Sent { room, ..Sent::default() })
    }

    #[tokio::test]
    async fn small_pieces_are_sent_as_one_and_nothing_is_held_then() {
        let mut pieces = pieces(16, usize::MAX);
        pieces.write_all(b"head").await.unwrap();
        pieces.write_all(b"body").await.unwrap();
        assert_eq!(pieces.get_ref().writes, Vec::<Vec<u8>>::new());
        pieces.flush().await.unwrap();
        assert_eq!(pieces.get_ref().writes, [b"headbody"]);
        assert_eq!(pieces.held.capacity(), 0);
    }

    #[tokio::test]
    async fn large_pieces_are_sent_at_once_after_what_was_held() {
        let mut pieces = pieces(8, usize::MAX);
        pieces.write_all(b"head").await.unwrap();
        pieces.write_all(b"a large piece").await.unwrap();
        assert_eq!(pieces.get_ref().writes, [b"head".to_vec(), b"a large piece".to_vec()]);
        assert_eq!(pieces.held.capacity(), 0);
    }

    #[tokio::test]
    async fn what_takes_nothing_is_an_error() {
        let mut pieces = pieces(8, 0);
        pieces.write_all(b"head").await.unwrap();
        assert_eq!(pieces.flush().await.unwrap_err().kind(), io::ErrorKind::WriteZero);
    }

    proptest! {
        /// However it is written and taken, all of it arrives, in its order, and no buffer is larger than it may be.
        #[test]
        fn nothing_is_lost(
            writes in proptest::collection::vec((proptest::collection::vec(any::<u8>(), 0..20), any::<bool>(), any::<bool>()), 0..20),
            most in 0usize..16,
            room in 1usize..12,
        ) {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let mut pieces = pieces(most, room);
            runtime.block_on(async {
                for (bytes, is_vectored, is_flushed) in &writes {
                    if *is_vectored {
                        let (one, two) = bytes.split_at(bytes.len() / 2);
                        let written = pieces.write_vectored(&[IoSlice::new(one), IoSlice::new(two)]).await.unwrap();
                        pieces.write_all(&bytes[written..]).await.unwrap();
                    } else {
                        pieces.write_all(bytes).await.unwrap();
                    }
                    assert!(pieces.held.len() <= most);
                    if *is_flushed {
                        pieces.flush().await.unwrap();
                    }
                }
                pieces.shutdown().await.unwrap();
            });
            let all: Vec<u8> = writes.into_iter().flat_map(|(bytes, ..)| bytes).collect();
            prop_assert_eq!(pieces.get_ref().writes.concat(), all);
        }
    }
}
