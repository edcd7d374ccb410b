//! What is known of an object beside what is served, found by its name.

use lychgate_api::{Kind, Object, ObjectRef};
use std::borrow::Borrow;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// What is known of an object beside what is served. There are thousands, so none has a copy of a name.
pub(super) struct Entry {
    /// As it was read last: an unchanged document gives the very same object again.
    pub(super) read: Object,
    pub(super) file: Arc<str>,
}

/// Kind, namespace and name, borrowed: a set of all objects copies none of them.
pub(super) type Name<'a> = (Kind, &'a str, &'a str);

/// What has the name of an object.
pub(super) trait Named {
    fn name(&self) -> Name<'_>;
}

impl Named for Object {
    fn name(&self) -> Name<'_> {
        let metadata = self.metadata();
        (self.kind(), &metadata.namespace, &metadata.name)
    }
}

impl Named for ObjectRef {
    fn name(&self) -> Name<'_> {
        let Self { kind, key } = self;
        (*kind, &key.namespace, &key.name)
    }
}

impl Named for Entry {
    fn name(&self) -> Name<'_> {
        self.read.name()
    }
}

/// Entries are looked up by whatever has a name.
impl<'n> Borrow<dyn Named + 'n> for Entry {
    fn borrow(&self) -> &(dyn Named + 'n) {
        self
    }
}

impl Hash for dyn Named + '_ {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name().hash(state);
    }
}

impl PartialEq for dyn Named + '_ {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name()
    }
}

impl Eq for dyn Named + '_ {}

impl Hash for Entry {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name().hash(state);
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name()
    }
}

impl Eq for Entry {}
