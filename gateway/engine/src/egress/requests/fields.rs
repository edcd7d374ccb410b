//! Header fields that are about one connection, and not about the request.

use http::header::{
    CONNECTION, COOKIE, HOST, HeaderName, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE, TRANSFER_ENCODING, UPGRADE,
};
use http::{HeaderMap, HeaderValue};
use lychgate_egress::target::{Target, TargetHost};

/// Takes out what is about the connection that it came over (RFC 9110 section 7.6.1). Gives back what it would be upgraded
/// to, if it asks for that.
pub(super) fn strip(headers: &mut HeaderMap) -> Option<HeaderValue> {
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    let upgrade = headers.get(UPGRADE).cloned().filter(|_| named.contains(&UPGRADE));
    let trailers = headers.get(TE).is_some_and(|te| te.as_bytes().eq_ignore_ascii_case(b"trailers"));
    // Host is no such field, whoever says so (RFC 9110 section 7.6.1).
    named.iter().filter(|name| **name != HOST).for_each(|name| drop(headers.remove(name)));
    for name in [CONNECTION, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE, TRANSFER_ENCODING, UPGRADE] {
        headers.remove(name);
    }
    for name in ["keep-alive", "proxy-connection"] {
        headers.remove(name);
    }
    if trailers {
        headers.insert(TE, HeaderValue::from_static("trailers"));
    }
    upgrade
}

/// The one Host of a request, as the server that it names; `None` if it has none, or one that names nothing.
///
/// # Errors
/// More than one.
pub(in crate::egress) fn host(headers: &HeaderMap, port: u16) -> Result<Option<TargetHost>, &'static str> {
    let mut hosts = headers.get_all(HOST).iter();
    match (hosts.next(), hosts.next()) {
        (None, _) => Ok(None),
        (Some(_), Some(_)) => Err("more than one Host"),
        (Some(host), None) => {
            let target = host.to_str().ok().and_then(|host| Target::of_host(host, port).ok());
            Ok(target.map(|target| target.host))
        }
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
        assert_eq!(strip(&mut fields), None);
        assert_eq!(fields, headers(&[("host", "a.example"), ("te", "trailers"), ("accept", "*/*")]));
        let mut fields = headers(&[("connection", "Upgrade"), ("upgrade", "websocket")]);
        assert_eq!(strip(&mut fields), Some(HeaderValue::from_static("websocket")));
        assert!(fields.is_empty());
    }

    #[test]
    fn cookies_that_came_apart_are_one_field() {
        let mut fields = headers(&[("cookie", "a=1"), ("x", "y"), ("cookie", "b=2")]);
        join_cookies(&mut fields);
        assert_eq!(fields, headers(&[("cookie", "a=1; b=2"), ("x", "y")]));
    }

    #[test]
    fn one_host_names_a_server_and_two_are_an_error() {
        let host = |fields: &[(&'static str, &'static str)]| host(&headers(fields), 80);
        assert_eq!(host(&[]), Ok(None));
        assert_eq!(host(&[("host", "A.Example:80")]), Ok(Some(TargetHost::parse("a.example").unwrap())));
        assert_eq!(host(&[("host", "a b")]), Ok(None));
        assert!(host(&[("host", "a"), ("host", "a")]).is_err());
    }
}
