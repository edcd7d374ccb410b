//! Handles by what they count: shared while somebody holds them, gone with the last holder, and bounded in number.

mod earned;
mod label;

pub(super) use earned::{Earned, Moving};
pub(super) use label::{Labelled, RuleKey};

use super::OTHER;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

/// Families of metrics that belong together, and how a handle on one set of labels is made and given up.
pub(super) trait Families: Clone + Send + Sync + 'static {
    /// What is counted on its own.
    type Key: Labelled;
    /// The handle. It holds its [`Lease`] so that its series are given up with it.
    type Handle: Send + Sync + 'static;

    /// A handle on these labels.
    fn handle(&self, labels: &[&str], lease: Lease<Self>) -> Self::Handle;

    /// Removes the series of these labels.
    fn remove(&self, labels: &[&str]);
}

/// All handles of one kind.
pub(super) struct Scopes<F: Families>(Arc<Shared<F>>);

impl<F: Families> Clone for Scopes<F> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

struct Shared<F: Families> {
    families: F,
    limit: usize,
    taken: Mutex<Taken<F>>,
}

struct Taken<F: Families> {
    handles: HashMap<F::Key, Entry<F>>,
    other: Weak<F::Handle>,
    next: u64,
}

struct Entry<F: Families> {
    handle: Weak<F::Handle>,
    lease: u64,
}

/// Gives series up when it is dropped, unless another handle has taken them over.
pub(super) struct Lease<F: Families>(Option<Held<F>>);

struct Held<F: Families> {
    shared: Weak<Shared<F>>,
    key: F::Key,
    number: u64,
}

impl<F: Families> Scopes<F> {
    pub(super) fn new(families: F, limit: usize) -> Self {
        let taken = Taken { handles: HashMap::new(), other: Weak::new(), next: 0 };
        Self(Arc::new(Shared { families, limit, taken: Mutex::new(taken) }))
    }

    /// The handle on this if somebody holds it.
    pub(super) fn existing(&self, key: &F::Key) -> Option<Arc<F::Handle>> {
        self.0.lock().existing(key)
    }

    /// The handle on this, or on what all further ones share.
    pub(super) fn get(&self, key: &F::Key) -> Arc<F::Handle> {
        self.first(key, self.0.limit).unwrap_or_else(|| self.other())
    }

    /// The handle on this if it has one, or is among the first so many.
    fn first(&self, key: &F::Key, many: usize) -> Option<Arc<F::Handle>> {
        let shared = &self.0;
        let mut taken = shared.lock();
        if let Some(handle) = taken.existing(key) {
            return Some(handle);
        }
        if !taken.handles.contains_key(key) && taken.handles.len() >= many.min(shared.limit) {
            return None;
        }
        taken.next += 1;
        let number = taken.next;
        let lease = Lease(Some(Held { shared: Arc::downgrade(shared), key: key.clone(), number }));
        let labels = key.labels();
        let names: Vec<&str> = labels.iter().map(String::as_str).collect();
        let handle = Arc::new(shared.families.handle(&names, lease));
        taken.handles.insert(key.clone(), Entry { handle: Arc::downgrade(&handle), lease: number });
        Some(handle)
    }

    /// The handle that all share that have none of their own.
    fn other(&self) -> Arc<F::Handle> {
        let mut taken = self.0.lock();
        if let Some(other) = taken.other.upgrade() {
            return other;
        }
        // Its series stay: they are one set, and others may come.
        let other = Arc::new(self.0.families.handle(&vec![OTHER; F::Key::LABELS], Lease(None)));
        taken.other = Arc::downgrade(&other);
        other
    }
}

impl<F: Families> Shared<F> {
    fn lock(&self) -> MutexGuard<'_, Taken<F>> {
        // Whoever panicked left a map that is whole.
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<F: Families> Taken<F> {
    fn existing(&self, key: &F::Key) -> Option<Arc<F::Handle>> {
        self.handles.get(key)?.handle.upgrade()
    }
}

impl<F: Families> Drop for Lease<F> {
    fn drop(&mut self) {
        let Some(Held { shared, key, number }) = self.0.take() else { return };
        let Some(shared) = shared.upgrade() else { return };
        let mut taken = shared.lock();
        // A newer handle on the same labels goes on counting in the same series.
        if taken.handles.get(&key).is_some_and(|entry| entry.lease == number) {
            taken.handles.remove(&key);
            let labels = key.labels();
            let names: Vec<&str> = labels.iter().map(String::as_str).collect();
            shared.families.remove(&names);
        }
    }
}
