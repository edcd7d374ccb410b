//! A client's connection as the proxy gets it: what is read goes through the guard, and when the proxy drops it, it can
//! be had back, so that the client can still be told why. Pingora owns the connection while it serves a request, and has
//! no way to interrupt it.

use super::Connection;
use super::guard::{Flaw, Guard, GuardLimits, PREFACE};
use super::pieces::Pieces;
use super::trailers::Writing;
use async_trait::async_trait;
use bytes::BytesMut;
use pingora_core::protocols::raw_connect::ProxyDigest;
use pingora_core::protocols::tls::SslDigest;
use pingora_core::protocols::{
    ALPN, GetProxyDigest, GetSocketDigest, GetTimingDigest, Peek, Shutdown, SocketDigest, Ssl, Stream, TimingDigest,
    UniqueID, UniqueIDType,
};
use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};

/// A client's connection that is written to in whole pieces: a head and the body behind it are one packet, and over TLS one
/// record. Pingora, which would do so for the sockets that it opens itself, flushes where nothing more is there to be sent.
pub(crate) type Buffered = Pieces<Stream>;

/// As much as small responses have; larger pieces are not copied.
const PIECE: usize = 4096;

/// Where a connection is left when its request is dropped.
#[derive(Debug, Default)]
pub(crate) struct Left {
    wanted: AtomicBool,
    stream: Mutex<Option<Buffered>>,
}

impl Left {
    /// The connection shall be left here instead of being closed.
    pub(crate) fn want(&self) {
        self.wanted.store(true, Ordering::Relaxed);
    }

    /// The connection, if it was left.
    pub(crate) fn take(&self) -> Option<Buffered> {
        self.stream.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// A client's connection that is left behind when it is dropped, if somebody wants it.
#[derive(Debug)]
pub(crate) struct Reclaimable {
    /// Present until dropped.
    stream: Option<Buffered>,
    guard: Guard,
    writing: Writing,
    connection: Arc<Connection>,
}

impl Reclaimable {
    /// Over TLS it was agreed on what is spoken; in clear text it shows.
    pub(crate) fn new(stream: Stream, limits: GuardLimits, connection: Arc<Connection>) -> Self {
        let mut guard = Guard::new(limits);
        let mut piece = PIECE;
        if stream.get_ssl_digest().is_some() {
            match stream.selected_alpn_proto() {
                Some(ALPN::H2) => {
                    guard.http2(false);
                    // Frames are collected where they are written.
                    piece = 0;
                }
                Some(_) | None => guard.http1(&[]),
            }
        }
        let stream = Pieces::new(piece, stream);
        Self { stream: Some(stream), guard, writing: Writing::default(), connection }
    }

    fn stream(&mut self) -> io::Result<Pin<&mut Buffered>> {
        self.stream.as_mut().map(Pin::new).ok_or_else(|| io::ErrorKind::NotConnected.into())
    }
}

impl Drop for Reclaimable {
    fn drop(&mut self) {
        let Left { wanted, stream } = &self.connection.left;
        if wanted.load(Ordering::Relaxed) {
            *stream.lock().unwrap_or_else(PoisonError::into_inner) = self.stream.take();
        }
    }
}

/// Writes something, and ends the connection without waiting for anything.
pub(crate) async fn say_and_leave(mut stream: Buffered, words: &[u8], patience: Duration) {
    let saying = async {
        stream.write_all(words).await?;
        stream.flush().await
    };
    // Whoever floods us may not listen.
    let _ = tokio::time::timeout(patience, saying).await;
}

/// Writes a response and ends the connection. What the client still sends is read for a while: to close on it would
/// take the response away from the client before it has read it (RFC 9112 section 9.6).
pub(crate) async fn say(mut stream: Buffered, response: &[u8], patience: Duration) {
    let saying = async {
        stream.write_all(response).await?;
        stream.flush().await?;
        AsyncWriteExt::shutdown(&mut stream).await?;
        let mut rest = [0; 4096];
        while stream.read(&mut rest).await? > 0 {}
        io::Result::Ok(())
    };
    // Whether the client listened to the end is its own business.
    let _ = tokio::time::timeout(patience, saying).await;
}

impl AsyncRead for Reclaimable {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let Self { stream: Some(stream), guard, writing: _, connection } = &mut *self else {
            return Poll::Ready(Err(io::ErrorKind::NotConnected.into()));
        };
        guard.poll_read(stream, connection, cx, buf)
    }
}

impl AsyncWrite for Reclaimable {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let Self { stream: Some(stream), guard: _, writing, connection } = &mut *self else {
            return Poll::Ready(Err(io::ErrorKind::NotConnected.into()));
        };
        let written = writing.poll_write(&connection.trailers, Pin::new(stream), cx, buf);
        if let Poll::Ready(Ok(length)) = written {
            self.guard.written(buf.get(..length).unwrap_or_default());
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream()?.poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream()?.poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = self.stream()?.poll_write_vectored(cx, bufs);
        if let Poll::Ready(Ok(length)) = written {
            self.guard.written_vectored(bufs, length);
        }
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.as_ref().is_some_and(|stream| stream.is_write_vectored())
    }
}

#[async_trait]
impl Shutdown for Reclaimable {
    async fn shutdown(&mut self) {
        if let Some(stream) = &mut self.stream {
            // What is left to say goes first, if the client takes it at once: it may be gone, or not listen.
            poll_fn(|cx| Poll::Ready(Pin::new(&mut *stream).poll_flush(cx).is_ready())).await;
            Shutdown::shutdown(&mut **stream.get_mut()).await;
        }
    }
}

impl UniqueID for Reclaimable {
    fn id(&self) -> UniqueIDType {
        self.stream.as_ref().map_or(-1, |stream| stream.get_ref().id())
    }
}

impl Ssl for Reclaimable {
    fn get_ssl_digest(&self) -> Option<Arc<SslDigest>> {
        self.stream.as_ref()?.get_ref().get_ssl_digest()
    }

    fn selected_alpn_proto(&self) -> Option<ALPN> {
        self.stream.as_ref()?.get_ref().selected_alpn_proto()
    }
}

#[async_trait]
impl Peek for Reclaimable {
    /// Pingora asks for the preface of HTTP/2 (RFC 9113 section 3.4). Requests of HTTP/1 may be shorter, so reading ends
    /// where it cannot be the preface any more.
    async fn try_peek(&mut self, buf: &mut [u8]) -> io::Result<bool> {
        let mut seen = BytesMut::with_capacity(buf.len());
        while PREFACE.starts_with(&seen) && seen.len() < buf.len() {
            let left = buf.len() - seen.len();
            let Some(read) = self.first_bytes(left).await? else {
                self.connection.refuse(if seen.is_empty() { Flaw::NoRequest } else { Flaw::SlowHead }, &seen);
                return Err(io::ErrorKind::TimedOut.into());
            };
            if read.is_empty() {
                break;
            }
            seen.extend_from_slice(&read);
        }
        buf.iter_mut().zip(&seen).for_each(|(byte, seen)| *byte = *seen);
        if &seen[..] == PREFACE {
            self.connection.http2.store(true, Ordering::Relaxed);
            self.guard.http2(true);
        } else {
            self.guard.http1(&seen);
        }
        Ok(true)
    }
}

impl Reclaimable {
    /// Some bytes of the beginning, none at the end; `None` if they took too long.
    async fn first_bytes(&mut self, most: usize) -> io::Result<Option<Vec<u8>>> {
        let mut bytes = vec![0; most];
        let mut bytes = ReadBuf::new(&mut bytes);
        poll_fn(|cx| {
            if Pin::new(&mut *self).poll_read(cx, &mut bytes)?.is_ready() {
                return Poll::Ready(Ok(true));
            }
            self.guard.poll_late(cx).map(|()| Ok::<_, io::Error>(false))
        })
        .await
        .map(|in_time| in_time.then(|| bytes.filled().to_vec()))
    }
}

impl GetTimingDigest for Reclaimable {
    fn get_timing_digest(&self) -> Vec<Option<TimingDigest>> {
        self.stream.as_ref().map(|stream| stream.get_ref().get_timing_digest()).unwrap_or_default()
    }
}

impl GetProxyDigest for Reclaimable {
    fn get_proxy_digest(&self) -> Option<Arc<ProxyDigest>> {
        self.stream.as_ref()?.get_ref().get_proxy_digest()
    }
}

impl GetSocketDigest for Reclaimable {
    fn get_socket_digest(&self) -> Option<Arc<SocketDigest>> {
        self.stream.as_ref()?.get_ref().get_socket_digest()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
