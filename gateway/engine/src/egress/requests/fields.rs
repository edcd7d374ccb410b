//! Header fields that are about one connection, and not about the request.

use http::header::{
    CONNECTION, COOKIE, HOST, HeaderName, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE, TRANSFER_ENCODING, UPGRADE,
};
use http::{HeaderMap, HeaderValue, Uri};
use lychgate_egress::target::{Target, TargetHost};
use std::fmt;
use std::net::IpAddr;

/// What a request may become. Anything else (`h2c`, TLS) would hold requests again, which nobody decides about.
const WEBSOCKET: &str = "websocket";

/// Takes out what is about the connection that it came over (RFC 9110 section 7.6.1). Says whether it was WebSocket, and
/// nothing else, that it would be upgraded to.
pub(super) fn strip(headers: &mut HeaderMap) -> bool {
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    let mut upgrades = headers.get_all(UPGRADE).iter();
    let is_websocket =
        matches!((upgrades.next(), upgrades.next()), (Some(to), None) if is_websocket(to)) && named.contains(&UPGRADE);
    let trailers = headers.get(TE).is_some_and(|te| te.as_bytes().eq_ignore_ascii_case(b"trailers"));
    // Host is no such field, whoever says so (RFC 9110 section 7.6.1).
    named.iter().filter(|name| **name != HOST).for_each(|name| drop(headers.remove(name)));
    for name in [CONNECTION, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE, TRANSFER_ENCODING, UPGRADE] {
        headers.remove(name);
    }
    for name in ["keep-alive", "proxy-connection", "http2-settings"] {
        headers.remove(name);
    }
    if trailers {
        headers.insert(TE, HeaderValue::from_static("trailers"));
    }
    is_websocket
}

fn is_websocket(to: &HeaderValue) -> bool {
    to.as_bytes().eq_ignore_ascii_case(WEBSOCKET.as_bytes())
}

/// Asks for WebSocket, or says that this is it.
pub(super) fn upgrade(headers: &mut HeaderMap) {
    headers.insert(UPGRADE, HeaderValue::from_static(WEBSOCKET));
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
}

/// The server that a request names, as it is decided about, and said to whom it goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::egress) struct Named {
    pub(in crate::egress) host: TargetHost,
    /// The port, if it says one.
    port: Option<u16>,
}

impl Named {
    /// Of what is said there.
    ///
    /// # Errors
    /// It cannot be read. Whoever it is sent to might read it all the same, and then as a server that was not decided about.
    pub(in crate::egress) fn parse(text: &[u8], what: &'static str) -> Result<Self, String> {
        let text = std::str::from_utf8(text).map_err(|_| format!("{what} is no text"))?;
        // Any number: it is only taken where none is said.
        let Target { host, port } = Target::of_host(text, 1).map_err(|error| format!("{what}: {error}"))?;
        let after_address = text.rsplit_once(']').map_or(text, |(_, after)| after);
        Ok(Self { host, port: after_address.contains(':').then_some(port) })
    }
}

impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            TargetHost::Address(IpAddr::V6(address)) => write!(f, "[{address}]")?,
            host @ (TargetHost::Name(_) | TargetHost::Address(IpAddr::V4(_))) => write!(f, "{host}")?,
        }
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

/// The one server that a request names: its Host, or the authority of its target. With HTTP/2 both have to be the same (RFC
/// 9113 section 8.3.1), and that of the target is sent.
///
/// # Errors
/// More than one Host, one that cannot be read, or another than that of the target.
pub(in crate::egress) fn named(headers: &HeaderMap, uri: &Uri, is_http2: bool) -> Result<Option<Named>, String> {
    let mut hosts = headers.get_all(HOST).iter();
    let host = match (hosts.next(), hosts.next()) {
        (None, _) => None,
        (Some(_), Some(_)) => return Err("more than one Host".to_owned()),
        (Some(host), None) => Some(Named::parse(host.as_bytes(), "Host")?),
    };
    let authority = uri.authority().map(|authority| Named::parse(authority.as_str().as_bytes(), "`:authority`"));
    match (host, authority.transpose()?) {
        (Some(host), Some(authority)) if is_http2 && host.host != authority.host => {
            Err("Host is another than `:authority`".to_owned())
        }
        (Some(_) | None, Some(authority)) if is_http2 => Ok(Some(authority)),
        (host, authority) => Ok(host.or(authority)),
    }
}

/// HTTP/2 may send each cookie in a field of its own, HTTP/1 may not (RFC 9113 section 8.2.3).
pub(super) fn join_cookies(headers: &mut HeaderMap) {
    let cookies: Vec<&[u8]> = headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes).collect();
    if cookies.len() > 1
        && let Ok(joined) = HeaderValue::from_bytes(&cookies.join(&b"; "[..]))
    {
        headers.insert(COOKIE, joined);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn headers(fields: &[(&'static str, &'static str)]) -> HeaderMap {
        let field = |(name, value): &(&'static str, &'static str)| {
            (HeaderName::from_static(name), HeaderValue::from_static(value))
        };
        fields.iter().map(field).collect()
    }

    #[test]
    fn what_is_about_the_connection_goes_no_further() {
        let mut fields = headers(&[
            ("host", "a.example"),
            ("connection", "close, X-Secret, host"),
            ("x-secret", "1"),
            ("proxy-authorization", "Basic x"),
            ("proxy-connection", "keep-alive"),
            ("te", "trailers"),
            ("upgrade", "websocket"),
            ("accept", "*/*"),
        ]);
        assert!(!strip(&mut fields));
        assert_eq!(fields, headers(&[("host", "a.example"), ("te", "trailers"), ("accept", "*/*")]));
    }

    #[test]
    fn a_websocket_is_all_that_something_may_become() {
        let upgraded = |connection, to: &[&'static str]| {
            let fields: Vec<_> = to.iter().map(|to| ("upgrade", *to)).collect();
            let mut fields = headers(&[&[("connection", connection), ("http2-settings", "AA")], &fields[..]].concat());
            let is_websocket = strip(&mut fields);
            assert!(fields.is_empty(), "{fields:?}");
            is_websocket
        };
        assert!(upgraded("Upgrade", &["WebSocket"]));
        assert!(!upgraded("close", &["websocket"]));
        for other in [&["h2c"][..], &["TLS/1.2"], &["websocket, h2c"], &["websocket", "h2c"], &["websocket/1"], &[]] {
            assert!(!upgraded("Upgrade, HTTP2-Settings", other), "{other:?}");
        }
    }

    #[test]
    fn cookies_that_came_apart_are_one_field() {
        let mut fields = headers(&[("cookie", "a=1"), ("x", "y"), ("cookie", "b=2")]);
        join_cookies(&mut fields);
        assert_eq!(fields, headers(&[("cookie", "a=1; b=2"), ("x", "y")]));
    }

    #[test]
    fn one_host_names_a_server_and_what_cannot_be_read_is_an_error() {
        let named = |hosts: &[&'static str], uri: &str, is_http2| {
            let fields: Vec<_> = hosts.iter().map(|host| ("host", *host)).collect();
            named(&headers(&fields), &uri.parse().unwrap(), is_http2).map(|named| named.map(|named| named.to_string()))
        };
        let said = |text: &str| Ok(Some(text.to_owned()));
        for is_http2 in [false, true] {
            assert_eq!(named(&[], "/", is_http2), Ok(None));
            for (host, form) in
                [("A.Example.:80", "a.example:80"), ("a", "a"), ("[::1]", "[::1]"), ("[::1]:1", "[::1]:1")]
            {
                assert_eq!(named(&[host], "/", is_http2), said(form), "{host}");
            }
            for bad in ["", "a b", "a:", ":80", "a:0", "a:000080", "x@a", "127.1", "::1", "[::1", "[::1]80"] {
                assert!(named(&[bad], "/", is_http2).is_err(), "{bad}");
            }
            assert!(named(&["a", "a"], "/", is_http2).is_err());
            assert_eq!(named(&[], "http://A:1/", is_http2), said("a:1"));
            assert!(named(&["a"], "http://x@a/", is_http2).is_err());
        }
        assert_eq!(named(&["a"], "http://b/", false), said("a"));
        assert!(named(&["a"], "http://b/", true).is_err());
        assert_eq!(named(&["a"], "http://a:1/", true), said("a:1"));
    }
}
