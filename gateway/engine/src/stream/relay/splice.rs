//! Bytes from one socket to another. As long as little comes at once it is copied; as soon as a buffer is full, what follows
//! goes through a pipe, and never leaves the kernel.

use super::{BrokenOff, Counts, Reads, Socket};
use bytes::{Bytes, BytesMut};
use lychgate_telemetry::Direction;
use rustix::io::{Errno, read, retry_on_intr};
use rustix::pipe::{PipeFlags, SpliceFlags, pipe_with, splice};
use std::io;
use std::os::fd::OwnedFd;
use tokio::io::{AsyncReadExt, AsyncWriteExt, Interest};
use tokio::net::tcp::{ReadHalf, WriteHalf};

/// What is copied at once.
const BUFFER: usize = 16 * 1024;

/// What is in a pipe at once: kept for a client that does not take it.
const IN_PIPE: usize = 64 * 1024;

/// What is copied at once after a mark of urgent data.
const BEHIND_MARK: usize = 64;

pub(super) async fn both_ways(
    client: Socket<'_>,
    upstream: Socket<'_>,
    reads: &Reads<'_, impl Counts>,
) -> Result<(), BrokenOff> {
    let (from_client, to_client) = client.tcp.split();
    let (from_upstream, to_upstream) = upstream.tcp.split();
    let up = Way { from: from_client, to: to_upstream, direction: Direction::Up, reads };
    let down = Way { from: from_upstream, to: to_client, direction: Direction::Down, reads };
    tokio::try_join!(up.carry(client.seen), down.carry(upstream.seen)).map(|((), ())| ())
}

/// One way.
struct Way<'a, M> {
    from: ReadHalf<'a>,
    to: WriteHalf<'a>,
    direction: Direction,
    reads: &'a Reads<'a, M>,
}

/// What came next of the sender.
enum Piece {
    /// So much is in the pipe.
    Piped(usize),
    /// It was read, behind a mark.
    Copied([u8; BEHIND_MARK], usize),
}

/// How far one way came.
enum Came {
    /// To its end.
    ToItsEnd,
    /// To where another way of carrying is better.
    SoFar,
}

impl<M: Counts> Way<'_, M> {
    async fn carry(mut self, seen: Bytes) -> Result<(), BrokenOff> {
        if !seen.is_empty() {
            self.reads.read(self.direction, seen.len());
            self.to.write_all(&seen).await.map_err(|error| self.by_receiver(error))?;
        }
        let mut came = self.copy(true).await?;
        if let Came::SoFar = came {
            came = self.splice().await?;
        }
        if let Came::SoFar = came {
            self.copy(false).await?;
        }
        self.to.shutdown().await.map_err(|error| self.by_receiver(error))
    }

    /// Copies; until a buffer is full, if that is asked for. While there is nothing to copy, there is no buffer.
    async fn copy(&mut self, until_full: bool) -> Result<Came, BrokenOff> {
        loop {
            self.from.readable().await.map_err(|error| self.by_sender(error))?;
            let mut buffer = BytesMut::with_capacity(BUFFER);
            let length = self.from.read_buf(&mut buffer).await.map_err(|error| self.by_sender(error))?;
            if length == 0 {
                return Ok(Came::ToItsEnd);
            }
            self.reads.read(self.direction, length);
            self.to.write_all(&buffer).await.map_err(|error| self.by_receiver(error))?;
            if until_full && length == buffer.capacity() {
                return Ok(Came::SoFar);
            }
        }
    }

    /// Carries through a pipe, or nothing if there is none to be had.
    async fn splice(&mut self) -> Result<Came, BrokenOff> {
        let Ok((out, into)) = pipe_with(PipeFlags::NONBLOCK | PipeFlags::CLOEXEC) else { return Ok(Came::SoFar) };
        loop {
            match self.next(&into).await {
                Ok(Piece::Copied(_, 0)) => return Ok(Came::ToItsEnd),
                Ok(Piece::Piped(length)) => {
                    self.reads.read(self.direction, length);
                    self.reads.meter.spliced(self.direction, length as u64);
                    self.empty(&out, length).await.map_err(|error| self.by_receiver(error))?;
                }
                Ok(Piece::Copied(bytes, length)) => {
                    self.reads.read(self.direction, length);
                    let bytes = bytes.get(..length).unwrap_or(&bytes);
                    self.to.write_all(bytes).await.map_err(|error| self.by_receiver(error))?;
                }
                // It is not allowed here, and nothing was carried.
                Err(error) if is_refused(&error) => return Ok(Came::SoFar),
                Err(error) => return Err(self.by_sender(error)),
            }
        }
    }

    /// From the sender into the pipe, which is empty: it never waits for room there.
    ///
    /// Linux splices no further than to where a sender has marked something urgent (RFC 9293 section 3.8.5), and says that
    /// there is nothing, or that it is the end when the sender has ended already, whatever comes behind it. Reading goes on
    /// behind the mark, without the byte that is marked, as everywhere here; and only reading knows the end.
    async fn next(&self, pipe: &OwnedFd) -> io::Result<Piece> {
        let from = self.from.as_ref();
        let some = || splice(from, None, pipe, None, IN_PIPE, SpliceFlags::NONBLOCK);
        let next = || match retry_on_intr(some) {
            Ok(0) | Err(Errno::WOULDBLOCK) => {
                let mut bytes = [0; BEHIND_MARK];
                let length = retry_on_intr(|| read(from, &mut bytes))?;
                Ok(Piece::Copied(bytes, length))
            }
            Ok(length) => Ok(Piece::Piped(length)),
            Err(error) => Err(error.into()),
        };
        from.async_io(Interest::READABLE, next).await
    }

    /// All that is in the pipe to the receiver.
    async fn empty(&self, pipe: &OwnedFd, length: usize) -> io::Result<()> {
        let to = self.to.as_ref();
        let mut left = length;
        while left > 0 {
            let rest = || splice(pipe, None, to, None, left, SpliceFlags::NONBLOCK);
            let written = to.async_io(Interest::WRITABLE, || Ok(retry_on_intr(rest)?)).await?;
            if written == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            left = left.saturating_sub(written);
        }
        Ok(())
    }

    fn by_sender(&self, error: io::Error) -> BrokenOff {
        BrokenOff::By(self.direction, error)
    }

    fn by_receiver(&self, error: io::Error) -> BrokenOff {
        let receiver = match self.direction {
            Direction::Up => Direction::Down,
            Direction::Down => Direction::Up,
        };
        BrokenOff::By(receiver, error)
    }
}

/// Whether the system does not do this at all.
fn is_refused(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported | io::ErrorKind::PermissionDenied)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
