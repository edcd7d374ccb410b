//! Attaches routes to listeners.

use super::hostnames;
use super::parents::{Found, Parent, ParentListener};
use super::rivals::Loss;
use crate::gateway_class::Direction;
use crate::names::{CONTROLLER_NAME, DOMAIN};
use crate::status::condition::{Problem, sentences};
use crate::status::reason;
use crate::world::World;
use lychgate_api::ObjectKey;
use lychgate_api::gateway::{GatewayDefaultScope, ParentReference};
use lychgate_ir::{Attachment, HostPattern, ListenerId, RouteKind};
use std::sync::Arc;

/// What a route of any kind asks of its parents.
pub(super) struct Asks<'a> {
    pub(super) kind: RouteKind,
    pub(super) namespace: &'a str,
    pub(super) parent_refs: &'a [ParentReference],
    pub(super) use_default_gateways: bool,
    hostnames: Vec<HostPattern>,
    /// Whether it names hosts at all.
    named: bool,
}

impl<'a> Asks<'a> {
    pub(super) fn new(
        kind: RouteKind,
        key: &'a ObjectKey,
        parent_refs: &'a [ParentReference],
        use_default_gateways: Option<GatewayDefaultScope>,
        hosts: &[String],
    ) -> Self {
        Self {
            kind,
            namespace: &key.namespace,
            parent_refs,
            use_default_gateways: use_default_gateways == Some(GatewayDefaultScope::All),
            hostnames: hostnames::parse(hosts),
            named: !hosts.is_empty(),
        }
    }
}

/// What one parent says to a route.
pub(super) struct Attached<'a> {
    pub(super) reference: &'a ParentReference,
    /// Who speaks for it.
    pub(super) controller: &'static str,
    /// The listeners that take it, or why none does.
    pub(super) result: Result<Vec<Taken<'a>>, Problem>,
    /// Where another route comes first, for people.
    pub(super) losses: Vec<String>,
}

/// A listener that takes a route.
pub(super) struct Taken<'a> {
    listener: &'a ParentListener,
    hostnames: Vec<HostPattern>,
}

impl Attached<'_> {
    /// Leaves listeners to the routes that have them.
    pub(super) fn leave(&mut self, losses: &[Loss]) {
        let Ok(taken) = &mut self.result else { return };
        let lost = |taken: &Taken<'_>| losses.iter().find(|loss| loss.listener == taken.listener.id);
        for (section, loss) in taken.iter().filter_map(|taken| Some((&taken.listener.id.section, lost(taken)?))) {
            let Loss { listener: _, winner, attaches } = loss;
            self.losses.push(match attaches {
                true => format!("all that comes to {section} goes to {winner}, which comes first"),
                false => format!("a hostname on {section} belongs to {winner}, which comes first"),
            });
        }
        taken.retain(|taken| lost(taken).is_none_or(|loss| loss.attaches));
        if taken.is_empty() {
            let message = format!("{}; use another hostname or listener", sentences(&self.losses));
            self.result = Err(Problem::new(reason::HOSTNAME_CONFLICT, message));
        }
    }

    /// Whether what it carries leaves by this parent.
    pub(super) fn leaves(&self) -> bool {
        self.controller == Direction::Egress.controller()
    }

    /// The listeners that take the route.
    pub(super) fn listeners(&self) -> impl Iterator<Item = &ListenerId> {
        self.result.iter().flatten().map(|taken| &taken.listener.id)
    }

    /// Those that are not in the snapshot.
    pub(super) fn idle(&self) -> impl Iterator<Item = &ListenerId> {
        self.result.iter().flatten().filter(|taken| !taken.listener.emitted).map(|taken| &taken.listener.id)
    }
}

/// Asks every parent.
pub(super) fn attach<'a>(world: &World<'_>, asks: &Asks<'_>, found: &[Found<'a>]) -> Vec<Attached<'a>> {
    let ask = |found: &Found<'a>| {
        let (reference, result) = match found {
            Found::Ours(reference, parent) => (*reference, one(world, asks, reference, parent)),
            Found::Lost(reference, why) => (*reference, Err(Problem::new(reason::NO_MATCHING_PARENT, why.as_str()))),
        };
        let controller = match found {
            Found::Ours(_, parent) => parent.controller,
            Found::Lost(..) => CONTROLLER_NAME,
        };
        Attached { reference, controller, result, losses: Vec::new() }
    };
    found.iter().map(ask).collect()
}

/// In the order in which Gateway API narrows: which listeners are meant, which of them allow the route, and which
/// share a host name with it.
fn one<'a>(
    world: &World<'_>,
    asks: &Asks<'_>,
    reference: &ParentReference,
    parent: &'a Arc<Parent>,
) -> Result<Vec<Taken<'a>>, Problem> {
    if let Some(closed) = &parent.closed {
        return Err(Problem::new(reason::NO_MATCHING_PARENT, closed.as_str()));
    }
    let section = reference.section_name.as_deref().filter(|name| !name.is_empty());
    let meant: Vec<&ParentListener> = parent
        .listeners
        .iter()
        .filter(|listener| section.is_none_or(|section| *listener.id.section == *section))
        .filter(|listener| reference.port.is_none_or(|port| listener.port == port))
        .collect();
    if meant.is_empty() {
        return Err(Problem::new(reason::NO_MATCHING_PARENT, not_meant(reference, parent)));
    }
    let kind_allowed: Vec<_> = meant.iter().filter(|listener| listener.kinds.contains(&asks.kind)).collect();
    if kind_allowed.is_empty() {
        let mut message = format!("no listener of {} takes {}s", parent.label, asks.kind);
        if asks.kind == RouteKind::Udp && parent.controller == Direction::Egress.controller() {
            message.push_str(&format!(
                ": no policy decides about datagrams; for DNS use a listener of protocol {DOMAIN}DNS, for all else TCP"
            ));
        }
        return Err(Problem::new(reason::NOT_ALLOWED_BY_LISTENERS, message));
    }
    let allowed: Vec<_> =
        kind_allowed.into_iter().filter(|listener| listener.namespaces.allow(world, asks.namespace)).collect();
    if allowed.is_empty() {
        let message = format!(
            "no listener of {} takes routes of namespace {}; its allowedRoutes.namespaces would have to",
            parent.label, asks.namespace
        );
        return Err(Problem::new(reason::NOT_ALLOWED_BY_LISTENERS, message));
    }
    let taken: Vec<Taken<'a>> = allowed
        .iter()
        .map(|listener| Taken {
            listener,
            hostnames: hostnames::served(&listener.hostname, asks.named, &asks.hostnames),
        })
        .filter(|taken| !taken.hostnames.is_empty())
        .collect();
    if taken.is_empty() {
        let hosts: Vec<_> = allowed.iter().map(|listener| listener.hostname.to_string()).collect();
        let message = format!(
            "no hostname of the route is one of {} ({}); correct one of the two",
            parent.label,
            crate::status::condition::list(&hosts)
        );
        return Err(Problem::new(reason::NO_MATCHING_LISTENER_HOSTNAME, message));
    }
    Ok(taken)
}

fn not_meant(reference: &ParentReference, parent: &Parent) -> String {
    let wanted = match (&reference.section_name, reference.port) {
        (Some(section), Some(port)) => format!("listener {section} on port {port}"),
        (Some(section), None) => format!("listener {section}"),
        (None, Some(port)) => format!("listener on port {port}"),
        (None, None) => "listener".to_owned(),
    };
    let known: Vec<_> =
        parent.listeners.iter().map(|listener| format!("{} ({})", listener.id.section, listener.port)).collect();
    format!("{} has no {wanted}; it has {}", parent.label, crate::status::condition::list(&known))
}

/// The attachments to listeners of the snapshot, sorted, each listener once.
pub(super) fn attachments(attached: &[Attached<'_>]) -> Vec<Attachment> {
    let taken = attached.iter().filter_map(|attached| attached.result.as_ref().ok()).flatten();
    let mut attachments: Vec<Attachment> = taken
        .filter(|taken| taken.listener.emitted)
        .map(|taken| Attachment { listener: taken.listener.id.clone(), hostnames: taken.hostnames.clone() })
        .collect();
    attachments.sort_by(|a, b| a.listener.cmp(&b.listener));
    attachments.dedup_by(|a, b| a.listener == b.listener);
    // Most have one, and would keep the room of four.
    attachments.shrink_to_fit();
    attachments
}
