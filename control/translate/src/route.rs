//! Routes: what they attach to, what their rules say, and what is said about them.
//!
//! ```text
//! Source ─┬─ http, grpc (matches, filters, session, backends), stream (backends) ──> rules
//!         │                                                  (remembered while its references hold)
//!         └─ attach (hostnames, Parents) ── rivals ─────────> listeners
//!                                                            (remembered while its parents and rivals hold)
//! ```

mod alike;
mod attach;
pub(crate) mod change;
pub(crate) mod finding;
mod grpc;
mod hostnames;
mod http;
mod matches;
pub(crate) mod parents;
mod rivals;
pub(crate) mod session;
mod source;
mod status;
mod stream;
pub(crate) mod usage;

use crate::backend::resolve::{Lookup, Resolver};
use crate::keep::keep;
use crate::names::{created, name_of};
use crate::policy::backend_tls::TlsPolicies;
use crate::status::ObjectStatus;
use crate::world::World;
use alike::Alike;
use attach::{Asks, Attached};
use change::Change;
use finding::Findings;
use lychgate_api::core::Namespace;
use lychgate_api::{Kind, ObjectKey, ObjectRef, Objects};
use lychgate_ir::{
    Attachment, BackendId, BackendKind, GatewayId, ListenerId, ObjectName, Route, RouteId, RouteKind, Rule, StreamRoute,
};
use lychgate_persistent::OrdMap;
use parents::{Found, Link, Parents};
use rivals::{Contender, Loss};
use source::{Rules, Source};
use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;
use stream::Carried;

/// The rules of a route, and what they were made of.
#[derive(Debug)]
pub(crate) struct Compiled {
    rules: CompiledRules,
    /// How many rules the route has; one whose matches make no sense is not among `rules`.
    written: usize,
    findings: Findings,
    lookups: Box<[Lookup]>,
    targets: Box<[BackendId]>,
    objects: Box<[(BackendKind, ObjectName)]>,
}

#[derive(Debug)]
enum CompiledRules {
    Requests(Vec<Arc<Rule>>),
    Streams(Carried),
}

/// A route of the snapshot.
#[derive(Debug)]
enum Served {
    Requests(Arc<Route>),
    Streams(Arc<StreamRoute>),
}

/// What became of a route.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// There, if a listener of the snapshot serves it.
    served: Option<Served>,
    pub(crate) status: Arc<ObjectStatus>,
    /// Listeners of parents that accept it.
    pub(crate) listeners: Box<[ListenerId]>,
    /// The Gateways of these listeners, each once.
    gateways: Box<[GatewayId]>,
}

/// A route as it was read, and what became of it.
#[derive(Debug)]
pub(crate) struct Remembered {
    object: Arc<ObjectRef>,
    source: Source,
    namespace: Option<Arc<Namespace>>,
    links: Vec<Link>,
    compiled: Arc<Compiled>,
    losses: Vec<Loss>,
    /// Where it would be served without rivals, if it has lost to some.
    unopposed: Vec<Attachment>,
    pub(crate) outcome: Outcome,
}

/// What is remembered of all routes, ordered by kind, namespace and name.
pub(crate) type Memory = OrdMap<Arc<ObjectRef>, Arc<Remembered>>;

/// What all routes look up and nobody changed since, so that nobody has to look again.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Unchanged {
    /// What backendRefs lead to.
    pub(crate) references: bool,
    /// What parentRefs lead to, and who may attach.
    pub(crate) parents: bool,
}

impl Unchanged {
    fn all(self) -> bool {
        let Self { references, parents } = self;
        references && parents
    }
}

/// All routes, and whether all of them use what they used before.
pub(crate) struct Routes {
    pub(crate) memory: Memory,
    pub(crate) same_usage: bool,
    pub(crate) changes: Vec<Change>,
}

/// What every route is translated with.
struct Inputs<'w, 'a> {
    world: &'w World<'a>,
    policies: &'w TlsPolicies<'a>,
    parents: &'w Parents,
    unchanged: Unchanged,
    alike: Alike,
}

/// A route, before it is known who else wants what it wants.
enum Step<'s> {
    /// Nothing that it looks at has changed.
    Same(&'s Arc<Remembered>),
    /// Rare, and large.
    Read(Box<Reading<'s>>),
}

/// Whom a route has to do with.
struct Relations<'s> {
    asks: Asks<'s>,
    namespace: Option<Arc<Namespace>>,
    found: Vec<Found<'s>>,
}

/// A route that is read anew.
struct Reading<'s> {
    key: &'s ObjectKey,
    source: &'s Source,
    namespace: Option<Arc<Namespace>>,
    links: Vec<Link>,
    compiled: Arc<Compiled>,
    attached: Vec<Attached<'s>>,
    old: Option<&'s Arc<Remembered>>,
}

/// Translates all routes; one whose inputs are as before is taken over. Where nothing can have changed but some of the
/// HTTPRoutes, only those are looked at.
pub(crate) fn all(
    world: &World<'_>,
    policies: &TlsPolicies<'_>,
    parents: &Parents,
    unchanged: Unchanged,
    before: Option<(&Objects, &Memory)>,
) -> Routes {
    let inputs = Inputs { world, policies, parents, unchanged, alike: Alike::default() };
    match before.filter(|(old, _)| unchanged.all() && only_http_routes_differ(old, world.objects)) {
        Some((old, memory)) => some(&inputs, old, memory),
        None => each(&inputs, before.map(|(_, memory)| memory)),
    }
}

/// Whether routes of no other kind have changed, and none competes with those of this kind.
fn only_http_routes_differ(old: &Objects, new: &Objects) -> bool {
    let others = [Kind::GrpcRoute, Kind::TlsRoute, Kind::TcpRoute, Kind::UdpRoute];
    new.count(Kind::GrpcRoute) == 0 && others.iter().all(|kind| old.shares(new, *kind))
}

/// Those HTTPRoutes that are not the same as before; HTTPRoutes have no rivals among themselves.
fn some(inputs: &Inputs<'_, '_>, old: &Objects, before: &Memory) -> Routes {
    let mut same_usage = true;
    let mut changes = Vec::new();
    for route in inputs.world.objects.changed_http_routes(old) {
        let object = ObjectRef { kind: Kind::HttpRoute, key: ObjectKey::clone(route.key) };
        let old = before.get(&object);
        let source = route.new.map(|route| Source::Http(route.clone()));
        let step = source.as_ref().map(|source| step(inputs, route.key, source, old));
        let new = step.map(|step| step.finish(inputs, Vec::new()));
        if let (Some(old), Some(new)) = (old, &new)
            && Arc::ptr_eq(old, new)
        {
            continue;
        }
        same_usage &= old.zip(new.as_ref()).is_some_and(|(old, new)| old.uses_the_same(new));
        changes.push(Change { old: old.cloned(), new });
    }
    Routes { memory: change::memory(&changes, Some(before)), same_usage, changes }
}

fn each(inputs: &Inputs<'_, '_>, before: Option<&Memory>) -> Routes {
    let world = inputs.world;
    let sources: Vec<(&ObjectKey, Source)> = source::all(world.objects).collect();
    // Both are in the same order: walking them side by side needs no search.
    let mut old_ones = before.into_iter().flat_map(Memory::values).peekable();
    let mut changes: Vec<Change> = Vec::new();
    let steps = sources.iter().map(|(key, source)| {
        // Most are the very same object, whose name need not be compared.
        let same = old_ones.next_if(|old| old.source == *source);
        let old = same.or_else(|| {
            let place = (source.kind(), *key);
            while let Some(gone) = old_ones.next_if(|old| (old.source.kind(), old.key()) < place) {
                changes.push(Change { old: Some(gone.clone()), new: None });
            }
            old_ones.next_if(|old| (old.source.kind(), old.key()) == place)
        });
        step(inputs, key, source, old)
    });
    let steps: Vec<Step<'_>> = steps.collect();
    changes.extend(old_ones.map(|gone| Change { old: Some(gone.clone()), new: None }));
    // HTTPRoutes, which come first, have no rivals among themselves.
    let is_contested = sources.last().is_some_and(|(_, source)| source.kind() != RouteKind::Http);
    let mut losses = if is_contested { rivals::find(steps.iter().map(Step::contender)) } else { HashMap::new() };
    let mut same_usage = before.is_some_and(|before| before.len() == sources.len());
    for (at, step) in steps.into_iter().enumerate() {
        let old = step.old();
        let new = step.finish(inputs, losses.remove(&at).unwrap_or_default());
        if old.is_none_or(|old| !Arc::ptr_eq(old, &new)) {
            same_usage &= old.is_some_and(|old| old.uses_the_same(&new));
            changes.push(Change { old: old.cloned(), new: Some(new) });
        }
    }
    Routes { memory: change::memory(&changes, before), same_usage, changes }
}

fn step<'s>(
    inputs: &Inputs<'s, '_>,
    key: &'s ObjectKey,
    source: &'s Source,
    old: Option<&'s Arc<Remembered>>,
) -> Step<'s> {
    let Inputs { world, policies, parents: _, unchanged, alike: _ } = *inputs;
    let mut resolver = Resolver::new(world, policies, source.kind(), &key.namespace);
    let same_source = old.filter(|old| old.source == *source);
    let same_rules = same_source.filter(|old| unchanged.references || resolver.confirms(&old.compiled.lookups));
    if let Some(old) = same_rules.filter(|_| unchanged.parents) {
        return Step::Same(old);
    }
    let compiled = match same_rules {
        Some(old) => old.compiled.clone(),
        None => Arc::new(compile(&mut resolver, key, source, old.map(|old| &*old.compiled))),
    };
    let relations = Relations::new(inputs, key, source);
    match same_rules.filter(|old| relations.are_those_of(old)) {
        Some(old) => Step::Same(old),
        None => Step::Read(Box::new(relations.read(world, key, source, compiled, old))),
    }
}

fn id_of(kind: RouteKind, key: &ObjectKey) -> RouteId {
    RouteId { kind, name: name_of(key) }
}

fn compile(resolver: &mut Resolver<'_, '_>, key: &ObjectKey, source: &Source, old: Option<&Compiled>) -> Compiled {
    let mut findings = Findings::default();
    let rules = match source.rules(resolver, &id_of(source.kind(), key), &mut findings) {
        Rules::Requests(rules) => {
            let mut kept: Vec<_> = rules.into_iter().map(|rule| keep_rule(rule, old.map(|old| &old.rules))).collect();
            // They would keep the room of what they were made of.
            kept.shrink_to_fit();
            CompiledRules::Requests(kept)
        }
        Rules::Streams(carried) => CompiledRules::Streams(carried),
    };
    Compiled {
        rules,
        written: source.written(),
        findings,
        lookups: std::mem::take(&mut resolver.lookups).into(),
        targets: std::mem::take(&mut resolver.targets).into(),
        objects: std::mem::take(&mut resolver.objects).into(),
    }
}

fn keep_rule(rule: Rule, old: Option<&CompiledRules>) -> Arc<Rule> {
    let old = match old {
        Some(CompiledRules::Requests(rules)) => rules.iter().find(|old| old.id.index == rule.id.index),
        Some(CompiledRules::Streams(_)) | None => None,
    };
    keep(rule, old)
}

impl<'s> Step<'s> {
    fn old(&self) -> Option<&'s Arc<Remembered>> {
        match self {
            Self::Same(old) => Some(old),
            Self::Read(reading) => reading.old,
        }
    }

    fn contender(&self) -> Contender<'_> {
        let (key, source, attachments) = match self {
            Self::Same(old) => (old.key(), &old.source, Cow::Borrowed(old.wants())),
            Self::Read(reading) => (reading.key, reading.source, Cow::Owned(attach::attachments(&reading.attached))),
        };
        Contender { kind: source.kind(), key, created: created(source.metadata()), attachments }
    }

    fn finish(self, inputs: &Inputs<'s, '_>, losses: Vec<Loss>) -> Arc<Remembered> {
        match self {
            Self::Same(old) if old.losses == losses => old.clone(),
            Self::Same(old) => {
                let Remembered { source, compiled, .. } = &**old;
                let relations = Relations::new(inputs, old.key(), source);
                relations
                    .read(inputs.world, old.key(), source, compiled.clone(), Some(old))
                    .finish(losses, &inputs.alike)
            }
            Self::Read(reading) => reading.finish(losses, &inputs.alike),
        }
    }
}

impl<'s> Relations<'s> {
    fn new(inputs: &Inputs<'s, '_>, key: &'s ObjectKey, source: &'s Source) -> Self {
        let Inputs { world, policies: _, parents, unchanged: _, alike: _ } = *inputs;
        let asks = source.asks(key);
        let found = parents.find(world, &asks);
        let namespace = world.objects.get_namespace(&ObjectKey::new("", key.namespace.as_str())).cloned();
        Self { asks, namespace, found }
    }

    /// Whether the same parents would say the same.
    fn are_those_of(&self, old: &Remembered) -> bool {
        old.namespace == self.namespace
            && old.links.len() == self.found.len()
            && old.links.iter().zip(&self.found).all(|(old, new)| old.leads_to(new))
    }

    fn read(
        self,
        world: &World<'_>,
        key: &'s ObjectKey,
        source: &'s Source,
        compiled: Arc<Compiled>,
        old: Option<&'s Arc<Remembered>>,
    ) -> Reading<'s> {
        let Self { asks, namespace, found } = self;
        let links = found.iter().map(Found::link).collect();
        let attached = attach::attach(world, &asks, &found);
        Reading { key, source, namespace, links, compiled, attached, old }
    }
}

impl Reading<'_> {
    fn finish(self, losses: Vec<Loss>, alike: &Alike) -> Arc<Remembered> {
        let Self { key, source, namespace, links, compiled, mut attached, old } = self;
        let unopposed = if losses.is_empty() { Vec::new() } else { attach::attachments(&attached) };
        attached.iter_mut().for_each(|attached| attached.leave(&losses));
        let outcome = outcome(key, source, &compiled, &attached, old.map(|old| &old.outcome), alike);
        let object = match old {
            Some(old) => old.object.clone(),
            None => Arc::new(ObjectRef { kind: source::object_kind(source.kind()), key: key.clone() }),
        };
        let source = source.clone();
        Arc::new(Remembered { object, source, namespace, links, compiled, losses, unopposed, outcome })
    }
}

fn outcome(
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

impl Remembered {
    fn key(&self) -> &ObjectKey {
        &self.object.key
    }

    /// Where it would be served without rivals.
    fn wants(&self) -> &[Attachment] {
        match &self.outcome.served {
            _ if !self.losses.is_empty() => &self.unopposed,
            Some(Served::Requests(route)) => &route.attachments,
            Some(Served::Streams(route)) => &route.attachments,
            None => &[],
        }
    }

    fn uses_the_same(&self, other: &Self) -> bool {
        self.outcome.served.is_some() == other.outcome.served.is_some()
            && self.outcome.listeners == other.outcome.listeners
            && self.outcome.gateways == other.outcome.gateways
            && self.compiled.targets == other.compiled.targets
            && self.compiled.objects == other.compiled.objects
    }
}
