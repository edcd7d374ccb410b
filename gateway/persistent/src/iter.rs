//! Walking over all entries.

use crate::map::Run;
use std::iter::FlatMap;
use std::slice;

type Entries<'m, K, V> = slice::Iter<'m, (K, V)>;
type Of<'m, K, V> = fn(&'m Run<K, V>) -> Entries<'m, K, V>;
type OfAll<'m, K, V> = FlatMap<slice::Iter<'m, Run<K, V>>, Entries<'m, K, V>, Of<'m, K, V>>;

/// All entries of a map, in order.
pub struct Iter<'m, K, V> {
    entries: OfAll<'m, K, V>,
    left: usize,
}

impl<'m, K, V> Iter<'m, K, V> {
    pub(crate) fn new(runs: &'m [Run<K, V>], len: usize) -> Self {
        let of: Of<'m, K, V> = |run| run.iter();
        Self { entries: runs.iter().flat_map(of), left: len }
    }
}

impl<K, V> Clone for Iter<'_, K, V> {
    fn clone(&self) -> Self {
        Self { entries: self.entries.clone(), left: self.left }
    }
}

impl<'m, K, V> Iterator for Iter<'m, K, V> {
    type Item = (&'m K, &'m V);

    fn next(&mut self) -> Option<Self::Item> {
        let (key, value) = self.entries.next()?;
        self.left -= 1;
        Some((key, value))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl<K, V> DoubleEndedIterator for Iter<'_, K, V> {
    fn next_back(&mut self) -> Option<Self::Item> {
        let (key, value) = self.entries.next_back()?;
        self.left -= 1;
        Some((key, value))
    }
}

impl<K, V> ExactSizeIterator for Iter<'_, K, V> {}
