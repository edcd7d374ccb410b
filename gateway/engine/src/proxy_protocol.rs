//! The PROXY protocol, versions 1 and 2: before the first byte of a connection, a proxy tells the next one whose
//! connection it carries.
//!
//! Source: <https://www.haproxy.org/download/3.2/doc/proxy-protocol.txt>. What is optional there is decided so: a header
//! may come in pieces; TLVs are skipped, and their checksum is not verified; what a proxy cannot or will not say (UNKNOWN,
//! LOCAL, UNSPEC) and what has no internet address (UNIX) leaves the connection its own ends; anything that is not exactly
//! the protocol ends the connection.

#[cfg(test)]
mod fuzz;
mod receive;
mod v1;
mod v2;

pub(crate) use receive::{Proxies, Unproven, ends};

use lychgate_ir::ProxyProtocol;
use std::net::{IpAddr, SocketAddr};

/// The two ends of a client's connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ends {
    /// The client.
    pub(crate) source: SocketAddr,
    /// What the client connected to.
    pub(crate) destination: SocketAddr,
}

impl Ends {
    /// Addresses of IPv4 are always told as such, however the socket sees them.
    pub(crate) fn new(source: SocketAddr, destination: SocketAddr) -> Self {
        let canonical = |address: SocketAddr| SocketAddr::new(address.ip().to_canonical(), address.port());
        Self { source: canonical(source), destination: canonical(destination) }
    }

    /// Both in one family, as every header has them: IPv4 if both are.
    fn in_one_family(self) -> Self {
        let Self { source, destination } = self;
        if source.is_ipv4() == destination.is_ipv4() {
            return self;
        }
        let mapped = |address: SocketAddr| match address.ip() {
            IpAddr::V4(ip) => SocketAddr::new(ip.to_ipv6_mapped().into(), address.port()),
            IpAddr::V6(_) => address,
        };
        Self { source: mapped(source), destination: mapped(destination) }
    }
}

/// What a header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Said {
    /// Whose connection is carried.
    Ends(Ends),
    /// Nothing that could be used: the ends of the connection itself hold.
    Nothing,
}

/// How far a header was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Progress {
    /// It is so many bytes long.
    Whole(usize, Said),
    /// More of it has to come.
    Part,
}

/// Why something is no header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed(&'static str);

/// No header is longer, of either version.
#[cfg(test)]
const LONGEST: usize = v2::LONGEST;

/// Reads the header that these bytes begin with.
fn parse(seen: &[u8]) -> Result<Progress, Malformed> {
    // Nothing is waited for that cannot become a header any more.
    let begins = |signature: &[u8]| seen.iter().zip(signature).all(|(seen, wanted)| seen == wanted);
    if begins(v2::SIGNATURE) {
        v2::parse(seen)
    } else if begins(v1::SIGNATURE) {
        v1::parse(seen)
    } else {
        Err(Malformed("it begins with something else than a header"))
    }
}

/// The header for a connection between these ends.
pub(crate) fn header(version: ProxyProtocol, ends: Ends) -> Vec<u8> {
    match version {
        ProxyProtocol::V1 => v1::write(ends.in_one_family()),
        ProxyProtocol::V2 => v2::write(ends.in_one_family()),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use proxy_header::{ParseConfig, ProxiedAddress, ProxyHeader};
    use std::net::{Ipv4Addr, Ipv6Addr};

    fn ends(source: &str, destination: &str) -> Ends {
        Ends::new(source.parse().unwrap(), destination.parse().unwrap())
    }

    #[test]
    fn a_proxy_that_sees_ipv4_within_ipv6_tells_ipv4() {
        let seen = ends("[::ffff:192.0.2.1]:1", "[::ffff:192.0.2.2]:2");
        assert_eq!(header(ProxyProtocol::V1, seen), b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n");
    }

    #[test]
    fn ends_of_two_families_are_told_in_the_larger() {
        let mixed = ends("192.0.2.1:1", "[2001:db8::2]:2");
        assert_eq!(header(ProxyProtocol::V1, mixed), b"PROXY TCP6 ::ffff:192.0.2.1 2001:db8::2 1 2\r\n");
        for version in [ProxyProtocol::V1, ProxyProtocol::V2] {
            let header = header(version, mixed);
            assert_eq!(parse(&header), Ok(Progress::Whole(header.len(), Said::Ends(mixed))));
        }
    }

    #[test]
    fn what_comes_after_a_header_is_not_part_of_it() {
        let ends = ends("192.0.2.1:1", "192.0.2.2:2");
        for version in [ProxyProtocol::V1, ProxyProtocol::V2] {
            let mut bytes = header(version, ends);
            let length = bytes.len();
            bytes.extend(b"PROXY TCP4 192.0.2.9 192.0.2.9 9 9\r\n");
            assert_eq!(parse(&bytes), Ok(Progress::Whole(length, Said::Ends(ends))));
        }
    }

    #[test]
    fn other_protocols_are_told_by_their_first_bytes() {
        for other in
            [&b"GET / HTTP/1.1\r\n"[..], b"PRI * HTTP/2.0", b"\x16\x03\x01", b"\r\n\r\n\r\n", b"Q", b"PROXX", b"\0"]
        {
            assert!(parse(other).is_err(), "{other:?}");
        }
        for begin in [&b""[..], b"P", b"PROXY", b"\r", b"\r\n\r\n\0"] {
            assert_eq!(parse(begin), Ok(Progress::Part), "{begin:?}");
        }
    }

    fn any_address() -> impl Strategy<Value = SocketAddr> {
        let ip = prop_oneof![
            any::<u32>().prop_map(|bits| IpAddr::V4(Ipv4Addr::from_bits(bits))),
            any::<u128>().prop_map(|bits| IpAddr::V6(Ipv6Addr::from_bits(bits))),
        ];
        (ip, any::<u16>()).prop_map(|(ip, port)| SocketAddr::new(ip, port))
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(source in any_address(), destination in any_address(), rest in any::<Vec<u8>>()) {
            let ends = Ends::new(source, destination);
            for version in [ProxyProtocol::V1, ProxyProtocol::V2] {
                let mut bytes = header(version, ends);
                let length = bytes.len();
                for cut in 0..length {
                    prop_assert_eq!(parse(&bytes[..cut]), Ok(Progress::Part));
                }
                bytes.extend(&rest);
                prop_assert_eq!(parse(&bytes), Ok(Progress::Whole(length, Said::Ends(ends))));
            }
        }

        #[test]
        fn others_read_what_is_written_and_write_what_is_read(source in any_address(), destination in any_address()) {
            let ends = Ends::new(source, destination).in_one_family();
            for version in [ProxyProtocol::V1, ProxyProtocol::V2] {
                let ours = header(version, ends);
                let (theirs, length) = ProxyHeader::parse(&ours, ParseConfig::default()).unwrap();
                prop_assert_eq!(length, ours.len());
                prop_assert_eq!(theirs.proxied_address(), Some(&ProxiedAddress::stream(ends.source, ends.destination)));
                let mut bytes = Vec::new();
                match version {
                    ProxyProtocol::V1 => theirs.encode_v1(&mut bytes).unwrap(),
                    ProxyProtocol::V2 => theirs.encode_v2(&mut bytes).unwrap(),
                }
                let read = Ends::new(ends.source, ends.destination);
                prop_assert_eq!(parse(&bytes), Ok(Progress::Whole(bytes.len(), Said::Ends(read))));
            }
        }

        #[test]
        fn nothing_panics_and_more_bytes_change_no_verdict(
            start in prop_oneof![Just(b"PROXY ".to_vec()), Just(b"PROXY TCP4 1".to_vec()), Just(v2::SIGNATURE.to_vec()), Just(vec![])],
            rest in proptest::collection::vec(any::<u8>(), 0..300),
        ) {
            let bytes = [start, rest].concat();
            let verdicts: Vec<_> = (0..=bytes.len()).map(|cut| parse(&bytes[..cut])).collect();
            for (cut, pair) in verdicts.windows(2).enumerate() {
                match pair[0] {
                    Ok(Progress::Part) => {}
                    Ok(Progress::Whole(length, _)) => {
                        prop_assert!(length <= cut);
                        prop_assert_eq!(pair[0], pair[1]);
                    }
                    Err(_) => prop_assert!(pair[1].is_err()),
                }
            }
        }
    }
}
