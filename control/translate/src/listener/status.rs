//! What is said about listeners.

use super::ListenerPlan;
use crate::gateway::GatewayPlan;
use crate::status::condition::{self, Problem, Writer};
use crate::status::reason;
use lychgate_api::gateway::ListenerStatus;
use lychgate_ir::ListenerId;
use std::collections::BTreeMap;

/// The statuses of the listeners of one object, in the order written.
pub(crate) fn listener_statuses(
    gateway: &GatewayPlan<'_>,
    listeners: &[ListenerPlan<'_>],
    generation: i64,
    attached: &BTreeMap<ListenerId, u32>,
) -> Vec<ListenerStatus> {
    let one = |listener: &ListenerPlan<'_>| ListenerStatus {
        name: listener.spec.name.clone(),
        supported_kinds: listener.supported_kinds.clone(),
        attached_routes: attached.get(&listener.id).copied().unwrap_or(0),
        conditions: conditions(gateway, listener, Writer::new(generation)),
    };
    listeners.iter().map(one).collect()
}

fn conditions(
    gateway: &GatewayPlan<'_>,
    listener: &ListenerPlan<'_>,
    writer: Writer,
) -> Vec<lychgate_api::meta::Condition> {
    let refused = listener.conflict.as_ref().or(listener.refused.as_ref());
    let mut message = "the listener is valid".to_owned();
    for note in &listener.notes {
        message.push_str(" | ");
        message.push_str(note);
    }
    let accepted = writer.verdict(condition::ACCEPTED, refused, reason::ACCEPTED, &message);
    let conflicted = match &listener.conflict {
        Some(Problem { reason, message }) => writer.write(condition::CONFLICTED, true, *reason, message.as_str()),
        None => writer.write(condition::CONFLICTED, false, reason::NO_CONFLICTS, "no other listener is in its way"),
    };
    let not_programmed = not_programmed(gateway, listener);
    let programmed =
        writer.verdict(condition::PROGRAMMED, not_programmed.as_ref(), reason::PROGRAMMED, "the listener is served");
    let resolved = writer.verdict(
        condition::RESOLVED_REFS,
        listener.unresolved.as_ref(),
        reason::RESOLVED_REFS,
        "all references are resolved",
    );
    let mut conditions = vec![accepted, conflicted, programmed, resolved];
    if let Some(overlaps) = &listener.overlaps {
        conditions.push(writer.write(
            condition::OVERLAPPING_TLS,
            true,
            reason::OVERLAPPING_HOSTNAMES,
            overlaps.as_str(),
        ));
    }
    conditions
}

fn not_programmed(gateway: &GatewayPlan<'_>, listener: &ListenerPlan<'_>) -> Option<Problem> {
    if listener.is_served(gateway) {
        return None;
    }
    Some(if let Some(conflict) = &listener.conflict {
        conflict.clone()
    } else if let Some(Problem { reason: _, message }) = &listener.refused {
        Problem::new(reason::INVALID, format!("not accepted: {message}"))
    } else if let Some(Problem { reason: _, message }) = &gateway.refused {
        Problem::new(reason::INVALID, format!("{} is not accepted: {message}", gateway.id))
    } else if gateway.addresses.none_usable {
        Problem::new(reason::INVALID, format!("{} has no usable address", gateway.id))
    } else {
        let message = listener.unresolved.as_ref().map_or("", |problem| &problem.message);
        Problem::new(reason::INVALID, format!("it has no usable certificate: {message}"))
    })
}
