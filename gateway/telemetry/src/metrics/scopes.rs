//! Handles by label values: shared while somebody holds them, gone with the last holder, and bounded in number.

use super::OTHER;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

/// Families of metrics that belong together, and how a handle on one set of labels is made and given up.
pub(super) trait Families: Clone + Send + Sync + 'static {
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
    handles: HashMap<Vec<String>, Entry<F>>,
    other: Weak<F::Handle>,
    next: u64,
}

struct Entry<F: Families> {
    handle: Weak<F::Handle>,
    lease: u64,
}

/// Gives series up when it is dropped, unless another handle has taken them over.
pub(super) struct Lease<F: Families> {
    shared: Weak<Shared<F>>,
    labels: Vec<String>,
    number: u64,
}

impl<F: Families> Scopes<F> {
    pub(super) fn new(families: F, limit: usize) -> Self {
        let taken = Taken { handles: HashMap::new(), other: Weak::new(), next: 0 };
        Self(Arc::new(Shared { families, limit, taken: Mutex::new(taken) }))
    }

    /// The handle on these labels if somebody holds it.
    pub(super) fn existing(&self, labels: &[String]) -> Option<Arc<F::Handle>> {
        self.0.lock().handles.get(labels)?.handle.upgrade()
    }

    /// The handle on these labels, or on those that all further ones share.
    pub(super) fn get(&self, labels: &[String]) -> Arc<F::Handle> {
        let shared = &self.0;
        let mut taken = shared.lock();
        if let Some(handle) = taken.handles.get(labels).and_then(|entry| entry.handle.upgrade()) {
            return handle;
        }
        if !taken.handles.contains_key(labels) && taken.handles.len() >= shared.limit {
            return shared.other(&mut taken, labels.len());
        }
        taken.next += 1;
        let number = taken.next;
        let lease = Lease { shared: Arc::downgrade(shared), labels: labels.to_vec(), number };
        let names: Vec<&str> = labels.iter().map(String::as_str).collect();
        let handle = Arc::new(shared.families.handle(&names, lease));
        taken.handles.insert(labels.to_vec(), Entry { handle: Arc::downgrade(&handle), lease: number });
        handle
    }
}

impl<F: Families> Shared<F> {
    fn lock(&self) -> MutexGuard<'_, Taken<F>> {
        // Whoever panicked left a map that is whole.
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn other(&self, taken: &mut Taken<F>, labels: usize) -> Arc<F::Handle> {
        if let Some(other) = taken.other.upgrade() {
            return other;
        }
        // Its series stay: they are one set, and others may come.
        let lease = Lease { shared: Weak::new(), labels: Vec::new(), number: 0 };
        let other = Arc::new(self.families.handle(&vec![OTHER; labels], lease));
        taken.other = Arc::downgrade(&other);
        other
    }
}

impl<F: Families> Drop for Lease<F> {
    fn drop(&mut self) {
        let Some(shared) = self.shared.upgrade() else { return };
        let mut taken = shared.lock();
        // A newer handle on the same labels goes on counting in the same series.
        if taken.handles.get(&self.labels).is_some_and(|entry| entry.lease == self.number) {
            taken.handles.remove(&self.labels);
            let names: Vec<&str> = self.labels.iter().map(String::as_str).collect();
            shared.families.remove(&names);
        }
    }
}
