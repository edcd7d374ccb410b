//! Broken config as a value.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;

/// Stands where a target, a filter or a policy would have been, and answers for it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Refusal {
    /// What the client gets: 500 for what Gateway API calls an invalid reference.
    pub status: u16,
    /// Why, for metrics: a closed set.
    pub reason: RefusalReason,
    /// Why, for people: names the object and what to do. Never sent to clients.
    pub message: Arc<str>,
}

impl Refusal {
    /// A refusal that answers 500, as Gateway API asks of invalid references.
    pub fn internal(reason: RefusalReason, message: impl Into<Arc<str>>) -> Self {
        Self { status: 500, reason, message: message.into() }
    }
}

/// Why something in the config cannot be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum RefusalReason {
    /// The reference names a kind that cannot be a backend.
    InvalidKind,
    /// The object or its port does not exist.
    BackendNotFound,
    /// The reference crosses namespaces without a ReferenceGrant (GEP-709).
    RefNotPermitted,
    /// The backend speaks a protocol that this route cannot use.
    UnsupportedProtocol,
    /// The rule has no backend and no filter that answers.
    NoBackend,
    /// A filter that this data plane does not know or that cannot be combined: the rule fails closed.
    UnsupportedFilter,
    /// A policy on the backend is broken, so it cannot be reached as safely as was asked.
    InvalidPolicy,
    /// A value cannot be used: a regular expression that does not compile, a field that is not supported.
    UnsupportedValue,
}

impl fmt::Display for RefusalReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}
