//! Routes that want the same.
//!
//! An HTTPRoute and a GRPCRoute with a host in common cannot be merged: the senior has the listener, the other does not
//! attach (GRPCRoute `hostnames`). TCPRoutes, UDPRoutes, and TLSRoutes with one host name all attach, but connections go
//! to the senior (GEP-2644): the others are told.

use crate::listener::overlap::broader;
use crate::names::name_of;
use lychgate_api::ObjectKey;
use lychgate_ir::{Attachment, HostPattern, ListenerId, RouteId, RouteKind};
use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

/// A route, and where it would like to be served.
pub(super) struct Contender<'a> {
    pub(super) kind: RouteKind,
    pub(super) key: &'a ObjectKey,
    pub(super) created: Option<i64>,
    pub(super) attachments: Cow<'a, [Attachment]>,
}

/// What a route does not get.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Loss {
    pub(super) listener: ListenerId,
    /// Who has it.
    pub(super) winner: RouteId,
    /// Whether the route still attaches, as it does among its own kind.
    pub(super) attaches: bool,
}

/// The losses of every route that has any, by its position.
pub(super) fn find<'a>(contenders: impl Iterator<Item = Contender<'a>>) -> HashMap<usize, Vec<Loss>> {
    let (mut requests, mut streams) = (Vec::new(), Vec::new());
    for (at, contender) in contenders.enumerate() {
        match contender.kind {
            RouteKind::Http | RouteKind::Grpc => requests.push((at, contender)),
            RouteKind::Tls | RouteKind::Tcp | RouteKind::Udp => streams.push((at, contender)),
        }
    }
    let mut losses = HashMap::new();
    of_requests(requests, &mut losses);
    of_streams(streams, &mut losses);
    losses
}

/// The older first, then by the alphabet.
fn by_seniority(contenders: &mut [(usize, Contender<'_>)]) {
    contenders.sort_by(|(_, a), (_, b)| {
        let age = |contender: &Contender<'_>| (contender.created.is_none(), contender.created);
        age(a).cmp(&age(b)).then_with(|| text(a.key).cmp(text(b.key))).then_with(|| a.kind.cmp(&b.kind))
    });
}

/// The text `namespace/name`, in which `a-b/x` comes before `a/x`.
fn text(key: &ObjectKey) -> impl Iterator<Item = u8> {
    key.namespace.bytes().chain([b'/']).chain(key.name.bytes())
}

/// A kind and a name, borrowed.
type Holder<'c> = (RouteKind, &'c ObjectKey);

fn loss(listener: &ListenerId, (kind, key): Holder<'_>, attaches: bool) -> Loss {
    Loss { listener: listener.clone(), winner: RouteId { kind, name: name_of(key) }, attaches }
}

/// Who has which hosts of a listener.
#[derive(Default)]
struct Hosts<'c> {
    own: HashMap<&'c HostPattern, Holder<'c>>,
    /// Patterns that cover a host that somebody has.
    above: HashMap<HostPattern, Holder<'c>>,
}

impl<'c> Hosts<'c> {
    fn take(&mut self, host: &'c HostPattern, route: Holder<'c>) {
        self.own.entry(host).or_insert(route);
        for pattern in broader(host) {
            self.above.entry(pattern).or_insert(route);
        }
    }

    /// Who has a host in common with a pattern.
    fn holder(&self, host: &HostPattern) -> Option<Holder<'c>> {
        let own = self.own.get(host).copied().or_else(|| self.above.get(host).copied());
        own.or_else(|| broader(host).iter().find_map(|pattern| self.own.get(pattern).copied()))
    }
}

fn of_requests(mut contenders: Vec<(usize, Contender<'_>)>, losses: &mut HashMap<usize, Vec<Loss>>) {
    let grpc = contenders.iter().filter(|(_, contender)| contender.kind == RouteKind::Grpc);
    let contested: HashSet<ListenerId> =
        grpc.flat_map(|(_, contender)| contender.attachments.iter()).map(|to| to.listener.clone()).collect();
    // Most have no GRPCRoutes: nothing is sorted for them.
    contenders.retain(|(_, contender)| contender.attachments.iter().any(|to| contested.contains(&to.listener)));
    by_seniority(&mut contenders);
    let mut taken: HashMap<(&ListenerId, RouteKind), Hosts<'_>> = HashMap::new();
    for (at, contender) in &contenders {
        let kind = contender.kind;
        let other = if kind == RouteKind::Http { RouteKind::Grpc } else { RouteKind::Http };
        for to in contender.attachments.iter().filter(|to| contested.contains(&to.listener)) {
            let rivals = taken.get(&(&to.listener, other));
            let winner = rivals.and_then(|rivals| to.hostnames.iter().find_map(|host| rivals.holder(host)));
            match winner {
                Some(winner) => losses.entry(*at).or_default().push(loss(&to.listener, winner, false)),
                None => {
                    let hosts = taken.entry((&to.listener, kind)).or_default();
                    to.hostnames.iter().for_each(|host| hosts.take(host, (kind, contender.key)));
                }
            }
        }
    }
}

fn of_streams(mut contenders: Vec<(usize, Contender<'_>)>, losses: &mut HashMap<usize, Vec<Loss>>) {
    by_seniority(&mut contenders);
    let mut taken: HashMap<(&ListenerId, &HostPattern), Holder<'_>> = HashMap::new();
    for (at, contender) in &contenders {
        let this = (contender.kind, contender.key);
        for to in contender.attachments.iter() {
            let mut winner = None;
            let mut has_some = false;
            for host in &to.hostnames {
                let holder = *taken.entry((&to.listener, host)).or_insert(this);
                if holder == this {
                    has_some = true;
                } else {
                    winner.get_or_insert(holder);
                }
            }
            if let Some(winner) = winner.filter(|_| !has_some) {
                losses.entry(*at).or_default().push(loss(&to.listener, winner, true));
            }
        }
    }
}
