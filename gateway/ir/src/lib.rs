//! The vocabulary between control plane and data plane.
//!
//! This crate owns the [`Snapshot`]: plain data that says what a data plane shall do, complete, sorted, comparable,
//! with every reference resolved. It refuses behaviour: nothing here matches, edits, dials or waits, and nothing
//! here knows Kubernetes objects, Pingora or tokio.
//!
//! ```text
//! objects ──translate──> Snapshot ──compile──> Runtime
//!                        Endpoints ─┘   (a lane of their own: pod churn never touches routes)
//! ```
//!
//! **Broken config is a value.** What could not be resolved is a [`Refusal`] in the place where the thing would have
//! been, so that one bad object harms its own rules only and always fails closed.

mod backend;
mod dump;
pub mod egress;
mod endpoint;
pub mod filter;
mod host;
mod id;
mod listener;
mod matched;
mod refusal;
mod route;
mod secret;
mod snapshot;
mod stream;

pub use backend::{
    Backend, BackendTls, Balance, ClientIdentity, ProxyProtocol, Resolution, Roots, SubjectAltName, UpstreamProtocol,
    UpstreamTls,
};
pub use endpoint::{Endpoint, EndpointAddress, EndpointSet, Endpoints};
pub use filter::{Filter, ListenerFilter};
pub use host::{HostPattern, HostPatternError};
pub use id::{
    BackendId, BackendKind, CertificateId, GatewayId, ListenerId, ListenerOwner, NotAName, ObjectName, RouteId,
    RouteKind, RuleId, SecretId,
};
pub use listener::{
    Certificate, ClientValidation, Listener, ListenerTls, Protocol, TlsVersion, Transport, ValidationMode,
};
pub use matched::MatchedPath;
pub use refusal::{Refusal, RefusalReason};
pub use route::{
    Attachment, CookieLifetime, Forward, HeaderMatch, Match, PathMatch, PersistenceKind, QueryMatch, Retry, Route,
    Rule, SessionPersistence, Target, Timeouts, ValueMatch, WeightedBackend,
};
pub use secret::{Redacted, Secret};
pub use snapshot::Snapshot;
pub use stream::{StreamBackend, StreamRoute};
