//! What stands between a client and the proxy: it lets nothing through that can be read in more than one way, and no
//! more of anything than the limits say. Pingora and `h2` behind it are more lenient, and count less.
//!
//! Bytes are looked at where they are, and copied only while the head of a request is incomplete.

mod chunks;
mod flaw;
mod frames;
mod head;
mod http1;

pub(crate) use flaw::Flaw;
pub(crate) use frames::{CALM_DOWN, PREFACE};
pub(crate) use head::HeadLimits;

use super::Connection;
use frames::Frames;
use http1::{Http1, Place, Read};
use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, ReadBuf};
use tokio::time::Sleep;

/// What a guard holds clients to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct GuardLimits {
    pub(crate) head: HeadLimits,
    /// From the first byte of a head to its last, and from the beginning of a connection to its first head.
    pub(crate) head_time: Duration,
}

/// The guard of one connection.
#[derive(Debug)]
pub(crate) struct Guard {
    limits: GuardLimits,
    protocol: Protocol,
    /// Whether the running request was told that it is broken.
    told: bool,
    /// Runs while we wait for the head of a request.
    timer: Option<Pin<Box<Sleep>>>,
}

#[derive(Debug)]
enum Protocol {
    /// Nothing is passed on until it is known.
    Unknown,
    Http1(Http1),
    Http2 {
        frames: Box<Frames>,
        /// What was read to see that it is HTTP/2.
        ahead: &'static [u8],
    },
}

impl Guard {
    pub(super) fn new(limits: GuardLimits) -> Self {
        Self { limits, protocol: Protocol::Unknown, told: false, timer: None }
    }

    /// It is HTTP/1, and so much of it was read.
    pub(super) fn http1(&mut self, seen: &[u8]) {
        let mut http1 = Http1::default();
        http1.hold(seen);
        (self.protocol, self.timer) = (Protocol::Http1(http1), None);
    }

    /// It is HTTP/2, and its preface was read, or nothing of it.
    pub(super) fn http2(&mut self, preface_seen: bool) {
        let ahead = if preface_seen { PREFACE } else { &[] };
        (self.protocol, self.timer) = (Protocol::Http2 { frames: Box::new(Frames::new()), ahead }, None);
    }

    /// Whether the first bytes of a connection took too long.
    pub(super) fn poll_late(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let time = self.limits.head_time;
        self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep(time))).as_mut().poll(cx)
    }

    pub(super) fn poll_read<T: AsyncRead + Unpin>(
        &mut self,
        io: &mut T,
        connection: &Connection,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match &mut self.protocol {
            Protocol::Unknown => Pin::new(io).poll_read(cx, buf),
            Protocol::Http1(_) => self.poll_http1(io, connection, cx, buf),
            Protocol::Http2 { frames, ahead } => {
                let before = buf.filled().len();
                let read = match ahead.split_at(ahead.len().min(buf.remaining())) {
                    ([], _) => Pin::new(io).poll_read(cx, buf),
                    (seen, rest) => {
                        buf.put_slice(seen);
                        *ahead = rest;
                        Poll::Ready(Ok(()))
                    }
                };
                if let Poll::Ready(Ok(())) = read
                    && let Err(flaw) = frames.read(buf.filled().get(before..).unwrap_or_default())
                {
                    connection.refuse(flaw, &[]);
                    return Poll::Ready(Err(io::Error::other(flaw.detail())));
                }
                read
            }
        }
    }

    fn poll_http1<T: AsyncRead + Unpin>(
        &mut self,
        io: &mut T,
        connection: &Connection,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let Self { limits, protocol: Protocol::Http1(http1), told, timer } = self else { return Poll::Pending };
        let busy = connection.parting.is_busy();
        if connection.tunnel.load(Ordering::Relaxed) {
            http1.upgraded();
        } else if !busy {
            http1.not_upgraded();
        }
        // Clients may be ahead of what is served; their later requests can wait, whatever they are.
        let is_ahead = http1.heads() > connection.requests.load(Ordering::Relaxed);
        match http1.poll_read(io, cx, buf, &limits.head) {
            Poll::Ready(Ok(Read::Given)) => {
                *timer = None;
                Poll::Ready(Ok(()))
            }
            Poll::Ready(Ok(Read::Flawed(flaw, Place::Body))) if !is_ahead => {
                if !std::mem::replace(told, true) {
                    connection.blame(flaw);
                }
                Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, flaw.detail())))
            }
            Poll::Ready(Ok(Read::Flawed(flaw, Place::Head))) if !busy && !is_ahead => {
                connection.refuse(flaw, http1.refused());
                Poll::Ready(Ok(()))
            }
            // Read again when its turn has come.
            Poll::Ready(Ok(Read::Flawed(..))) => Poll::Pending,
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => {
                let is_first = http1.heads() == 0;
                if busy || is_ahead || !(is_first || http1.is_in_head()) {
                    *timer = None;
                    return Poll::Pending;
                }
                let timer = timer.get_or_insert_with(|| Box::pin(tokio::time::sleep(limits.head_time)));
                if timer.as_mut().poll(cx).is_pending() {
                    return Poll::Pending;
                }
                let flaw = if http1.is_in_head() { Flaw::SlowHead } else { Flaw::NoRequest };
                connection.refuse(flaw, http1.refused());
                Poll::Ready(Ok(()))
            }
        }
    }

    /// What was written to the client.
    pub(super) fn written(&mut self, bytes: &[u8]) {
        match &mut self.protocol {
            Protocol::Http2 { frames, ahead: _ } => frames.written(bytes),
            Protocol::Unknown | Protocol::Http1(_) => {}
        }
    }

    /// The same, of several buffers.
    pub(super) fn written_vectored(&mut self, buffers: &[IoSlice<'_>], mut length: usize) {
        for buffer in buffers {
            let part = buffer.len().min(length);
            self.written(buffer.get(..part).unwrap_or_default());
            length -= part;
        }
    }
}
