//! WebSockets, whose messages come back as they came.

use super::accept;
use futures::{SinkExt as _, StreamExt as _};
use std::net::SocketAddr;
use tokio::net::TcpStream;

pub(super) async fn start() -> anyhow::Result<SocketAddr> {
    accept(serve).await
}

async fn serve(connection: TcpStream) -> anyhow::Result<()> {
    connection.set_nodelay(true)?;
    let mut websocket = tokio_tungstenite::accept_async(connection).await?;
    while let Some(message) = websocket.next().await {
        let message = message?;
        if message.is_binary() {
            websocket.send(message).await?;
        }
    }
    Ok(())
}
