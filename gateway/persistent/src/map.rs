//! The map.

use crate::{Changes, Iter};
use std::borrow::Borrow;
use std::cmp::Ordering;
use std::fmt;
use std::ops::Index;
use std::sync::Arc;

/// A run has at most so many entries: few enough to copy for one of them, enough to have few runs.
pub(crate) const LONGEST: usize = 64;

/// Neighbours that together have no more become one.
const SHORT: usize = LONGEST / 2;

/// Neighbouring entries, in order; at least one.
pub(crate) type Run<K, V> = Arc<Vec<(K, V)>>;

/// An ordered map; see the crate.
///
/// Used like a [`std::collections::BTreeMap`]. What is changed in one version does not change in its clones.
pub struct OrdMap<K, V> {
    /// In order.
    pub(crate) runs: Arc<Vec<Run<K, V>>>,
    len: usize,
}

impl<K, V> OrdMap<K, V> {
    /// A map with nothing in it.
    #[must_use]
    pub fn new() -> Self {
        Self { runs: Arc::default(), len: 0 }
    }

    /// How many entries there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no entry.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Whether both are the very same version: then surely they are equal.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.runs, &other.runs)
    }

    /// All entries, in order of their keys.
    #[must_use]
    pub fn iter(&self) -> Iter<'_, K, V> {
        Iter::new(&self.runs, self.len)
    }

    /// All keys, in order.
    pub fn keys(&self) -> impl DoubleEndedIterator<Item = &K> + ExactSizeIterator + Clone {
        self.iter().map(|(key, _)| key)
    }

    /// All values, in order of their keys.
    pub fn values(&self) -> impl DoubleEndedIterator<Item = &V> + ExactSizeIterator + Clone {
        self.iter().map(|(_, value)| value)
    }
}

/// Where a key is, or would be.
struct Spot {
    run: usize,
    at: Result<usize, usize>,
}

impl<K: Ord, V> OrdMap<K, V> {
    /// The value of this key.
    #[must_use]
    pub fn get<Q: Ord + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        let Spot { run, at } = self.spot(key);
        self.runs.get(run)?.get(at.ok()?).map(|(_, value)| value)
    }

    /// Whether this key has a value.
    #[must_use]
    pub fn contains_key<Q: Ord + ?Sized>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.spot(key).at.is_ok()
    }

    /// What differs from the version before, in order of the keys; `is_same` says whether two values are one.
    ///
    /// What both share is passed over: after a few edits, this costs as much as they did, whatever is in the map.
    pub fn changes<'m, F: Fn(&V, &V) -> bool>(&'m self, before: &'m Self, is_same: F) -> Changes<'m, K, V, F> {
        Changes::new(before, self, is_same)
    }

    fn spot<Q: Ord + ?Sized>(&self, key: &Q) -> Spot
    where
        K: Borrow<Q>,
    {
        let begins_before = |run: &Run<K, V>| run.first().is_some_and(|(first, _)| first.borrow() <= key);
        let run = self.runs.partition_point(begins_before).saturating_sub(1);
        let at = self.runs.get(run).map_or(Err(0), |run| run.binary_search_by(|(known, _)| known.borrow().cmp(key)));
        Spot { run, at }
    }
}

impl<K: Ord + Clone, V: Clone> OrdMap<K, V> {
    /// Puts a value in. Tells which one the key had before.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        let Spot { run: number, at } = self.spot(&key);
        let runs = Arc::make_mut(&mut self.runs);
        let Some(run) = runs.get_mut(number) else {
            runs.push(Arc::new(vec![(key, value)]));
            self.len += 1;
            return None;
        };
        let at = match at {
            Ok(at) => {
                let known = Arc::make_mut(run).get_mut(at);
                return known.map(|(_, known)| std::mem::replace(known, value));
            }
            Err(at) => at,
        };
        self.len += 1;
        if run.len() < LONGEST {
            Arc::make_mut(run).insert(at, (key, value));
            return None;
        }
        let is_last = at == run.len();
        // What comes in falling order fills a run as well.
        if is_last && let Some(next) = runs.get_mut(number + 1).filter(|next| next.len() < LONGEST) {
            Arc::make_mut(next).insert(0, (key, value));
            return None;
        }
        // What comes in order fills one run after the other.
        let run = runs.get_mut(number)?;
        let middle = if at == run.len() { at } else { LONGEST / 2 };
        let mut later = run.get(middle..).unwrap_or_default().to_vec();
        if at >= middle {
            later.insert(at - middle, (key, value));
            Arc::make_mut(run).truncate(middle);
        } else {
            let run = Arc::make_mut(run);
            run.truncate(middle);
            run.insert(at, (key, value));
        }
        runs.insert(number + 1, Arc::new(later));
        None
    }

    /// Takes a value out, if it is there.
    pub fn remove<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        let Spot { run: number, at } = self.spot(key);
        let at = at.ok()?;
        let runs = Arc::make_mut(&mut self.runs);
        let run = Arc::make_mut(runs.get_mut(number)?);
        let (_, value) = run.remove(at);
        self.len -= 1;
        let left = run.len();
        if left == 0 {
            runs.remove(number);
        } else if left < SHORT
            && let Some(next) = runs.get(number + 1).filter(|next| left + next.len() <= SHORT)
        {
            let next = Vec::clone(next);
            runs.remove(number + 1);
            if let Some(run) = runs.get_mut(number) {
                Arc::make_mut(run).extend(next);
            }
        }
        Some(value)
    }

    /// The value of this key, to be changed.
    pub fn get_mut<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        let Spot { run, at } = self.spot(key);
        let at = at.ok()?;
        let run = Arc::make_mut(&mut self.runs).get_mut(run)?;
        Arc::make_mut(run).get_mut(at).map(|(_, value)| value)
    }
}

impl<K, V> Clone for OrdMap<K, V> {
    fn clone(&self) -> Self {
        Self { runs: self.runs.clone(), len: self.len }
    }
}

impl<K, V> Default for OrdMap<K, V> {
    fn default() -> Self {
        Self::new()
    }
}

impl<K: fmt::Debug, V: fmt::Debug> fmt::Debug for OrdMap<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self).finish()
    }
}

/// What both share is not compared.
impl<K: Ord, V: PartialEq> PartialEq for OrdMap<K, V> {
    fn eq(&self, other: &Self) -> bool {
        self.len == other.len && self.changes(other, |one, other| one == other).next().is_none()
    }
}

impl<K: Ord, V: Eq> Eq for OrdMap<K, V> {}

/// As of a [`std::collections::BTreeMap`]: a key that has no value is a mistake of whoever asks.
impl<K: Ord + Borrow<Q>, V, Q: Ord + ?Sized> Index<&Q> for OrdMap<K, V> {
    type Output = V;

    #[allow(clippy::expect_used, reason = "the trait has no other answer, and `get` has")]
    fn index(&self, key: &Q) -> &V {
        self.get(key).expect("no entry found for key")
    }
}

impl<K: Ord + Clone, V: Clone> Extend<(K, V)> for OrdMap<K, V> {
    fn extend<I: IntoIterator<Item = (K, V)>>(&mut self, entries: I) {
        for (key, value) in entries {
            self.insert(key, value);
        }
    }
}

/// Of several values of one key the last counts.
impl<K: Ord + Clone, V: Clone> FromIterator<(K, V)> for OrdMap<K, V> {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(entries: I) -> Self {
        let mut entries: Vec<(K, V)> = entries.into_iter().collect();
        let in_order = |two: &[(K, V)]| matches!(two, [(one, _), (other, _)] if one.cmp(other) == Ordering::Less);
        if !entries.windows(2).all(in_order) {
            // Reversed, so that of equal keys the last comes first and stays.
            entries.reverse();
            entries.sort_by(|(one, _), (other, _)| one.cmp(other));
            entries.dedup_by(|(later, _), (earlier, _)| later == earlier);
        }
        let len = entries.len();
        let mut runs = Vec::with_capacity(len.div_ceil(LONGEST));
        let mut entries = entries.into_iter();
        while entries.len() > 0 {
            let mut run = Vec::with_capacity(LONGEST.min(entries.len()));
            run.extend(entries.by_ref().take(LONGEST));
            runs.push(Arc::new(run));
        }
        Self { runs: Arc::new(runs), len }
    }
}

impl<K: Ord + Clone, V: Clone, const N: usize> From<[(K, V); N]> for OrdMap<K, V> {
    fn from(entries: [(K, V); N]) -> Self {
        entries.into_iter().collect()
    }
}

impl<'m, K, V> IntoIterator for &'m OrdMap<K, V> {
    type Item = (&'m K, &'m V);
    type IntoIter = Iter<'m, K, V>;

    fn into_iter(self) -> Iter<'m, K, V> {
        self.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_filled_in_rising_and_in_falling_order() {
        let (ends, between) = ((0..64_u32).chain(10_000..10_064), 64..10_000_u32);
        let ends: OrdMap<u32, ()> = ends.map(|key| (key, ())).collect();
        let (mut rising, mut falling) = (ends.clone(), ends);
        rising.extend(between.clone().map(|key| (key, ())));
        falling.extend(between.rev().map(|key| (key, ())));
        assert_eq!(rising, falling);
        let most = 10_064 / SHORT;
        assert!(rising.runs.len() <= most && falling.runs.len() <= most, "{}", falling.runs.len());
    }
}
