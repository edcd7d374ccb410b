//! Gateways and ListenerSets as routes see them.

use super::attach::Asks;
use crate::gateway::GatewayPlan;
use crate::gateway_class::{self, Claim, Direction};
use crate::keep::keep;
use crate::listener::ListenerPlan;
use crate::listener::allowed_routes::AllowedNamespaces;
use crate::policy::ancestor;
use crate::world::World;
use lychgate_api::gateway::{GatewayDefaultScope, ParentReference};
use lychgate_api::{GATEWAY_GROUP, Kind, ObjectKey};
use lychgate_ir::{HostPattern, ListenerId, RouteKind};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A parent that is ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Parent {
    /// `Kind namespace/name`.
    pub(super) label: String,
    /// Why nothing can attach, if so.
    pub(super) closed: Option<String>,
    /// Who speaks to what attaches.
    pub(super) controller: &'static str,
    /// Its own listeners.
    pub(super) listeners: Vec<ParentListener>,
}

/// A listener of a parent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ParentListener {
    pub(super) id: ListenerId,
    pub(super) port: u16,
    pub(super) hostname: HostPattern,
    pub(super) kinds: Vec<RouteKind>,
    pub(super) namespaces: AllowedNamespaces,
    /// Whether it is in the snapshot.
    pub(super) emitted: bool,
}

/// A Gateway or a ListenerSet.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ParentKey {
    kind: Kind,
    key: ObjectKey,
}

/// All parents that are ours.
#[derive(Clone, Debug, Default)]
pub(crate) struct Parents {
    by_key: BTreeMap<ParentKey, Arc<Parent>>,
    /// Gateways that take routes which ask for a default Gateway (GEP-3793).
    defaults: Vec<(ParentReference, Arc<Parent>)>,
}

/// What a parent reference leads to.
pub(super) enum Found<'a> {
    /// A parent of ours, referred to in this way.
    Ours(&'a ParentReference, &'a Arc<Parent>),
    /// Nobody's, and nobody else would say so.
    Lost(&'a ParentReference, String),
}

/// What a parent reference led to, for the next translation to compare. The reference is the route's own, or that of
/// the parent as a default Gateway.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Link {
    Ours(Arc<Parent>),
    Lost(String),
}

impl Found<'_> {
    pub(super) fn link(&self) -> Link {
        match self {
            Self::Ours(_, parent) => Link::Ours((*parent).clone()),
            Self::Lost(_, why) => Link::Lost(why.clone()),
        }
    }
}

impl Link {
    /// Whether a reference of the same route, in the same place, leads to the very same.
    pub(super) fn leads_to(&self, found: &Found<'_>) -> bool {
        match (self, found) {
            (Self::Ours(old), Found::Ours(_, new)) => Arc::ptr_eq(old, new),
            (Self::Lost(old), Found::Lost(_, new)) => old == new,
            (Self::Ours(_), Found::Lost(..)) | (Self::Lost(_), Found::Ours(..)) => false,
        }
    }
}

impl Parents {
    pub(crate) fn new(plans: &[GatewayPlan<'_>], before: Option<&Self>) -> Self {
        let mut parents = Self::default();
        for plan in plans {
            let key = ParentKey { kind: Kind::Gateway, key: plan.key.clone() };
            let label = format!("Gateway {}", plan.key);
            let parent = parents.put(key, view(plan, label, None, &plan.listeners), before);
            if plan.object.spec.default_scope == Some(GatewayDefaultScope::All) {
                parents.defaults.push((ancestor(&plan.id), parent));
            }
            for set in &plan.sets {
                let key = ParentKey { kind: Kind::ListenerSet, key: set.key.clone() };
                let label = format!("ListenerSet {}", set.key);
                let closed =
                    set.refused.as_ref().map(|problem| format!("{label} is not accepted: {}", problem.message));
                parents.put(key, view(plan, label, closed, &set.listeners), before);
            }
        }
        parents.defaults.sort_by(|(a, _), (b, _)| a.cmp(b));
        parents
    }

    fn put(&mut self, key: ParentKey, parent: Parent, before: Option<&Self>) -> Arc<Parent> {
        let parent = keep(parent, before.and_then(|before| before.by_key.get(&key)));
        self.by_key.insert(key, parent.clone());
        parent
    }

    /// Whether every parent is the very same.
    pub(crate) fn same(&self, other: &Self) -> bool {
        let same = |(a, one): (&ParentKey, &Arc<Parent>), (b, other): (&ParentKey, &Arc<Parent>)| {
            a == b && Arc::ptr_eq(one, other)
        };
        self.by_key.len() == other.by_key.len()
            && self.defaults.len() == other.defaults.len()
            && self.by_key.iter().zip(&other.by_key).all(|(one, other)| same(one, other))
            && self.defaults.iter().zip(&other.defaults).all(|((_, one), (_, other))| Arc::ptr_eq(one, other))
    }

    /// What a route's references lead to: first those that are written, each once, then default Gateways.
    pub(super) fn find<'f>(&'f self, world: &World<'_>, asks: &Asks<'f>) -> Vec<Found<'f>> {
        let mut found: Vec<Found<'f>> = Vec::with_capacity(asks.parent_refs.len());
        for (at, reference) in asks.parent_refs.iter().enumerate() {
            if asks.parent_refs.iter().take(at).any(|earlier| earlier == reference) {
                continue;
            }
            let key = ObjectKey::new(reference.namespace.as_deref().unwrap_or(asks.namespace), reference.name.as_str());
            let kind = match (reference.group.as_str(), reference.kind.as_str()) {
                (GATEWAY_GROUP, "Gateway") => Some(Kind::Gateway),
                (GATEWAY_GROUP, "ListenerSet") => Some(Kind::ListenerSet),
                _ => None,
            };
            let parent_key = kind.map(|kind| ParentKey { kind, key });
            match parent_key.as_ref().and_then(|key| self.by_key.get(key)) {
                Some(parent) => found.push(Found::Ours(reference, parent)),
                None if world.options.standalone => {
                    if let Some(why) = lost(world, reference, parent_key) {
                        found.push(Found::Lost(reference, why));
                    }
                }
                // Whose it is cannot be known: its controller speaks, if it has one.
                None => {}
            }
        }
        if asks.use_default_gateways {
            let defaults = self.defaults.iter().map(|(reference, parent)| Found::Ours(reference, parent));
            found.extend(defaults);
        }
        found
    }
}

fn view(plan: &GatewayPlan<'_>, label: String, closed: Option<String>, listeners: &[ListenerPlan<'_>]) -> Parent {
    let one = |listener: &ListenerPlan<'_>| ParentListener {
        id: listener.id.clone(),
        port: listener.spec.port,
        hostname: listener.hostname.clone(),
        kinds: listener.kinds.clone(),
        namespaces: listener.namespaces.clone(),
        emitted: listener.is_emitted(plan),
    };
    let direction = if plan.egress.is_some() { Direction::Egress } else { Direction::Ingress };
    Parent { label, closed, controller: direction.controller(), listeners: listeners.iter().map(one).collect() }
}

/// Why a reference leads nowhere; nothing is said about what other controllers own.
fn lost(world: &World<'_>, reference: &ParentReference, key: Option<ParentKey>) -> Option<String> {
    let ParentReference { group, kind, .. } = reference;
    let Some(ParentKey { kind: known, key }) = key else {
        return Some(format!("{kind} of group `{group}` cannot be a parent; name a Gateway or a ListenerSet"));
    };
    let gateway = match known {
        Kind::ListenerSet => {
            let Some(set) = world.objects.get_listener_set(&key) else {
                return Some(format!("ListenerSet {key} does not exist; create it or correct parentRefs"));
            };
            let parent = &set.spec.parent_ref;
            ObjectKey::new(parent.namespace.as_deref().unwrap_or(&key.namespace), parent.name.as_str())
        }
        _ => key.clone(),
    };
    let Some(object) = world.objects.get_gateway(&gateway) else {
        return Some(format!("Gateway {gateway} does not exist; create it or correct the reference to it"));
    };
    match gateway_class::claim(world.objects, world.options, &object.spec.gateway_class_name) {
        Claim::Foreign => None,
        Claim::Ours(_) | Claim::Broken(_, _) | Claim::Unknown => {
            Some(format!("{known} {key} is not served; see the status of Gateway {gateway}"))
        }
    }
}
