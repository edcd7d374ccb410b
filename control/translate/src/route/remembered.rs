//! What is remembered of a route, to see whether the next translation has to look at it again.

use super::compiled::Compiled;
use super::outcome::{Outcome, Served};
use super::parents::Link;
use super::rivals::Loss;
use super::source::Source;
use lychgate_api::core::Namespace;
use lychgate_api::{ObjectKey, ObjectRef};
use lychgate_ir::Attachment;
use lychgate_persistent::OrdMap;
use std::sync::Arc;

/// A route as it was read, and what became of it.
#[derive(Debug)]
pub(crate) struct Remembered {
    pub(super) object: Arc<ObjectRef>,
    pub(super) source: Source,
    pub(super) namespace: Option<Arc<Namespace>>,
    pub(super) links: Vec<Link>,
    pub(super) compiled: Arc<Compiled>,
    pub(super) losses: Vec<Loss>,
    /// Where it would be served without rivals, if it has lost to some.
    pub(super) unopposed: Vec<Attachment>,
    pub(crate) outcome: Outcome,
}

/// What is remembered of all routes, ordered by kind, namespace and name.
pub(crate) type Memory = OrdMap<Arc<ObjectRef>, Arc<Remembered>>;

impl Remembered {
    pub(super) fn key(&self) -> &ObjectKey {
        &self.object.key
    }

    /// Where it would be served without rivals.
    pub(super) fn wants(&self) -> &[Attachment] {
        match &self.outcome.served {
            _ if !self.losses.is_empty() => &self.unopposed,
            Some(Served::Requests(route)) => &route.attachments,
            Some(Served::Streams(route)) => &route.attachments,
            None => &[],
        }
    }

    /// Whether it asks the same of others as another one does.
    pub(super) fn uses_the_same(&self, other: &Self) -> bool {
        self.outcome.served.is_some() == other.outcome.served.is_some()
            && self.outcome.listeners == other.outcome.listeners
            && self.outcome.gateways == other.outcome.gateways
            && self.compiled.targets == other.compiled.targets
            && self.compiled.objects == other.compiled.objects
    }
}
