//! All resources of one publication, and what one has that another has not.

use super::{Hash, Kind, Name, Resource, encode};
use lychgate_ir::{Endpoints, Snapshot};
use std::collections::BTreeMap;
use std::fmt::Display;
use std::sync::Arc;

/// A snapshot and its endpoints as they travel.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResourceSet(BTreeMap<Name, Resource>);

/// What is new for somebody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delta<'a> {
    /// What is new or another.
    pub changed: Vec<(&'a Name, &'a Resource)>,
    /// What is gone.
    pub removed: Vec<&'a Name>,
}

/// What a set was made from, so that the next one need not read again what is the same.
pub(crate) struct Before<'a> {
    pub(crate) snapshot: &'a Arc<Snapshot>,
    pub(crate) endpoints: &'a Endpoints,
    pub(crate) set: &'a ResourceSet,
}

impl ResourceSet {
    /// Of a snapshot and its endpoints.
    pub fn of(snapshot: &Snapshot, endpoints: &Endpoints) -> Self {
        Self::next(snapshot, endpoints, None)
    }

    /// The same, faster: what is the same value as before is not written again.
    pub(crate) fn next(snapshot: &Snapshot, endpoints: &Endpoints, before: Option<&Before<'_>>) -> Self {
        let Snapshot { listeners, routes, stream_routes, backends, certificates } = snapshot;
        let mut next = Self::default();
        let old = before.map(|before| &**before.snapshot);
        let set = before.map(|before| before.set);
        next.take(&Kind::Listener, listeners, old.map(|old| &old.listeners), set, encode::plain);
        next.take(&Kind::Route, routes, old.map(|old| &old.routes), set, encode::plain);
        next.take(&Kind::StreamRoute, stream_routes, old.map(|old| &old.stream_routes), set, encode::plain);
        next.take(&Kind::Backend, backends, old.map(|old| &old.backends), set, encode::plain);
        next.take(&Kind::Certificate, certificates, old.map(|old| &old.certificates), set, encode::certificate);
        next.take(&Kind::Endpoints, endpoints, before.map(|before| before.endpoints), set, encode::plain);
        next
    }

    fn take<I: Ord + Display, V: PartialEq>(
        &mut self,
        kind: &Kind,
        now: &BTreeMap<I, Arc<V>>,
        before: Option<&BTreeMap<I, Arc<V>>>,
        set: Option<&Self>,
        encode: impl Fn(&Kind, &I, &V) -> (Name, Resource),
    ) {
        for (id, value) in now {
            let same = before.and_then(|before| before.get(id)).filter(|old| Arc::ptr_eq(old, value));
            let known = same.and_then(|_| set?.0.get_key_value(&Name::new(kind.clone(), id)));
            let (name, resource) = match known {
                Some((name, resource)) => (name.clone(), resource.clone()),
                None => encode(kind, id, value),
            };
            self.0.insert(name, resource);
        }
    }

    /// The same with one more resource, or with another of this name.
    #[must_use]
    pub fn with(mut self, name: Name, resource: Resource) -> Self {
        self.0.insert(name, resource);
        self
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What it says as a whole.
    pub(crate) fn digest(&self) -> Hash {
        digest(self.0.iter().map(|(name, resource)| (name, resource.hash)))
    }

    /// Names and hashes.
    pub(crate) fn hashes(&self) -> impl Iterator<Item = (&Name, Hash)> {
        self.0.iter().map(|(name, resource)| (name, resource.hash))
    }

    /// What is new for somebody who has this, by name in order.
    pub(crate) fn since<'a>(&'a self, held: impl Iterator<Item = (&'a Name, Hash)>) -> Delta<'a> {
        let mut delta = Delta { changed: Vec::new(), removed: Vec::new() };
        let mut held = held.peekable();
        for (name, resource) in &self.0 {
            while let Some((gone, _)) = held.next_if(|(held, _)| *held < name) {
                delta.removed.push(gone);
            }
            match held.next_if(|(held, _)| *held == name) {
                Some((_, hash)) if hash == resource.hash => {}
                Some(_) | None => delta.changed.push((name, resource)),
            }
        }
        delta.removed.extend(held.map(|(name, _)| name));
        delta
    }
}

/// What many resources, in the order of their names, say as a whole.
pub(crate) fn digest<'a>(hashes: impl Iterator<Item = (&'a Name, Hash)>) -> Hash {
    let all: Vec<(&Name, Hash)> = hashes.collect();
    Hash::of(all.iter().flat_map(|(name, hash)| [name.kind.as_str().as_bytes(), name.name.as_bytes(), hash.as_ref()]))
}
