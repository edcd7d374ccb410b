//! The objects that are served: the newest that were valid.
//!
//! A file is not a transaction. It may be read half written, emptied before it is filled, or gone for the moment in which
//! an editor replaces it. So an object goes only when its absence has settled, and what was valid stays while its text is
//! not.

use lychgate_admission::Admitted;
use lychgate_api::{Object, ObjectRef, Objects, ObjectsBuilder};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// An object that is missing for this long is gone.
pub(crate) const SETTLED: Duration = Duration::from_millis(60);

/// An object whose file has become empty is missing for this long before it is gone: nobody deletes by emptying.
pub(crate) const SETTLED_EMPTY: Duration = Duration::from_secs(2);

/// Why an object is served in an older version, or at all, though the directory does not say so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// Its newest version is not valid.
    Refused,
    /// The text that it came from cannot be read.
    Unread,
    /// It has only just disappeared.
    Settling,
}

#[derive(Default)]
pub(crate) struct Store {
    objects: Objects,
    files: HashMap<ObjectRef, Arc<str>>,
    missing: HashMap<ObjectRef, Instant>,
}

/// What an update left.
#[derive(Debug, Default)]
pub(crate) struct Updated {
    /// Objects that are kept, and why.
    pub(crate) kept: BTreeMap<ObjectRef, Kept>,
    /// When to read again, because something that is missing will have settled.
    pub(crate) again: Option<Duration>,
}

impl Store {
    pub(crate) fn objects(&self) -> &Objects {
        &self.objects
    }

    /// Takes over what was read. `is_empty` tells whether a file is there and empty.
    pub(crate) fn update(&mut self, admitted: Admitted, now: Instant, is_empty: impl Fn(&str) -> bool) -> Updated {
        let Admitted { objects, refused, unread, diagnostics: _ } = admitted;
        let mut next = ObjectsBuilder::default();
        let mut files = HashMap::new();
        let mut present = BTreeSet::new();
        for admitted in objects {
            let reference = admitted.object.reference();
            next.insert(self.count_generation(&reference, admitted.object));
            files.insert(reference.clone(), admitted.position.file);
            present.insert(reference);
        }
        let refused: BTreeSet<ObjectRef> =
            refused.into_iter().map(|refused| ObjectRef { kind: refused.kind, key: refused.key }).collect();
        let unread: BTreeSet<Arc<str>> = unread.into_iter().map(|unread| unread.position.file).collect();
        let mut updated = Updated::default();
        let mut missing = HashMap::new();
        for object in self.objects.iter() {
            let reference = object.reference();
            if present.contains(&reference) {
                continue;
            }
            let file = self.files.get(&reference);
            let kept = if refused.contains(&reference) {
                Kept::Refused
            } else if file.is_some_and(|file| unread.contains(file)) {
                Kept::Unread
            } else {
                let since = *self.missing.get(&reference).unwrap_or(&now);
                let limit = if file.is_some_and(|file| is_empty(file)) { SETTLED_EMPTY } else { SETTLED };
                let Some(left) = limit.checked_sub(now.duration_since(since)).filter(|left| !left.is_zero()) else {
                    continue;
                };
                missing.insert(reference.clone(), since);
                updated.again = Some(updated.again.map_or(left, |again: Duration| again.min(left)));
                Kept::Settling
            };
            files.extend(file.map(|file| (reference.clone(), file.clone())));
            updated.kept.insert(reference, kept);
            next.insert(object);
        }
        self.objects = next.build();
        self.files = files;
        self.missing = missing;
        updated
    }

    /// Counts as an API server would: up by one when anything else than the status changed. An unchanged object is the
    /// very same one as before.
    fn count_generation(&self, reference: &ObjectRef, object: Object) -> Object {
        if object.metadata().generation > 0 {
            return object;
        }
        match self.objects.get(reference.kind, &reference.key) {
            None => object.with_generation(1),
            Some(before) => {
                let generation = before.metadata().generation;
                let same = object.with_generation(generation);
                if same == before { before } else { same.with_generation(generation + 1) }
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use lychgate_admission::read_text;
    use lychgate_api::{Kind, ObjectKey};

    fn namespace(name: &str, label: &str) -> String {
        format!("apiVersion: v1\nkind: Namespace\nmetadata: {{name: {name}, labels: {{a: {label}}}}}\n---\n")
    }

    fn names(store: &Store) -> Vec<String> {
        store.objects().iter().map(|object| object.key().name).collect()
    }

    fn generation(store: &Store, name: &str) -> i64 {
        store.objects().get(Kind::Namespace, &ObjectKey::new("", name)).unwrap().metadata().generation
    }

    #[test]
    fn generations_count_changes() {
        let (mut store, now) = (Store::default(), Instant::now());
        let mut read = |text: &str| {
            store.update(read_text("f.yaml", text), now, |_| false);
            generation(&store, "left")
        };
        assert_eq!(read(&namespace("left", "one")), 1);
        assert_eq!(read(&namespace("left", "one")), 1);
        assert_eq!(read(&namespace("left", "two")), 2);
    }

    #[test]
    fn an_absence_has_to_settle() {
        let (mut store, now) = (Store::default(), Instant::now());
        let both = namespace("left", "a") + &namespace("right", "a");
        store.update(read_text("f.yaml", &both), now, |_| false);
        let updated = store.update(read_text("f.yaml", &namespace("left", "a")), now, |_| false);
        assert_eq!(updated.again, Some(SETTLED));
        assert_eq!(names(&store), ["left", "right"]);
        let updated = store.update(read_text("f.yaml", &namespace("left", "a")), now + SETTLED, |_| false);
        assert_eq!(updated.again, None);
        assert_eq!(names(&store), ["left"]);
    }

    #[test]
    fn an_emptied_file_has_longer_to_settle() {
        let (mut store, now) = (Store::default(), Instant::now());
        store.update(read_text("f.yaml", &namespace("left", "a")), now, |_| false);
        store.update(read_text("f.yaml", ""), now, |_| true);
        store.update(read_text("f.yaml", ""), now + SETTLED, |_| true);
        assert_eq!(names(&store), ["left"]);
        store.update(read_text("f.yaml", ""), now + SETTLED_EMPTY, |_| true);
        assert_eq!(names(&store), Vec::<String>::new());
    }

    #[test]
    fn what_breaks_stays_in_its_last_valid_version() {
        let (mut store, now) = (Store::default(), Instant::now());
        let both = namespace("left", "a") + &namespace("right", "a");
        store.update(read_text("f.yaml", &both), now, |_| false);
        let broken = namespace("left", "[no, label]") + &namespace("right", "b");
        let updated = store.update(read_text("f.yaml", &broken), now + SETTLED_EMPTY, |_| false);
        assert_eq!(updated.kept.values().copied().collect::<Vec<_>>(), [Kept::Refused]);
        assert_eq!((generation(&store, "left"), generation(&store, "right")), (1, 2));
        let unreadable = "a: [\n---\n".to_owned() + &namespace("right", "b");
        let updated = store.update(read_text("f.yaml", &unreadable), now + 2 * SETTLED_EMPTY, |_| false);
        assert_eq!(updated.kept.values().copied().collect::<Vec<_>>(), [Kept::Unread]);
        assert_eq!(names(&store), ["left", "right"]);
    }
}
