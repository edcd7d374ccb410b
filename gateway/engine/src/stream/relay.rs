//! Bytes both ways until both ends have said enough, or nobody has said anything for too long.

mod copy;
mod end;
mod splice;

pub(crate) use end::{End, Socket};

use lychgate_telemetry::Direction;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Where bytes are counted, at once, since a stream may live for days.
pub(crate) trait Counts {
    /// Bytes were carried.
    fn carried(&self, direction: Direction, bytes: u64);

    /// Of these, so many never left the kernel.
    fn spliced(&self, _direction: Direction, _bytes: u64) {}
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
    mut client: impl End,
    mut upstream: impl End,
    idle: Duration,
    meter: &impl Counts,
) -> Result<(), BrokenOff> {
    let reads = Reads { count: AtomicU64::new(0), meter };
    let carried = async {
        if client.is_socket()
            && upstream.is_socket()
            && let (Some(client), Some(upstream)) = (client.socket(), upstream.socket())
        {
            return splice::both_ways(client, upstream, &reads).await;
        }
        copy::both_ways(&mut client, &mut upstream, &reads).await
    };
    tokio::select! {
        carried = carried => carried,
        () = reads.silence(idle) => Err(BrokenOff::Silent),
    }
}

/// What was read so far.
struct Reads<'a, M> {
    count: AtomicU64,
    meter: &'a M,
}

impl<M: Counts> Reads<'_, M> {
    fn read(&self, direction: Direction, bytes: usize) {
        self.count.fetch_add(1, Ordering::Relaxed);
        self.meter.carried(direction, bytes as u64);
    }

    /// Ends when nothing was read for this long, or up to half as long again.
    async fn silence(&self, idle: Duration) {
        let mut seen = self.count.load(Ordering::Relaxed);
        let mut quiet = 0_u8;
        while quiet < 2 {
            tokio::time::sleep(idle / 2).await;
            let now = self.count.load(Ordering::Relaxed);
            quiet = if now == seen { quiet + 1 } else { 0 };
            seen = now;
        }
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
    use std::pin::Pin;
    use std::sync::Arc;
    use std::task::{Context, Poll};
    use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf, duplex};

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
        impl End for Breaks {
            fn is_socket(&self) -> bool {
                false
            }
            fn socket(&mut self) -> Option<Socket<'_>> {
                None
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
