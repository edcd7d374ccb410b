//! Well-behaved clients: they keep their connections, and ask steadily.

use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout_at};

/// Clients, each with a connection.
const CLIENTS: usize = 8;

/// Each asks so often.
const PAUSE: Duration = Duration::from_millis(20);

/// An answer that takes longer has failed.
const PATIENCE: Duration = Duration::from_secs(5);

/// What clients saw.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// In order.
    latencies: Vec<Duration>,
    pub(crate) failed: usize,
}

impl Seen {
    /// The latency that so many of a thousand requests did not exceed.
    pub(crate) fn quantile(&self, thousandths: usize) -> Duration {
        let at = (self.latencies.len().saturating_sub(1)) * thousandths / 1000;
        self.latencies.get(at).copied().unwrap_or_default()
    }

    pub(crate) fn count(&self) -> usize {
        self.latencies.len()
    }
}

/// Asks for so long.
pub(crate) async fn ask(at: SocketAddr, lasting: Duration) -> Seen {
    let end = Instant::now() + lasting;
    let mut clients = JoinSet::new();
    for _ in 0..CLIENTS {
        clients.spawn(client(at, end));
    }
    let mut all = Seen::default();
    for seen in clients.join_all().await {
        all.latencies.extend(seen.latencies);
        all.failed += seen.failed;
    }
    all.latencies.sort_unstable();
    all
}

async fn client(at: SocketAddr, end: Instant) -> Seen {
    let mut seen = Seen::default();
    let mut connection = None;
    let mut ticks = interval(PAUSE);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while Instant::now() < end {
        ticks.tick().await;
        let begun = Instant::now();
        match timeout_at(begun + PATIENCE, exchange(&mut connection, at)).await {
            Ok(Ok(())) => seen.latencies.push(begun.elapsed()),
            Ok(Err(_)) | Err(_) => {
                seen.failed += 1;
                connection = None;
            }
        }
    }
    seen
}

async fn exchange(connection: &mut Option<TcpStream>, at: SocketAddr) -> std::io::Result<()> {
    let tcp = match connection {
        Some(tcp) => tcp,
        None => {
            let tcp = TcpStream::connect(at).await?;
            tcp.set_nodelay(true)?;
            connection.insert(tcp)
        }
    };
    tcp.write_all(b"GET /?size=100 HTTP/1.1\r\nHost: a.example\r\n\r\n").await?;
    let mut answer = Vec::with_capacity(1024);
    // The head, and a body of a hundred bytes.
    loop {
        let head = answer.windows(4).position(|end| end == b"\r\n\r\n");
        if let Some(head) = head
            && answer.len() >= head + 4 + 100
        {
            let ok = answer.starts_with(b"HTTP/1.1 200 ");
            return if ok { Ok(()) } else { Err(std::io::Error::other("not 200")) };
        }
        if tcp.read_buf(&mut answer).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
    }
}
