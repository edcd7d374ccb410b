//! Changes become objects.

use super::Observer;
use crate::watch::{Change, Seen};
use lychgate_api::{Kind, ObjectRef, Objects};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Objects that cannot be read, and why.
pub type Broken = Arc<BTreeMap<ObjectRef, String>>;

/// What is known so far.
#[derive(Debug, Default)]
pub struct Gather {
    objects: Objects,
    broken: Broken,
    listed: BTreeSet<Kind>,
}

impl Gather {
    /// All objects that can be read.
    #[must_use]
    pub fn objects(&self) -> &Objects {
        &self.objects
    }

    /// Those that cannot be read.
    #[must_use]
    pub fn broken(&self) -> &Broken {
        &self.broken
    }

    /// Kinds of which nothing is known yet.
    pub fn missing(&self) -> impl Iterator<Item = Kind> + '_ {
        Kind::ALL.iter().copied().filter(|kind| !self.listed.contains(kind))
    }

    /// Whether every kind was listed.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.missing().next().is_none()
    }

    /// Takes a change in. Tells whether anything is different now.
    pub fn take(&mut self, change: Change, observer: &impl Observer) -> bool {
        match change {
            Change::Applied(seen) => self.apply(*seen, observer),
            Change::Deleted(object) => self.delete(&object, observer),
            Change::Listed(kind, all) => self.list(kind, all, observer),
            Change::Absent(kind) => self.list(kind, Vec::new(), observer),
        }
    }

    fn apply(&mut self, seen: Seen, observer: &impl Observer) -> bool {
        let Seen { reference, object, observed, written: _ } = seen;
        if let Some(observed) = observed {
            observer.observe(&reference, Some(observed));
        }
        match object {
            Ok(object) => {
                let mended = self.broken.contains_key(&reference);
                if mended {
                    tracing::info!(object = %reference, "can be read again");
                    Arc::make_mut(&mut self.broken).remove(&reference);
                }
                if self.objects.get(reference.kind, &reference.key).as_ref() == Some(&object) {
                    return mended;
                }
                self.objects = std::mem::take(&mut self.objects).insert(object);
                true
            }
            Err(why) => {
                if self.broken.get(&reference) == Some(&why) {
                    return false;
                }
                let kept = self.objects.get(reference.kind, &reference.key).is_some();
                tracing::error!(object = %reference, why, kept, "cannot be read; its last good version stays, if there is one");
                Arc::make_mut(&mut self.broken).insert(reference, why);
                true
            }
        }
    }

    fn delete(&mut self, object: &ObjectRef, observer: &impl Observer) -> bool {
        observer.observe(object, None);
        let was_broken = self.broken.contains_key(object);
        if was_broken {
            Arc::make_mut(&mut self.broken).remove(object);
        }
        let known = self.objects.get(object.kind, &object.key).is_some();
        if known {
            self.objects = std::mem::take(&mut self.objects).remove(object);
        }
        known || was_broken
    }

    /// All at once, so that nobody sees the moment between.
    fn list(&mut self, kind: Kind, all: Vec<Seen>, observer: &impl Observer) -> bool {
        let mut changed = self.listed.insert(kind);
        let there: BTreeSet<ObjectRef> = all.iter().map(|seen| seen.reference.clone()).collect();
        let known = self.objects.iter().map(|object| object.reference()).chain(self.broken.keys().cloned());
        let gone: Vec<ObjectRef> = known.filter(|known| known.kind == kind && !there.contains(known)).collect();
        for object in gone {
            changed |= self.delete(&object, observer);
        }
        for seen in all {
            changed |= self.apply(seen, observer);
        }
        changed
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::watch::Observed;
    use serde_json::json;
    use std::sync::Mutex;

    #[derive(Default)]
    struct Log(Mutex<Vec<(String, bool)>>);

    impl Observer for Log {
        fn observe(&self, object: &ObjectRef, observed: Option<Observed>) {
            self.0.lock().unwrap().push((object.to_string(), observed.is_some()));
        }
    }

    fn gateway(name: &str, class: impl Into<serde_json::Value>, version: &str) -> Seen {
        let metadata = json!({"name": name, "namespace": "d", "resourceVersion": version});
        Seen::new(
            Kind::Gateway,
            json!({"metadata": metadata, "spec": {"gatewayClassName": class.into(), "listeners": []}}),
        )
        .unwrap()
    }

    fn applied(seen: Seen) -> Change {
        Change::Applied(Box::new(seen))
    }

    fn names(gather: &Gather) -> Vec<String> {
        gather.objects().gateways().map(|(key, _)| key.name.clone()).collect()
    }

    #[test]
    fn is_whole_when_all_kinds_were_listed() {
        let mut gather = Gather::default();
        let (last, others) = Kind::ALL.split_last().unwrap();
        for kind in others {
            assert!(gather.take(Change::Listed(*kind, Vec::new()), &Log::default()));
            assert!(!gather.is_whole());
        }
        // A kind that nobody serves is known, too.
        assert!(gather.take(Change::Absent(*last), &Log::default()));
        assert!(gather.is_whole());
        // Nothing is new when it is listed again.
        assert!(!gather.take(Change::Listed(Kind::Gateway, Vec::new()), &Log::default()));
    }

    #[test]
    fn a_list_replaces_and_keeps_what_is_the_same() {
        let (mut gather, log) = (Gather::default(), Log::default());
        gather.take(Change::Listed(Kind::Gateway, vec![gateway("a", "c", "1"), gateway("b", "c", "1")]), &log);
        let before = gather.objects().clone();
        assert!(
            !gather.take(Change::Listed(Kind::Gateway, vec![gateway("a", "c", "7"), gateway("b", "c", "8")]), &log)
        );
        assert!(before.shares(gather.objects(), Kind::Gateway));
        assert!(gather.take(Change::Listed(Kind::Gateway, vec![gateway("b", "c", "9")]), &log));
        assert_eq!(names(&gather), ["b"]);
        assert!(log.0.lock().unwrap().contains(&("Gateway/d/a".to_owned(), false)));
    }

    #[test]
    fn a_new_status_is_observed_and_changes_nothing() {
        let (mut gather, log) = (Gather::default(), Log::default());
        assert!(gather.take(applied(gateway("a", "c", "1")), &log));
        assert!(!gather.take(applied(gateway("a", "c", "2")), &log));
        assert_eq!(log.0.lock().unwrap().len(), 2);
    }

    #[test]
    fn what_cannot_be_read_keeps_its_last_good_version() {
        let (mut gather, log) = (Gather::default(), Log::default());
        gather.take(applied(gateway("a", "c", "1")), &log);
        let good = gather.objects().clone();
        assert!(gather.take(applied(gateway("a", json!(7), "2")), &log));
        assert!(!gather.take(applied(gateway("a", json!(7), "3")), &log), "said once");
        assert!(gather.take(applied(gateway("new", json!(7), "3")), &log));
        assert_eq!(gather.objects(), &good);
        assert_eq!(gather.broken().len(), 2);
        assert!(gather.take(applied(gateway("a", "c", "4")), &log));
        assert_eq!(gather.broken().len(), 1);
        let gone = ObjectRef { kind: Kind::Gateway, key: lychgate_api::ObjectKey::new("d", "new") };
        assert!(gather.take(Change::Deleted(gone), &log));
        assert!(gather.broken().is_empty());
    }
}
