//! Datagrams, from clients that each have a few on their way.

use super::{Done, all};
use crate::site::Site;
use anyhow::Context;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio::net::UdpSocket;

/// So many clients, each at a port of its own.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Datagrams {
    pub(crate) clients: u16,
    /// What each has on its way: few, so that no queue overflows.
    pub(crate) at_once: u8,
}

/// What each datagram is.
const DATAGRAM: [u8; 128] = [b'x'; 128];

/// What has no echo by now is lost.
const PATIENCE: Duration = Duration::from_millis(500);

impl Datagrams {
    pub(super) async fn run(&self, site: &Site, lasting: Duration) -> anyhow::Result<Done> {
        let Self { clients, at_once } = *self;
        let begun = Instant::now();
        let each = || {
            let at = site.http;
            tokio::spawn(async move {
                let (mut count, mut lost) = (0, 0);
                let failed = client(at, at_once, begun + lasting, &mut count, &mut lost).await.is_err();
                (count, lost + u64::from(failed))
            })
        };
        all((0..clients).map(|_| each()).collect(), begun).await
    }
}

async fn client(at: SocketAddr, at_once: u8, end: Instant, count: &mut u64, lost: &mut u64) -> anyhow::Result<()> {
    let socket = connected(at).await?;
    let mut echo = [0; DATAGRAM.len() + 1];
    let mut under_way = 0;
    while Instant::now() < end {
        while under_way < at_once {
            socket.send(&DATAGRAM).await?;
            under_way += 1;
        }
        match tokio::time::timeout(PATIENCE, socket.recv(&mut echo)).await {
            Ok(length) => {
                anyhow::ensure!(length? == DATAGRAM.len(), "an echo that is not what was sent");
                *count += 1;
                under_way -= 1;
            }
            Err(_) => {
                *lost += u64::from(under_way);
                under_way = 0;
            }
        }
    }
    Ok(())
}

async fn connected(at: SocketAddr) -> anyhow::Result<UdpSocket> {
    let socket = UdpSocket::bind("127.0.0.1:0").await?;
    socket.connect(at).await.with_context(|| at.to_string())?;
    Ok(socket)
}

/// Whether a datagram to `at` has an echo.
pub(crate) async fn echoes(at: SocketAddr) -> anyhow::Result<bool> {
    let socket = connected(at).await?;
    let mut echo = [0; 1];
    // Where nobody listens yet, the kernel says so with an error.
    let answered = async { socket.send(b"?").await.is_ok() && socket.recv(&mut echo).await.is_ok() };
    Ok(tokio::time::timeout(Duration::from_millis(100), answered).await.unwrap_or(false))
}
