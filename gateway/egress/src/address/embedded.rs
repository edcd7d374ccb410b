//! IPv4 addresses inside IPv6 ones.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The one form of an address: IPv4-mapped IPv6 (RFC 4291 section 2.5.5.2) is IPv4, because sockets treat it so.
pub fn canonical(address: IpAddr) -> IpAddr {
    address.to_canonical()
}

/// The IPv4 address that an IPv6 address leads to, or carries, by any of the mechanisms that have been in use.
pub fn embedded(address: IpAddr) -> Option<Ipv4Addr> {
    let IpAddr::V6(address) = address else { return None };
    let from = |high: u16, low: u16| Ipv4Addr::from(u32::from(high) << 16 | u32::from(low));
    match address.segments() {
        // IPv4-mapped.
        [0, 0, 0, 0, 0, 0xffff, high, low] => Some(from(high, low)),
        // IPv4-compatible (deprecated by RFC 4291); `::` and `::1` are addresses of their own.
        [0, 0, 0, 0, 0, 0, high, low] if u128::from(address) > u128::from(Ipv6Addr::LOCALHOST) => Some(from(high, low)),
        // IPv4-translated (RFC 2765).
        [0, 0, 0, 0, 0xffff, 0, high, low] => Some(from(high, low)),
        // NAT64, for everybody (RFC 6052) and within a network (RFC 8215).
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x64, 0xff9b, 1, _, _, _, high, low] => Some(from(high, low)),
        // 6to4 (RFC 3056).
        [0x2002, high, low, ..] => Some(from(high, low)),
        // Teredo (RFC 4380): the client's address, inverted.
        [0x2001, 0, _, _, _, _, high, low] => Some(from(!high, !low)),
        // ISATAP (RFC 5214).
        [_, _, _, _, 0 | 0x200, 0x5efe, high, low] => Some(from(high, low)),
        _ => None,
    }
}
