//! Names that nobody but egress Gateways needs: they are resolved when something may leave, by whom the Gateway says, and
//! not in advance by the host's resolver. A question is a way out as well.

use lychgate_ir::{
    Attachment, BackendId, Filter, Forward, Listener, ListenerFilter, Route, Rule, Snapshot, StreamBackend,
    StreamRoute, Target, WeightedBackend,
};
use std::collections::HashSet;

/// The backends that routes of other Gateways refer to; `None` if there are no egress Gateways, so that it is all of them.
pub(crate) fn names_of_routes(snapshot: &Snapshot) -> Option<HashSet<BackendId>> {
    if snapshot.egress.is_empty() {
        return None;
    }
    let comes_in = |attachments: &[Attachment]| {
        attachments.iter().any(|attachment| !snapshot.egress.contains_key(&attachment.listener.gateway))
    };
    let mut targets: Vec<&Target> = Vec::new();
    for route in snapshot.routes.values().filter(|route| comes_in(&route.attachments)) {
        let Route { id: _, created: _, attachments: _, rules } = &**route;
        rules.iter().for_each(|rule| of_rule(rule, &mut targets));
    }
    for route in snapshot.stream_routes.values().filter(|route| comes_in(&route.attachments)) {
        let StreamRoute { id: _, created: _, attachments: _, rule: _, forward } = &**route;
        targets.extend(forward.iter().flatten().map(|StreamBackend { weight: _, target }| target));
    }
    for listener in snapshot.listeners.values() {
        let Listener { id, filters, .. } = &**listener;
        if !snapshot.egress.contains_key(&id.gateway) {
            targets.extend(filters.iter().map(|ListenerFilter::ExternalAuth(auth)| &auth.target));
        }
    }
    let backends = targets.into_iter().filter_map(|target| match target {
        Target::Backend(id) => Some(id.clone()),
        Target::Broken(_) => None,
    });
    Some(backends.collect())
}

fn of_rule<'s>(rule: &'s Rule, targets: &mut Vec<&'s Target>) {
    let Rule { id: _, matches: _, filters, forward } = rule;
    of_filters(filters, targets);
    if let Ok(forward) = forward {
        let Forward { backends, timeouts: _, retry: _, persistence: _ } = &**forward;
        for WeightedBackend { weight: _, target, filters } in backends {
            targets.push(target);
            of_filters(filters, targets);
        }
    }
}

fn of_filters<'s>(filters: &'s [Filter], targets: &mut Vec<&'s Target>) {
    for filter in filters {
        match filter {
            Filter::Mirror(mirror) => targets.push(&mirror.target),
            Filter::ExternalAuth(auth) => targets.push(&auth.target),
            Filter::RequestHeaders(_)
            | Filter::ResponseHeaders(_)
            | Filter::Redirect(_)
            | Filter::Rewrite(_)
            | Filter::Cors(_)
            | Filter::Broken(_) => {}
        }
    }
}
