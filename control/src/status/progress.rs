//! How far data planes are: which listeners they have, which rules they reject, which sockets they could not open.
//!
//! A listener counts as programmed once every data plane of its group that is connected, and at least one, has
//! acknowledged a version that holds it as it is; from then on it stays so, whoever comes and goes, until it changes. What
//! the API server has from the life of another leader stands until a data plane says otherwise.
//!
//! A status that says Programmed and is about to say it again of a newer generation is held for a moment rather than
//! written twice.

use lychgate_api::{Kind, ObjectKey, ObjectRef};
use lychgate_feed::server::Fleet;
use lychgate_feed::{Acknowledgement, GroupId, Rejected, Socket, Unbound, Version};
use lychgate_ir::{Listener, ListenerId, ListenerOwner, RuleId, Snapshot};
use lychgate_translate::{Overlay, SocketTrouble};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// How long a status is held while data planes are about to acknowledge.
const HELD: Duration = Duration::from_secs(3);
/// Publications that are waited for at the same time; older ones are acknowledged with newer ones.
const WAITED_FOR: usize = 1024;

/// What is known of all groups.
#[derive(Debug)]
pub struct Progress<V = Version> {
    groups: BTreeMap<GroupId, Group<V>>,
}

#[derive(Debug)]
struct Group<V> {
    /// Each listener as it is, since which version, and since when.
    listeners: BTreeMap<ListenerId, Since<V>>,
    /// The newest version that everybody had at some time.
    reached: Option<V>,
    answers: Vec<Answer<V>>,
    /// The version that was published last.
    newest: Option<V>,
    /// What was published and not reached, and when the changes arrived that it holds.
    waited_for: VecDeque<(V, Vec<Instant>)>,
}

#[derive(Debug)]
struct Since<V> {
    listener: Arc<Listener>,
    /// None for what the API server has as programmed already.
    version: Option<V>,
    at: Instant,
}

/// What one data plane said last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer<V = Version> {
    /// What it serves; none before its first answer.
    pub version: Option<V>,
    /// What it rejects.
    pub rejected: Vec<Rejected>,
    /// Sockets that it could not open.
    pub unbound: Vec<Unbound>,
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

impl<V> Default for Progress<V> {
    fn default() -> Self {
        Self { groups: BTreeMap::new() }
    }
}

impl<V: Ord + Copy> Progress<V> {
    /// A group was given this. `programmed` tells what the API server says of a listener, which counts when the group is
    /// new to us.
    pub fn published(
        &mut self,
        group: &GroupId,
        version: V,
        snapshot: &Snapshot,
        arrivals: &[Instant],
        now: Instant,
        programmed: impl Fn(&ListenerId) -> bool,
    ) {
        let is_new = !self.groups.contains_key(group);
        let group = self.groups.entry(group.clone()).or_insert_with(|| Group {
            listeners: BTreeMap::new(),
            reached: None,
            answers: Vec::new(),
            newest: None,
            waited_for: VecDeque::new(),
        });
        let mut old = std::mem::take(&mut group.listeners);
        for (id, listener) in &snapshot.listeners {
            let since = match old.remove(id) {
                Some(since) if since.listener == *listener => Since { listener: listener.clone(), ..since },
                Some(_) | None => {
                    let version = (!(is_new && programmed(id))).then_some(version);
                    Since { listener: listener.clone(), version, at: now }
                }
            };
            group.listeners.insert(id.clone(), since);
        }
        // Changes that are nothing to this group are not waited for, nor is anything while nobody is there to have it.
        let is_news = group.newest.replace(version) != Some(version);
        if is_news && !group.answers.is_empty() && !arrivals.is_empty() {
            let is_full = group.waited_for.len() >= WAITED_FOR;
            match group.waited_for.back_mut() {
                Some((last, all)) if *last == version || is_full => {
                    *last = version;
                    all.extend(arrivals);
                }
                Some(_) | None => group.waited_for.push_back((version, arrivals.to_vec())),
            }
        }
    }

    /// A group is no more.
    pub fn retired(&mut self, group: &GroupId) {
        self.groups.remove(group);
    }

    /// What the data planes of a group that are connected said last. Tells when changes arrived that all of them have
    /// now.
    pub fn heard(&mut self, group: &GroupId, answers: Vec<Answer<V>>) -> Vec<Instant> {
        let Some(group) = self.groups.get_mut(group) else { return Vec::new() };
        let everybody = answers.iter().map(|answer| answer.version).min().flatten();
        group.answers = answers;
        group.reached = group.reached.max(everybody);
        let mut arrivals = Vec::new();
        while let Some((version, _)) = group.waited_for.front()
            && group.reached.is_some_and(|reached| reached >= *version)
            && let Some((_, all)) = group.waited_for.pop_front()
        {
            arrivals.extend(all);
        }
        arrivals
    }

    /// What follows for the statuses of this snapshot. `programmed` tells whether the API server has an object as
    /// programmed.
    pub fn facts(&self, snapshot: &Snapshot, now: Instant, programmed: impl Fn(&ObjectRef) -> bool) -> Facts {
        let mut facts = Facts::default();
        let mut shut: BTreeMap<ListenerId, (usize, Vec<String>, usize)> = BTreeMap::new();
        let mut rejected: BTreeSet<(RuleId, String)> = BTreeSet::new();
        for group in self.groups.values() {
            group.pending(now, &programmed, &mut facts);
            for Answer { version: _, rejected: refusals, unbound } in &group.answers {
                let rules =
                    refusals.iter().filter_map(|Rejected { rule, what: _, why }| Some((rule.clone()?, why.clone())));
                rejected.extend(rules.filter(|(rule, _)| is_of_now(snapshot, rule)));
                for Unbound { socket, why } in unbound {
                    for (id, since) in &group.listeners {
                        if wants(&since.listener, socket) {
                            let (pods, whys, all) = shut.entry(id.clone()).or_default();
                            *pods += 1;
                            *all = group.answers.len();
                            whys.push(format!("{socket} cannot be listened on ({why})"));
                        }
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
            .flat_map(|group| &group.answers)
            .flat_map(|answer| answer.rejected.iter().filter_map(|one| one.rule.as_ref()))
            .collect();
        (self.groups.len(), rejected.len())
    }
}

impl<V: Ord + Copy> Group<V> {
    fn pending(&self, now: Instant, programmed: &impl Fn(&ObjectRef) -> bool, facts: &mut Facts) {
        for (id, Since { listener: _, version, at }) in &self.listeners {
            let Some(version) = version else { continue };
            if self.reached.is_some_and(|reached| reached >= *version) {
                continue;
            }
            let (owner, gateway) = (owner(id), gateway(id));
            if now < *at + HELD && (programmed(&owner) || programmed(&gateway)) {
                facts.again = Some(facts.again.map_or(*at + HELD, |again| again.min(*at + HELD)));
                facts.held.extend([owner, gateway]);
            }
            let all = self.answers.len();
            let behind =
                self.answers.iter().filter(|answer| answer.version.is_none_or(|reached| reached < *version)).count();
            let why = match all {
                0 => "waiting for the data plane: none of its pods is connected".to_owned(),
                _ => format!("waiting for the data plane: {behind} of {all} pods have not acknowledged it"),
            };
            facts.overlay.pending.insert(id.clone(), why);
        }
    }
}

/// What the data planes of each group said last.
#[must_use]
pub fn answers(fleet: &Fleet) -> BTreeMap<GroupId, Vec<Answer>> {
    let mut all: BTreeMap<GroupId, Vec<Answer>> = BTreeMap::new();
    for (id, client) in &fleet.clients {
        let answer = match &client.acknowledged {
            Some(Acknowledgement { version, rejected, unbound, more: _ }) => {
                Answer { version: Some(*version), rejected: rejected.clone(), unbound: unbound.clone() }
            }
            None => Answer { version: None, rejected: Vec::new(), unbound: Vec::new() },
        };
        all.entry(id.group.clone()).or_default().push(answer);
    }
    all
}

/// Whether a rejection speaks of a rule that is there in this generation. What was said of another one is over.
fn is_of_now(snapshot: &Snapshot, rule: &RuleId) -> bool {
    let index = usize::try_from(rule.index).unwrap_or(usize::MAX);
    let of_requests = snapshot.routes.get(&rule.route).and_then(|route| route.rules.get(index)).map(|found| &found.id);
    let of_streams = snapshot.stream_routes.get(&rule.route).map(|route| &route.rule);
    of_requests.or(of_streams) == Some(rule)
}

fn wants(listener: &Listener, socket: &Socket) -> bool {
    let Socket { address, port, transport } = socket;
    let at = address.is_none_or(|address| listener.addresses.is_empty() || listener.addresses.contains(&address));
    listener.port == *port && listener.protocol.transport() == *transport && at
}

fn owner(id: &ListenerId) -> ObjectRef {
    match &id.owner {
        ListenerOwner::Gateway => gateway(id),
        ListenerOwner::ListenerSet(set) => {
            ObjectRef { kind: Kind::ListenerSet, key: ObjectKey::new(&*set.namespace, &*set.name) }
        }
    }
}

fn gateway(id: &ListenerId) -> ObjectRef {
    let name = &id.gateway.0;
    ObjectRef { kind: Kind::Gateway, key: ObjectKey::new(&*name.namespace, &*name.name) }
}

#[cfg(test)]
mod tests;
