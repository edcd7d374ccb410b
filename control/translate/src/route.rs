//! Routes: what they attach to, what their rules say, and what is said about them.
//!
//! ```text
//! HTTPRoute ─┬─ http (matches, filters, session, backends) ──> rules    (remembered while its references hold)
//!            └─ attach (hostnames, Parents) ────────────────> listeners (remembered while its parents hold)
//! ```

mod attach;
pub(crate) mod finding;
mod hostnames;
mod http;
mod matches;
pub(crate) mod parents;
pub(crate) mod session;
mod status;
mod unserved;

use crate::backend::resolve::{Lookup, Resolver};
use crate::keep::keep;
use crate::names::{created, name_of};
use crate::policy::backend_tls::TlsPolicies;
use crate::status::ObjectStatus;
use crate::world::World;
use attach::{Asks, Attached};
use finding::Findings;
use lychgate_api::core::Namespace;
use lychgate_api::gateway::HttpRoute;
use lychgate_api::{Kind, ObjectKey, ObjectRef};
use lychgate_ir::{BackendId, BackendKind, GatewayId, ListenerId, ObjectName, Route, RouteId, RouteKind, Rule};
use parents::{Found, Parents};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What routes use, for those who are used.
#[derive(Debug, Default)]
pub(crate) struct Usage {
    /// Backends that rules of routes in the snapshot forward or mirror to.
    pub(crate) targets: BTreeSet<BackendId>,
    /// Objects that routes refer to, with the Gateways that these routes are attached to.
    pub(crate) objects: BTreeMap<(BackendKind, ObjectName), BTreeSet<GatewayId>>,
}

/// The rules of a route, and what they were made of.
#[derive(Debug)]
pub(crate) struct Compiled {
    rules: Vec<Arc<Rule>>,
    /// How many rules the route has; one whose matches make no sense is not among `rules`.
    written: usize,
    findings: Findings,
    lookups: Vec<Lookup>,
    targets: Vec<BackendId>,
    objects: Vec<(BackendKind, ObjectName)>,
}

/// What became of a route.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// There, if a listener of the snapshot serves it.
    pub(crate) route: Option<Arc<Route>>,
    pub(crate) status: Arc<ObjectStatus>,
    /// Listeners of parents that accept it.
    pub(crate) listeners: Vec<ListenerId>,
    gateways: BTreeSet<GatewayId>,
}

/// A route as it was read, and what became of it.
#[derive(Clone, Debug)]
pub(crate) struct Remembered {
    source: Arc<HttpRoute>,
    namespace: Option<Arc<Namespace>>,
    parents: Vec<Found>,
    compiled: Arc<Compiled>,
    pub(crate) outcome: Arc<Outcome>,
}

/// What is remembered of all HTTPRoutes.
pub(crate) type Memory = BTreeMap<ObjectKey, Remembered>;

/// Translates all HTTPRoutes; one whose inputs are the very same as before is taken over.
pub(crate) fn http_routes(
    world: &World<'_>,
    policies: &TlsPolicies<'_>,
    parents: &Parents,
    before: Option<&Memory>,
) -> Memory {
    // Both maps are in the same order: walking them side by side needs no search.
    let mut before = before.into_iter().flatten().peekable();
    let translated = world.objects.http_routes().map(|(key, source)| {
        while before.next_if(|(old, _)| *old < key).is_some() {}
        let old = before.next_if(|(old, _)| *old == key).map(|(_, old)| old);
        (key.clone(), one(world, policies, parents, key, source, old))
    });
    translated.collect()
}

fn one(
    world: &World<'_>,
    policies: &TlsPolicies<'_>,
    parents: &Parents,
    key: &ObjectKey,
    source: &Arc<HttpRoute>,
    old: Option<&Remembered>,
) -> Remembered {
    let mut resolver = Resolver::new(world, policies, RouteKind::Http, &key.namespace);
    let same_source = old.filter(|old| Arc::ptr_eq(&old.source, source));
    let compiled = match same_source.filter(|old| resolver.confirms(&old.compiled.lookups)) {
        Some(old) => old.compiled.clone(),
        None => Arc::new(compile(&mut resolver, key, source, old.map(|old| &*old.compiled))),
    };
    let asks = Asks::http(key, source);
    let namespace = world.objects.get_namespace(&ObjectKey::new("", key.namespace.as_str())).cloned();
    let found = parents.find(world, &asks);
    if let Some(old) = same_source.filter(|old| {
        Arc::ptr_eq(&old.compiled, &compiled)
            && same(old.namespace.as_ref(), namespace.as_ref())
            && old.parents.len() == found.len()
            && old.parents.iter().zip(&found).all(|(old, new)| old.same(new))
    }) {
        return old.clone();
    }
    let outcome = {
        let attached = attach::attach(world, &asks, &found);
        outcome(key, source, &compiled, &attached, old.map(|old| &*old.outcome))
    };
    Remembered { source: source.clone(), namespace, parents: found, compiled, outcome: Arc::new(outcome) }
}

fn same<T>(old: Option<&Arc<T>>, new: Option<&Arc<T>>) -> bool {
    match (old, new) {
        (Some(old), Some(new)) => Arc::ptr_eq(old, new),
        (None, None) => true,
        (Some(_), None) | (None, Some(_)) => false,
    }
}

fn id_of(key: &ObjectKey) -> RouteId {
    RouteId { kind: RouteKind::Http, name: name_of(key) }
}

fn compile(resolver: &mut Resolver<'_, '_>, key: &ObjectKey, source: &HttpRoute, old: Option<&Compiled>) -> Compiled {
    let mut findings = Findings::default();
    let rules = http::rules(resolver, &id_of(key), source, &mut findings);
    let old_rule = |rule: &Rule| old?.rules.iter().find(|old| old.id.index == rule.id.index);
    Compiled {
        rules: rules
            .into_iter()
            .map(|rule| {
                let old = old_rule(&rule);
                keep(rule, old)
            })
            .collect(),
        written: source.spec.rules.len(),
        findings,
        lookups: std::mem::take(&mut resolver.lookups),
        targets: std::mem::take(&mut resolver.targets),
        objects: std::mem::take(&mut resolver.objects),
    }
}

fn outcome(
    key: &ObjectKey,
    source: &HttpRoute,
    compiled: &Compiled,
    attached: &[Attached<'_>],
    old: Option<&Outcome>,
) -> Outcome {
    let attachments = attach::attachments(attached);
    let invalid = compiled.findings.all_invalid(compiled.written);
    let served = !attachments.is_empty() && !compiled.rules.is_empty();
    let route = served.then(|| {
        let route =
            Route { id: id_of(key), created: created(&source.metadata), attachments, rules: compiled.rules.clone() };
        keep(route, old.and_then(|old| old.route.as_ref()))
    });
    let status = status::of(source.metadata.generation, &compiled.findings, compiled.written, attached);
    let accepted = attached.iter().filter(|_| !invalid).flat_map(Attached::listeners);
    let mut listeners: Vec<ListenerId> = accepted.cloned().collect();
    listeners.sort_unstable();
    listeners.dedup();
    Outcome {
        route,
        status: keep(ObjectStatus::Route(status), old.map(|old| &old.status)),
        gateways: attached.iter().flat_map(Attached::listeners).map(|id| id.gateway.clone()).collect(),
        listeners,
    }
}

/// What all routes together use.
pub(crate) fn usage(memory: &Memory) -> Usage {
    let mut usage = Usage::default();
    for Remembered { compiled, outcome, .. } in memory.values() {
        if outcome.route.is_some() {
            for target in &compiled.targets {
                if !usage.targets.contains(target) {
                    usage.targets.insert(target.clone());
                }
            }
        }
        if outcome.gateways.is_empty() {
            continue;
        }
        for object in &compiled.objects {
            match usage.objects.get_mut(object) {
                Some(gateways) => gateways.extend(outcome.gateways.iter().cloned()),
                None => {
                    usage.objects.insert(object.clone(), outcome.gateways.clone());
                }
            }
        }
    }
    usage
}

/// What is said about routes of all kinds.
pub(crate) fn statuses(world: &World<'_>, parents: &Parents, memory: &Memory) -> Vec<(ObjectRef, Arc<ObjectStatus>)> {
    let http = memory.iter().map(|(key, remembered)| {
        (ObjectRef { kind: Kind::HttpRoute, key: key.clone() }, remembered.outcome.status.clone())
    });
    http.chain(unserved::statuses(world, parents)).collect()
}
