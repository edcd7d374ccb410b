//! Heads of requests and responses, whatever library holds them.

mod parts;

use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use std::fmt;

/// The head of a request.
pub trait RequestHead {
    /// The method.
    fn method(&self) -> &Method;

    /// The path, percent-encoded as the client sent it; `*` or empty for the requests that have none.
    fn path(&self) -> &str;

    /// What follows `?`, if there is one.
    fn query(&self) -> Option<&str>;

    /// Replaces the path and keeps the query. The path starts with `/` and is percent-encoded.
    fn set_path(&mut self, path: &str) -> Result<(), TooLong>;

    /// Replaces the query and keeps the path. The query is percent-encoded.
    fn set_query(&mut self, query: Option<&str>) -> Result<(), TooLong>;
    /// The authority as the client sent it, with its port: the target's own or `:authority`, else `Host`
    /// (RFC 9112 section 3.2.2, RFC 9113 section 8.3.1).
    fn host(&self) -> Option<&str>;

    /// Replaces the authority, wherever the request carries it. The value is a host with an optional port.
    fn set_host(&mut self, host: &HeaderValue);

    /// The headers.
    fn headers(&self) -> &HeaderMap;

    /// Replaces all values of a name by this one.
    fn insert(&mut self, name: &HeaderName, value: &HeaderValue);

    /// Adds a value after those of the same name.
    fn append(&mut self, name: &HeaderName, value: &HeaderValue);

    /// Removes all values of a name.
    fn remove(&mut self, name: &HeaderName);
}

/// The head of a response.
pub trait ResponseHead {
    /// The status.
    fn status(&self) -> StatusCode;

    /// The headers.
    fn headers(&self) -> &HeaderMap;

    /// Replaces all values of a name by this one.
    fn insert(&mut self, name: &HeaderName, value: &HeaderValue);

    /// Adds a value after those of the same name.
    fn append(&mut self, name: &HeaderName, value: &HeaderValue);

    /// Removes all values of a name.
    fn remove(&mut self, name: &HeaderName);
}

/// A path that no request can carry: percent-encoded paths fail by their length alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLong;

impl fmt::Display for TooLong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the path is too long for a request target")
    }
}

impl std::error::Error for TooLong {}
