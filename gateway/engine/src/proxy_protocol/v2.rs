//! Version 2: a block of bytes (section 2.2).

use super::{Ends, Malformed, Progress, Said};
use std::net::{IpAddr, SocketAddr};

/// How it begins.
pub(super) const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

/// Signature, version and command, family and protocol, length of the rest.
const FIXED: usize = 16;

/// The longest header that is taken, TLVs included. Addresses need no more than 232 bytes; the rest is for what proxies
/// add, such as client certificates.
pub(super) const LONGEST: usize = 4096;

pub(super) fn parse(seen: &[u8]) -> Result<Progress, Malformed> {
    let Some((fixed, rest)) = seen.split_first_chunk::<FIXED>() else { return part(seen) };
    let [.., version_and_command, family_and_protocol, high, low] = *fixed;
    let said = Kind::of(version_and_command, family_and_protocol)?;
    let length = usize::from(u16::from_be_bytes([high, low]));
    if FIXED + length > LONGEST {
        return Err(Malformed("it is too long"));
    }
    // TLVs stand behind the addresses, and are skipped.
    let Some(block) = rest.get(..length) else { return Ok(Progress::Part) };
    Ok(Progress::Whole(FIXED + length, said.read(block)?))
}

/// Waits for the fixed part, unless what there is of it is wrong already.
fn part(seen: &[u8]) -> Result<Progress, Malformed> {
    if let Some(version_and_command) = seen.get(SIGNATURE.len()) {
        let family_and_protocol = seen.get(SIGNATURE.len() + 1).copied().unwrap_or(0);
        Kind::of(*version_and_command, family_and_protocol)?;
    }
    Ok(Progress::Part)
}

/// What the block behind the fixed part holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// The proxy's own connection (LOCAL), or one that it cannot describe.
    Nothing,
    Ipv4,
    Ipv6,
    /// Paths, that say nothing to us.
    Unix,
}

impl Kind {
    fn of(version_and_command: u8, family_and_protocol: u8) -> Result<Self, Malformed> {
        match version_and_command {
            // The family is ignored.
            0x20 => return Ok(Self::Nothing),
            0x21 => {}
            _ => return Err(Malformed("its version or command is unknown")),
        }
        // Streams and datagrams: how the client speaks to the proxy changes nothing in who it is.
        match (family_and_protocol >> 4, family_and_protocol & 0x0f) {
            (0, 0..=2) | (1..=3, 0) => Ok(Self::Nothing),
            (1, 1 | 2) => Ok(Self::Ipv4),
            (2, 1 | 2) => Ok(Self::Ipv6),
            (3, 1 | 2) => Ok(Self::Unix),
            _ => Err(Malformed("its family or protocol is unknown")),
        }
    }

    fn read(self, block: &[u8]) -> Result<Said, Malformed> {
        let short = Malformed("it is too short for its addresses");
        match self {
            Self::Nothing => Ok(Said::Nothing),
            Self::Ipv4 => addresses::<4>(block).ok_or(short),
            Self::Ipv6 => addresses::<16>(block).ok_or(short),
            Self::Unix if block.len() < 216 => Err(short),
            Self::Unix => Ok(Said::Nothing),
        }
    }
}

/// Two addresses and two ports.
fn addresses<const N: usize>(block: &[u8]) -> Option<Said>
where
    IpAddr: From<[u8; N]>,
{
    let (source, block) = block.split_first_chunk::<N>()?;
    let (destination, block) = block.split_first_chunk::<N>()?;
    let (from, block) = block.split_first_chunk()?;
    let (to, _) = block.split_first_chunk()?;
    let end = |ip: &[u8; N], port: &[u8; 2]| SocketAddr::new(IpAddr::from(*ip), u16::from_be_bytes(*port));
    Some(Said::Ends(Ends::new(end(source, from), end(destination, to))))
}

/// Both ends are of one family.
pub(super) fn write(Ends { source, destination }: Ends) -> Vec<u8> {
    let (family, length): (u8, u16) = if source.is_ipv4() { (0x11, 12) } else { (0x21, 36) };
    let mut bytes = Vec::with_capacity(FIXED + usize::from(length));
    bytes.extend(SIGNATURE);
    bytes.extend([0x21, family]);
    bytes.extend(length.to_be_bytes());
    for end in [source, destination] {
        match end.ip() {
            IpAddr::V4(ip) => bytes.extend(ip.octets()),
            IpAddr::V6(ip) => bytes.extend(ip.octets()),
        }
    }
    for end in [source, destination] {
        bytes.extend(end.port().to_be_bytes());
    }
    bytes
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// A header of these bytes behind the signature, with the length of its block written into it.
    fn header(version_and_command: u8, family_and_protocol: u8, block: &[u8]) -> Vec<u8> {
        let length = u16::try_from(block.len()).unwrap().to_be_bytes();
        [SIGNATURE, &[version_and_command, family_and_protocol], &length, block].concat()
    }

    fn read(header: &[u8]) -> Result<Said, Malformed> {
        match parse(header)? {
            Progress::Whole(length, said) => {
                assert_eq!(length, header.len());
                Ok(said)
            }
            Progress::Part => Err(Malformed("it goes on")),
        }
    }

    const IPV4: [u8; 12] = [192, 0, 2, 1, 198, 51, 100, 2, 0x12, 0x34, 0x01, 0xbb];

    fn ipv4() -> Result<Said, Malformed> {
        Ok(Said::Ends(Ends::new("192.0.2.1:4660".parse().unwrap(), "198.51.100.2:443".parse().unwrap())))
    }

    fn ipv6_block() -> Vec<u8> {
        let ip = |last: u8| [[0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0].as_slice(), &[0, 0, 0, 0, 0, 0, 0, last]].concat();
        [ip(1), ip(2), vec![0x12, 0x34, 0x01, 0xbb]].concat()
    }

    #[test]
    fn ends_are_read() {
        // Over streams and over datagrams.
        for protocol in [0x11, 0x12] {
            assert_eq!(read(&header(0x21, protocol, &IPV4)), ipv4());
        }
        let ends = Ends::new("[2001:db8::1]:4660".parse().unwrap(), "[2001:db8::2]:443".parse().unwrap());
        for protocol in [0x21, 0x22] {
            assert_eq!(read(&header(0x21, protocol, &ipv6_block())), Ok(Said::Ends(ends)));
        }
    }

    #[test]
    fn what_says_nothing_is_skipped() {
        for family in [0x00, 0x11, 0x31, 0xff] {
            for block in [&[][..], &IPV4, &[7; 300]] {
                assert_eq!(read(&header(0x20, family, block)), Ok(Said::Nothing), "LOCAL {family:#x}");
            }
        }
        for family in [0x00, 0x01, 0x02, 0x10, 0x20, 0x30] {
            assert_eq!(read(&header(0x21, family, &IPV4)), Ok(Said::Nothing), "UNSPEC {family:#x}");
        }
        for family in [0x31, 0x32] {
            assert_eq!(read(&header(0x21, family, &[b'/'; 216])), Ok(Said::Nothing), "UNIX {family:#x}");
            assert!(read(&header(0x21, family, &[b'/'; 215])).is_err());
        }
    }

    #[test]
    fn a_header_counts_when_it_is_there_as_a_whole() {
        for whole in [header(0x21, 0x11, &IPV4), header(0x21, 0x21, &ipv6_block()), header(0x20, 0, &[])] {
            for cut in 0..whole.len() {
                assert_eq!(parse(&whole[..cut]), Ok(Progress::Part), "{cut}");
            }
            assert!(read(&whole).is_ok());
        }
    }

    #[test]
    fn tlvs_are_skipped_within_the_limit() {
        // A checksum that is wrong, an ALPN, and something that is no TLV at all.
        for tlvs in [&b"\x03\0\x04\xff\xff\xff\xff"[..], b"\x01\0\x02h2", b"\x04\xff\xff", b"\0"] {
            assert_eq!(read(&header(0x21, 0x11, &[&IPV4, tlvs].concat())), ipv4());
        }
        let most = LONGEST - FIXED - IPV4.len();
        assert_eq!(read(&header(0x21, 0x11, &[&IPV4[..], &vec![0; most]].concat())), ipv4());
        let longer = header(0x21, 0x11, &[&IPV4[..], &vec![0; most + 1]].concat());
        // Known as soon as the length is, without waiting for the rest.
        assert!(parse(&longer[..FIXED]).is_err());
        assert!(parse(&header(0x20, 0, &vec![0; LONGEST])[..FIXED]).is_err());
    }

    #[test]
    fn what_is_not_exactly_a_header_is_refused() {
        for version_and_command in [0x00, 0x01, 0x11, 0x22, 0x2f, 0x31, 0xff] {
            assert!(read(&header(version_and_command, 0x11, &IPV4)).is_err(), "{version_and_command:#x}");
            // Without waiting for more.
            assert!(parse(&header(version_and_command, 0x11, &IPV4)[..13]).is_err());
        }
        for family in [0x03, 0x13, 0x1f, 0x23, 0x33, 0x40, 0x41, 0xf1, 0xff] {
            assert!(read(&header(0x21, family, &IPV4)).is_err(), "{family:#x}");
            assert!(parse(&header(0x21, family, &IPV4)[..14]).is_err());
        }
        assert!(read(&header(0x21, 0x11, &IPV4[..11])).is_err());
        assert!(read(&header(0x21, 0x21, &ipv6_block()[..35])).is_err());
    }

    #[test]
    fn headers_are_written_as_the_specification_has_them() {
        let Ok(Said::Ends(ends)) = ipv4() else { unreachable!() };
        assert_eq!(write(ends), header(0x21, 0x11, &IPV4));
    }
}
