//! What is said about Gateways and ListenerSets once everything is known.

use super::GatewayPlan;
use crate::listener::ListenerPlan;
use crate::listener::merge::SetPlan;
use crate::listener::status::listener_statuses;
use crate::status::condition::{self, Problem, Writer, sentences};
use crate::status::{ObjectStatus, reason};
use lychgate_api::gateway::{Gateway, GatewayStatus, ListenerSetStatus};
use lychgate_ir::ListenerId;
use std::collections::BTreeMap;
use std::net::IpAddr;

/// Of a ListenerSet whose listeners are good, but whose Gateway has nowhere to serve them.
const PARENT_NOT_PROGRAMMED: &str = "ParentNotProgrammed";

/// The status of a Gateway that is ours.
pub(crate) fn gateway(plan: &GatewayPlan<'_>, node: &[IpAddr], attached: &BTreeMap<ListenerId, u32>) -> ObjectStatus {
    let writer = Writer::new(plan.object.metadata.generation);
    let refused = plan.refused.clone().or_else(|| {
        let none = !plan.all_listeners().any(ListenerPlan::is_valid);
        none.then(|| Problem::new(reason::LISTENERS_NOT_VALID, invalid_listeners(plan.all_listeners())))
    });
    let (why, message) = if plan.listeners.iter().all(ListenerPlan::is_valid) {
        (reason::ACCEPTED, "Lychgate serves this Gateway".to_owned())
    } else {
        (reason::LISTENERS_NOT_VALID, invalid_listeners(plan.listeners.iter()))
    };
    let message = match &plan.deployment.note {
        Some(note) => format!("{message} | {note}"),
        None => message,
    };
    let accepted = writer.verdict(condition::ACCEPTED, refused.as_ref(), why, &message);
    let not_programmed = refused
        .map(|problem| Problem::new(reason::INVALID, format!("not accepted: {}", problem.message)))
        .or_else(|| plan.addresses.unusable.clone())
        .or_else(|| {
            let none = !plan.all_listeners().any(|listener| listener.is_served(plan));
            none.then(|| Problem::new(reason::INVALID, "no listener can be served; see the conditions of each"))
        });
    let programmed =
        writer.verdict(condition::PROGRAMMED, not_programmed.as_ref(), reason::PROGRAMMED, "its listeners are served");
    let mut conditions = vec![accepted, programmed, resolved_refs(plan, writer)];
    if plan.frontend.is_insecure() {
        conditions.push(writer.write(
            condition::INSECURE_FRONTEND,
            true,
            reason::CONFIGURATION_CHANGED,
            "clients without a valid certificate are let in where mode is AllowInsecureFallback",
        ));
    }
    ObjectStatus::Gateway(GatewayStatus {
        addresses: if plan.refused.is_some() { Vec::new() } else { plan.addresses.status(node) },
        conditions,
        listeners: listener_statuses(plan, &plan.listeners, plan.object.metadata.generation, attached),
        attached_listener_sets: Some(count(plan.sets.iter().filter(|set| set_problem(plan, set).is_none()))),
    })
}

/// The status of a Gateway whose class does not exist.
pub(crate) fn unclaimed(gateway: &Gateway, problem: &Problem) -> ObjectStatus {
    let writer = Writer::new(gateway.metadata.generation);
    let no = |kind| writer.verdict(kind, Some(problem), "", "");
    ObjectStatus::Gateway(GatewayStatus {
        conditions: vec![no(condition::ACCEPTED), no(condition::PROGRAMMED)],
        ..GatewayStatus::default()
    })
}

/// The status of a ListenerSet whose Gateway is ours.
pub(crate) fn listener_set(
    plan: &GatewayPlan<'_>,
    set: &SetPlan<'_>,
    attached: &BTreeMap<ListenerId, u32>,
) -> ObjectStatus {
    let generation = set.object.metadata.generation;
    let writer = Writer::new(generation);
    let refused = set_problem(plan, set);
    let (why, message) = if set.listeners.iter().all(ListenerPlan::is_usable) {
        (reason::ACCEPTED, format!("its listeners are merged into {}", plan.id))
    } else {
        (reason::LISTENERS_NOT_VALID, invalid_listeners(set.listeners.iter()))
    };
    let accepted = writer.verdict(condition::ACCEPTED, refused.as_ref(), why, &message);
    let not_programmed = refused.or_else(|| {
        if plan.addresses.none_usable {
            let message = format!("{} has no usable address", plan.id);
            return Some(Problem::new(PARENT_NOT_PROGRAMMED, message));
        }
        let none = !set.listeners.iter().any(|listener| listener.is_served(plan));
        none.then(|| Problem::new(reason::LISTENERS_NOT_VALID, "no listener can be served; see the conditions of each"))
    });
    let programmed =
        writer.verdict(condition::PROGRAMMED, not_programmed.as_ref(), reason::PROGRAMMED, "its listeners are served");
    ObjectStatus::ListenerSet(ListenerSetStatus {
        conditions: vec![accepted, programmed],
        listeners: listener_statuses(plan, &set.listeners, generation, attached),
    })
}

/// The status of a ListenerSet that has no Gateway.
pub(crate) fn orphan_set(set: &lychgate_api::gateway::ListenerSet, problem: &Problem) -> ObjectStatus {
    let writer = Writer::new(set.metadata.generation);
    let no = |kind| writer.verdict(kind, Some(problem), "", "");
    ObjectStatus::ListenerSet(ListenerSetStatus {
        conditions: vec![no(condition::ACCEPTED), no(condition::PROGRAMMED)],
        listeners: Vec::new(),
    })
}

fn set_problem(plan: &GatewayPlan<'_>, set: &SetPlan<'_>) -> Option<Problem> {
    set.refused
        .clone()
        .or_else(|| {
            let refused = plan.refused.as_ref()?;
            Some(Problem::new(reason::PARENT_NOT_ACCEPTED, format!("{} is not accepted: {}", plan.id, refused.message)))
        })
        .or_else(|| {
            let none = !set.listeners.iter().any(ListenerPlan::is_usable);
            none.then(|| Problem::new(reason::LISTENERS_NOT_VALID, invalid_listeners(set.listeners.iter())))
        })
}

fn resolved_refs(plan: &GatewayPlan<'_>, writer: Writer) -> lychgate_api::meta::Condition {
    let own = plan.identity.as_ref().and_then(|identity| identity.as_ref().err()).cloned();
    let own = own.or_else(|| {
        let of_parameters =
            [&plan.deployment.unresolved, plan.egress.as_ref().map_or(&None, |egress| &egress.unresolved)];
        let of_parameters: Vec<&Problem> = of_parameters.into_iter().flatten().collect();
        let messages: Vec<&str> = of_parameters.iter().map(|problem| problem.message.as_str()).collect();
        Some(Problem::new(of_parameters.first()?.reason, sentences(&messages)))
    });
    let problem = own.or_else(|| {
        let bad = plan.listeners.iter().filter_map(|listener| {
            let problem = listener.unresolved.as_ref()?;
            Some(format!("listener {}: {}", listener.spec.name, problem.message))
        });
        let bad: Vec<String> = bad.collect();
        (!bad.is_empty()).then(|| Problem::new(reason::LISTENERS_NOT_RESOLVED, sentences(&bad)))
    });
    writer.verdict(condition::RESOLVED_REFS, problem.as_ref(), reason::RESOLVED_REFS, "all references are resolved")
}

fn invalid_listeners<'p, 'a: 'p>(listeners: impl Iterator<Item = &'p ListenerPlan<'a>>) -> String {
    let (valid, invalid): (Vec<_>, Vec<_>) = listeners.partition(|listener| listener.is_usable());
    let invalid: Vec<_> = invalid
        .iter()
        .map(|listener| {
            let problem = listener.conflict.as_ref().or(listener.refused.as_ref()).or(listener.unresolved.as_ref());
            format!("listener {}: {}", listener.spec.name, problem.map_or("", |problem| &problem.message))
        })
        .collect();
    let valid: Vec<_> = valid.iter().map(|listener| listener.spec.name.as_str()).collect();
    if valid.is_empty() {
        format!("no listener is valid: {}", sentences(&invalid))
    } else {
        format!("{} | accepted: {}", sentences(&invalid), valid.join(", "))
    }
}

fn count<T>(items: impl Iterator<Item = T>) -> u32 {
    u32::try_from(items.count()).unwrap_or(u32::MAX)
}
