//! Free ports, for what has to be written into a file before anybody binds it.
//!
//! Where that is not so, bind port 0 and ask what it became. Ports from here are never those that the kernel gives to
//! whoever binds port 0 or connects: between the moment when such a port is found free and the one when it is bound,
//! another test would get it.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::sync::{LazyLock, Mutex, PoisonError};

/// Where we begin to look; below are well-known services.
const FIRST: u16 = 10_000;

/// The first port that the kernel gives away itself, unless it says otherwise.
const USUAL_EPHEMERAL: u16 = 32_768;

/// A loopback address with a free TCP port.
pub fn free_addr() -> SocketAddr {
    find(|addr| TcpListener::bind(addr).is_ok())
}

/// Several of them, all different.
pub fn free_addrs<const N: usize>() -> [SocketAddr; N] {
    std::array::from_fn(|_| free_addr())
}

/// A loopback address with a free UDP port.
pub fn free_udp_addr() -> SocketAddr {
    find(|addr| UdpSocket::bind(addr).is_ok())
}

/// At random, because other processes look as well; none twice in this one.
fn find(is_free: impl Fn(SocketAddr) -> bool) -> SocketAddr {
    static GIVEN: LazyLock<Mutex<HashSet<u16>>> = LazyLock::new(Mutex::default);
    let ports = u64::from(ephemeral().saturating_sub(FIRST).max(1));
    // A set of numbers is whole whatever panicked.
    let mut given = GIVEN.lock().unwrap_or_else(PoisonError::into_inner);
    for _ in 0..100_000 {
        let random = RandomState::new().hash_one(given.len()) % ports;
        let port = FIRST + u16::try_from(random).expect("fewer than 65536 ports");
        let addr = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        if !given.contains(&port) && is_free(addr) {
            given.insert(port);
            return addr;
        }
    }
    panic!("no port from {FIRST} on is free");
}

/// The first port that the kernel gives away itself.
fn ephemeral() -> u16 {
    let range = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap_or_default();
    let first = range.split_whitespace().next().and_then(|first| first.parse().ok()).unwrap_or(USUAL_EPHEMERAL);
    // Where the kernel gives all of them away there is nothing to keep clear of.
    if first > FIRST + 5_000 { first } else { USUAL_EPHEMERAL }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_differ_and_can_be_bound() {
        let addresses: [SocketAddr; 20] = free_addrs();
        let held: Vec<TcpListener> =
            addresses.iter().map(|addr| TcpListener::bind(addr).expect("a free port can be bound")).collect();
        assert_eq!(held.len(), 20);
        assert!(addresses.iter().all(|addr| addr.port() < ephemeral()));
        assert!(UdpSocket::bind(free_udp_addr()).is_ok());
    }
}
