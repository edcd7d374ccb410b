//! What was published last, by group.

use super::board::Board;
use super::fleet::Fleet;
use super::group::{Group, Subscription};
use crate::resource::{Hash, ResourceSet};
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
    groups: Mutex<BTreeMap<GroupId, Arc<Group>>>,
    board: Board,
}

impl Feed {
    /// A feed of nothing: whoever connects waits for its first publication.
    pub fn new() -> Self {
        Self::default()
    }

    /// From now on this is for the data planes of the group. What is the same value as in the publication before costs
    /// next to nothing, and if all of it says the same, the version is the same.
    pub fn publish(&self, group: &GroupId, snapshot: &Arc<Snapshot>, endpoints: &Endpoints) -> Version {
        let mut last = lock(&self.0.publishing);
        self.group(group).publish(snapshot, endpoints, &mut last)
    }

    /// Publishes resources as they are, such as a control plane of another version might.
    pub fn publish_set(&self, group: &GroupId, set: ResourceSet) -> Version {
        let mut last = lock(&self.0.publishing);
        self.group(group).publish_set(set, &mut last)
    }

    /// The group is no more. Data planes of it that are still there go on with what they have: they are not told to
    /// serve nothing.
    pub fn retire(&self, group: &GroupId) {
        let mut groups = lock(&self.0.groups);
        if let Some(retired) = groups.get(group) {
            retired.retire();
        }
        groups.retain(is_of_use);
    }

    /// What the listeners of the last publication say, in short: the same text has the same hash on every replica.
    pub fn listeners(&self, group: &GroupId) -> Option<Hash> {
        let group = lock(&self.0.groups).get(group).filter(|group| group.is_published()).cloned();
        group.map(|group| group.listeners())
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

    pub(super) fn subscribe(&self, group: &GroupId) -> Subscription {
        let mut groups = lock(&self.0.groups);
        // Places of groups that never were, or are no more, and whose data planes have gone.
        groups.retain(is_of_use);
        Subscription::of(groups.entry(group.clone()).or_default().clone())
    }

    fn group(&self, group: &GroupId) -> Arc<Group> {
        lock(&self.0.groups).entry(group.clone()).or_default().clone()
    }
}

/// Whether something is published for it, or somebody is about to publish or to wait.
fn is_of_use(_: &GroupId, group: &mut Arc<Group>) -> bool {
    Arc::strong_count(group) > 1 || group.is_published()
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What a panicking holder leaves may be between two publications: whoever follows finds that the digest differs, and
    // asks again.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
