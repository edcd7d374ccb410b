//! QUIC: the other way to speak HTTP, over datagrams.

use super::attempt::Found;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use tokio::net::UdpSocket;

/// Servers take no first datagram that is shorter (RFC 9000 section 14.1).
const INITIAL: usize = 1200;

/// Sends a packet of a version that nobody speaks: whoever speaks QUIC answers with those that it does (RFC 9000 section
/// 6.1), and nothing is set up.
pub(super) async fn negotiate(to: SocketAddr) -> Found {
    let own: IpAddr = if to.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let asked = async {
        let socket = UdpSocket::bind((own, 0)).await?;
        socket.connect(to).await?;
        // Long header, version 0x1a2a3a4a (reserved for this), a connection id of 8 bytes each way, and zeros.
        let mut packet = vec![0xc0, 0x1a, 0x2a, 0x3a, 0x4a, 8, 1, 2, 3, 4, 5, 6, 7, 8, 8, 8, 7, 6, 5, 4, 3, 2, 1];
        packet.resize(INITIAL, 0);
        socket.send(&packet).await?;
        let mut answer = [0; 2048];
        socket.recv(&mut answer).await
    };
    match asked.await {
        Ok(length) => Found::Through(format!("{length} bytes came back")),
        Err(error) => Found::of_error(&error),
    }
}
