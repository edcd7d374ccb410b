//! What becomes of a route: its place in the snapshot, and what is said of it.

use super::alike::Alike;
use super::attach::{self, Attached};
use super::compiled::{Compiled, CompiledRules};
use super::parents::Link;
use super::source::{Source, id_of};
use super::status;
use super::stream::Carried;
use crate::keep::keep;
use crate::names::created;
use crate::status::ObjectStatus;
use lychgate_api::ObjectKey;
use lychgate_ir::{Attachment, GatewayId, ListenerId, Route, RouteId, StreamRoute};
use std::sync::Arc;

/// A route of the snapshot.
#[derive(Debug)]
pub(super) enum Served {
    Requests(Arc<Route>),
    Streams(Arc<StreamRoute>),
}

/// What became of a route.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// There, if a listener of the snapshot serves it.
    pub(super) served: Option<Served>,
    pub(crate) status: Arc<ObjectStatus>,
    pub(super) ties: Arc<Ties>,
}

/// What a route is attached to.
#[derive(Debug, PartialEq)]
pub(crate) struct Ties {
    pub(super) links: Box<[Link]>,
    /// Listeners of parents that accept it.
    pub(crate) listeners: Box<[ListenerId]>,
    /// The Gateways of these listeners, each once.
    pub(super) gateways: Box<[GatewayId]>,
}

/// A route whose place among others is known.
pub(super) struct Read<'r> {
    pub(super) key: &'r ObjectKey,
    pub(super) source: &'r Source,
    pub(super) compiled: &'r Compiled,
    pub(super) links: Vec<Link>,
    pub(super) attached: &'r [Attached<'r>],
}

/// Puts together what becomes of a route that is attached like this.
pub(super) fn outcome(read: Read<'_>, old: Option<&Outcome>, alike: &Alike) -> Outcome {
    let Read { key, source, compiled, links, attached } = read;
    let metadata = source.metadata();
    // One whose matches make no sense is not among those that were compiled.
    let written = source.written();
    let invalid = compiled.findings().all_invalid(written);
    let status = status::of(metadata.generation, compiled.findings(), written, attached);
    let accepted = attached.iter().filter(|_| !invalid).flat_map(Attached::listeners);
    let mut listeners: Vec<ListenerId> = accepted.cloned().collect();
    listeners.sort_unstable();
    listeners.dedup();
    let mut gateways: Vec<GatewayId> =
        attached.iter().flat_map(Attached::listeners).map(|id| id.gateway.clone()).collect();
    gateways.sort_unstable();
    gateways.dedup();
    let id = compiled.id().cloned().unwrap_or_else(|| id_of(source.kind(), key, alike));
    let attachments = alike.attachments.keep(attach::attachments(attached), old.and_then(Outcome::attachments));
    let ties = Ties { links: links.into(), listeners: listeners.into(), gateways: gateways.into() };
    Outcome {
        served: served(id, created(metadata), compiled, attachments, old),
        status: alike.statuses.keep(ObjectStatus::Route(status), old.map(|old| &old.status)),
        ties: alike.ties.keep(ties, old.map(|old| &old.ties)),
    }
}

impl Outcome {
    pub(super) fn attachments(&self) -> Option<&Arc<[Attachment]>> {
        match &self.served {
            Some(Served::Requests(route)) => Some(&route.attachments),
            Some(Served::Streams(route)) => Some(&route.attachments),
            None => None,
        }
    }
}

/// The route for the snapshot, if there is a listener for it and something to do there.
fn served(
    id: RouteId,
    created: Option<i64>,
    compiled: &Compiled,
    attachments: Arc<[Attachment]>,
    old: Option<&Outcome>,
) -> Option<Served> {
    if attachments.is_empty() {
        return None;
    }
    let old = old.and_then(|old| old.served.as_ref());
    match &compiled.rules {
        CompiledRules::Requests(rules) if rules.is_empty() => None,
        CompiledRules::Requests(rules) => {
            let old = match old {
                Some(Served::Requests(old)) => Some(old),
                Some(Served::Streams(_)) | None => None,
            };
            Some(Served::Requests(keep(Route { id, created, attachments, rules: rules.clone() }, old)))
        }
        CompiledRules::Streams(carried) => {
            let old = match old {
                Some(Served::Streams(old)) => Some(old),
                Some(Served::Requests(_)) | None => None,
            };
            let Carried { rule, forward } = Carried::clone(carried);
            Some(Served::Streams(keep(StreamRoute { id, created, attachments, rule, forward }, old)))
        }
    }
}
