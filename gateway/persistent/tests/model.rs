//! Whatever is done to it, a map is what a `BTreeMap` is, and its versions differ in what those differ in.
#![allow(clippy::unwrap_used)]

use lychgate_persistent::{Change, OrdMap};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::sync::Arc;

type Model = BTreeMap<u16, u32>;

#[derive(Clone, Debug)]
enum Edit {
    Insert(u16, u32),
    Remove(u16),
    Change(u16, u32),
    /// Everything above is gone.
    Cut(u16),
    /// Many in order.
    Fill(u16, u16),
    /// The same, from the last to the first.
    Fall(u16, u16),
}

fn edit() -> impl Strategy<Value = Edit> {
    let key = || 0..600_u16;
    prop_oneof![
        4 => (key(), 0..3_u32).prop_map(|(key, value)| Edit::Insert(key, value)),
        4 => key().prop_map(Edit::Remove),
        2 => (key(), 0..3_u32).prop_map(|(key, value)| Edit::Change(key, value)),
        1 => key().prop_map(Edit::Cut),
        1 => (key(), 0..300_u16).prop_map(|(from, count)| Edit::Fill(from, count)),
        1 => (key(), 0..300_u16).prop_map(|(from, count)| Edit::Fall(from, count)),
    ]
}

fn apply(edit: &Edit, map: &mut OrdMap<u16, u32>, model: &mut Model) {
    match *edit {
        Edit::Insert(key, value) => assert_eq!(map.insert(key, value), model.insert(key, value)),
        Edit::Remove(key) => assert_eq!(map.remove(&key), model.remove(&key)),
        Edit::Change(key, value) => {
            let known = model.get_mut(&key).map(|known| *known = value);
            assert_eq!(map.get_mut(&key).map(|known| *known = value), known);
        }
        Edit::Cut(at) => {
            for (key, value) in model.split_off(&at) {
                assert_eq!(map.remove(&key), Some(value));
            }
        }
        Edit::Fill(from, count) => {
            map.extend((from..from + count).map(|key| (key, 9)));
            model.extend((from..from + count).map(|key| (key, 9)));
        }
        Edit::Fall(from, count) => {
            map.extend((from..from + count).rev().map(|key| (key, 8)));
            model.extend((from..from + count).map(|key| (key, 8)));
        }
    }
}

fn assert_same(map: &OrdMap<u16, u32>, model: &Model) {
    assert_eq!((map.len(), map.is_empty()), (model.len(), model.is_empty()));
    assert!(map.iter().eq(model.iter()));
    assert!(map.iter().rev().eq(model.iter().rev()));
    for key in (0..1000).step_by(3) {
        assert_eq!((map.get(&key), map.contains_key(&key)), (model.get(&key), model.contains_key(&key)));
    }
    assert_eq!(serde_json::to_string(map).unwrap(), serde_json::to_string(model).unwrap());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn edits_are_those_of_a_map(edits in prop::collection::vec(edit(), 1..40)) {
        let (mut map, mut model) = (OrdMap::new(), Model::new());
        let mut versions = vec![(map.clone(), model.clone())];
        for edit in &edits {
            apply(edit, &mut map, &mut model);
            versions.push((map.clone(), model.clone()));
        }
        for (map, model) in &versions {
            assert_same(map, model);
            let anew: OrdMap<u16, u32> = model.clone().into_iter().collect();
            assert_eq!(&anew, map);
            let read: OrdMap<u16, u32> = serde_json::from_str(&serde_json::to_string(model).unwrap()).unwrap();
            assert_eq!(&read, map);
        }
        // Any two of them, also those that are far apart.
        for (before, model_before) in versions.iter().step_by(7) {
            for (after, model_after) in &versions {
                let keys = model_before.keys().chain(model_after.keys());
                let mut keys: Vec<&u16> = keys.filter(|key| model_before.get(key) != model_after.get(key)).collect();
                keys.sort_unstable();
                keys.dedup();
                let differ: Vec<_> = keys
                    .into_iter()
                    .map(|key| Change { key, old: model_before.get(key), new: model_after.get(key) })
                    .collect();
                let found: Vec<_> = after.changes(before, PartialEq::eq).collect();
                assert_eq!(found, differ);
                assert_eq!(before == after, model_before == model_after);
            }
        }
    }

    #[test]
    fn of_equal_keys_the_last_counts(entries in prop::collection::vec((0..300_u16, 0..1000_u32), 0..500)) {
        let map: OrdMap<u16, u32> = entries.iter().copied().collect();
        assert_same(&map, &entries.into_iter().collect());
    }
}

/// The values that are looked at tell that nothing else is.
#[test]
fn an_edit_and_its_difference_cost_a_run() {
    let before: OrdMap<u32, Arc<u32>> = (0..50_000).map(|key| (key, Arc::new(key))).collect();
    let looked = std::cell::Cell::new(0);
    let is_same = |one: &Arc<u32>, other: &Arc<u32>| {
        looked.set(looked.get() + 1);
        Arc::ptr_eq(one, other)
    };
    let mut after = before.clone();
    after.insert(33_333, Arc::new(0));
    after.insert(50_000, Arc::new(0));
    after.remove(&7);
    let keys: Vec<u32> = after.changes(&before, is_same).map(|change| *change.key).collect();
    assert_eq!(keys, [7, 33_333, 50_000]);
    assert!(looked.get() < 3 * 64, "{}", looked.get());
    assert!(before.is_same(&before.clone()) && !before.is_same(&after));
}
