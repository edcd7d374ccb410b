//! Connections that were meant for somebody else and led here: where they were going.

use std::io;
use std::net::SocketAddr;
use tokio::net::TcpStream;

/// Where a connection was going, as NAT of this host remembers it (nftables `redirect` and `dnat`, iptables `REDIRECT` and
/// `DNAT`). `None` if it was going here: to go on would be a loop.
pub(super) fn original(tcp: &TcpStream) -> io::Result<Option<SocketAddr>> {
    let own = canonical(tcp.local_addr()?);
    let socket = socket2::SockRef::from(tcp);
    let remembered = if own.is_ipv4() { socket.original_dst_v4() } else { socket.original_dst_v6() };
    // An error means that NAT knows nothing of it.
    let remembered = remembered.ok().and_then(|address| address.as_socket()).map(canonical);
    Ok(remembered.filter(|address| *address != own))
}

/// A socket of both families says IPv4 in the form of IPv6.
fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}
