//! HTTPRoute.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::shared::root_path;
use super::{BackendRef, GatewayDefaultScope, HttpRouteFilter, ParentReference, RouteStatus, SessionPersistence};
use crate::meta::{Duration, ObjectMeta};
use crate::words::closed_words;

/// Rules for HTTP requests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HttpRoute {
    /// Metadata.
    pub metadata: ObjectMeta,
    /// Specification.
    pub spec: HttpRouteSpec,
    /// Status.
    #[serde(default, skip_serializing_if = "crate::is_default")]
    pub status: RouteStatus,
}

/// Specification of an [`HttpRoute`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HttpRouteSpec {
    /// What the route attaches to. Shared: see [`crate::AlikeReferences`].
    #[serde(default, skip_serializing_if = "<[_]>::is_empty")]
    pub parent_refs: Arc<[ParentReference]>,
    /// Whether it attaches to default Gateways too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub use_default_gateways: Option<GatewayDefaultScope>,
    /// Hosts; the listener's where empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hostnames: Vec<String>,
    /// Rules; one that matches everything where absent.
    #[serde(default = "default_rules")]
    pub rules: Vec<HttpRouteRule>,
}

fn default_rules() -> Vec<HttpRouteRule> {
    vec![HttpRouteRule::default()]
}

/// One rule: requests that match any of `matches`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HttpRouteRule {
    /// Unique within the route (GEP-995).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Conditions, of which one must hold; all requests where absent.
    pub matches: Vec<HttpRouteMatch>,
    /// Filters, before the backend is chosen.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub filters: Vec<HttpRouteFilter>,
    /// Backends, by weight. Shared: see [`crate::AlikeReferences`].
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub backend_refs: Arc<[HttpBackendRef]>,
    /// Timeouts (GEP-1742). What most rules do not have takes no room in them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeouts: Option<Box<HttpRouteTimeouts>>,
    /// Retries (GEP-1731).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry: Option<Box<HttpRouteRetry>>,
    /// Keeps clients on one endpoint.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_persistence: Option<Box<SessionPersistence>>,
}

impl Default for HttpRouteRule {
    /// What the CRD gives a route without rules: all paths, no backends.
    fn default() -> Self {
        Self {
            name: None,
            matches: vec![HttpRouteMatch::default()],
            filters: Vec::new(),
            backend_refs: Arc::default(),
            timeouts: None,
            retry: None,
            session_persistence: None,
        }
    }
}

/// All of these must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HttpRouteMatch {
    /// The path; prefix `/` where absent.
    pub path: HttpPathMatch,
    /// Headers.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<HttpHeaderMatch>,
    /// Query parameters.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub query_params: Vec<HttpQueryParamMatch>,
    /// The method; any where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<HttpMethod>,
}

/// What the path must be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HttpPathMatch {
    /// How `value` is read.
    pub r#type: PathMatchType,
    /// A path or a regular expression.
    pub value: String,
}

impl Default for HttpPathMatch {
    fn default() -> Self {
        Self { r#type: PathMatchType::default(), value: root_path() }
    }
}

closed_words! {
    /// How a path is matched.
    #[derive(Default)]
    pub enum PathMatchType {
        Exact = "Exact",
        #[default]
        PathPrefix = "PathPrefix",
        RegularExpression = "RegularExpression",
    }
}

/// What a header must be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HttpHeaderMatch {
    /// How `value` is read.
    #[serde(default)]
    pub r#type: HeaderMatchType,
    /// Name, without regard to case.
    pub name: String,
    /// A value or a regular expression.
    pub value: String,
}

closed_words! {
    /// How a header is matched, for HTTPRoute and GRPCRoute.
    #[derive(Default)]
    pub enum HeaderMatchType {
        #[default]
        Exact = "Exact",
        RegularExpression = "RegularExpression",
    }
}

/// What a query parameter must be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HttpQueryParamMatch {
    /// How `value` is read.
    #[serde(default)]
    pub r#type: QueryParamMatchType,
    /// Name, exactly.
    pub name: String,
    /// A value or a regular expression.
    pub value: String,
}

closed_words! {
    /// How a query parameter is matched.
    #[derive(Default)]
    pub enum QueryParamMatchType {
        #[default]
        Exact = "Exact",
        RegularExpression = "RegularExpression",
    }
}

closed_words! {
    /// A method that a rule matches.
    pub enum HttpMethod {
        Get = "GET",
        Head = "HEAD",
        Post = "POST",
        Put = "PUT",
        Delete = "DELETE",
        Connect = "CONNECT",
        Options = "OPTIONS",
        Trace = "TRACE",
        Patch = "PATCH",
    }
}

/// A backend of a rule, with filters of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HttpBackendRef {
    /// The backend and its weight.
    #[serde(flatten)]
    pub backend: BackendRef,
    /// Filters for requests that go to this backend.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub filters: Vec<HttpRouteFilter>,
}

/// Timeouts of a rule; none for zero.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HttpRouteTimeouts {
    /// From the request's start to the response's end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request: Option<Duration>,
    /// One try at a backend; at most `request`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backend_request: Option<Duration>,
}

/// When and how often a rule tries again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HttpRouteRetry {
    /// Status codes after which to retry, 400 to 599.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub codes: Vec<u16>,
    /// Retries at most.
    #[serde(default = "one_attempt")]
    pub attempts: i32,
    /// The least time between tries.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backoff: Option<Duration>,
}

fn one_attempt() -> i32 {
    1
}
