//! What becomes of a route: its place in the snapshot, and what is said of it.

use super::alike::Alike;
use super::attach::{self, Attached};
use super::compiled::{Compiled, CompiledRules};
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
    /// Listeners of parents that accept it.
    pub(crate) listeners: Box<[ListenerId]>,
    /// The Gateways of these listeners, each once.
    pub(super) gateways: Box<[GatewayId]>,
}

/// Puts together what becomes of a route that is attached like this.
pub(super) fn outcome(
    key: &ObjectKey,
    source: &Source,
    compiled: &Compiled,
    attached: &[Attached<'_>],
    old: Option<&Outcome>,
    alike: &Alike,
) -> Outcome {
    let metadata = source.metadata();
    let invalid = compiled.findings.all_invalid(compiled.written);
    let status = status::of(metadata.generation, &compiled.findings, compiled.written, attached);
    let accepted = attached.iter().filter(|_| !invalid).flat_map(Attached::listeners);
    let mut listeners: Vec<ListenerId> = accepted.cloned().collect();
    listeners.sort_unstable();
    listeners.dedup();
    let mut gateways: Vec<GatewayId> =
        attached.iter().flat_map(Attached::listeners).map(|id| id.gateway.clone()).collect();
    gateways.sort_unstable();
    gateways.dedup();
    Outcome {
        served: served(id_of(source.kind(), key), created(metadata), compiled, attach::attachments(attached), old),
        status: alike.keep(ObjectStatus::Route(status), old.map(|old| &old.status)),
        gateways: gateways.into(),
        listeners: listeners.into(),
    }
}

/// The route for the snapshot, if there is a listener for it and something to do there.
fn served(
    id: RouteId,
    created: Option<i64>,
    compiled: &Compiled,
    attachments: Vec<Attachment>,
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
        CompiledRules::Streams(Carried { rule, forward }) => {
            let old = match old {
                Some(Served::Streams(old)) => Some(old),
                Some(Served::Requests(_)) | None => None,
            };
            let (rule, forward) = (rule.clone(), forward.clone());
            Some(Served::Streams(keep(StreamRoute { id, created, attachments, rule, forward }, old)))
        }
    }
}
