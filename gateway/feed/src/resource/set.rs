//! All resources of one publication, and what one has that another has not.

use super::sum::Sum;
use super::{Hash, Kind, Name, Resource, encode};
use lychgate_ir::{Endpoints, Snapshot};
use lychgate_persistent::Change;
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt::Display;
use std::sync::Arc;

/// A snapshot and its endpoints as they travel.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResourceSet {
    resources: BTreeMap<Name, Resource>,
    sum: Sum,
    /// Of the listeners alone.
    listeners: Sum,
}

/// What is new for somebody.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Delta {
    /// What is new or another.
    pub(crate) changed: Vec<(Name, Resource)>,
    /// What is gone.
    pub(crate) removed: Vec<Name>,
}

impl ResourceSet {
    /// Of a snapshot and its endpoints.
    pub fn of(snapshot: &Snapshot, endpoints: &Endpoints) -> Self {
        let mut set = Self::default();
        set.follow((&Snapshot::default(), &Endpoints::new()), (snapshot, endpoints));
        set
    }

    /// From a set of what was before to one of what is now. What is the same value in both costs a look. Gives the names of
    /// what says something else now.
    pub(crate) fn follow(&mut self, before: (&Snapshot, &Endpoints), now: (&Snapshot, &Endpoints)) -> Vec<Name> {
        let Snapshot {
            listeners,
            routes,
            stream_routes,
            backends,
            certificates,
            secrets,
            egress,
            egress_policies,
            workloads,
        } = now.0;
        let old = before.0;
        let mut names = Vec::new();
        self.kind(&Kind::Listener, changes(&old.listeners, listeners), encode::listener, &mut names);
        self.kind(&Kind::Route, routes.changes(&old.routes, Arc::ptr_eq), encode::plain, &mut names);
        let streams = stream_routes.changes(&old.stream_routes, Arc::ptr_eq);
        self.kind(&Kind::StreamRoute, streams, encode::plain, &mut names);
        self.kind(&Kind::Backend, changes(&old.backends, backends), encode::plain, &mut names);
        self.kind(&Kind::Certificate, changes(&old.certificates, certificates), encode::certificate, &mut names);
        self.kind(&Kind::Secret, changes(&old.secrets, secrets), encode::secret, &mut names);
        self.kind(&Kind::Egress, changes(&old.egress, egress), encode::plain, &mut names);
        self.kind(
            &Kind::EgressPolicy,
            changes(&old.egress_policies, egress_policies),
            encode::egress_policy,
            &mut names,
        );
        self.kind(&Kind::Workload, changes(&old.workloads, workloads), encode::plain, &mut names);
        self.kind(&Kind::Endpoints, changes(before.1, now.1), encode::plain, &mut names);
        names
    }

    fn kind<'m, I: Display + 'm, V: 'm>(
        &mut self,
        kind: &Kind,
        changes: impl Iterator<Item = Change<'m, I, Arc<V>>>,
        encode: impl Fn(&Kind, &I, &V) -> (Name, Resource),
        names: &mut Vec<Name>,
    ) {
        for Change { key, old: _, new } in changes {
            match new {
                Some(value) => {
                    let (name, resource) = encode(kind, key, value);
                    if self.insert(name.clone(), resource) {
                        names.push(name);
                    }
                }
                None => {
                    let name = Name::new(kind.clone(), key);
                    self.remove(&name);
                    names.push(name);
                }
            }
        }
    }

    /// Becomes another set. Gives the names of what says something else now.
    pub(crate) fn become_set(&mut self, other: Self) -> Vec<Name> {
        let Delta { changed, removed } = other.since(self.hashes());
        let names = changed.into_iter().map(|(name, _)| name).chain(removed).collect();
        *self = other;
        names
    }

    /// Whether it says something else than before.
    fn insert(&mut self, name: Name, resource: Resource) -> bool {
        let hash = resource.hash;
        match self.resources.get(&name).map(|before| before.hash) {
            Some(before) if before == hash => return false,
            Some(before) => self.sums(&name).for_each(|sum| sum.take(&name, before)),
            None => {}
        }
        self.sums(&name).for_each(|sum| sum.add(&name, hash));
        self.resources.insert(name, resource);
        true
    }

    fn remove(&mut self, name: &Name) {
        if let Some(before) = self.resources.remove(name) {
            self.sums(name).for_each(|sum| sum.take(name, before.hash));
        }
    }

    /// The sums that a resource counts in.
    fn sums(&mut self, name: &Name) -> impl Iterator<Item = &mut Sum> {
        let listeners = (name.kind == Kind::Listener).then_some(&mut self.listeners);
        [&mut self.sum].into_iter().chain(listeners)
    }

    /// The same with one more resource, or with another of this name.
    #[must_use]
    pub fn with(mut self, name: Name, resource: Resource) -> Self {
        self.insert(name, resource);
        self
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.resources.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.resources.is_empty()
    }

    /// What it says as a whole.
    pub(crate) fn digest(&self) -> Hash {
        self.sum.digest()
    }

    /// What its listeners say.
    pub(crate) fn listeners(&self) -> Hash {
        self.listeners.digest()
    }

    /// Names and hashes.
    pub(crate) fn hashes(&self) -> impl Iterator<Item = (&Name, Hash)> {
        self.resources.iter().map(|(name, resource)| (name, resource.hash))
    }

    /// What is said under these names now.
    pub(crate) fn named<'a>(&self, names: impl Iterator<Item = &'a Name>) -> Delta {
        let mut delta = Delta::default();
        for name in names {
            match self.resources.get_key_value(name) {
                Some((name, resource)) => delta.changed.push((name.clone(), resource.clone())),
                None => delta.removed.push(name.clone()),
            }
        }
        delta
    }

    /// What is new for somebody who has this, by name in order.
    pub(crate) fn since<'a>(&self, held: impl Iterator<Item = (&'a Name, Hash)>) -> Delta {
        let mut delta = Delta::default();
        let mut held = held.peekable();
        for (name, resource) in &self.resources {
            while let Some((gone, _)) = held.next_if(|(held, _)| *held < name) {
                delta.removed.push(gone.clone());
            }
            match held.next_if(|(held, _)| *held == name) {
                Some((_, hash)) if hash == resource.hash => {}
                Some(_) | None => delta.changed.push((name.clone(), resource.clone())),
            }
        }
        delta.removed.extend(held.map(|(name, _)| name.clone()));
        delta
    }
}

/// What is not the same value in both; they are walked side by side.
fn changes<'m, I: Ord, V>(
    before: &'m BTreeMap<I, Arc<V>>,
    now: &'m BTreeMap<I, Arc<V>>,
) -> impl Iterator<Item = Change<'m, I, Arc<V>>> {
    let (mut before, mut now) = (before.iter().peekable(), now.iter().peekable());
    let both = std::iter::from_fn(move || {
        let order = match (before.peek(), now.peek()) {
            (Some((old, _)), Some((new, _))) => old.cmp(new),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => return None,
        };
        let old = if order.is_le() { before.next() } else { None };
        let new = if order.is_ge() { now.next() } else { None };
        let (key, _) = new.or(old)?;
        Some(Change { key, old: old.map(|(_, value)| value), new: new.map(|(_, value)| value) })
    });
    both.filter(|Change { key: _, old, new }| !old.zip(*new).is_some_and(|(old, new)| Arc::ptr_eq(old, new)))
}
