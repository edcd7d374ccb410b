//! Runs the parts in their order, and puts together what they give.

use crate::backend::{self, endpoints};
use crate::egress;
use crate::gateway::{self, GatewayPlan};
use crate::keep::keep;
use crate::listener::{merge, overlap};
use crate::memo::Memo;
use crate::policy::backend_tls::TlsPolicies;
use crate::route::parents::Parents;
use crate::route::usage::{Asked, Usage};
use crate::route::{self, Routes, Unchanged, change};
use crate::status::{ObjectStatus, Statuses};
use crate::world::World;
use crate::{Options, Translation, gateway_class};
use lychgate_api::{Kind, ObjectRef, Objects};
use lychgate_ir::egress::Workload;
use lychgate_ir::{Backend, BackendId, Certificate, CertificateId, Listener, ListenerId, Snapshot};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

/// Whether nothing else could have changed.
pub(crate) fn only_pods_differ(old: &Objects, new: &Objects) -> bool {
    Kind::ALL.iter().all(|kind| matches!(kind, Kind::EndpointSlice | Kind::Pod) || old.shares(new, *kind))
}

/// Pods come and go all the time, and nothing depends on them but the endpoints, and who is behind an address.
pub(crate) fn pods_only(objects: &Objects, previous: &Translation) -> Translation {
    let Memo { objects: old, options, verdicts, parents, routes, alike, usage, policies, others } = &*previous.memo;
    let endpoints = endpoints::all(objects, &previous.snapshot.backends, Some((old, &previous.endpoints)));
    let mut snapshot = previous.snapshot.clone();
    if !snapshot.egress.is_empty() && !old.shares(objects, Kind::Pod) {
        let workloads = egress::workloads::all(objects, Some(&snapshot));
        if workloads != snapshot.workloads {
            Arc::make_mut(&mut snapshot).workloads = workloads;
        }
    }
    let memo = Memo {
        objects: objects.clone(),
        options: options.clone(),
        verdicts: verdicts.clone(),
        parents: parents.clone(),
        routes: routes.clone(),
        alike: alike.clone(),
        usage: usage.clone(),
        policies: policies.clone(),
        others: others.clone(),
    };
    Translation { snapshot, endpoints, statuses: previous.statuses.clone(), memo: Arc::new(memo) }
}

/// Translates everything, except for what can be seen not to have changed.
pub(crate) fn whole(objects: &Objects, options: &Options, previous: Option<&Translation>) -> Translation {
    let before = previous.map(|previous| &*previous.memo);
    let old = previous.map(|previous| &*previous.snapshot);
    let world = World::new(objects, options, before);
    let policies = TlsPolicies::new(&world);
    let (mut plans, unclaimed) = gateway::plan(&world, &policies);
    overlap::mark(&mut plans, options.standalone);

    let parents = Parents::new(&plans, before.map(|before| &*before.parents));
    let unchanged = unchanged(objects, &parents, before);
    let old_routes = before.map(|before| (&before.objects, &before.routes));
    let alike = before.map(|before| before.alike.clone()).unwrap_or_default();
    let translated = route::all(&world, &policies, &parents, unchanged, &alike, old_routes);
    let Routes { memory: routes, same_usage, changes } = translated;
    let asked = Asked::of(&plans);
    let same_usage = same_usage && before.is_some_and(|before| before.usage.asked == asked);
    let usage = match before.filter(|_| same_usage) {
        Some(before) => before.usage.clone(),
        None => Arc::new(Usage::of(&routes, asked)),
    };
    let backends = match before.zip(old).filter(|(before, _)| same_usage && same_backends(&before.objects, objects)) {
        Some((_, old)) => old.backends.clone(),
        None => backends(&world, &policies, &usage, old),
    };
    let egress_policies = egress::Policies::new(&world, before.map(|before| (&before.objects, &*before.policies)));
    let attachments = egress::Attachments::new(&world, &plans, &egress_policies);
    let emitted = egress::emit(&plans, &egress_policies, &attachments, old);
    let snapshot = Snapshot {
        certificates: BTreeMap::new(),
        listeners: listeners(&plans, old),
        routes: change::requests(&changes, old.map(|old| &old.routes)),
        stream_routes: change::streams(&changes, old.map(|old| &old.stream_routes)),
        backends,
        secrets: emitted.secrets,
        egress: emitted.gateways,
        egress_policies: emitted.policies,
        workloads: workloads(objects, &plans, before.map(|before| &before.objects), old),
    };
    let snapshot = Snapshot { certificates: certificates(&world, &snapshot, &emitted.certificates, old), ..snapshot };
    let before_endpoints = previous.map(|previous| (&previous.memo.objects, &previous.endpoints));
    let endpoints = endpoints::all(objects, &snapshot.backends, before_endpoints);

    let mut said = change::statuses(&changes, previous.map(|previous| previous.statuses.all()));
    // The rest is said anew.
    let mut others = BTreeSet::new();
    let mut say = |object: ObjectRef, status: ObjectStatus| {
        let old = previous.and_then(|previous| previous.statuses.get(&object));
        let object = Arc::new(object);
        let status = keep(status, old);
        if said.get(&object).is_none_or(|said| !Arc::ptr_eq(said, &status)) {
            said.insert(object.clone(), status);
        }
        others.insert(object);
    };
    gateway_class::statuses(objects).for_each(|(object, status)| say(object, status));
    gateway_statuses(&world, &plans, &unclaimed, &usage, &mut say);
    policies.statuses(&world, &usage).into_iter().for_each(|(object, status)| say(object, status));
    backend::statuses(&world, &usage).into_iter().for_each(|(object, status)| say(object, status));
    let of_egress = egress::statuses(&plans, &egress_policies, &attachments);
    of_egress.into_iter().for_each(|(object, status)| say(object, status));
    for object in before.iter().flat_map(|before| before.others.difference(&others)) {
        said.remove(object);
    }

    Translation {
        snapshot: keep(snapshot, previous.map(|previous| &previous.snapshot)),
        endpoints,
        statuses: Statuses::new(said),
        memo: Arc::new(Memo {
            objects: objects.clone(),
            options: options.clone(),
            verdicts: Arc::new(world.store.into_verdicts()),
            parents: Arc::new(parents),
            routes,
            alike,
            usage,
            policies: Arc::new(egress_policies.into_memory()),
            others: Arc::new(others),
        }),
    }
}

/// What no route has to look at again.
fn unchanged(objects: &Objects, parents: &Parents, before: Option<&Memo>) -> Unchanged {
    let Some(before) = before else { return Unchanged::default() };
    let shares = |kinds: &[Kind]| kinds.iter().all(|kind| before.objects.shares(objects, *kind));
    Unchanged {
        references: shares(&[Kind::Service, Kind::XBackend, Kind::ReferenceGrant, Kind::BackendTlsPolicy]),
        parents: shares(&[
            Kind::Gateway,
            Kind::ListenerSet,
            Kind::GatewayClass,
            Kind::GatewayParameters,
            Kind::Namespace,
        ]) && before.parents.same(parents),
    }
}

/// Whether all that backends are made of is the very same.
fn same_backends(old: &Objects, new: &Objects) -> bool {
    [
        Kind::Service,
        Kind::XBackend,
        Kind::BackendTlsPolicy,
        Kind::ReferenceGrant,
        Kind::ConfigMap,
        Kind::ClusterTrustBundle,
        Kind::Secret,
    ]
    .iter()
    .all(|kind| old.shares(new, *kind))
}

fn listeners(plans: &[GatewayPlan<'_>], old: Option<&Snapshot>) -> BTreeMap<ListenerId, Arc<Listener>> {
    let emitted = plans.iter().flat_map(|plan| plan.all_listeners().filter_map(|listener| listener.emit(plan)));
    let kept = emitted.map(|listener| {
        let old = old.and_then(|old| old.listeners.get(&listener.id));
        (listener.id.clone(), keep(listener, old))
    });
    kept.collect()
}

fn backends(
    world: &World<'_>,
    policies: &TlsPolicies<'_>,
    usage: &Usage,
    old: Option<&Snapshot>,
) -> BTreeMap<BackendId, Arc<Backend>> {
    let built = backend::all(world, policies, usage).into_iter().map(|(id, backend)| {
        let old = old.and_then(|old| old.backends.get(&id));
        (id, keep(backend, old))
    });
    built.collect()
}

/// Who is behind an address, where that matters.
fn workloads(
    objects: &Objects,
    plans: &[GatewayPlan<'_>],
    before: Option<&Objects>,
    old: Option<&Snapshot>,
) -> BTreeMap<IpAddr, Arc<Workload>> {
    if !egress::is_needed(plans) {
        return BTreeMap::new();
    }
    match old.filter(|old| !old.egress.is_empty() && before.is_some_and(|before| before.shares(objects, Kind::Pod))) {
        Some(old) => old.workloads.clone(),
        None => egress::workloads::all(objects, old),
    }
}

/// Those that something in the snapshot uses, and no others: keys are not carried where nobody needs them.
fn certificates(
    world: &World<'_>,
    snapshot: &Snapshot,
    of_egress: &[CertificateId],
    old: Option<&Snapshot>,
) -> BTreeMap<CertificateId, Arc<Certificate>> {
    let mut used: BTreeSet<&CertificateId> = of_egress.iter().collect();
    for listener in snapshot.listeners.values() {
        used.extend(listener.tls.iter().flat_map(|tls| &tls.certificates));
        used.extend(&listener.upstream_identity);
    }
    used.extend(snapshot.backends.values().filter_map(|backend| backend::own_certificate(backend)));
    let found = used.into_iter().filter_map(|id| {
        let certificate = world.store.good(id)?;
        let old = old.and_then(|old| old.certificates.get(id));
        Some((id.clone(), old.filter(|old| **old == certificate).cloned().unwrap_or(certificate)))
    });
    found.collect()
}

fn gateway_statuses(
    world: &World<'_>,
    plans: &[GatewayPlan<'_>],
    unclaimed: &[gateway::Unclaimed<'_>],
    usage: &Usage,
    say: &mut impl FnMut(ObjectRef, ObjectStatus),
) {
    for plan in plans {
        let object = ObjectRef { kind: Kind::Gateway, key: plan.key.clone() };
        say(object, gateway::status::gateway(plan, &world.options.node_addresses, &usage.attached));
        for set in &plan.sets {
            let object = ObjectRef { kind: Kind::ListenerSet, key: set.key.clone() };
            say(object, gateway::status::listener_set(plan, set, &usage.attached));
        }
    }
    for (key, gateway, problem) in unclaimed {
        let object = ObjectRef { kind: Kind::Gateway, key: (*key).clone() };
        say(object, gateway::status::unclaimed(gateway, problem));
    }
    for (key, set, problem) in merge::orphans(world) {
        let object = ObjectRef { kind: Kind::ListenerSet, key: key.clone() };
        say(object, gateway::status::orphan_set(set, &problem));
    }
}
