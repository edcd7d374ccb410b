//! What two versions differ in.

use crate::OrdMap;
use crate::map::Run;
use std::cmp::Ordering;
use std::sync::Arc;

/// One key, of which two versions say different things: at least one of both has it.
#[derive(Debug, PartialEq, Eq)]
pub struct Change<'m, K, V> {
    /// The key.
    pub key: &'m K,
    /// Its value before; `None` if it had none.
    pub old: Option<&'m V>,
    /// Its value now; `None` if it has none any more.
    pub new: Option<&'m V>,
}

impl<K, V> Clone for Change<'_, K, V> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<K, V> Copy for Change<'_, K, V> {}

/// What differs, in order of the keys. See [`OrdMap::changes`].
pub struct Changes<'m, K, V, F> {
    old: Cursor<'m, K, V>,
    new: Cursor<'m, K, V>,
    is_same: F,
}

/// A place in a map, never behind the last entry of a run.
struct Cursor<'m, K, V> {
    runs: &'m [Run<K, V>],
    at: usize,
}

impl<'m, K, V> Cursor<'m, K, V> {
    fn entry(&self) -> Option<&'m (K, V)> {
        self.runs.first()?.get(self.at)
    }

    fn advance(&mut self) {
        self.at += 1;
        if self.runs.first().is_none_or(|run| self.at >= run.len()) {
            self.skip();
        }
    }

    /// To the beginning of the next run.
    fn skip(&mut self) {
        self.runs = self.runs.get(1..).unwrap_or_default();
        self.at = 0;
    }
}

impl<'m, K: Ord, V, F: Fn(&V, &V) -> bool> Changes<'m, K, V, F> {
    pub(crate) fn new(old: &'m OrdMap<K, V>, new: &'m OrdMap<K, V>, is_same: F) -> Self {
        let all: (&[_], &[_]) = if old.is_same(new) { (&[], &[]) } else { (&old.runs, &new.runs) };
        Self { old: Cursor { runs: all.0, at: 0 }, new: Cursor { runs: all.1, at: 0 }, is_same }
    }

    /// Passes over runs that both have. Where an edit has moved their beginnings apart, the keys of what lies between lead
    /// both to the next common one.
    fn skip_shared(&mut self) {
        while self.old.at == self.new.at
            && let (Some(old), Some(new)) = (self.old.runs.first(), self.new.runs.first())
            && Arc::ptr_eq(old, new)
        {
            self.old.skip();
            self.new.skip();
        }
    }
}

impl<'m, K: Ord, V, F: Fn(&V, &V) -> bool> Iterator for Changes<'m, K, V, F> {
    type Item = Change<'m, K, V>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            self.skip_shared();
            let order = match (self.old.entry(), self.new.entry()) {
                (None, None) => return None,
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some((old, _)), Some((new, _))) => old.cmp(new),
            };
            let old = self.old.entry().filter(|_| order.is_le());
            let new = self.new.entry().filter(|_| order.is_ge());
            old.inspect(|_| self.old.advance());
            new.inspect(|_| self.new.advance());
            let (key, _) = new.or(old)?;
            let (old, new) = (old.map(|(_, value)| value), new.map(|(_, value)| value));
            if let (Some(old), Some(new)) = (old, new)
                && (self.is_same)(old, new)
            {
                continue;
            }
            return Some(Change { key, old, new });
        }
    }
}
