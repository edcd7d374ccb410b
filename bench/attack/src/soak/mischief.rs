//! Clients that are no attackers, and no good ones either: they leave in the middle, or read as slowly as may be.

use super::Round;
use crate::gate::LARGE;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout_at};

const LEAVING: usize = 8;
const SLOW: usize = 32;

/// Between two connections, or two reads.
const PAUSE: Duration = Duration::from_millis(100);

pub(super) async fn run(Round { gate, end }: &Round) {
    let (at, end) = (gate.at, *end);
    let mut clients = JoinSet::new();
    for number in 0..LEAVING + SLOW {
        clients.spawn(async move {
            while Instant::now() < end {
                // Being thrown out is what they have to expect.
                let _ =
                    if number < LEAVING { timeout_at(end, leave(at)).await } else { timeout_at(end, crawl(at)).await };
                sleep(PAUSE).await;
            }
        });
    }
    clients.join_all().await;
}

/// Asks for much, reads a little and goes: the kernel then resets the connection, for there is more to be read.
async fn leave(at: SocketAddr) -> std::io::Result<()> {
    let mut tcp = ask(at).await?;
    let mut some = [0; 1024];
    tcp.read_exact(&mut some).await?;
    Ok(())
}

/// Asks for much, and reads a little at a time.
async fn crawl(at: SocketAddr) -> std::io::Result<()> {
    let mut tcp = ask(at).await?;
    let mut some = [0; 1024];
    while tcp.read(&mut some).await? > 0 {
        sleep(PAUSE).await;
    }
    Ok(())
}

async fn ask(at: SocketAddr) -> std::io::Result<TcpStream> {
    let mut tcp = TcpStream::connect(at).await?;
    let head = format!("GET {LARGE}?size=1000000 HTTP/1.1\r\nHost: a.example\r\n\r\n");
    tcp.write_all(head.as_bytes()).await?;
    Ok(tcp)
}
