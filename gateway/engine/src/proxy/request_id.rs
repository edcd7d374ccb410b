//! What a client and an operator call the same request.

use http::{HeaderName, HeaderValue};
use pingora_error::Result;
use pingora_http::RequestHeader;

/// The header that carries it, in and out.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// No longer id is taken from a client.
const MAX_LENGTH: usize = 128;

/// Takes the request's own id, or gives it one of 128 random bits.
pub(crate) fn ensure(request: &mut RequestHeader) -> Result<HeaderValue> {
    let usable = |value: &&HeaderValue| {
        let text = value.as_bytes();
        !text.is_empty()
            && text.len() <= MAX_LENGTH
            && text.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_.:/+=".contains(byte))
    };
    if let Some(id) = request.headers.get(REQUEST_ID).filter(usable) {
        return Ok(id.clone());
    }
    let id = new();
    request.insert_header(REQUEST_ID, id.clone())?;
    Ok(id)
}

/// 128 random bits.
pub(crate) fn new() -> HeaderValue {
    HeaderValue::from_bytes(&digits()).unwrap_or_else(|_| HeaderValue::from_static("none"))
}

/// An id for what has no request: a connection that is not read.
pub(crate) fn fresh() -> String {
    digits().into_iter().map(char::from).collect()
}

fn digits() -> [u8; 32] {
    let mut text = [0; 32];
    let mut bits = rand::random::<u128>();
    for digit in &mut text {
        let nibble = (bits & 0xf) as u8;
        *digit = if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 };
        bits >>= 4;
    }
    text
}
