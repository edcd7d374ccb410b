//! What a service is told.

use super::is_framing;
use crate::RequestHead;
use http::header::{AUTHORIZATION, CONTENT_LENGTH, HOST};
use http::{HeaderMap, HeaderValue, Method};
use lychgate_ir::filter::{AuthHeaders, HttpAuth};

/// The request that asks a service over HTTP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// That of the request.
    pub method: Method,
    /// Path and query, with the prefix before them.
    pub target: String,
    /// `Host` and `Content-Length` among them.
    pub headers: HeaderMap,
}

impl Question {
    /// Asks about a request, with so much of its body.
    pub fn of(auth: &HttpAuth, head: &dyn RequestHead, body: usize) -> Self {
        let HttpAuth { prefix, sees, gives: _ } = auth;
        let mut headers = HeaderMap::with_capacity(sees.len() + 3);
        if let Some(host) = head.host().and_then(|host| HeaderValue::from_str(host).ok()) {
            headers.insert(HOST, host);
        }
        for name in [&AUTHORIZATION].into_iter().chain(sees) {
            if !headers.contains_key(name) && !is_framing(name) {
                for value in head.headers().get_all(name) {
                    headers.append(name, value.clone());
                }
            }
        }
        headers.insert(CONTENT_LENGTH, HeaderValue::from(body));
        // `OPTIONS *` asks about the server as a whole.
        let path = if head.path().starts_with('/') { head.path() } else { "/" };
        let target = match head.query() {
            Some(query) => format!("{prefix}{path}?{query}"),
            None => format!("{prefix}{path}"),
        };
        Self { method: head.method().clone(), target, headers }
    }
}

/// The headers of a request that a service sees which is told of the request instead of getting one like it. `Host` has a
/// place of its own there.
pub fn seen<'h>(
    sees: &'h AuthHeaders,
    headers: &'h HeaderMap,
) -> impl Iterator<Item = (&'h http::HeaderName, &'h HeaderValue)> {
    headers.iter().filter(move |(name, _)| match sees {
        AuthHeaders::All => **name != HOST,
        AuthHeaders::Only(names) => names.contains(name),
    })
}
