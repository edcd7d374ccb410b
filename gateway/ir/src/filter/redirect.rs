use super::PathRewrite;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Answers with a `Location` (HTTPRoute `requestRedirect`). What is `None` stays as in the request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Redirect {
    /// The scheme.
    pub scheme: Option<RedirectScheme>,
    /// The host.
    pub hostname: Option<Arc<str>>,
    /// The path.
    pub path: Option<PathRewrite>,
    /// The port; if not given, the well-known one of `scheme`, else the listener's.
    pub port: Option<u16>,
    /// 301, 302, 303, 307 or 308.
    pub status: u16,
}

/// The schemes that a redirect can ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RedirectScheme {
    /// http
    Http,
    /// https
    Https,
}
