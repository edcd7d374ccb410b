//! WebSockets, whose messages come back as they came.

use futures::{SinkExt as _, StreamExt as _};
use std::net::SocketAddr;
use tokio::net::{TcpListener, TcpStream};

pub(super) async fn start() -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let at = listener.local_addr()?;
    tokio::spawn(async move {
        while let Ok((connection, _)) = listener.accept().await {
            tokio::spawn(async move { serve(connection).await });
        }
    });
    Ok(at)
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
