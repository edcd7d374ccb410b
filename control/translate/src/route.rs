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
pub(crate) mod unserved;
pub(crate) mod usage;

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
use parents::{Found, Link, Parents};
use std::sync::Arc;

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
    /// The Gateways of these listeners, each once.
    gateways: Vec<GatewayId>,
}

/// A route as it was read, and what became of it.
#[derive(Debug)]
pub(crate) struct Remembered {
    pub(crate) key: ObjectKey,
    source: Arc<HttpRoute>,
    namespace: Option<Arc<Namespace>>,
    links: Vec<Link>,
    compiled: Arc<Compiled>,
    pub(crate) outcome: Outcome,
}

/// What is remembered of all HTTPRoutes, ordered by namespace and name.
pub(crate) type Memory = Vec<Arc<Remembered>>;

/// What all routes look up and nobody changed since, so that nobody has to look again.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Unchanged {
    /// What backendRefs lead to.
    pub(crate) references: bool,
    /// What parentRefs lead to, and who may attach.
    pub(crate) parents: bool,
}

/// All routes, and whether all of them use what they used before.
pub(crate) struct Routes {
    pub(crate) memory: Memory,
    pub(crate) same_usage: bool,
}

/// Translates all HTTPRoutes; one whose inputs are as before is taken over.
pub(crate) fn http_routes(
    world: &World<'_>,
    policies: &TlsPolicies<'_>,
    parents: &Parents,
    unchanged: Unchanged,
    before: Option<&Memory>,
) -> Routes {
    let inputs = Inputs { world, policies, parents, unchanged };
    let mut same_usage = before.is_some_and(|before| before.len() == world.objects.http_routes().len());
    // Both are in the same order: walking them side by side needs no search.
    let mut before = before.into_iter().flatten().peekable();
    let translated = world.objects.http_routes().map(|(key, source)| {
        while before.next_if(|old| old.key < *key).is_some() {}
        let old = before.next_if(|old| old.key == *key);
        let new = one(&inputs, key, source, old);
        same_usage &= old.is_some_and(|old| Arc::ptr_eq(old, &new) || old.uses_the_same(&new));
        new
    });
    let memory = translated.collect();
    Routes { memory, same_usage }
}

/// What every route is translated with.
struct Inputs<'w, 'a> {
    world: &'w World<'a>,
    policies: &'w TlsPolicies<'a>,
    parents: &'w Parents,
    unchanged: Unchanged,
}

fn one(
    inputs: &Inputs<'_, '_>,
    key: &ObjectKey,
    source: &Arc<HttpRoute>,
    old: Option<&Arc<Remembered>>,
) -> Arc<Remembered> {
    let Inputs { world, policies, parents, unchanged } = *inputs;
    let mut resolver = Resolver::new(world, policies, RouteKind::Http, &key.namespace);
    let same_source = old.filter(|old| old.source == *source);
    let same_rules = same_source.filter(|old| unchanged.references || resolver.confirms(&old.compiled.lookups));
    if let Some(old) = same_rules.filter(|_| unchanged.parents) {
        return old.clone();
    }
    let compiled = match same_rules {
        Some(old) => old.compiled.clone(),
        None => Arc::new(compile(&mut resolver, key, source, old.map(|old| &*old.compiled))),
    };
    let asks = Asks::http(key, source);
    let namespace = world.objects.get_namespace(&ObjectKey::new("", key.namespace.as_str())).cloned();
    let found = parents.find(world, &asks);
    if let Some(old) = same_rules.filter(|old| {
        old.namespace == namespace
            && old.links.len() == found.len()
            && old.links.iter().zip(&found).all(|(old, new)| old.leads_to(new))
    }) {
        return old.clone();
    }
    let attached = attach::attach(world, &asks, &found);
    let outcome = outcome(key, source, &compiled, &attached, old.map(|old| &old.outcome));
    let links = found.iter().map(Found::link).collect();
    Arc::new(Remembered { key: key.clone(), source: source.clone(), namespace, links, compiled, outcome })
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
    let mut gateways: Vec<GatewayId> =
        attached.iter().flat_map(Attached::listeners).map(|id| id.gateway.clone()).collect();
    gateways.sort_unstable();
    gateways.dedup();
    Outcome { route, status: keep(ObjectStatus::Route(status), old.map(|old| &old.status)), gateways, listeners }
}

impl Remembered {
    fn uses_the_same(&self, other: &Self) -> bool {
        self.outcome.route.is_some() == other.outcome.route.is_some()
            && self.outcome.listeners == other.outcome.listeners
            && self.outcome.gateways == other.outcome.gateways
            && self.compiled.targets == other.compiled.targets
            && self.compiled.objects == other.compiled.objects
    }
}

/// What is said about HTTPRoutes.
pub(crate) fn statuses(memory: &Memory) -> impl Iterator<Item = (ObjectRef, Arc<ObjectStatus>)> {
    memory.iter().map(|remembered| {
        (ObjectRef { kind: Kind::HttpRoute, key: remembered.key.clone() }, remembered.outcome.status.clone())
    })
}
