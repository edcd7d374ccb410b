//! Bytes both ways until both ends have said enough, or nobody has said anything for too long.

use lychgate_telemetry::{Direction, StreamMetrics};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// One way's buffer: large enough that throughput is that of the kernel.
const BUFFER: usize = 64 * 1024;

/// What went through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Carried {
    /// From the client.
    pub(super) up: u64,
    /// To the client.
    pub(super) down: u64,
}

/// Carries bytes. An end that closes its half is told to the other; the rest still flows.
pub(super) async fn relay(
    client: impl AsyncRead + AsyncWrite + Unpin,
    upstream: impl AsyncRead + AsyncWrite + Unpin,
    idle: Duration,
    metrics: &StreamMetrics,
) -> io::Result<Carried> {
    let reads = Arc::new(AtomicU64::new(0));
    let mut client = Watched { io: client, reads: reads.clone(), metrics, direction: Direction::Up };
    let mut upstream = Watched { io: upstream, reads: reads.clone(), metrics, direction: Direction::Down };
    let copy = tokio::io::copy_bidirectional_with_sizes(&mut client, &mut upstream, BUFFER, BUFFER);
    tokio::select! {
        copied = copy => copied.map(|(up, down)| Carried { up, down }),
        () = silence(&reads, idle) => Err(io::Error::new(io::ErrorKind::TimedOut, "nothing was said for too long")),
    }
}

/// Ends when nothing was read for this long, or up to half as long again.
async fn silence(reads: &AtomicU64, idle: Duration) {
    let mut seen = reads.load(Ordering::Relaxed);
    let mut quiet = 0_u8;
    while quiet < 2 {
        tokio::time::sleep(idle / 2).await;
        let now = reads.load(Ordering::Relaxed);
        quiet = if now == seen { quiet + 1 } else { 0 };
        seen = now;
    }
}

/// Counts reads.
struct Watched<'a, T> {
    io: T,
    reads: Arc<AtomicU64>,
    metrics: &'a StreamMetrics,
    direction: Direction,
}

impl<T: AsyncRead + Unpin> AsyncRead for Watched<'_, T> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = Pin::new(&mut self.io).poll_read(cx, buf);
        if read.is_ready() {
            self.reads.fetch_add(1, Ordering::Relaxed);
            self.metrics.carried(self.direction, (buf.filled().len() - before) as u64);
        }
        read
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Watched<'_, T> {
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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    fn metrics() -> Arc<StreamMetrics> {
        let gateway = lychgate_ir::GatewayId(lychgate_ir::ObjectName::new("ns", "gw"));
        let owner = lychgate_ir::ListenerOwner::Gateway;
        let id = lychgate_ir::ListenerId { gateway, owner, section: "tcp".into() };
        lychgate_telemetry::Metrics::new(Default::default()).unwrap().stream(&id)
    }

    #[tokio::test]
    async fn a_half_that_is_closed_leaves_the_other_open() {
        let (mut client, ours) = duplex(16);
        let (theirs, mut upstream) = duplex(16);
        let carried = tokio::spawn(async move { relay(ours, theirs, Duration::from_secs(60), &metrics()).await });
        client.write_all(b"question").await.unwrap();
        client.shutdown().await.unwrap();
        let mut question = Vec::new();
        upstream.read_to_end(&mut question).await.unwrap();
        upstream.write_all(b"answer").await.unwrap();
        upstream.shutdown().await.unwrap();
        let mut answer = Vec::new();
        client.read_to_end(&mut answer).await.unwrap();
        assert_eq!((question.as_slice(), answer.as_slice()), (&b"question"[..], &b"answer"[..]));
        assert_eq!(carried.await.unwrap().unwrap(), Carried { up: 8, down: 6 });
    }

    #[tokio::test(start_paused = true)]
    async fn silence_ends_it_and_talk_does_not() {
        let (mut client, ours) = duplex(16);
        let (theirs, _upstream) = duplex(16);
        let begun = tokio::time::Instant::now();
        let carried = tokio::spawn(async move { relay(ours, theirs, Duration::from_secs(10), &metrics()).await });
        for _ in 0..5 {
            tokio::time::sleep(Duration::from_secs(8)).await;
            client.write_all(b"x").await.unwrap();
        }
        assert_eq!(carried.await.unwrap().unwrap_err().kind(), io::ErrorKind::TimedOut);
        assert!(begun.elapsed() >= Duration::from_secs(49), "{:?}", begun.elapsed());
    }
}
