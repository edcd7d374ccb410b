//! The objects that are served: the newest that were valid.
//!
//! A file is not a transaction. It may be read half written, emptied before it is filled, or gone for the moment in which
//! an editor replaces it. So an object goes only when its absence has settled, what was valid stays while its text is
//! not, and nothing of a file counts while it is being written.

use super::watch::Half;
use lychgate_admission::{Admitted, Position};
use lychgate_api::{Kind, Object, ObjectRef, Objects, ObjectsBuilder, Time};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// An object that is missing for this long is gone.
pub(crate) const SETTLED: Duration = Duration::from_millis(60);

/// An object whose file has become empty is missing for this long before it is gone: nobody deletes by emptying.
pub(crate) const SETTLED_EMPTY: Duration = Duration::from_secs(2);

/// A file that may have been half written is read again after this.
const SOON: Duration = Duration::from_millis(20);

/// Why an object is served in an older version, or at all, though the directory does not say so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// Its newest version is not valid.
    Refused,
    /// The text that it came from cannot be read.
    Unread,
    /// It has only just disappeared.
    Settling,
    /// Its file is being written.
    Writing,
    /// Its newest version cannot be used: a Secret that is no key pair.
    Unusable,
}

/// What the store has to ask.
pub(crate) trait Advice {
    /// Whether it is there and empty.
    fn is_empty(&self, file: &str) -> bool;
    /// Whether it was read half written.
    fn half(&self, file: &str) -> Half;
    /// Why an object cannot do what it is for, if so: in its place, one that could is kept.
    fn flaw(&self, object: &Object) -> Option<String>;
}

#[derive(Default)]
pub(crate) struct Store {
    objects: Objects,
    entries: HashMap<ObjectRef, Entry>,
    round: u64,
    /// The creation of the youngest object with listeners, in seconds since 1970; one a reading, and no two alike.
    youngest: i64,
}

/// What is known of an object beside what is served.
struct Entry {
    /// As it was read last: an unchanged document gives the very same object again.
    read: Object,
    file: Arc<str>,
    /// The last update that found it.
    round: u64,
    missing: Option<Instant>,
}

/// What an update left.
#[derive(Debug, Default)]
pub(crate) struct Updated {
    /// Objects that are kept, and why.
    pub(crate) kept: BTreeMap<ObjectRef, Kept>,
    /// When to read again, because something that is not settled will be.
    pub(crate) again: Option<Duration>,
    /// Why the newest versions of objects cannot be used, and where they stand.
    pub(crate) flaws: BTreeMap<ObjectRef, (Position, String)>,
    /// Whether any object changed.
    pub(crate) changed: bool,
    /// Files that were asked about, and whether they do not count yet.
    judged: HashMap<Arc<str>, bool>,
}

impl Updated {
    fn soon(&mut self, wait: Duration) {
        self.again = Some(self.again.map_or(wait, |again| again.min(wait)));
    }

    /// Whether nothing of the file counts for now.
    fn is_half(&mut self, files: &impl Advice, file: &Arc<str>) -> bool {
        if let Some(half) = self.judged.get(file) {
            return *half;
        }
        let half = files.half(file);
        if half == Half::Perhaps {
            self.soon(SOON);
        }
        self.judged.insert(file.clone(), half != Half::No);
        half != Half::No
    }

    /// Whether the file was found to be half written: what was said about its text is not worth telling.
    pub(crate) fn was_half(&self, file: &Arc<str>) -> bool {
        self.judged.get(file).is_some_and(|half| *half)
    }
}

impl Store {
    pub(crate) fn objects(&self) -> &Objects {
        &self.objects
    }

    /// Takes over what was read.
    pub(crate) fn update(&mut self, admitted: Admitted, now: Instant, files: &impl Advice) -> Updated {
        let Admitted { objects, refused, unread, diagnostics: _ } = admitted;
        self.round += 1;
        let is_first = self.round == 1;
        let mut updated = Updated::default();
        let mut next = ObjectsBuilder::from(self.objects.clone());
        for admitted in objects {
            let (object, position) = (admitted.object, admitted.position);
            let file = position.file.clone();
            let reference = object.reference();
            if let Some(entry) = self.entries.get_mut(&reference)
                && entry.read.is_same(&object)
            {
                (entry.round, entry.missing, entry.file) = (self.round, None, file);
                continue;
            }
            // At the start there is nothing to keep.
            if !is_first && updated.is_half(files, &file) {
                if let Some(entry) = self.entries.get_mut(&reference) {
                    (entry.round, entry.missing) = (self.round, None);
                    updated.kept.insert(reference, Kept::Writing);
                }
                continue;
            }
            if let Some(entry) = self.entries.get_mut(&reference)
                && let Some(flaw) = files.flaw(&object)
                && files.flaw(&entry.read).is_none()
            {
                (entry.round, entry.missing) = (self.round, None);
                updated.flaws.insert(reference.clone(), (position, flaw));
                updated.kept.insert(reference, Kept::Unusable);
                continue;
            }
            if let Some(counted) = self.count_generation(&reference, &object) {
                next.insert(counted);
                updated.changed = true;
            }
            self.entries.insert(reference, Entry { read: object, file, round: self.round, missing: None });
        }
        if !is_first {
            // What is wrong with half a file is not worth telling.
            let positions = refused.iter().map(|refused| &refused.position).chain(unread.iter().map(|it| &it.position));
            positions.for_each(|position| {
                updated.is_half(files, &position.file);
            });
        }
        let refused: HashSet<ObjectRef> =
            refused.into_iter().map(|refused| ObjectRef { kind: refused.kind, key: refused.key }).collect();
        let unread: HashSet<Arc<str>> = unread.into_iter().map(|unread| unread.position.file).collect();
        let round = self.round;
        let mut gone = Vec::new();
        for (reference, entry) in self.entries.iter_mut().filter(|(_, entry)| entry.round != round) {
            let kept = if updated.is_half(files, &entry.file) {
                Kept::Writing
            } else if refused.contains(reference) {
                Kept::Refused
            } else if unread.contains(&entry.file) {
                Kept::Unread
            } else {
                let since = *entry.missing.get_or_insert(now);
                let limit = if files.is_empty(&entry.file) { SETTLED_EMPTY } else { SETTLED };
                let left = limit.saturating_sub(now.duration_since(since));
                if left.is_zero() {
                    gone.push(reference.clone());
                    continue;
                }
                updated.soon(left);
                Kept::Settling
            };
            if kept != Kept::Settling {
                entry.missing = None;
            }
            updated.kept.insert(reference.clone(), kept);
        }
        let mut next = next.build();
        for reference in gone {
            self.entries.remove(&reference);
            next = next.remove(&reference);
            updated.changed = true;
        }
        self.objects = next;
        updated
    }

    /// When a new object was created, as far as that matters. Ports and hostnames are exclusive: who had them keeps
    /// them, so what has listeners and does not say its age is as old as our knowledge of it.
    fn creation(&mut self, read: &Object) -> Option<Time> {
        let written = read.metadata().creation_timestamp;
        if written.is_some() || !matches!(read.kind(), Kind::Gateway | Kind::ListenerSet) {
            return written;
        }
        if self.round > 1 || self.youngest == 0 {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
            self.youngest = i64::try_from(now).unwrap_or(i64::MAX).max(self.youngest.saturating_add(1));
        }
        Some(Time::from_unix_seconds(self.youngest))
    }

    /// Counts as an API server would: up by one when anything else than the status changed. `None` if nothing did.
    fn count_generation(&mut self, reference: &ObjectRef, read: &Object) -> Option<Object> {
        // A file that was saved from a cluster says where the count stands.
        let written = read.metadata().generation.max(1);
        let Some(before) = self.objects.get(reference.kind, &reference.key) else {
            let created = self.creation(read);
            return Some(with(read, created, written));
        };
        let generation = before.metadata().generation;
        let created = read.metadata().creation_timestamp.or(before.metadata().creation_timestamp);
        let same = with(read, created, generation);
        (same != before).then(|| same.with_generation(written.max(generation + 1)))
    }
}

/// The object with these, and the very same one if it has them already: most objects never change, and need no copy.
fn with(object: &Object, created: Option<Time>, generation: i64) -> Object {
    let mut object = object.clone();
    if object.metadata().creation_timestamp != created {
        object = object.with_creation(created);
    }
    if object.metadata().generation != generation {
        object = object.with_generation(generation);
    }
    object
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use lychgate_admission::read_text;
    use lychgate_api::{Kind, ObjectKey};

    struct Whole;
    struct Empty;
    struct Open;

    impl Advice for Whole {
        fn is_empty(&self, _: &str) -> bool {
            false
        }
        fn half(&self, _: &str) -> Half {
            Half::No
        }
        fn flaw(&self, _: &Object) -> Option<String> {
            None
        }
    }

    impl Advice for Empty {
        fn is_empty(&self, _: &str) -> bool {
            true
        }
        fn half(&self, _: &str) -> Half {
            Half::No
        }
        fn flaw(&self, _: &Object) -> Option<String> {
            None
        }
    }

    impl Advice for Open {
        fn is_empty(&self, _: &str) -> bool {
            false
        }
        fn half(&self, _: &str) -> Half {
            Half::Open
        }
        fn flaw(&self, _: &Object) -> Option<String> {
            None
        }
    }

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
            let changed = store.update(read_text("f.yaml", text), now, &Whole).changed;
            (generation(&store, "left"), changed)
        };
        assert_eq!(read(&namespace("left", "one")), (1, true));
        assert_eq!(read(&namespace("left", "one")), (1, false));
        assert_eq!(read(&namespace("left", "two")), (2, true));
        assert_eq!(read("{apiVersion: v1, kind: Namespace, metadata: {name: left, generation: 7}}"), (7, true));
        assert_eq!(read(&namespace("left", "two")), (8, true));
    }

    #[test]
    fn kinds_that_did_not_change_are_shared() {
        let (mut store, now) = (Store::default(), Instant::now());
        let service =
            "{apiVersion: v1, kind: Service, metadata: {name: s, namespace: d}, spec: {ports: [{port: 80}]}}\n---\n";
        store.update(read_text("f.yaml", &(service.to_owned() + &namespace("left", "a"))), now, &Whole);
        let before = store.objects().clone();
        store.update(read_text("f.yaml", &(service.to_owned() + &namespace("left", "b"))), now, &Whole);
        assert!(before.shares(store.objects(), Kind::Service) && !before.shares(store.objects(), Kind::Namespace));
    }

    #[test]
    fn an_absence_has_to_settle() {
        let (mut store, now) = (Store::default(), Instant::now());
        let both = namespace("left", "a") + &namespace("right", "a");
        store.update(read_text("f.yaml", &both), now, &Whole);
        let updated = store.update(read_text("f.yaml", &namespace("left", "a")), now, &Whole);
        assert_eq!(updated.again, Some(SETTLED));
        assert_eq!(names(&store), ["left", "right"]);
        // It came back, and went again: the clock begins anew.
        store.update(read_text("f.yaml", &both), now + SETTLED / 2, &Whole);
        store.update(read_text("f.yaml", &namespace("left", "a")), now + SETTLED / 2, &Whole);
        store.update(read_text("f.yaml", &namespace("left", "a")), now + SETTLED, &Whole);
        assert_eq!(names(&store), ["left", "right"]);
        let updated = store.update(read_text("f.yaml", &namespace("left", "a")), now + 2 * SETTLED, &Whole);
        assert_eq!((updated.again, updated.changed), (None, true));
        assert_eq!(names(&store), ["left"]);
    }

    #[test]
    fn an_emptied_file_has_longer_to_settle() {
        let (mut store, now) = (Store::default(), Instant::now());
        store.update(read_text("f.yaml", &namespace("left", "a")), now, &Empty);
        store.update(read_text("f.yaml", ""), now, &Empty);
        store.update(read_text("f.yaml", ""), now + SETTLED, &Empty);
        assert_eq!(names(&store), ["left"]);
        store.update(read_text("f.yaml", ""), now + SETTLED_EMPTY, &Empty);
        assert_eq!(names(&store), Vec::<String>::new());
    }

    #[test]
    fn what_breaks_stays_in_its_last_valid_version() {
        let (mut store, now) = (Store::default(), Instant::now());
        let both = namespace("left", "a") + &namespace("right", "a");
        store.update(read_text("f.yaml", &both), now, &Whole);
        let broken = namespace("left", "[no, label]") + &namespace("right", "b");
        let updated = store.update(read_text("f.yaml", &broken), now + SETTLED_EMPTY, &Whole);
        assert_eq!(updated.kept.values().copied().collect::<Vec<_>>(), [Kept::Refused]);
        assert_eq!((generation(&store, "left"), generation(&store, "right")), (1, 2));
        let unreadable = "a: [\n---\n".to_owned() + &namespace("right", "b");
        let updated = store.update(read_text("f.yaml", &unreadable), now + 2 * SETTLED_EMPTY, &Whole);
        assert_eq!(updated.kept.values().copied().collect::<Vec<_>>(), [Kept::Unread]);
        assert_eq!(names(&store), ["left", "right"]);
    }

    #[test]
    fn nothing_of_a_file_counts_while_it_is_written_except_at_the_start() {
        let (mut store, now) = (Store::default(), Instant::now());
        let both = namespace("left", "a") + &namespace("right", "a");
        store.update(read_text("f.yaml", &both), now, &Open);
        assert_eq!(names(&store), ["left", "right"]);
        let half = namespace("left", "b") + &namespace("new", "a");
        for later in [Duration::ZERO, 2 * SETTLED_EMPTY] {
            let updated = store.update(read_text("f.yaml", &half), now + later, &Open);
            assert_eq!(updated.kept.values().copied().collect::<Vec<_>>(), [Kept::Writing, Kept::Writing]);
            assert!(!updated.changed && updated.again.is_none());
        }
        assert_eq!(names(&store), ["left", "right"]);
        store.update(read_text("f.yaml", &half), now + 2 * SETTLED_EMPTY, &Whole);
        assert_eq!((names(&store), generation(&store, "left")), (vec!["left".into(), "new".into(), "right".into()], 2));
    }
}
