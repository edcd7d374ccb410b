//! WebSockets, each with one message on its way at a time.

use super::{Done, all};
use anyhow::Context;
use bytes::Bytes;
use futures::{SinkExt as _, StreamExt as _};
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;

/// So many WebSockets.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WebSockets {
    pub(crate) connections: u16,
}

/// What each message is.
const MESSAGE: Bytes = Bytes::from_static(&[b'x'; 128]);

/// An echo that takes longer has failed.
const PATIENCE: Duration = Duration::from_secs(10);

impl WebSockets {
    pub(super) async fn run(&self, site: &crate::site::Site, lasting: Duration) -> anyhow::Result<Done> {
        let begun = Instant::now();
        let each = || {
            let at = site.http;
            tokio::spawn(async move {
                let mut count = 0;
                let failed = client(at, begun + lasting, &mut count).await.is_err();
                (count, u64::from(failed))
            })
        };
        all((0..self.connections).map(|_| each()).collect(), begun).await
    }
}

async fn client(at: SocketAddr, end: Instant, count: &mut u64) -> anyhow::Result<()> {
    let tcp = TcpStream::connect(at).await?;
    tcp.set_nodelay(true)?;
    let (mut websocket, _) = tokio_tungstenite::client_async(format!("ws://{at}/"), tcp).await?;
    while Instant::now() < end {
        websocket.send(Message::Binary(MESSAGE)).await?;
        let echo = tokio::time::timeout(PATIENCE, websocket.next()).await?.context("the WebSocket ended")??;
        anyhow::ensure!(echo == Message::Binary(MESSAGE), "an echo that is not what was sent");
        *count += 1;
    }
    // Who takes it amiss that we leave has echoed all.
    let _ = websocket.close(None).await;
    Ok(())
}
