//! Free ports, chosen by the kernel.
//!
//! A port is free when it is given; who binds it late may find it taken. Prefer to bind port 0 and to ask what it became,
//! and use these only where a port has to be written into a file first.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};

/// A loopback address with a free TCP port.
pub fn free_addr() -> SocketAddr {
    let [addr] = free_addrs();
    addr
}

/// Several of them, all different.
pub fn free_addrs<const N: usize>() -> [SocketAddr; N] {
    // All are held before the first is given back: the kernel would give the same one again.
    let held: [TcpListener; N] =
        std::array::from_fn(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("the kernel has a free TCP port"));
    held.map(|listener| listener.local_addr().expect("a bound socket has an address"))
}

/// A loopback address with a free UDP port.
pub fn free_udp_addr() -> SocketAddr {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("the kernel has a free UDP port");
    socket.local_addr().expect("a bound socket has an address")
}
