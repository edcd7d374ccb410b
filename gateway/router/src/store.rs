//! A hash map that shares what an edit leaves alone.
//!
//! A snapshot changes one route of fifty thousand; copying a map of that size for it would cost more than the change.
//! Entries live in buckets of a few dozen that are shared between versions, so that an edit copies the buckets it
//! touches and a list of pointers. Reading is one hash and a binary search; nothing is ever changed in place.

use lychgate_ir::HostPattern;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, LazyLock};

/// Seeded once a process: keys come from many tenants' configuration.
static HASHER: LazyLock<RandomState> = LazyLock::new(RandomState::new);

/// Up to here, comparing the few keys costs less than hashing the one that is looked for.
const SCAN: usize = 4;
/// Entries a bucket holds on average after a rehash.
const FILL: usize = 32;

/// What a [`Store`] is looked up by.
pub(crate) trait Key: Clone {
    /// The text that makes two keys of one store equal.
    fn text(&self) -> &str;
}

impl Key for Arc<str> {
    fn text(&self) -> &str {
        self
    }
}

/// One store holds one kind of pattern, so the name alone tells them apart.
impl Key for HostPattern {
    fn text(&self) -> &str {
        match self {
            Self::Any => "",
            Self::Wildcard(name) | Self::Exact(name) => name,
        }
    }
}

#[derive(Clone, Debug)]
struct Slot<K, V> {
    hash: u64,
    key: K,
    value: V,
}

type Bucket<K, V> = Arc<[Slot<K, V>]>;

/// An immutable map from text; see the module.
#[derive(Clone, Debug)]
pub(crate) struct Store<K, V> {
    /// None at all, or a power of two; each sorted by hash.
    buckets: Arc<[Bucket<K, V>]>,
    len: usize,
}

impl<K, V> Default for Store<K, V> {
    fn default() -> Self {
        Self { buckets: Arc::from([]), len: 0 }
    }
}

impl<K: Key, V> Store<K, V> {
    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn get(&self, text: &str) -> Option<(&K, &V)> {
        let slot = match &*self.buckets {
            [] => return None,
            [only] if only.len() <= SCAN => only.iter().find(|slot| slot.key.text() == text),
            buckets => {
                let hash = hash(text);
                let bucket = buckets.get(bucket_of(hash, buckets.len()))?;
                let from = bucket.partition_point(|slot| slot.hash < hash);
                bucket.iter().skip(from).take_while(|slot| slot.hash == hash).find(|slot| slot.key.text() == text)
            }
        }?;
        Some((&slot.key, &slot.value))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.buckets.iter().flat_map(|bucket| bucket.iter()).map(|slot| (&slot.key, &slot.value))
    }
}

impl<K: Key, V: Clone> Store<K, V> {
    /// This map with values put (`Some`) or removed (`None`); of several edits of one key the last counts.
    pub(crate) fn edited(&self, edits: Vec<(K, Option<V>)>) -> Self {
        let mut buckets = self.layout_for(self.len + edits.iter().filter(|(_, value)| value.is_some()).count());
        let count = buckets.len();
        let mut edits: Vec<_> = edits.into_iter().map(|(key, value)| (hash(key.text()), key, value)).collect();
        edits.sort_by_key(|(hash, ..)| bucket_of(*hash, count));

        let mut len = self.len;
        let mut edits = edits.into_iter().peekable();
        while let Some(&(first, ..)) = edits.peek() {
            let index = bucket_of(first, count);
            let Some(bucket) = buckets.get_mut(index) else { break };
            let mut slots = bucket.to_vec();
            while let Some((hash, key, value)) = edits.next_if(|(hash, ..)| bucket_of(*hash, count) == index) {
                slots.retain(|slot| slot.hash != hash || slot.key.text() != key.text());
                slots.extend(value.map(|value| Slot { hash, key, value }));
            }
            slots.sort_by_key(|slot| slot.hash);
            len = len - bucket.len() + slots.len();
            *bucket = slots.into();
        }
        Self { buckets: buckets.into(), len }
    }

    /// The buckets of now, spread anew where they have become far too few or too many for so many entries.
    fn layout_for(&self, entries: usize) -> Vec<Bucket<K, V>> {
        let wanted = if entries <= 2 * FILL { 1 } else { (entries / FILL).next_power_of_two() };
        let current = self.buckets.len();
        if current * 4 > wanted && current < wanted * 8 {
            return self.buckets.to_vec();
        }
        let mut spread: Vec<Vec<Slot<K, V>>> = vec![Vec::new(); wanted];
        for slot in self.buckets.iter().flat_map(|bucket| bucket.iter()) {
            if let Some(slots) = spread.get_mut(bucket_of(slot.hash, wanted)) {
                slots.push(slot.clone());
            }
        }
        spread
            .into_iter()
            .map(|mut slots| {
                slots.sort_by_key(|slot| slot.hash);
                slots.into()
            })
            .collect()
    }
}

fn hash(text: &str) -> u64 {
    HASHER.hash_one(text)
}

/// Buckets are a power of two, so the low bits tell them apart.
fn bucket_of(hash: u64, count: usize) -> usize {
    usize::try_from(hash & (count as u64).wrapping_sub(1)).unwrap_or_default()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    fn key(number: usize) -> Arc<str> {
        format!("key-{number}").into()
    }

    #[test]
    fn edits_are_those_of_a_map() {
        let mut store = Store::default();
        let mut map = HashMap::new();
        // Grows over several layouts, then shrinks again.
        for round in 0..60_usize {
            let edits: Vec<_> = (0..100)
                .map(|step| {
                    let number = (round * 7919 + step * 104_729) % 3000;
                    let value = (round < 30 && step % 5 != 0).then_some(round * 1000 + step);
                    (key(number), value)
                })
                .collect();
            for (key, value) in &edits {
                match value {
                    Some(value) => map.insert(key.clone(), *value),
                    None => map.remove(key),
                };
            }
            store = store.edited(edits);
            assert_eq!(store.len(), map.len());
            for number in 0..3000 {
                let key = key(number);
                assert_eq!(store.get(&key).map(|(_, value)| value), map.get(&key));
            }
        }
    }

    #[test]
    fn an_edit_shares_the_buckets_that_it_does_not_touch() {
        let store = Store::default().edited((0..5000).map(|n| (key(n), Some(n))).collect());
        let edited = store.edited(vec![(key(17), None)]);
        let changed = store.buckets.iter().zip(edited.buckets.iter()).filter(|(a, b)| !Arc::ptr_eq(a, b)).count();
        assert_eq!(changed, 1);
        assert_eq!(store.get("key-17").unwrap().1, &17);
        assert!(edited.get("key-17").is_none());
    }
}
