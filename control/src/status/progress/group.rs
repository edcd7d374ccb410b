//! One group: what it was given, and how far its data planes are.

use super::answer::Answer;
use super::{Facts, Publication};
use lychgate_api::{Kind, ObjectKey, ObjectRef};
use lychgate_feed::Socket;
use lychgate_ir::{Listener, ListenerId, ListenerOwner, RuleId, Snapshot};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// How long a status is held while data planes are about to acknowledge.
pub(super) const HELD: Duration = Duration::from_secs(3);
/// Publications that are waited for at the same time; older ones are acknowledged with newer ones.
const WAITED_FOR: usize = 1024;
/// As many names of listeners are remembered, for data planes that are behind.
const REMEMBERED: usize = 1024;

#[derive(Debug)]
pub(super) struct Group<V, C> {
    /// What it was given last.
    snapshot: Arc<Snapshot>,
    /// Each listener as it is, since which version, and since when.
    listeners: BTreeMap<ListenerId, Since<V>>,
    /// What its listeners were called, and since which version: the last of them as they are now.
    names: VecDeque<(C, V)>,
    /// The newest version whose listeners everybody had at some time.
    reached: Option<V>,
    answers: Vec<Answer<V, C>>,
    /// The version that was published last.
    newest: Option<V>,
    /// What was published and not reached by those that follow us, and when the changes arrived that it holds.
    waited_for: VecDeque<(V, Vec<Instant>)>,
}

#[derive(Debug)]
struct Since<V> {
    listener: Arc<Listener>,
    /// None for what the API server has as programmed already.
    version: Option<V>,
    at: Instant,
}

impl<V, C> Default for Group<V, C> {
    fn default() -> Self {
        Self {
            snapshot: Arc::default(),
            listeners: BTreeMap::new(),
            names: VecDeque::new(),
            reached: None,
            answers: Vec::new(),
            newest: None,
            waited_for: VecDeque::new(),
        }
    }
}

impl<V: Ord + Copy, C: Eq + Copy> Group<V, C> {
    pub(super) fn published(&mut self, publication: Publication<V, C>, arrivals: &[Instant], now: Instant) {
        let Publication { version, listeners, snapshot } = publication;
        let mut old = std::mem::take(&mut self.listeners);
        for (id, listener) in &snapshot.listeners {
            let since = match old.remove(id) {
                Some(since) if since.listener == *listener => Since { listener: listener.clone(), ..since },
                Some(_) | None => Since { listener: listener.clone(), version: Some(version), at: now },
            };
            self.listeners.insert(id.clone(), since);
        }
        self.snapshot = snapshot;
        if self.names.back().is_none_or(|(name, _)| *name != listeners) {
            self.names.push_back((listeners, version));
            if self.names.len() > REMEMBERED {
                self.names.pop_front();
            }
        }
        // Changes that are nothing to this group are not waited for, nor is anything while nobody is there to have it.
        let is_news = self.newest.replace(version) != Some(version);
        let is_anybody_here = self.answers.iter().any(|answer| answer.version.is_some());
        if is_news && is_anybody_here && !arrivals.is_empty() {
            let is_full = self.waited_for.len() >= WAITED_FOR;
            match self.waited_for.back_mut() {
                Some((last, all)) if *last == version || is_full => {
                    *last = version;
                    all.extend(arrivals);
                }
                Some(_) | None => self.waited_for.push_back((version, arrivals.to_vec())),
            }
        }
    }

    pub(super) fn heard(&mut self, answers: Vec<Answer<V, C>>) -> Vec<Instant> {
        let everybody = answers.iter().map(|answer| self.version_of(answer)).min().flatten();
        self.reached = self.reached.max(everybody);
        // Others measure for those that follow them; what is waited for of those that have gone there is not ours any more.
        let here: Vec<Option<V>> = answers.iter().filter_map(|answer| answer.version).collect();
        if here.is_empty() {
            self.waited_for.clear();
        }
        let here = here.into_iter().min().flatten();
        self.answers = answers;
        let mut arrivals = Vec::new();
        while let Some((version, _)) = self.waited_for.front()
            && here.is_some_and(|here| here >= *version)
            && let Some((_, all)) = self.waited_for.pop_front()
        {
            arrivals.extend(all);
        }
        arrivals
    }

    /// The last version in which the listeners came to be as a data plane has them. None if it has none, or such as were
    /// never seen here: another replica may have been quicker, or seen what passed between two looks of ours.
    fn version_of(&self, answer: &Answer<V, C>) -> Option<V> {
        let listeners = answer.listeners?;
        self.names.iter().rev().find(|(name, _)| *name == listeners).map(|(_, version)| *version)
    }

    pub(super) fn believe(&mut self, as_of: Instant, programmed: &impl Fn(&ListenerId) -> bool) {
        let reached = self.reached;
        for (id, Since { listener: _, version, at }) in &mut self.listeners {
            let is_open = version.is_some_and(|version| reached.is_none_or(|reached| reached < version));
            if is_open && *at <= as_of && programmed(id) {
                *version = None;
            }
        }
    }

    pub(super) fn pending(
        &self,
        now: Instant,
        begun: Option<Instant>,
        programmed: &impl Fn(&ObjectRef) -> bool,
        facts: &mut Facts,
    ) {
        let each: Vec<Option<V>> = self.answers.iter().map(|answer| self.version_of(answer)).collect();
        for (id, Since { listener: _, version, at }) in &self.listeners {
            let Some(version) = version else { continue };
            if self.reached.is_some_and(|reached| reached >= *version) {
                continue;
            }
            let (owner, gateway) = (owner(id), gateway(id));
            // It is about to say Programmed again, or may be seen to say so already.
            let again = (programmed(&owner) || programmed(&gateway)).then_some(*at);
            let until = again.max(begun).map(|since| since + HELD).filter(|until| now < *until);
            if let Some(until) = until {
                facts.again = Some(facts.again.map_or(until, |again| again.min(until)));
                facts.held.extend([owner, gateway]);
            }
            let all = each.len();
            let behind = each.iter().filter(|reached| reached.is_none_or(|reached| reached < *version)).count();
            let why = match all {
                0 => "waiting for the data plane: none of its pods is connected".to_owned(),
                _ => format!("waiting for the data plane: {behind} of {all} pods have not acknowledged it"),
            };
            facts.overlay.pending.insert(id.clone(), why);
        }
    }

    pub(super) fn answers(&self) -> &[Answer<V, C>] {
        &self.answers
    }

    /// Whether a rule is in what the group has, in this generation. What was said of another one is over.
    pub(super) fn has(&self, rule: &RuleId) -> bool {
        let Snapshot { routes, stream_routes, .. } = &*self.snapshot;
        let index = usize::try_from(rule.index).unwrap_or(usize::MAX);
        let of_requests = routes.get(&rule.route).and_then(|route| route.rules.get(index)).map(|found| &found.id);
        let of_streams = stream_routes.get(&rule.route).map(|route| &route.rule);
        of_requests.or(of_streams) == Some(rule)
    }

    /// The listeners that ask for a socket.
    pub(super) fn wanting(&self, socket: &Socket) -> impl Iterator<Item = &ListenerId> {
        self.listeners.iter().filter(move |(_, since)| wants(&since.listener, socket)).map(|(id, _)| id)
    }
}

fn wants(listener: &Listener, socket: &Socket) -> bool {
    let Socket { address, port, transport } = socket;
    let at = address.is_none_or(|address| listener.addresses.is_empty() || listener.addresses.contains(&address));
    listener.port == *port && listener.protocol.transport() == *transport && at
}

pub(super) fn owner(id: &ListenerId) -> ObjectRef {
    match &id.owner {
        ListenerOwner::Gateway => gateway(id),
        ListenerOwner::ListenerSet(set) => {
            ObjectRef { kind: Kind::ListenerSet, key: ObjectKey::new(&*set.namespace, &*set.name) }
        }
    }
}

pub(super) fn gateway(id: &ListenerId) -> ObjectRef {
    let name = &id.gateway.0;
    ObjectRef { kind: Kind::Gateway, key: ObjectKey::new(&*name.namespace, &*name.name) }
}
