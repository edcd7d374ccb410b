//! How far data planes are: which listeners they have, which rules they reject, which sockets they could not open.
//!
//! A listener counts as programmed once every data plane of its group that is connected, and at least one, has
//! acknowledged what holds it as it is; from then on it stays so, whoever comes and goes, until it changes. What a data plane
//! acknowledged to another replica counts by content: what the same listeners are called means the same everywhere.
//!
//! Only the replica that leads hears all of them. So one that does not lead, and one that has just begun to, believes what the
//! API server has of listeners that have not changed since: a new leader takes nothing back because it has heard nobody yet.
//!
//! A status that says Programmed and is about to say it again of a newer generation is held for a moment rather than
//! written twice.

mod answer;
mod group;
#[cfg(test)]
mod tests;

pub use answer::{Answer, answers};

use group::Group;
use lychgate_api::ObjectRef;
use lychgate_feed::resource::Hash;
use lychgate_feed::{GroupId, Rejected, Unbound, Version};
use lychgate_ir::{ListenerId, RuleId, Snapshot};
use lychgate_translate::{Overlay, SocketTrouble};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tokio::time::Instant;

/// What is known of all groups.
#[derive(Debug)]
pub struct Progress<V = Version, C = Hash> {
    groups: BTreeMap<GroupId, Group<V, C>>,
}

/// What a group was given.
#[derive(Clone, Debug)]
pub struct Publication<V = Version, C = Hash> {
    /// What this replica calls it.
    pub version: V,
    /// What every replica calls its listeners.
    pub listeners: C,
    /// What is in it.
    pub snapshot: Arc<Snapshot>,
}

/// What follows for statuses.
#[derive(Debug, Default)]
pub struct Facts {
    /// What became of the snapshot.
    pub overlay: Overlay,
    /// Objects to leave alone for the moment.
    pub held: BTreeSet<ObjectRef>,
    /// When to ask again though nothing happened.
    pub again: Option<Instant>,
}

impl<V, C> Default for Progress<V, C> {
    fn default() -> Self {
        Self { groups: BTreeMap::new() }
    }
}

impl<V: Ord + Copy, C: Eq + Copy> Progress<V, C> {
    /// A group was given this.
    pub fn published(&mut self, group: &GroupId, publication: Publication<V, C>, arrivals: &[Instant], now: Instant) {
        self.groups.entry(group.clone()).or_default().published(publication, arrivals, now);
    }

    /// A group is no more.
    pub fn retired(&mut self, group: &GroupId) {
        self.groups.remove(group);
    }

    /// What the data planes of a group that are connected said last. Tells when changes arrived that all of them have
    /// now that follow this replica.
    pub fn heard(&mut self, group: &GroupId, answers: Vec<Answer<V, C>>) -> Vec<Instant> {
        self.groups.get_mut(group).map(|group| group.heard(answers)).unwrap_or_default()
    }

    /// Believes what `programmed` says of listeners that are as they were at that time: that they were acknowledged then.
    pub fn believe(&mut self, as_of: Instant, programmed: impl Fn(&ListenerId) -> bool) {
        for group in self.groups.values_mut() {
            group.believe(as_of, &programmed);
        }
    }

    /// What follows for statuses. `programmed` tells whether the API server has an object as programmed; what it has may not
    /// have arrived in full yet if we have just `begun` to lead.
    pub fn facts(&self, now: Instant, begun: Option<Instant>, programmed: impl Fn(&ObjectRef) -> bool) -> Facts {
        let mut facts = Facts::default();
        let mut shut: BTreeMap<ListenerId, (usize, Vec<String>, usize)> = BTreeMap::new();
        let mut rejected: BTreeSet<(RuleId, String)> = BTreeSet::new();
        for group in self.groups.values() {
            group.pending(now, begun, &programmed, &mut facts);
            for Answer { version: _, listeners: _, rejected: refusals, unbound } in group.answers() {
                let rules =
                    refusals.iter().filter_map(|Rejected { rule, what: _, why }| Some((rule.clone()?, why.clone())));
                rejected.extend(rules.filter(|(rule, _)| group.has(rule)));
                for Unbound { socket, why } in unbound {
                    for id in group.wanting(socket) {
                        let (pods, whys, all) = shut.entry(id.clone()).or_default();
                        *pods += 1;
                        *all = group.answers().len();
                        whys.push(format!("{socket} cannot be listened on ({why})"));
                    }
                }
            }
        }
        facts.overlay.rejected = rejected.into_iter().collect();
        facts.overlay.sockets = shut
            .into_iter()
            .map(|(id, (pods, mut whys, all))| {
                whys.sort();
                whys.dedup();
                let message = format!("in {pods} of {all} pods: {}; change the listener's port", whys.join(", "));
                (id, SocketTrouble { partly_open: pods < all, message })
            })
            .collect();
        facts
    }

    /// Groups, and rules that are rejected somewhere.
    #[must_use]
    pub fn count(&self) -> (usize, usize) {
        let rejected: BTreeSet<&RuleId> = self
            .groups
            .values()
            .flat_map(Group::answers)
            .flat_map(|answer| answer.rejected.iter().filter_map(|one| one.rule.as_ref()))
            .collect();
        (self.groups.len(), rejected.len())
    }
}
