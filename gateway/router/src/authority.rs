//! From an authority to the host that patterns are matched against.

use std::borrow::Cow;

/// The host of an authority (`Host` header or `:authority`) as patterns are matched against it: without port, without
/// the root label's trailing dot, in lower case (RFC 9110 section 4.2.3, RFC 3986 section 6.2.2.1).
///
/// IPv6 literals keep their brackets. Text that is no authority comes back as it is, to be matched by no host name.
/// Allocates only where a letter must be lowered.
pub fn normalize_host(authority: &str) -> Cow<'_, str> {
    let host = without_port(authority);
    let host = host.strip_suffix('.').unwrap_or(host);
    if host.bytes().any(|byte| byte.is_ascii_uppercase()) {
        Cow::Owned(host.to_ascii_lowercase())
    } else {
        Cow::Borrowed(host)
    }
}

fn without_port(authority: &str) -> &str {
    let Some((host, port)) = authority.rsplit_once(':') else { return authority };
    let is_port = port.bytes().all(|byte| byte.is_ascii_digit());
    // A colon in the host is part of an IPv6 literal, which only brackets tell from a port.
    let is_host = !host.contains(':') || (host.starts_with('[') && host.ends_with(']'));
    if is_port && is_host { host } else { authority }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn port_case_and_root_label_are_no_part_of_a_host() {
        for (authority, host) in [
            ("example.com", "example.com"),
            ("example.com:8080", "example.com"),
            ("example.com:", "example.com"),
            ("Example.COM.:443", "example.com"),
            ("example.com..", "example.com."),
            ("[2001:DB8::1]:443", "[2001:db8::1]"),
            ("[::1]", "[::1]"),
            ("::1", "::1"),
            ("10.0.0.1:80", "10.0.0.1"),
            ("example.com:http", "example.com:http"),
            ("", ""),
            (":80", ""),
        ] {
            assert_eq!(normalize_host(authority), host, "{authority}");
        }
    }

    #[test]
    fn a_host_that_is_normal_is_borrowed() {
        assert!(matches!(normalize_host("example.com:80"), Cow::Borrowed("example.com")));
    }
}
