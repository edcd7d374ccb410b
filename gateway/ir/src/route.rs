//! Routes: what is matched, and where it goes.

use crate::{BackendId, Filter, HostPattern, ListenerId, Refusal, RouteId, RuleId};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;

/// A route and the listeners it is attached to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Route {
    /// What it is called everywhere.
    pub id: RouteId,
    /// `metadata.creationTimestamp` in seconds since 1970: the older route wins a tie. Files have none.
    pub created: Option<i64>,
    /// Where it is served, sorted by listener.
    ///
    /// Shared: most routes are attached to what their neighbours are attached to.
    pub attachments: Arc<[Attachment]>,
    /// Its rules, in the order written.
    #[serde(deserialize_with = "crate::dump::exact")]
    pub rules: Vec<Arc<Rule>>,
}

/// A listener that serves a route, and the host names of the route that it serves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attachment {
    /// The listener.
    pub listener: ListenerId,
    /// The route's own host names that intersect with the listener's, as written in the route (precedence goes by
    /// these, not by the intersection: `GatewayRouteHostnameIntersectionPrecedence`); `[Any]` if it names none.
    /// The listener has already been chosen when they are matched, so the intersection needs no place here.
    #[serde(deserialize_with = "crate::dump::exact")]
    pub hostnames: Vec<HostPattern>,
}

/// One rule: alternatives to match, filters to run, backends to forward to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rule {
    /// What it is called everywhere.
    pub id: RuleId,
    /// Alternatives, at least one.
    #[serde(deserialize_with = "crate::dump::exact")]
    pub matches: Vec<Match>,
    /// Filters of the rule, in the order written; the order they run in is the chain's business.
    #[serde(deserialize_with = "crate::dump::exact")]
    pub filters: Vec<Filter>,
    /// Where requests go that no filter answered. A broken rule answers with its refusal.
    ///
    /// Shared: many rules go where their neighbours go, in the same way.
    pub forward: Result<Arc<Forward>, Refusal>,
}

/// All of its conditions must hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Match {
    /// The path.
    pub path: PathMatch,
    /// The method, if any is asked for.
    pub method: Option<Arc<str>>,
    /// Headers; names are lower case, unique and sorted.
    #[serde(deserialize_with = "crate::dump::exact")]
    pub headers: Vec<HeaderMatch>,
    /// Query parameters; names are unique and sorted.
    #[serde(deserialize_with = "crate::dump::exact")]
    pub query: Vec<QueryMatch>,
}

/// How a path is matched.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PathMatch {
    /// The whole path, case-sensitive.
    Exact(Arc<str>),
    /// Whole path segments; never ends in `/`, so the root prefix is the empty text.
    Prefix(Arc<str>),
    /// A regular expression (RE2 syntax) that must match the whole path.
    Regex(Arc<str>),
}

/// A condition on one header.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeaderMatch {
    /// Lower case.
    #[serde(with = "crate::dump::header")]
    pub name: http::header::HeaderName,
    /// What its value must be.
    pub value: ValueMatch,
}

/// A condition on one query parameter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueryMatch {
    /// The parameter's name, case-sensitive.
    pub name: Arc<str>,
    /// What its (first) value must be.
    pub value: ValueMatch,
}

/// What a value must be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ValueMatch {
    /// Exactly this.
    Exact(Arc<str>),
    /// Wholly matched by this regular expression.
    Regex(Arc<str>),
}

/// Where a request goes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Forward {
    /// Chosen by weight. Broken ones keep their share and answer for it. Empty only where a filter answers every request.
    #[serde(deserialize_with = "crate::dump::exact")]
    pub backends: Vec<WeightedBackend>,
    /// Deadlines.
    pub timeouts: Timeouts,
    /// When to try again. `None` leaves it to the data plane, which tries other endpoints only for requests that no
    /// endpoint has seen.
    pub retry: Option<Retry>,
    /// Keeps a client with the endpoint it had (GEP-1619). The rule's own wins over the backend's.
    pub persistence: Option<SessionPersistence>,
}

/// A backend with its share of the requests.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WeightedBackend {
    /// 0 takes no requests.
    pub weight: u32,
    /// Where it goes.
    pub target: Target,
    /// Filters for requests to this backend only, run on every attempt, after those of the rule.
    #[serde(deserialize_with = "crate::dump::exact")]
    pub filters: Vec<Filter>,
}

/// A backend, or the reason why there is none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Target {
    /// A backend of the snapshot.
    Backend(BackendId),
    /// Answers for it.
    Broken(Refusal),
}

/// Deadlines of a request. `None` means no deadline (an explicit 0 in the route says so too).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timeouts {
    /// From the request's head to the end of the response, all attempts included: 504 after it.
    #[serde(default, with = "crate::dump::optional_millis")]
    pub request: Option<Duration>,
    /// One attempt at one backend.
    #[serde(default, with = "crate::dump::optional_millis")]
    pub backend_request: Option<Duration>,
}

/// When a failed attempt is tried again (GEP-1731).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retry {
    /// Status codes of the backend that count as failed, sorted.
    pub codes: Vec<u16>,
    /// Tries after the first. 0 forbids them all, even those that would be made without a policy.
    pub attempts: u32,
    /// Base of the exponential backoff between tries.
    #[serde(with = "crate::dump::millis")]
    pub backoff: Duration,
}

/// How a client is kept with its endpoint (GEP-1619).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionPersistence {
    /// The name of the cookie or header.
    pub name: Arc<str>,
    /// What carries the session.
    pub kind: PersistenceKind,
    /// A session older than this starts anew.
    #[serde(default, with = "crate::dump::optional_millis")]
    pub absolute_timeout: Option<Duration>,
}

/// What carries a session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PersistenceKind {
    /// A cookie.
    Cookie {
        /// The cookie's `Path`: the one configured, or `/`.
        path: Arc<str>,
        /// Whether it outlives the browser.
        lifetime: CookieLifetime,
    },
    /// A response header, which the client sends back as a request header.
    Header,
}

/// How long a session cookie lives in the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum CookieLifetime {
    /// Until the client ends.
    Session,
    /// `Max-Age` of the absolute timeout.
    Permanent,
}
