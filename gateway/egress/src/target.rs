//! Destinations as clients of a proxy write them: `CONNECT host:port`, `GET http://host/path`, and what SOCKS5 carries.
//!
//! Strict on purpose: what two programs read in two ways (user information, IPv4 in fewer than four parts or in other
//! bases, zones, encoded characters) is refused, never put right.

use lychgate_ir::egress::{DnsName, NotAHost};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use thiserror::Error;

/// A host and a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The host.
    pub host: TargetHost,
    /// The port, never 0.
    pub port: u16,
}

/// A host, by name or by address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TargetHost {
    /// By name.
    Name(DnsName),
    /// By address, IPv4-mapped ones as IPv4.
    Address(IpAddr),
}

/// The target of a request that a proxy is asked to make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AbsoluteTarget<'a> {
    /// Whether it asks for TLS: `https`.
    pub is_https: bool,
    /// Where to.
    pub target: Target,
    /// Path and query, as the origin is asked for them; at least `/`.
    pub path_and_query: &'a str,
}

/// The longest target that is read: as long as the longest request target of the gate.
pub const LONGEST: usize = 16 * 1024;
/// The longest authority: a name, a colon, a port.
const LONGEST_AUTHORITY: usize = 253 + 1 + 1 + 5;

/// Why something is no target.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[allow(missing_docs, reason = "their messages say it")]
pub enum NotATarget {
    #[error("it is longer than {limit} bytes")]
    TooLong { limit: usize },
    #[error("it has a user name or a password, which belongs into Proxy-Authorization")]
    UserInformation,
    #[error("it has no port: write `host:port`")]
    NoPort,
    #[error("its port is no number from 1 to 65535")]
    BadPort,
    #[error("{0}")]
    BadHost(#[from] NotAHost),
    #[error("it has brackets without an IPv6 address in them")]
    BadAddress,
    #[error("it has an IPv6 address without brackets")]
    NoBrackets,
    #[error("its scheme is neither `http` nor `https`")]
    BadScheme,
    #[error("its path has characters that do not belong there, or a fragment")]
    BadPath,
}

impl Target {
    /// Parses the target of CONNECT (RFC 9112 section 3.2.3): host and port, both needed.
    pub fn of_connect(text: &str) -> Result<Self, NotATarget> {
        authority(text, None)
    }

    /// A host that arrived without a port of its own: a Host header, a server name.
    pub fn of_host(text: &str, port: u16) -> Result<Self, NotATarget> {
        authority(text, Some(port))
    }
}

impl<'a> AbsoluteTarget<'a> {
    /// Parses a target in absolute form (RFC 9112 section 3.2.2).
    pub fn parse(text: &'a str) -> Result<Self, NotATarget> {
        if text.len() > LONGEST {
            return Err(NotATarget::TooLong { limit: LONGEST });
        }
        let (scheme, rest) = text.split_once("://").ok_or(NotATarget::BadScheme)?;
        let is_https = match () {
            () if scheme.eq_ignore_ascii_case("http") => false,
            () if scheme.eq_ignore_ascii_case("https") => true,
            () => return Err(NotATarget::BadScheme),
        };
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (host, path) = rest.split_at(end);
        let target = authority(host, Some(if is_https { 443 } else { 80 }))?;
        let path_and_query = match path {
            "" => "/",
            // A query right after the authority has no path that it could be sent with; nobody sends it by accident.
            _ if !path.starts_with('/') => return Err(NotATarget::BadPath),
            path => path,
        };
        if !path_and_query.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#') {
            return Err(NotATarget::BadPath);
        }
        Ok(Self { is_https, target, path_and_query })
    }
}

fn authority(text: &str, default: Option<u16>) -> Result<Target, NotATarget> {
    if text.len() > LONGEST_AUTHORITY {
        return Err(NotATarget::TooLong { limit: LONGEST_AUTHORITY });
    }
    if text.contains('@') {
        return Err(NotATarget::UserInformation);
    }
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (inside, after) = rest.split_once(']').ok_or(NotATarget::BadAddress)?;
            let address: Ipv6Addr = inside.parse().map_err(|_| NotATarget::BadAddress)?;
            let port = match after {
                "" => None,
                after => Some(after.strip_prefix(':').ok_or(NotATarget::BadAddress)?),
            };
            (TargetHost::address(IpAddr::V6(address)), port)
        }
        None => {
            let (host, port) = match text.split_once(':') {
                None => (text, None),
                Some((_, port)) if port.contains(':') => return Err(NotATarget::NoBrackets),
                Some((host, port)) => (host, Some(port)),
            };
            (TargetHost::parse(host)?, port)
        }
    };
    let port = match (port, default) {
        (Some(port), _) => number(port).ok_or(NotATarget::BadPort)?,
        (None, Some(default)) => default,
        (None, None) => return Err(NotATarget::NoPort),
    };
    Ok(Target { host, port })
}

/// A port as it is written: up to five digits, not 0.
fn number(text: &str) -> Option<u16> {
    let is_written_so = (1..=5).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    is_written_so.then(|| text.parse().ok()).flatten().filter(|port| *port != 0)
}

impl TargetHost {
    /// A name, or an IPv4 address in its one form.
    pub fn parse(text: &str) -> Result<Self, NotAHost> {
        match text.parse::<Ipv4Addr>() {
            Ok(address) => Ok(Self::Address(IpAddr::V4(address))),
            Err(_) => DnsName::parse(text).map(Self::Name),
        }
    }

    /// An address, in its one form.
    pub fn address(address: IpAddr) -> Self {
        Self::Address(crate::address::canonical(address))
    }
}

/// Without the brackets that IPv6 has where a port follows.
impl fmt::Display for TargetHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => name.fmt(f),
            Self::Address(address) => address.fmt(f),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            TargetHost::Name(name) => write!(f, "{name}:{}", self.port),
            TargetHost::Address(IpAddr::V4(address)) => write!(f, "{address}:{}", self.port),
            TargetHost::Address(IpAddr::V6(address)) => write!(f, "[{address}]:{}", self.port),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_target_has_one_form() {
        for (text, form) in [
            ("Example.COM.:443", "example.com:443"),
            ("10.0.0.1:80", "10.0.0.1:80"),
            ("[::1]:22", "[::1]:22"),
            ("[::ffff:10.0.0.1]:80", "10.0.0.1:80"),
            ("[64:FF9B::1]:80", "[64:ff9b::1]:80"),
        ] {
            let target = Target::of_connect(text).unwrap();
            assert_eq!(target.to_string(), form, "{text}");
            assert_eq!(Target::of_connect(form).unwrap(), target);
        }
    }

    #[test]
    fn what_can_be_read_in_two_ways_is_refused() {
        for bad in [
            "",
            "example.com",
            ":443",
            "example.com:",
            "example.com:0",
            "example.com:65536",
            "example.com:+80",
            "example.com:000443",
            "user@example.com:443",
            "example.com:443@evil.org:80",
            "::1:443",
            "[::1]",
            "[::1]443",
            "[::1",
            "[fe80::1%eth0]:80",
            "127.1:80",
            "0x7f.0.0.1:80",
            "2130706433:80",
            "010.0.0.1:80",
            "exam%70le.com:80",
            "example.com/:443",
            "example.com :443",
            "http://example.com:443",
            "exämple.com:443",
            "a\r\nb:1",
        ] {
            assert!(Target::of_connect(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn an_absolute_target_is_taken_apart() {
        let parsed = AbsoluteTarget::parse("HTTP://Example.com:8080/a/b?c=d").unwrap();
        assert_eq!((parsed.is_https, parsed.target.to_string().as_str()), (false, "example.com:8080"));
        assert_eq!(parsed.path_and_query, "/a/b?c=d");
        let parsed = AbsoluteTarget::parse("https://[2606::1]").unwrap();
        assert_eq!((parsed.is_https, parsed.target.to_string().as_str()), (true, "[2606::1]:443"));
        assert_eq!(parsed.path_and_query, "/");
        for bad in [
            "/a",
            "example.com/",
            "ftp://example.com/",
            "http:/example.com/",
            "http:///a",
            "http://u:p@example.com/",
            "http://example.com?a=b",
            "http://example.com/#a",
            "http://example.com/a b",
            "http://example.com/ä",
            "http://example.com\\@evil.org/",
        ] {
            assert!(AbsoluteTarget::parse(bad).is_err(), "{bad:?}");
        }
        assert!(AbsoluteTarget::parse(&format!("http://a/{}", "a".repeat(LONGEST))).is_err());
    }
}
