//! Version 1: one line of text (section 2.1).

use super::{Ends, Malformed, Progress, Said};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

/// How it begins.
pub(super) const SIGNATURE: &[u8] = b"PROXY ";

/// No line is longer, its end included.
const LONGEST: usize = 107;

pub(super) fn parse(seen: &[u8]) -> Result<Progress, Malformed> {
    let window = seen.get(..LONGEST).unwrap_or(seen);
    let Some(at) = window.iter().position(|byte| *byte == b'\n') else {
        return if seen.len() < LONGEST { Ok(Progress::Part) } else { Err(Malformed("its line is too long")) };
    };
    let line = window.get(..at).and_then(|line| line.strip_suffix(b"\r"));
    let line = line.ok_or(Malformed("its line ends without CR"))?;
    let line = std::str::from_utf8(line).map_err(|_| Malformed("its line is no text"))?;
    Ok(Progress::Whole(at + 1, said(line)?))
}

fn said(line: &str) -> Result<Said, Malformed> {
    let mut words = line.split(' ').skip(1);
    match words.next() {
        Some("TCP4") => ends::<Ipv4Addr>(words),
        Some("TCP6") => ends::<Ipv6Addr>(words),
        // Whatever else the line has is to be ignored.
        Some("UNKNOWN") => Ok(Said::Nothing),
        Some(_) | None => Err(Malformed("it names another protocol than TCP4, TCP6 and UNKNOWN")),
    }
}

/// Addresses of one family, then ports, and nothing else.
fn ends<'a, A: FromStr + Into<IpAddr>>(mut words: impl Iterator<Item = &'a str>) -> Result<Said, Malformed> {
    let mut address = || words.next().and_then(|word| word.parse::<A>().ok()).ok_or(Malformed("an address is none"));
    let (source, destination) = (address()?.into(), address()?.into());
    let mut port = || words.next().and_then(port).ok_or(Malformed("a port is none"));
    let (source, destination) = (SocketAddr::new(source, port()?), SocketAddr::new(destination, port()?));
    match words.next() {
        None => Ok(Said::Ends(Ends::new(source, destination))),
        Some(_) => Err(Malformed("its line has more than addresses and ports")),
    }
}

/// Digits without a sign and without leading zeros.
fn port(word: &str) -> Option<u16> {
    let plain = word.bytes().all(|byte| byte.is_ascii_digit()) && (word == "0" || !word.starts_with('0'));
    word.parse().ok().filter(|_| plain)
}

/// Both ends are of one family.
pub(super) fn write(Ends { source, destination }: Ends) -> Vec<u8> {
    let family = if source.is_ipv4() { "TCP4" } else { "TCP6" };
    let (from, to) = (source.port(), destination.port());
    format!("PROXY {family} {} {} {from} {to}\r\n", source.ip(), destination.ip()).into_bytes()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Said, Malformed> {
        match parse(line.as_bytes())? {
            Progress::Whole(length, said) => {
                assert_eq!(length, line.len());
                Ok(said)
            }
            Progress::Part => Err(Malformed("it goes on")),
        }
    }

    fn between(source: &str, destination: &str) -> Result<Said, Malformed> {
        Ok(Said::Ends(Ends { source: source.parse().unwrap(), destination: destination.parse().unwrap() }))
    }

    #[test]
    fn lines_of_the_specification_are_read() {
        let line = "PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\n";
        assert_eq!(read(line), between("192.168.0.1:56324", "192.168.0.11:443"));
        let longest = "PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n";
        assert_eq!(read(longest), between("255.255.255.255:65535", "255.255.255.255:65535"));
        let full = "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff";
        let line = format!("PROXY TCP6 {full} {full} 65535 65535\r\n");
        assert_eq!(line.len(), 104);
        assert_eq!(read(&line), between(&format!("[{full}]:65535"), &format!("[{full}]:65535")));
        assert_eq!(read("PROXY TCP6 ::1 2001:DB8::2 0 80\r\n"), between("[::1]:0", "[2001:db8::2]:80"));
        assert_eq!(read("PROXY TCP6 ::ffff:192.0.2.1 ::2 1 2\r\n"), between("192.0.2.1:1", "[::2]:2"));
        assert_eq!(read("PROXY UNKNOWN\r\n"), Ok(Said::Nothing));
        let line = format!("PROXY UNKNOWN {full} {full} 65535 65535\r\n");
        assert_eq!((line.len(), read(&line)), (LONGEST, Ok(Said::Nothing)));
        assert_eq!(read("PROXY UNKNOWN anything: at all\r\n"), Ok(Said::Nothing));
    }

    #[test]
    fn a_line_counts_when_its_end_is_there() {
        let line = b"PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\n";
        for cut in SIGNATURE.len()..line.len() {
            assert_eq!(parse(&line[..cut]), Ok(Progress::Part), "{cut}");
        }
        let long = [b"PROXY UNKNOWN ".as_slice(), &[b'x'; 200]].concat();
        assert_eq!(parse(&long[..LONGEST - 1]), Ok(Progress::Part));
        assert!(parse(&long[..LONGEST]).is_err());
        let late = [b"PROXY UNKNOWN ".as_slice(), &[b'x'; LONGEST - 15], b"\r\n"].concat();
        assert_eq!(late.len(), LONGEST + 1);
        assert!(parse(&late).is_err());
    }

    #[test]
    fn what_is_not_exactly_such_a_line_is_refused() {
        for line in [
            "PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\n",
            "PROXY \r\n",
            "PROXY TCP5 192.168.0.1 192.168.0.11 56324 443\r\n",
            "PROXY tcp4 192.168.0.1 192.168.0.11 56324 443\r\n",
            "PROXY UNKNOWNS\r\n",
            "PROXY TCP4\r\n",
            "PROXY TCP4 192.168.0.1 192.168.0.11 56324\r\n",
            "PROXY TCP4 192.168.0.1 192.168.0.11 56324 443 \r\n",
            "PROXY TCP4 192.168.0.1 192.168.0.11 56324 443 1\r\n",
            "PROXY  TCP4 192.168.0.1 192.168.0.11 56324 443\r\n",
            "PROXY TCP4  192.168.0.1 192.168.0.11 56324 443\r\n",
            "PROXY TCP4 192.168.0.1\t192.168.0.11 56324 443\r\n",
            "PROXY TCP4 192.168.0.1 ::1 56324 443\r\n",
            "PROXY TCP4 ::1 ::1 56324 443\r\n",
            "PROXY TCP6 192.168.0.1 ::1 56324 443\r\n",
            "PROXY TCP4 192.168.0.01 192.168.0.11 56324 443\r\n",
            "PROXY TCP4 192.168.1 192.168.0.11 56324 443\r\n",
            "PROXY TCP4 192.168.0.256 192.168.0.11 56324 443\r\n",
            "PROXY TCP6 fe80::1%eth0 ::1 56324 443\r\n",
            "PROXY TCP6 [::1] ::1 56324 443\r\n",
            "PROXY TCP6 1::2::3 ::1 56324 443\r\n",
            "PROXY TCP4 192.168.0.1 192.168.0.11 56324 65536\r\n",
            "PROXY TCP4 192.168.0.1 192.168.0.11 +1 443\r\n",
            "PROXY TCP4 192.168.0.1 192.168.0.11 -1 443\r\n",
            "PROXY TCP4 192.168.0.1 192.168.0.11 080 443\r\n",
            "PROXY TCP4 192.168.0.1 192.168.0.11  443\r\n",
            "PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\r\n",
        ] {
            assert!(read(line).is_err(), "{line:?}");
        }
        assert!(parse(b"PROXY TCP4 \xff 192.168.0.11 56324 443\r\n").is_err());
    }
}
