//! Every datagram back to where it came from.

use std::net::SocketAddr;
use tokio::net::UdpSocket;

/// No datagram that is sent here is longer.
const LONGEST: usize = 2048;

pub(super) async fn start() -> anyhow::Result<SocketAddr> {
    let socket = UdpSocket::bind("127.0.0.1:0").await?;
    let at = socket.local_addr()?;
    tokio::spawn(async move {
        let mut datagram = [0; LONGEST];
        loop {
            // An error tells of an earlier answer that nobody took.
            let Ok((length, from)) = socket.recv_from(&mut datagram).await else { continue };
            let _ = socket.send_to(datagram.get(..length).unwrap_or_default(), from).await;
        }
    });
    Ok(at)
}
