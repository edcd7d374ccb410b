//! What was published last, by group.

use super::fleet::{Board, Fleet};
use crate::resource::{Hash, ResourceSet, set::Before};
use crate::{GroupId, Version};
use lychgate_ir::{Endpoints, Snapshot};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

/// Takes what is published, and tells what data planes said of it. Clones are the same feed.
#[derive(Clone, Debug, Default)]
pub struct Feed(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    /// One publication at a time, and the version of the last.
    publishing: Mutex<Version>,
    groups: Mutex<BTreeMap<GroupId, watch::Sender<Option<Arc<Published>>>>>,
    board: Board,
}

/// One publication for one group.
#[derive(Debug)]
pub(super) struct Published {
    pub(super) version: Version,
    pub(super) digest: Hash,
    pub(super) set: ResourceSet,
    /// What it was made from; a set that was given as such was made from nothing.
    source: Option<(Arc<Snapshot>, Endpoints)>,
}

impl Feed {
    /// A feed of nothing: whoever connects waits for its first publication.
    pub fn new() -> Self {
        Self::default()
    }

    /// From now on this is for the data planes of the group. What is the same value as in the publication before costs
    /// little, and if all of it says the same, the version is the same.
    pub fn publish(&self, group: &GroupId, snapshot: &Arc<Snapshot>, endpoints: &Endpoints) -> Version {
        let mut last = lock(&self.0.publishing);
        let before = self.published(group);
        if let Some(published) = &before
            && let Some((old, old_endpoints)) = &published.source
            && Arc::ptr_eq(old, snapshot)
            && old_endpoints == endpoints
        {
            return published.version;
        }
        let known = before.as_ref().and_then(|published| {
            let (snapshot, endpoints) = published.source.as_ref()?;
            Some(Before { snapshot, endpoints, set: &published.set })
        });
        let set = ResourceSet::next(snapshot, endpoints, known.as_ref());
        self.set(group, set, Some((snapshot.clone(), endpoints.clone())), before.as_deref(), &mut last)
    }

    /// Publishes resources as they are, such as a control plane of another version might.
    pub fn publish_set(&self, group: &GroupId, set: ResourceSet) -> Version {
        let mut last = lock(&self.0.publishing);
        let before = self.published(group);
        self.set(group, set, None, before.as_deref(), &mut last)
    }

    fn set(
        &self,
        group: &GroupId,
        set: ResourceSet,
        source: Option<(Arc<Snapshot>, Endpoints)>,
        before: Option<&Published>,
        last: &mut Version,
    ) -> Version {
        let digest = set.digest();
        let version = match before.filter(|before| before.digest == digest) {
            Some(before) => before.version,
            None => {
                last.0 += 1;
                *last
            }
        };
        let published = Arc::new(Published { version, digest, set, source });
        let mut groups = lock(&self.0.groups);
        groups.entry(group.clone()).or_default().send_replace(Some(published));
        version
    }

    /// The group is no more. Data planes of it that are still there go on with what they have: they are not told to
    /// serve nothing.
    pub fn retire(&self, group: &GroupId) {
        let mut groups = lock(&self.0.groups);
        if let Some(sender) = groups.get(group) {
            sender.send_replace(None);
            if sender.receiver_count() == 0 {
                groups.remove(group);
            }
        }
    }

    /// Who follows, and what each said last.
    pub fn fleet(&self) -> watch::Receiver<Arc<Fleet>> {
        self.0.board.subscribe()
    }

    /// The same, as of now.
    pub fn clients(&self) -> Arc<Fleet> {
        self.0.board.subscribe().borrow().clone()
    }

    pub(super) fn board(&self) -> &Board {
        &self.0.board
    }

    fn published(&self, group: &GroupId) -> Option<Arc<Published>> {
        lock(&self.0.groups).get(group)?.borrow().clone()
    }

    pub(super) fn subscribe(&self, group: &GroupId) -> watch::Receiver<Option<Arc<Published>>> {
        let mut groups = lock(&self.0.groups);
        // Places of groups that never were, or are no more, and whose data planes have gone.
        groups.retain(|_, sender| sender.receiver_count() > 0 || sender.borrow().is_some());
        groups.entry(group.clone()).or_default().subscribe()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What a panicking holder leaves is whole: every change is one assignment.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
