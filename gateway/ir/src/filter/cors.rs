use http::header::HeaderName;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Cross-origin resource sharing (HTTPRoute `cors`, GEP-1767; Fetch standard).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cors {
    /// Origins that may ask.
    pub allow_origins: Vec<CorsOrigin>,
    /// `Access-Control-Allow-Credentials: true`.
    pub allow_credentials: bool,
    /// Methods for preflights.
    pub allow_methods: CorsMethods,
    /// Request headers for preflights.
    pub allow_headers: CorsNames,
    /// Response headers that scripts may read.
    pub expose_headers: CorsNames,
    /// `Access-Control-Max-Age`, seconds.
    pub max_age: u32,
}

/// An allowed origin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum CorsOrigin {
    /// `*`.
    Any,
    /// `scheme://host[:port]`, lower case, compared as a whole.
    Exact(Arc<str>),
    /// `scheme://*.suffix[:port]`: one label or more in place of the star.
    Wildcard {
        /// `scheme://`.
        scheme: Arc<str>,
        /// `.suffix[:port]`.
        suffix: Arc<str>,
    },
}

/// Allowed methods.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum CorsMethods {
    /// `*`.
    Any,
    /// Only these.
    Only(Vec<Arc<str>>),
}

/// Allowed or exposed header names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum CorsNames {
    /// `*`.
    Any,
    /// Only these.
    Only(#[serde(with = "crate::dump::headers")] Vec<HeaderName>),
}
