//! Brings the listeners of a Gateway and of its ListenerSets together (GEP-1713).

use super::ListenerPlan;
use super::allowed_routes::AllowedNamespaces;
use crate::gateway::GatewayPlan;
use crate::gateway_class::{self, Claim};
use crate::names::{name_of, seniority};
use crate::policy::backend_tls::TlsPolicies;
use crate::reference_grant::Referrer;
use crate::status::condition::Problem;
use crate::status::reason;
use crate::world::World;
use lychgate_api::gateway::ListenerSet;
use lychgate_api::{GATEWAY_GROUP, Kind, ObjectKey};
use lychgate_ir::{ListenerId, ListenerOwner};
use std::collections::HashMap;

/// A ListenerSet that names a Gateway of ours.
pub(crate) struct SetPlan<'a> {
    pub(crate) key: &'a ObjectKey,
    pub(crate) object: &'a ListenerSet,
    /// Why the Gateway does not take it, if so.
    pub(crate) refused: Option<Problem>,
    /// Its listeners; none if it is refused.
    pub(crate) listeners: Vec<ListenerPlan<'a>>,
}

/// The Gateway's own listeners.
pub(crate) fn own<'a>(world: &World<'a>, policies: &TlsPolicies<'a>, plan: &GatewayPlan<'a>) -> Vec<ListenerPlan<'a>> {
    let from = Referrer { group: GATEWAY_GROUP, kind: Kind::Gateway.as_str(), namespace: &plan.key.namespace };
    let read = plan.object.spec.listeners.iter().map(|spec| {
        let id =
            ListenerId { gateway: plan.id.clone(), owner: ListenerOwner::Gateway, section: spec.name.as_str().into() };
        ListenerPlan::read(world, policies, plan, id, spec, from)
    });
    read.collect()
}

/// Gives every ListenerSet to its Gateway.
pub(crate) fn adopt<'a>(world: &World<'a>, policies: &TlsPolicies<'a>, plans: &mut [GatewayPlan<'a>]) {
    let index: HashMap<&ObjectKey, usize> = plans.iter().enumerate().map(|(at, plan)| (plan.key, at)).collect();
    for (key, set) in world.objects.listener_sets() {
        let plan = parent(key, set).and_then(|parent| index.get(&parent)).and_then(|at| plans.get_mut(*at));
        let Some(plan) = plan else { continue };
        let refused = admit(world, plan, key);
        let listeners = if refused.is_none() { read(world, policies, plan, key, set) } else { Vec::new() };
        plan.sets.push(SetPlan { key, object: set, refused, listeners });
    }
    for plan in plans {
        plan.sets.sort_by(|a, b| seniority(&a.object.metadata).cmp(&seniority(&b.object.metadata)));
    }
}

/// The Gateway that a set names.
fn parent(key: &ObjectKey, set: &ListenerSet) -> Option<ObjectKey> {
    let parent = &set.spec.parent_ref;
    let gateway = parent.group == GATEWAY_GROUP && parent.kind == Kind::Gateway.as_str();
    let namespace = parent.namespace.as_deref().unwrap_or(&key.namespace);
    gateway.then(|| ObjectKey::new(namespace, parent.name.as_str()))
}

fn admit(world: &World<'_>, plan: &GatewayPlan<'_>, set: &ObjectKey) -> Option<Problem> {
    let allowed = plan.object.spec.allowed_listeners.as_ref().map_or(Ok(AllowedNamespaces::None), |allowed| {
        AllowedNamespaces::of(allowed.namespaces.from, allowed.namespaces.selector.as_ref(), &plan.key.namespace)
    });
    let message = match allowed {
        Ok(allowed) if allowed.allow(world, &set.namespace) => return None,
        Ok(_) => format!(
            "{} does not take ListenerSets of namespace {}; its spec.allowedListeners would have to",
            plan.id, set.namespace
        ),
        Err(problem) => format!("spec.allowedListeners.namespaces of {}: {problem}", plan.id),
    };
    Some(Problem::new(reason::NOT_ALLOWED, message))
}

fn read<'a>(
    world: &World<'a>,
    policies: &TlsPolicies<'a>,
    plan: &GatewayPlan<'a>,
    key: &ObjectKey,
    set: &'a ListenerSet,
) -> Vec<ListenerPlan<'a>> {
    let owner = ListenerOwner::ListenerSet(name_of(key));
    // Grants are for the set: those of its Gateway are not inherited.
    let from = Referrer { group: GATEWAY_GROUP, kind: Kind::ListenerSet.as_str(), namespace: &key.namespace };
    let read = set.spec.listeners.iter().map(|spec| {
        let id = ListenerId { gateway: plan.id.clone(), owner: owner.clone(), section: spec.name.as_str().into() };
        ListenerPlan::read(world, policies, plan, id, spec, from)
    });
    read.collect()
}

/// ListenerSets that name no Gateway that exists: without a cluster, nobody else would tell.
pub(crate) fn orphans<'a>(world: &World<'a>) -> impl Iterator<Item = (&'a ObjectKey, &'a ListenerSet, Problem)> {
    let objects = world.objects;
    let options = world.options;
    objects.listener_sets().filter(|_| options.standalone).filter_map(move |(key, set)| {
        let message = match parent(key, set) {
            None => {
                let parent = &set.spec.parent_ref;
                format!("spec.parentRef names a {} of group {}; name a Gateway", parent.kind, parent.group)
            }
            Some(parent) => match objects.get_gateway(&parent) {
                None => format!("Gateway {parent} does not exist; create it or correct spec.parentRef"),
                Some(gateway) => match gateway_class::claim(objects, options, &gateway.spec.gateway_class_name) {
                    Claim::Unknown => format!("Gateway {parent} has a GatewayClass that does not exist"),
                    Claim::Ours(_) | Claim::Broken(_, _) | Claim::Foreign => return None,
                },
            },
        };
        Some((key, &**set, Problem::new(reason::PARENT_NOT_ACCEPTED, message)))
    })
}
