//! Hosts as clients and configs write them. What is no host never reaches a `Location` or a backend.

use std::net::Ipv6Addr;

/// A host that is safe to write into a URI, and its port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Authority<'a> {
    /// A name, an IPv4 address, or an IPv6 address in brackets.
    pub(crate) host: &'a str,
    /// The port, if one was written.
    pub(crate) port: Option<u16>,
}

impl<'a> Authority<'a> {
    /// Parses `host[:port]`. Narrower than RFC 3986 section 3.2 on purpose: no user name, no percent-encoding, no
    /// character that a browser could read in another way.
    pub(crate) fn parse(text: &'a str) -> Option<Self> {
        let (host, port) = match text.strip_prefix('[') {
            Some(rest) => {
                let (address, _) = rest.split_once(']')?;
                address.parse::<Ipv6Addr>().ok()?;
                text.split_at_checked(address.len() + 2)?
            }
            None => {
                let (host, port) = text.split_at_checked(text.find(':').unwrap_or(text.len()))?;
                is_name(host).then_some((host, port))?
            }
        };
        let port = match port.strip_prefix(':') {
            Some("") => None,
            Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => Some(digits.parse().ok()?),
            Some(_) => return None,
            None if port.is_empty() => None,
            None => return None,
        };
        Some(Self { host, port })
    }

    /// Parses a host that stands alone, as configs write it: not even the colon of a port.
    pub(crate) fn host_alone(text: &'a str) -> Option<&'a str> {
        Self::parse(text).map(|authority| authority.host).filter(|&host| host == text)
    }
}

/// Underscores are no part of host names, but of names that people do use.
fn is_name(host: &str) -> bool {
    !host.is_empty()
        && host.len() <= 255
        && host.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_and_ports() {
        let cases = [
            ("a.example", "a.example", None),
            ("a.example:8080", "a.example", Some(8080)),
            ("a.example:", "a.example", None),
            ("10.0.0.1:80", "10.0.0.1", Some(80)),
            ("[::1]", "[::1]", None),
            ("[2001:db8::1]:8443", "[2001:db8::1]", Some(8443)),
            ("my_service", "my_service", None),
        ];
        for (text, host, port) in cases {
            assert_eq!(Authority::parse(text), Some(Authority { host, port }), "{text}");
        }
    }

    #[test]
    fn a_host_alone_has_no_port() {
        assert_eq!(Authority::host_alone("a.example"), Some("a.example"));
        for text in ["a.example:80", "a.example:", "[::1]:80", ""] {
            assert_eq!(Authority::host_alone(text), None, "{text}");
        }
    }

    #[test]
    fn what_is_no_host() {
        for text in [
            "",
            ":80",
            "a b",
            "a/b",
            "a@b",
            "user:pass@host",
            "a:b",
            "a:99999",
            "a:+1",
            "a:80:80",
            "[::1",
            "[::1]x",
            "[x]",
            "::1",
            "a\\b",
            "a?b",
            "a#b",
            "a%2f",
            "ä.example",
            "a\r\nx: y",
        ] {
            assert_eq!(Authority::parse(text), None, "{text:?}");
        }
    }
}
