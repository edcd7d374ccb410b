//! What is remembered of a route, to see whether the next translation has to look at it again.

use super::compiled::Compiled;
use super::outcome::Outcome;
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
    pub(super) compiled: Arc<Compiled>,
    pub(super) lost: Option<Box<Lost>>,
    pub(crate) outcome: Outcome,
}

/// Of a route that has lost to rivals.
#[derive(Debug)]
pub(super) struct Lost {
    pub(super) losses: Vec<Loss>,
    /// Where it would be served without them.
    pub(super) unopposed: Arc<[Attachment]>,
}

/// What is remembered of all routes, ordered by kind, namespace and name.
pub(crate) type Memory = OrdMap<Arc<ObjectRef>, Arc<Remembered>>;

impl Remembered {
    pub(super) fn key(&self) -> &ObjectKey {
        &self.object.key
    }

    /// Where it would be served without rivals.
    pub(super) fn wants(&self) -> &[Attachment] {
        match &self.lost {
            Some(lost) => &lost.unopposed,
            None => self.outcome.attachments().map(|attachments| &**attachments).unwrap_or_default(),
        }
    }

    pub(super) fn losses(&self) -> &[Loss] {
        self.lost.as_ref().map(|lost| &*lost.losses).unwrap_or_default()
    }

    pub(super) fn links(&self) -> &[Link] {
        &self.outcome.ties.links
    }

    /// Whether it asks the same of others as another one does.
    pub(super) fn uses_the_same(&self, other: &Self) -> bool {
        self.outcome.served.is_some() == other.outcome.served.is_some()
            && self.outcome.ties.listeners == other.outcome.ties.listeners
            && self.outcome.ties.gateways == other.outcome.ties.gateways
            && self.compiled.references.targets == other.compiled.references.targets
            && self.compiled.references.objects == other.compiled.references.objects
    }
}
