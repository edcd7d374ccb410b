//! The scheme of requests over HTTP/2: that of the target, which over TLS is `https` (RFC 9113, section 8.3.1).
//!
//! Pingora goes by whether it did the TLS itself, and with backends we do. Backends written in Go take a request that says
//! `http` for one without TLS, and do not tell their handlers of certificates.

use http::Uri;
use http::header::HOST;
use http::uri::{Authority, Scheme};
use pingora_http::RequestHeader;

/// Says `https`. Pingora leaves a target alone that has its authority already, so that comes out of `Host` here.
pub(super) fn say_https(request: &mut RequestHeader) {
    // One that could not be written as it is stays as it is.
    if std::str::from_utf8(request.raw_path()).is_err() {
        return;
    }
    let authority = request.headers.get(HOST).and_then(|host| Authority::try_from(host.as_bytes()).ok());
    let Some(authority) = authority.filter(|authority| !authority.as_str().contains('@')) else { return };
    let target = request.uri.path_and_query().map_or("/", |target| target.as_str()).to_owned();
    let uri = Uri::builder().scheme(Scheme::HTTPS).authority(authority).path_and_query(target).build();
    if let Ok(uri) = uri {
        request.set_uri(uri);
        request.remove_header(&HOST);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn request(path: &[u8], host: Option<&str>) -> RequestHeader {
        let mut request = RequestHeader::build("GET", path, None).unwrap();
        if let Some(host) = host {
            request.insert_header(HOST, host).unwrap();
        }
        say_https(&mut request);
        request
    }

    #[test]
    fn the_target_is_https_and_whole() {
        let request = request(b"/a%20b?c=d", Some("b.example:8443"));
        assert_eq!(request.uri, "https://b.example:8443/a%20b?c=d");
        assert!(!request.headers.contains_key(HOST));
    }

    #[test]
    fn what_cannot_be_said_stays_as_it_was() {
        assert_eq!(request(b"/", None).uri, "/");
        let odd = request(b"/\xff", Some("b.example"));
        assert!(odd.headers.contains_key(HOST) && odd.raw_path() == b"/\xff");
        assert!(request(b"/", Some("user@b.example")).headers.contains_key(HOST));
    }
}
