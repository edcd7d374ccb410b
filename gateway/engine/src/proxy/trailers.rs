//! Trailers, both ways: fields that come after a body (RFC 9110 section 6.5). Whoever merges them with the headers must
//! not be told by them what the headers have not said, so some names are taken out; and there may be no more of them than
//! of headers.

use crate::limits::Limits;
use http::header::{CONNECTION, CONTENT_LENGTH, HeaderName, TE, TRAILER, UPGRADE};
use http::{HeaderMap, HeaderValue, Version};
use pingora_http::RequestHeader;

/// Too many fields, or too long ones.
#[derive(Debug)]
pub(super) struct TooLarge;

/// Takes out what may not be a trailer, if there are no more than the limits of a head allow.
pub(super) fn clean(trailers: &mut HeaderMap, limits: &Limits) -> Result<(), TooLarge> {
    // As HTTP/2 counts (RFC 9113 section 6.5.2).
    let size: usize = trailers.iter().map(|(name, value)| name.as_str().len() + value.len() + 32).sum();
    if trailers.len() > limits.fields || size > limits.head {
        return Err(TooLarge);
    }
    let unfit: Vec<HeaderName> = trailers.keys().filter(|name| is_unfit(name.as_str())).cloned().collect();
    for name in unfit {
        trailers.remove(name);
    }
    Ok(())
}

/// What may not be a trailer (RFC 9110 section 6.5.1), and what the gateway itself says in headers.
fn is_unfit(name: &str) -> bool {
    match name {
        // Framing, routing, and what belongs to one connection.
        "transfer-encoding" | "content-length" | "host" | "connection" | "keep-alive" | "proxy-connection"
        | "upgrade" | "te" | "trailer" | "http2-settings" => true,
        // How the message is to be read.
        "content-encoding" | "content-type" | "content-range" | "content-location" => true,
        // Controls and conditions of a request.
        "cache-control"
        | "expect"
        | "max-forwards"
        | "pragma"
        | "range"
        | "if-match"
        | "if-none-match"
        | "if-modified-since"
        | "if-unmodified-since"
        | "if-range" => true,
        // Who somebody is.
        "authorization"
        | "proxy-authorization"
        | "authentication-info"
        | "proxy-authentication-info"
        | "www-authenticate"
        | "proxy-authenticate"
        | "cookie"
        | "set-cookie" => true,
        // Controls of a response.
        "age" | "expires" | "date" | "location" | "retry-after" | "vary" | "warning" => true,
        // What backends believe because the gateway says it.
        "forwarded" | "x-real-ip" | "x-request-id" => true,
        _ => name.starts_with("x-forwarded-"),
    }
}

/// Tells a backend that trailers come, or are welcome, if the client said so: both are fields of one connection, so
/// Pingora has taken them out.
pub(super) fn announce(client: &RequestHeader, request: &mut RequestHeader) {
    let old = request.version < Version::HTTP_2;
    // What follows an upgrade has none.
    if client.version < Version::HTTP_11 || request.headers.contains_key(UPGRADE) {
        return;
    }
    if are_welcome(client) {
        // Neither can fail: names and values are constants.
        let _ = request.insert_header(TE, HeaderValue::from_static("trailers"));
        if old {
            let _ = request.append_header(CONNECTION, HeaderValue::from_static("TE"));
        }
    } else {
        request.remove_header(&TE);
    }
    if old && request.headers.contains_key(CONTENT_LENGTH) {
        // There is no place for them.
        request.remove_header(&TRAILER);
    } else if !request.headers.contains_key(TRAILER) {
        for names in client.headers.get_all(TRAILER) {
            let _ = request.append_header(TRAILER, names.clone());
        }
    }
}

/// Whether whoever asks can make use of trailers (RFC 9110 section 10.1.4).
pub(super) fn are_welcome(request: &RequestHeader) -> bool {
    let lines = request.headers.get_all(TE).iter().filter_map(|line| line.to_str().ok());
    let mut codings = lines.flat_map(|line| line.split(',')).filter_map(|coding| coding.split(';').next());
    codings.any(|coding| coding.trim().eq_ignore_ascii_case("trailers"))
}

/// Whether the client of a request is sent trailers. Over HTTP/2 it always is.
pub(super) fn pass(request: &RequestHeader) -> bool {
    match request.version {
        Version::HTTP_2 => true,
        Version::HTTP_11 => are_welcome(request),
        _ => false,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn cleaned(names: &[&'static str], fields: usize, head: usize) -> Result<HeaderMap, TooLarge> {
        let mut trailers = of(names);
        clean(&mut trailers, &Limits { fields, head, ..Limits::default() }).map(|()| trailers)
    }

    fn of(names: &[&'static str]) -> HeaderMap {
        names.iter().map(|name| (HeaderName::from_static(name), HeaderValue::from_static("v"))).collect()
    }

    #[test]
    fn what_may_not_be_a_trailer_is_taken_out_and_nothing_else() {
        let all = [
            "grpc-status",
            "grpc-message",
            "x-checksum",
            "server-timing",
            "etag",
            "content-length",
            "authorization",
            "set-cookie",
            "x-forwarded-for",
            "x-forwarded-anything",
            "trailer",
        ];
        assert_eq!(
            cleaned(&all, 100, 64 << 10).unwrap(),
            of(&["grpc-status", "grpc-message", "x-checksum", "server-timing", "etag"])
        );
    }

    #[test]
    fn there_are_no_more_of_them_than_of_headers() {
        let few = ["a", "b"];
        cleaned(&few, 2, 68).unwrap();
        cleaned(&few, 1, 68).unwrap_err();
        cleaned(&few, 2, 67).unwrap_err();
    }

    #[test]
    fn they_are_announced_as_the_client_did() {
        let from = |version, fields: &[(&'static str, &'static str)]| {
            let mut request = RequestHeader::build("POST", b"/", None).unwrap();
            request.set_version(version);
            for (name, value) in fields {
                request.append_header(*name, *value).unwrap();
            }
            request
        };
        let said =
            |request: &RequestHeader, name: &str| request.headers.get(name).map(|it| it.to_str().unwrap().to_owned());
        let both = &[("te", "deflate, Trailers;q=1"), ("trailer", "x-sum")][..];
        let mut to = from(Version::HTTP_11, &[("transfer-encoding", "chunked")]);
        announce(&from(Version::HTTP_11, both), &mut to);
        assert_eq!(
            ["te", "connection", "trailer"].map(|name| said(&to, name)),
            ["trailers", "TE", "x-sum"].map(|it| Some(it.to_owned()))
        );
        // HTTP/2 knows no Connection.
        let mut to = from(Version::HTTP_2, &[("content-length", "1")]);
        announce(&from(Version::HTTP_11, both), &mut to);
        assert_eq!(["te", "trailer"].map(|name| said(&to, name)), ["trailers", "x-sum"].map(|it| Some(it.to_owned())));
        assert_eq!(said(&to, "connection"), None);
        // A body of known length has no place for them, and other codings end here.
        let mut to = from(Version::HTTP_11, &[("content-length", "1"), ("te", "deflate")]);
        announce(&from(Version::HTTP_2, &[("te", "deflate"), ("trailer", "x-sum")]), &mut to);
        assert_eq!(["te", "connection", "trailer"].map(|name| said(&to, name)), [None, None, None]);
        let mut to = from(Version::HTTP_11, &[("upgrade", "websocket"), ("connection", "Upgrade")]);
        announce(&from(Version::HTTP_11, both), &mut to);
        assert_eq!((said(&to, "te"), said(&to, "connection").as_deref()), (None, Some("Upgrade")));
    }
}
