//! Heads of requests that are sent beside the request: copies, questions.

use super::head::{authority, leave_connection};
use http::Version;
use http::header::{CONTENT_LENGTH, EXPECT, HOST, HeaderName, PROXY_AUTHORIZATION, TE, TRAILER, TRANSFER_ENCODING};
use http::uri::Scheme;
use pingora_core::protocols::http::client::HttpSession;
use pingora_error::{Error, ErrorType, Result};
use pingora_http::RequestHeader;

/// Makes the head of a request one for this connection. What belongs to the client's connection stays behind.
pub(super) fn frame(
    mut head: RequestHeader,
    upstream: &HttpSession,
    scheme: Scheme,
    has_body: bool,
) -> Result<RequestHeader> {
    const HTTP2_SETTINGS: HeaderName = HeaderName::from_static("http2-settings");
    leave_connection(&mut head);
    for name in [&TRANSFER_ENCODING, &TE, &TRAILER, &EXPECT, &PROXY_AUTHORIZATION, &HTTP2_SETTINGS] {
        head.remove_header(name);
    }
    let authority = authority(&head).unwrap_or_default().to_owned();
    match upstream {
        HttpSession::H2(_) => {
            head.remove_header(&HOST);
            let target = head.uri.path_and_query().map_or("/", |target| target.as_str());
            let uri = http::Uri::builder().scheme(scheme).authority(authority).path_and_query(target).build();
            let bad = |error| Error::because(ErrorType::InvalidHTTPHeader, "the target of a request of ours", error);
            let uri = uri.map_err(bad)?;
            head.set_uri(uri);
            head.set_version(Version::HTTP_2);
            head.set_send_end_stream(!has_body);
        }
        HttpSession::H1(_) | HttpSession::Custom(_) => {
            if head.uri.authority().is_some() {
                let target = head.uri.path_and_query().map_or("/", |target| target.as_str()).to_owned();
                head.set_raw_path(target.as_bytes())?;
            }
            head.insert_header(HOST, authority)?;
            head.set_version(Version::HTTP_11);
            if has_body && !head.headers.contains_key(CONTENT_LENGTH) {
                head.insert_header(TRANSFER_ENCODING, "chunked")?;
            }
        }
    }
    Ok(head)
}
