//! Bytes that are copied, because an end is more than a socket: TLS that is ended or begun here, or a stream of HTTP.

use super::{BrokenOff, Counts, Reads};
use lychgate_telemetry::Direction;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// One way's buffer: large enough that throughput is that of the kernel.
const BUFFER: usize = 64 * 1024;

pub(super) async fn both_ways(
    client: &mut (impl AsyncRead + AsyncWrite + Unpin),
    upstream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    reads: &Reads<'_, impl Counts>,
) -> Result<(), BrokenOff> {
    let mut client = Watched::new(client, reads, Direction::Up);
    let mut upstream = Watched::new(upstream, reads, Direction::Down);
    let copied = tokio::io::copy_bidirectional_with_sizes(&mut client, &mut upstream, BUFFER, BUFFER).await;
    copied.map(|_| ()).map_err(|error| {
        let by = if upstream.broke { Direction::Down } else { Direction::Up };
        BrokenOff::By(by, error)
    })
}

/// Counts reads, and remembers an error.
struct Watched<'a, T, M> {
    io: T,
    reads: &'a Reads<'a, M>,
    direction: Direction,
    broke: bool,
}

impl<'a, T, M: Counts> Watched<'a, T, M> {
    fn new(io: T, reads: &'a Reads<'a, M>, direction: Direction) -> Self {
        Self { io, reads, direction, broke: false }
    }

    fn seen<R>(&mut self, result: Poll<io::Result<R>>) -> Poll<io::Result<R>> {
        self.broke |= matches!(result, Poll::Ready(Err(_)));
        result
    }
}

impl<T: AsyncRead + Unpin, M: Counts> AsyncRead for Watched<'_, T, M> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = Pin::new(&mut self.io).poll_read(cx, buf);
        if read.is_ready() {
            self.reads.read(self.direction, buf.filled().len() - before);
        }
        self.seen(read)
    }
}

impl<T: AsyncWrite + Unpin, M: Counts> AsyncWrite for Watched<'_, T, M> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.io).poll_write(cx, buf);
        self.seen(written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.io).poll_flush(cx);
        self.seen(flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let shut = Pin::new(&mut self.io).poll_shutdown(cx);
        self.seen(shut)
    }
}
