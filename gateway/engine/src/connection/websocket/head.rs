//! Heads of requests and responses, from HTTP/2 to HTTP/1.1 and back (RFC 8441 section 5).

use super::Broken;
use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{
    CONNECTION, CONTENT_LENGTH, COOKIE, EXPECT, HOST, HeaderName, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, TE, TRAILER,
    TRANSFER_ENCODING, UPGRADE,
};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use http_body_util::Empty;
use pingora_http::{RequestHeader, ResponseHeader};

/// What the answer to a key is made with (RFC 6455 section 1.3).
const GUID: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// Says nothing in a request whose body is no body, or is ours to say.
const NOT_OF_THE_CLIENT: [HeaderName; 11] = [
    CONNECTION,
    CONTENT_LENGTH,
    COOKIE,
    EXPECT,
    HOST,
    SEC_WEBSOCKET_ACCEPT,
    SEC_WEBSOCKET_KEY,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
];

/// The handshake that an extended CONNECT stands for, and its key.
pub(super) fn upgrade(request: &RequestHeader) -> Result<(String, Request<Empty<Bytes>>), Broken> {
    let host = match request.uri.authority() {
        Some(authority) => HeaderValue::from_str(authority.as_str()).ok(),
        None => request.headers.get(HOST).cloned(),
    };
    let host = host.ok_or(Broken::Impossible("a request without an authority"))?;
    let key = STANDARD.encode(rand::random::<[u8; 16]>());
    let target = request.uri.path_and_query().map_or("/", |target| target.as_str());
    let mut upgrade = Request::get(target)
        .body(Empty::new())
        .map_err(|_| Broken::Impossible("a target that HTTP/1.1 does not have"))?;
    let headers = upgrade.headers_mut();
    *headers = request.headers.clone();
    NOT_OF_THE_CLIENT.iter().for_each(|name| drop(headers.remove(name)));
    if let Some(cookie) = cookie(&request.headers) {
        headers.insert(COOKIE, cookie);
    }
    headers.insert(HOST, host);
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    let value = HeaderValue::from_str(&key).map_err(|_| Broken::Impossible("a key that is no header value"))?;
    headers.insert(SEC_WEBSOCKET_KEY, value);
    Ok((key, upgrade))
}

/// Its crumbs in one piece, as HTTP/1.1 has it (RFC 9113 section 8.2.3).
fn cookie(headers: &HeaderMap) -> Option<HeaderValue> {
    let crumbs: Vec<&[u8]> = headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes).collect();
    if crumbs.is_empty() { None } else { HeaderValue::from_bytes(&crumbs.join(&b"; "[..])).ok() }
}

/// The head that says the same as `101 Switching Protocols`. `None` if it does not answer the key: whoever gave it does
/// not speak WebSocket (RFC 6455 section 4.1).
pub(super) fn switched<B>(response: &Response<B>, key: &str) -> Result<Option<ResponseHeader>, Broken> {
    let answer = response.headers().get(SEC_WEBSOCKET_ACCEPT);
    if answer.is_none_or(|answer| answer.as_bytes() != answer_to(key).as_bytes()) {
        return Ok(None);
    }
    head_of(StatusCode::OK, response.headers()).map(Some)
}

/// What the client of such a one gets.
pub(super) fn bad_gateway() -> Result<ResponseHeader, Broken> {
    let mut head = ResponseHeader::build(StatusCode::BAD_GATEWAY, None)?;
    head.insert_header(CONTENT_LENGTH, 0)?;
    Ok(head)
}

fn answer_to(key: &str) -> String {
    STANDARD.encode(digest(&SHA1_FOR_LEGACY_USE_ONLY, format!("{key}{GUID}").as_bytes()))
}

/// The head of any other response, and its body.
pub(super) fn other<B>(response: Response<B>) -> Result<(ResponseHeader, B), Broken> {
    let (parts, body) = response.into_parts();
    Ok((head_of(parts.status, &parts.headers)?, body))
}

/// Headers of the connection are left out when a head of HTTP/2 is written.
fn head_of(status: StatusCode, headers: &HeaderMap) -> Result<ResponseHeader, Broken> {
    let mut head = ResponseHeader::build(status, Some(headers.len()))?;
    for (name, value) in headers.iter().filter(|(name, _)| **name != SEC_WEBSOCKET_ACCEPT) {
        head.append_header(name.clone(), value.clone())?;
    }
    Ok(head)
}
