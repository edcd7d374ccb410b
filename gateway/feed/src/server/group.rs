//! What was published for one group: the last of it, and the names of what changed before.

use super::feed::lock;
use crate::Version;
use crate::resource::{Delta, Hash, Name, ResourceSet};
use lychgate_ir::{Endpoints, Snapshot};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex};
use tokio::sync::watch;

/// As many names are remembered for clients that are behind. Who is further behind is asked what it has.
const REMEMBERED: usize = 100_000;

/// One group.
#[derive(Debug, Default)]
pub(super) struct Group {
    published: Mutex<Published>,
    /// The version of the last publication, while there is one.
    version: watch::Sender<Option<Version>>,
}

#[derive(Debug, Default)]
struct Published {
    set: ResourceSet,
    /// What it was made from; a set that was given as such was made from nothing.
    source: Option<(Arc<Snapshot>, Endpoints)>,
    version: Version,
    /// What changed with each version.
    changes: VecDeque<(Version, Vec<Name>)>,
    /// How many names that is.
    names: usize,
    /// All changes after this version are there.
    since: Version,
}

/// What a client has.
pub(super) enum Held {
    /// As it says.
    Told(BTreeMap<Name, Hash>),
    /// What it was sent.
    Sent(Version),
}

/// What is new for a client.
pub(super) struct News {
    pub(super) version: Version,
    pub(super) digest: Hash,
    /// What its listeners say, which means the same on every replica.
    pub(super) listeners: Hash,
    pub(super) delta: Delta,
}

impl Group {
    pub(super) fn publish(&self, snapshot: &Arc<Snapshot>, endpoints: &Endpoints, last: &mut Version) -> Version {
        let mut published = lock(&self.published);
        let names = match published.source.take() {
            Some((old, old_endpoints)) => published.set.follow((&old, &old_endpoints), (snapshot, endpoints)),
            None => published.set.become_set(ResourceSet::of(snapshot, endpoints)),
        };
        published.source = Some((snapshot.clone(), endpoints.clone()));
        self.changed(&mut published, names, last)
    }

    pub(super) fn publish_set(&self, set: ResourceSet, last: &mut Version) -> Version {
        let mut published = lock(&self.published);
        published.source = None;
        let names = published.set.become_set(set);
        self.changed(&mut published, names, last)
    }

    fn changed(&self, published: &mut Published, names: Vec<Name>, last: &mut Version) -> Version {
        let is_first = self.version.borrow().is_none();
        if !names.is_empty() || is_first {
            last.0 += 1;
            published.version = *last;
            if is_first {
                // What was before is not known any more.
                published.since = *last;
            } else {
                published.remember(names);
            }
            self.version.send_replace(Some(*last));
        }
        published.version
    }

    pub(super) fn retire(&self) {
        *lock(&self.published) = Published::default();
        self.version.send_replace(None);
    }

    pub(super) fn is_published(&self) -> bool {
        self.version.borrow().is_some()
    }

    pub(super) fn listeners(&self) -> Hash {
        lock(&self.published).set.listeners()
    }

    /// What is new; `None` if nobody knows what has changed since, or if nothing is published any more.
    fn since(&self, held: &Held) -> Option<News> {
        let published = lock(&self.published);
        let Published { set, source: _, version, changes, names: _, since } = &*published;
        self.version.borrow().as_ref()?;
        let delta = match held {
            Held::Told(held) => set.since(held.iter().map(|(name, hash)| (name, *hash))),
            Held::Sent(before) if before < since => return None,
            Held::Sent(before) => {
                let later = changes.iter().rev().take_while(|(version, _)| version > before);
                let names: BTreeSet<&Name> = later.flat_map(|(_, names)| names).collect();
                set.named(names.into_iter())
            }
        };
        Some(News { version: *version, digest: set.digest(), listeners: set.listeners(), delta })
    }
}

impl Published {
    fn remember(&mut self, names: Vec<Name>) {
        self.names += names.len();
        self.changes.push_back((self.version, names));
        while self.names > REMEMBERED {
            let Some((version, names)) = self.changes.pop_front() else { return };
            self.names -= names.len();
            self.since = version;
        }
    }
}

/// What one client follows.
pub(super) struct Subscription {
    group: Arc<Group>,
    versions: watch::Receiver<Option<Version>>,
}

impl Subscription {
    pub(super) fn of(group: Arc<Group>) -> Self {
        let versions = group.version.subscribe();
        Self { group, versions }
    }

    /// The version and the digest of now, if anything is published.
    pub(super) fn now(&mut self) -> Option<(Version, Hash)> {
        // Before the look at what is published: what comes meanwhile is news.
        let is_published = self.versions.borrow_and_update().is_some();
        let published = lock(&self.group.published);
        is_published.then(|| (published.version, published.set.digest()))
    }

    /// Another publication, or none any more. Ends never if there is none.
    pub(super) async fn changed(&mut self) {
        if self.versions.changed().await.is_err() {
            // We hold the group, so its sender is there.
            std::future::pending::<()>().await;
        }
    }

    /// What is new for who has this; `None` if it has to be asked.
    pub(super) fn since(&mut self, held: &Held) -> Option<News> {
        self.versions.borrow_and_update();
        self.group.since(held)
    }

    /// Whether anything is published.
    pub(super) fn is_published(&self) -> bool {
        self.group.is_published()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::resource::{Kind, Resource};

    fn named(name: &str) -> Name {
        Name::new(Kind::Route, name)
    }

    fn set(resources: &[(&str, &'static str)]) -> ResourceSet {
        let with =
            |set: ResourceSet, (name, text): &(&str, &'static str)| set.with(named(name), Resource::new(*text, vec![]));
        resources.iter().fold(ResourceSet::default(), with)
    }

    #[test]
    fn who_is_behind_gets_each_change_once() {
        let (group, mut last) = (Group::default(), Version::default());
        let first = group.publish_set(set(&[("a", "1"), ("b", "1")]), &mut last);
        group.publish_set(set(&[("a", "2"), ("b", "1")]), &mut last);
        let third = group.publish_set(set(&[("a", "3"), ("c", "1")]), &mut last);
        assert_eq!(group.publish_set(set(&[("a", "3"), ("c", "1")]), &mut last), third, "nothing is new");
        let News { version, delta: Delta { changed, removed }, .. } = group.since(&Held::Sent(first)).unwrap();
        let changed: Vec<Name> = changed.into_iter().map(|(name, _)| name).collect();
        assert_eq!((version, changed, removed), (third, vec![named("a"), named("c")], vec![named("b")]));
        assert_eq!(group.since(&Held::Sent(third)).unwrap().delta, Delta::default());
    }

    #[test]
    fn who_is_too_far_behind_is_asked() {
        let (group, mut last) = (Group::default(), Version::default());
        let first = group.publish_set(set(&[("a", "1")]), &mut last);
        let second = group.publish_set(set(&[("a", "2")]), &mut last);
        let many: Vec<String> = (0..REMEMBERED).map(|number| number.to_string()).collect();
        let many: Vec<(&str, &str)> = many.iter().map(|name| (&**name, "1")).collect();
        group.publish_set(set(&many), &mut last);
        let third = group.publish_set(set(&[("a", "2")]), &mut last);
        assert!(group.since(&Held::Sent(first)).is_none() && group.since(&Held::Sent(second)).is_none());
        assert_eq!(group.since(&Held::Sent(third)).unwrap().delta, Delta::default());
        // And after a time in which nothing was published.
        group.retire();
        assert!(group.since(&Held::Sent(third)).is_none());
        group.publish_set(set(&[("a", "2")]), &mut last);
        assert!(group.since(&Held::Sent(third)).is_none());
    }
}
