//! The objects that are served: the newest that were valid.
//!
//! A file is not a transaction. It may be read half written, emptied before it is filled, or gone for the moment in which
//! an editor replaces it. So an object goes only when its absence has settled, what was valid stays while its text is
//! not, and nothing of a file counts while it is being written.

mod entry;

use super::watch::Half;
use entry::{Entry, Name, Named};
use lychgate_admission::{AdmittedObject, Gone, Position, Reading};
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
    entries: HashSet<Entry>,
    /// Entries that the directory does not have, at least not as valid text; and since when, if nothing explains it.
    absent: BTreeMap<ObjectRef, Option<Instant>>,
    /// What was read and does not count yet, in the order in which it was read.
    waiting: Vec<AdmittedObject>,
    round: u64,
    /// The creation of the youngest object with listeners, in seconds since 1970; one a reading, and no two alike.
    youngest: i64,
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

    /// Takes over what was read, at the cost of what changed, of what is not settled, and of what is not valid.
    pub(crate) fn update(&mut self, reading: Reading, now: Instant, files: &impl Advice) -> Updated {
        let Reading { found, gone, refused, unread, diagnostics: _ } = reading;
        self.round += 1;
        let mut updated = Updated::default();
        let mut next = ObjectsBuilder::from(self.objects.clone());
        self.miss(&found, gone);
        let waiting = std::mem::take(&mut self.waiting);
        for admitted in waiting.into_iter().chain(found) {
            self.take(admitted, &mut next, &mut updated, files);
        }
        // At the start there is nothing to keep.
        if self.round > 1 {
            // What is wrong with half a file is not worth telling.
            let positions = refused.iter().map(|refused| &refused.position).chain(unread.iter().map(|it| &it.position));
            positions.for_each(|position| {
                updated.is_half(files, &position.file);
            });
        }
        let refused: HashSet<ObjectRef> =
            refused.into_iter().map(|refused| ObjectRef { kind: refused.kind, key: refused.key }).collect();
        let unread: HashSet<Arc<str>> = unread.into_iter().map(|unread| unread.position.file).collect();
        let mut gone = Vec::new();
        for (reference, missing) in &mut self.absent {
            let Some(entry) = self.entries.get(reference as &dyn Named) else { continue };
            let kept = if updated.is_half(files, &entry.file) {
                Kept::Writing
            } else if refused.contains(reference) {
                Kept::Refused
            } else if unread.contains(&entry.file) {
                Kept::Unread
            } else {
                let since = *missing.get_or_insert(now);
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
                *missing = None;
            }
            updated.kept.insert(reference.clone(), kept);
        }
        let mut next = next.build();
        for reference in gone {
            self.entries.remove(&reference as &dyn Named);
            self.absent.remove(&reference);
            next = next.remove(&reference);
            updated.changed = true;
        }
        self.objects = next;
        updated
    }

    /// Takes note of what is not there any more. What was read anew is not waited for in its older version.
    fn miss(&mut self, found: &[AdmittedObject], gone: Gone) {
        // As at the start, when everything is new.
        if self.entries.is_empty() && self.waiting.is_empty() {
            return;
        }
        let found = found.iter().map(|admitted| admitted.object.name());
        match gone {
            Gone::These(gone) => {
                let over: HashSet<Name<'_>> = found.chain(gone.iter().map(Named::name)).collect();
                self.waiting.retain(|waiting| !over.contains(&waiting.object.name()));
                for reference in gone.into_iter().filter(|reference| self.entries.contains(reference as &dyn Named)) {
                    self.absent.entry(reference).or_insert(None);
                }
            }
            Gone::Others => {
                self.waiting.clear();
                let found: HashSet<Name<'_>> = found.collect();
                for entry in self.entries.iter().filter(|entry| !found.contains(&entry.name())) {
                    self.absent.entry(entry.read.reference()).or_insert(None);
                }
            }
        }
    }

    /// Takes over an object that is there, or lets it wait.
    fn take(
        &mut self,
        admitted: AdmittedObject,
        next: &mut ObjectsBuilder,
        updated: &mut Updated,
        files: &impl Advice,
    ) {
        let AdmittedObject { object, position } = &admitted;
        let reference = object.reference();
        self.absent.remove(&reference);
        let known = self.entries.get(&reference as &dyn Named);
        if let Some(entry) = known
            && entry.read.is_same(object)
        {
            self.entries.replace(Entry { read: object.clone(), file: position.file.clone() });
            return;
        }
        if self.round > 1 && updated.is_half(files, &position.file) {
            if known.is_some() {
                updated.kept.insert(reference, Kept::Writing);
            }
            return self.waiting.push(admitted);
        }
        if let Some(entry) = known
            && let Some(flaw) = files.flaw(object)
            && files.flaw(&entry.read).is_none()
        {
            updated.flaws.insert(reference.clone(), (position.clone(), flaw));
            updated.kept.insert(reference, Kept::Unusable);
            return self.waiting.push(admitted);
        }
        if let Some(counted) = self.count_generation(&reference, object) {
            next.insert(counted);
            updated.changed = true;
        }
        let AdmittedObject { object, position } = admitted;
        self.entries.replace(Entry { read: object, file: position.file });
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
mod tests;
