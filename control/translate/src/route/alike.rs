//! What many routes have alike, each held once.

use super::compiled::References;
use super::outcome::Ties;
use crate::status::ObjectStatus;
use lychgate_ir::{Attachment, Forward, ObjectName};
use lychgate_persistent as persistent;
use std::sync::Arc;

/// What was made for the routes that were looked at last. It is carried from one translation to the next, so that a route that
/// comes later shares with those that are there.
#[derive(Debug, Default)]
pub(crate) struct Alike {
    pub(super) statuses: persistent::Alike<ObjectStatus>,
    pub(super) attachments: persistent::Alike<[Attachment]>,
    pub(super) forwards: persistent::Alike<Forward>,
    pub(super) references: persistent::Alike<References>,
    pub(super) ties: persistent::Alike<Ties>,
    namespaces: persistent::Alike<str>,
}

impl Alike {
    /// A name in whose namespace there are others.
    pub(super) fn name(&self, namespace: &str, name: &str) -> ObjectName {
        ObjectName { namespace: self.namespaces.keep(namespace, None), name: Arc::from(name) }
    }
}
