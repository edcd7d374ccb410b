//! How many there may be of one kind at the same time: connections of one address, of one data plane.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Counts by key. Clones count together.
#[derive(Clone, Debug)]
pub(super) struct Quota<K> {
    counts: Arc<Mutex<HashMap<K, usize>>>,
    most: usize,
}

/// One place, for as long as this lives.
#[derive(Debug)]
pub(super) struct Place<K: Eq + Hash> {
    quota: Quota<K>,
    key: K,
}

impl<K: Eq + Hash + Clone> Quota<K> {
    pub(super) fn new(most: usize) -> Self {
        Self { counts: Arc::default(), most }
    }

    /// A place, if there is one left.
    pub(super) fn enter(&self, key: &K) -> Option<Place<K>> {
        let mut counts = self.lock();
        let count = counts.entry(key.clone()).or_default();
        if *count >= self.most {
            return None;
        }
        *count += 1;
        Some(Place { quota: self.clone(), key: key.clone() })
    }
}

impl<K> Quota<K> {
    fn lock(&self) -> MutexGuard<'_, HashMap<K, usize>> {
        // What a panicking holder leaves is whole: every change is one number.
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Eq + Hash> Drop for Place<K> {
    fn drop(&mut self) {
        let mut counts = self.quota.lock();
        let is_last = counts.get_mut(&self.key).is_some_and(|count| {
            *count -= 1;
            *count == 0
        });
        if is_last {
            counts.remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_counted_by_key_and_given_back() {
        let quota = Quota::new(2);
        let (first, second) = (quota.enter(&"a"), quota.enter(&"a"));
        assert!(first.is_some() && second.is_some() && quota.enter(&"a").is_none());
        assert!(quota.enter(&"b").is_some(), "others have places of their own");
        drop(first);
        assert!(quota.enter(&"a").is_some());
        drop(second);
        assert!(quota.lock().is_empty(), "nothing is kept of those that are gone");
    }
}
