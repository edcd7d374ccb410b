//! A connection to a destination whose bytes are counted. Too many are not lost: nothing is read or taken before it is their
//! time, so that whoever sends them waits.

use super::seat::Seat;
use super::share::Share;
use crate::egress::wire::Wire;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

/// A connection whose bytes are counted.
#[derive(Debug)]
pub(crate) struct Metered {
    io: Wire,
    share: Share,
    /// It is one of the connections that may be open, until it is gone.
    seat: Seat,
    reads: Brake,
    writes: Brake,
}

/// Until when one direction waits.
#[derive(Debug, Default)]
struct Brake(Option<Pin<Box<Sleep>>>);

/// The longest that is waited without asking again: there may be other numbers by then.
const LONGEST: Duration = Duration::from_secs(1);

impl Brake {
    /// Ready when it is time for more, by what all who share it have carried: others may have been faster.
    fn poll(&mut self, share: &Share, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            if let Some(sleep) = &mut self.0 {
                ready!(sleep.as_mut().poll(cx));
                self.0 = None;
            }
            let wait = share.carried(0);
            if wait.is_zero() {
                return Poll::Ready(());
            }
            self.0 = Some(Box::pin(sleep(wait.min(LONGEST))));
        }
    }
}

impl Metered {
    pub(crate) fn new(io: Wire, share: Share, seat: Seat) -> Self {
        Self { io, share, seat, reads: Brake::default(), writes: Brake::default() }
    }
}

/// The most that may be carried now.
fn piece(share: &Share) -> io::Result<usize> {
    let piece = share.piece().map_err(|exceeded| io::Error::other(exceeded.to_string()))?;
    Ok(usize::try_from(piece).unwrap_or(usize::MAX))
}

impl AsyncRead for Metered {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let Self { io, share, seat, reads, writes: _ } = &mut *self;
        if seat.poll_given_away(cx) {
            let why = "it had waited, and another connection has its place";
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::ConnectionAborted, why)));
        }
        ready!(reads.poll(share, cx));
        let piece = piece(share)?;
        let before = buf.filled().len();
        if piece >= buf.remaining() {
            ready!(Pin::new(&mut *io).poll_read(cx, buf))?;
        } else {
            let mut part = ReadBuf::new(buf.initialize_unfilled_to(piece));
            ready!(Pin::new(&mut *io).poll_read(cx, &mut part))?;
            let read = part.filled().len();
            buf.advance(read);
        }
        let read = buf.filled().len() - before;
        if read > 0 {
            // Who carries next waits.
            share.carried(read as u64);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Metered {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let Self { io, share, seat: _, reads: _, writes } = &mut *self;
        ready!(writes.poll(share, cx));
        let piece = piece(share)?.min(buf.len());
        let part = buf.get(..piece).unwrap_or(buf);
        let written = ready!(Pin::new(io).poll_write(cx, part))?;
        if written > 0 {
            share.carried(written as u64);
        }
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}
