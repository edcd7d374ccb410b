//! Bytes both ways until both ends have said enough, or nobody has said anything for too long.

use lychgate_telemetry::Direction;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// One way's buffer: large enough that throughput is that of the kernel.
const BUFFER: usize = 64 * 1024;

/// Where bytes are counted, at once, since a stream may live for days.
pub(crate) trait Counts {
    /// Bytes were carried.
    fn carried(&self, direction: Direction, bytes: u64);
}

/// How it ended before its end.
#[derive(Debug)]
pub(crate) enum BrokenOff {
    /// Nobody has said anything for too long.
    Silent,
    /// One end broke it off: the one that bytes in this direction come from.
    By(Direction, io::Error),
}

/// Carries bytes. An end that closes its half is told to the other; the rest still flows.
pub(crate) async fn relay(
    client: impl AsyncRead + AsyncWrite + Unpin,
    upstream: impl AsyncRead + AsyncWrite + Unpin,
    idle: Duration,
    meter: &impl Counts,
) -> Result<(), BrokenOff> {
    let reads = Arc::new(AtomicU64::new(0));
    let mut client = Watched::new(client, &reads, meter, Direction::Up);
    let mut upstream = Watched::new(upstream, &reads, meter, Direction::Down);
    let copy = tokio::io::copy_bidirectional_with_sizes(&mut client, &mut upstream, BUFFER, BUFFER);
    let copied = tokio::select! {
        copied = copy => copied,
        () = silence(&reads, idle) => return Err(BrokenOff::Silent),
    };
    copied.map(|_| ()).map_err(|error| {
        let by = if upstream.broke { Direction::Down } else { Direction::Up };
        BrokenOff::By(by, error)
    })
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

/// Counts reads, and remembers an error.
struct Watched<'a, T, M> {
    io: T,
    reads: Arc<AtomicU64>,
    meter: &'a M,
    direction: Direction,
    broke: bool,
}

impl<'a, T, M: Counts> Watched<'a, T, M> {
    fn new(io: T, reads: &Arc<AtomicU64>, meter: &'a M, direction: Direction) -> Self {
        Self { io, reads: reads.clone(), meter, direction, broke: false }
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
            self.reads.fetch_add(1, Ordering::Relaxed);
            self.meter.carried(self.direction, (buf.filled().len() - before) as u64);
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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::stream::meter::Meter;
    use lychgate_ir::{
        BackendId, BackendKind, GatewayId, ListenerId, ListenerOwner, ObjectName, RouteId, RouteKind, RuleId, Transport,
    };
    use lychgate_telemetry::Metrics;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    fn meter() -> Arc<Meter> {
        let name = || ObjectName::new("ns", "x");
        let metrics = Metrics::new(Default::default()).unwrap();
        let listener = ListenerId { gateway: GatewayId(name()), owner: ListenerOwner::Gateway, section: "tcp".into() };
        let route = RouteId { kind: RouteKind::Tcp, name: name() };
        let rule = RuleId { route, generation: 1, index: 0, name: None };
        let backend = BackendId { kind: BackendKind::Service, name: name(), port: 1, transport: Transport::Tcp };
        Arc::new(Meter::new(metrics.stream(&listener), metrics.stream_rule(&rule), metrics.backend(&backend)))
    }

    #[tokio::test]
    async fn a_half_that_is_closed_leaves_the_other_open() {
        let (mut client, ours) = duplex(16);
        let (theirs, mut upstream) = duplex(16);
        let meter = meter();
        let counts = meter.clone();
        let carried = tokio::spawn(async move { relay(ours, theirs, Duration::from_secs(60), &*counts).await });
        client.write_all(b"question").await.unwrap();
        client.shutdown().await.unwrap();
        let mut question = Vec::new();
        upstream.read_to_end(&mut question).await.unwrap();
        upstream.write_all(b"answer").await.unwrap();
        upstream.shutdown().await.unwrap();
        let mut answer = Vec::new();
        client.read_to_end(&mut answer).await.unwrap();
        assert_eq!((question.as_slice(), answer.as_slice()), (&b"question"[..], &b"answer"[..]));
        carried.await.unwrap().unwrap();
        assert_eq!((meter.total(Direction::Up), meter.total(Direction::Down)), (8, 6));
    }

    #[tokio::test(start_paused = true)]
    async fn silence_ends_it_and_talk_does_not() {
        let (mut client, ours) = duplex(16);
        let (theirs, _upstream) = duplex(16);
        let begun = tokio::time::Instant::now();
        let carried = tokio::spawn(async move { relay(ours, theirs, Duration::from_secs(10), &*meter()).await });
        for _ in 0..5 {
            tokio::time::sleep(Duration::from_secs(8)).await;
            client.write_all(b"x").await.unwrap();
        }
        assert!(matches!(carried.await.unwrap(), Err(BrokenOff::Silent)));
        assert!(begun.elapsed() >= Duration::from_secs(49), "{:?}", begun.elapsed());
    }

    #[tokio::test]
    async fn who_breaks_it_off_is_known() {
        struct Breaks;
        impl AsyncRead for Breaks {
            fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, _: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
                Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()))
            }
        }
        impl AsyncWrite for Breaks {
            fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
                Poll::Ready(Ok(buf.len()))
            }
            fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
                Poll::Ready(Ok(()))
            }
            fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
                Poll::Ready(Ok(()))
            }
        }
        let idle = Duration::from_secs(60);
        let (_theirs, ours) = duplex(16);
        let by = relay(Breaks, ours, idle, &*meter()).await;
        assert!(matches!(by, Err(BrokenOff::By(Direction::Up, _))), "{by:?}");
        let (_theirs, ours) = duplex(16);
        let by = relay(ours, Breaks, idle, &*meter()).await;
        assert!(matches!(by, Err(BrokenOff::By(Direction::Down, _))), "{by:?}");
    }
}
