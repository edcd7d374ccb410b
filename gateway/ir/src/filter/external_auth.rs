use crate::Target;
use http::header::HeaderName;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Asks a service whether a request may pass (HTTPRoute `externalAuth`, GEP-1494).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExternalAuth {
    /// The service. A broken one lets nothing pass.
    pub target: Target,
    /// What it speaks.
    pub protocol: AuthProtocol,
    /// How many bytes of a body it is sent; requests with longer ones are refused. 0 sends it none, whatever its length.
    pub body: u32,
}

/// What an authorization service speaks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AuthProtocol {
    /// A request like the one that is asked about; 200 lets it pass.
    Http(HttpAuth),
    /// Envoy's `envoy.service.auth.v3.Authorization`.
    Grpc {
        /// Headers of the request that the service sees.
        sees: AuthHeaders,
    },
}

/// How a service is asked over HTTP.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HttpAuth {
    /// Comes before the path of the request; empty or with a slash at the beginning and none at the end.
    pub prefix: Arc<str>,
    /// Headers of the request that the service sees besides those that it always does (`Host`, `Authorization`).
    #[serde(with = "crate::dump::headers")]
    pub sees: Vec<HeaderName>,
    /// Headers of the service's answer that the backend sees.
    pub gives: AuthHeaders,
}

/// Headers by name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AuthHeaders {
    /// All of them.
    All,
    /// Only these.
    Only(#[serde(with = "crate::dump::headers")] Vec<HeaderName>),
}

/// Headers of a request that no service changes: where it goes was decided by them, how it is framed is what it is, and what
/// the gate says of it nobody else says.
pub const NOT_GIVEN: [&str; 18] = [
    "connection",
    "content-length",
    "expect",
    "forwarded",
    "host",
    "http2-settings",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "x-forwarded-client-cert",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-port",
    "x-forwarded-proto",
    "x-request-id",
];
