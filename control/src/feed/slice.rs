//! Slices: of a whole snapshot, what one data plane needs and no more. It gets no key, no route and no address that only
//! others use.
//!
//! A slice whose parts are all the same values as before is the same value again, and of thousands of routes only those
//! that changed are looked at: a change costs those whom it concerns.

mod attached;
mod edit;
mod outward;

use attached::{Attached, target};
use edit::Edits;
use lychgate_ir::filter::ListenerFilter;
use lychgate_ir::{
    Backend, BackendId, BackendTls, Certificate, CertificateId, ClientIdentity, Endpoints, GatewayId, Listener,
    ListenerId, RouteId, Snapshot,
};
use lychgate_persistent::{Change, OrdMap};
use outward::Outward;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What one group of Gateways is given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Slice {
    /// Its listeners, the routes that are attached to them, and what those use.
    pub snapshot: Arc<Snapshot>,
    /// Where its backends are.
    pub endpoints: Endpoints,
}

/// Cuts, and remembers what it cut before.
#[derive(Debug)]
pub struct Slicer<G> {
    /// What was cut last, and for whom.
    whole: Arc<Snapshot>,
    groups: BTreeMap<GatewayId, G>,
    slices: BTreeMap<G, Slice>,
    /// How many routes of each group use which backend.
    used: BTreeMap<G, BTreeMap<BackendId, usize>>,
}

impl<G> Default for Slicer<G> {
    fn default() -> Self {
        let (groups, slices, used) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        Self { whole: Arc::default(), groups, slices, used }
    }
}

impl<G: Ord + Clone> Slicer<G> {
    /// The slices of now. Every group of `groups` has one, also if it serves nothing yet.
    pub fn cut(
        &mut self,
        snapshot: &Arc<Snapshot>,
        endpoints: &Endpoints,
        groups: &BTreeMap<GatewayId, G>,
    ) -> &BTreeMap<G, Slice> {
        let mut before = std::mem::replace(&mut self.whole, snapshot.clone());
        let is_anew = self.groups != *groups;
        if is_anew {
            // Any route may be for others now: all of them are looked at.
            self.groups = groups.clone();
            self.used.clear();
            before = Arc::default();
        }
        let mut routes = self.edits(&before.routes, &snapshot.routes);
        let mut streams = self.edits(&before.stream_routes, &snapshot.stream_routes);
        let mut listeners: BTreeMap<G, BTreeMap<ListenerId, Arc<Listener>>> =
            groups.values().map(|group| (group.clone(), BTreeMap::new())).collect();
        for (id, listener) in &snapshot.listeners {
            if let Some(own) = groups.get(&id.gateway).and_then(|group| listeners.get_mut(group)) {
                own.insert(id.clone(), listener.clone());
            }
        }
        let mut old = std::mem::take(&mut self.slices);
        for (group, listeners) in listeners {
            let old = old.remove(&group).unwrap_or_default();
            let routes = routes.remove(&group).unwrap_or_default();
            let streams = streams.remove(&group).unwrap_or_default();
            let backends = self.backends(&group, &listeners, snapshot);
            let own = backends.keys().filter_map(|id| Some((id.clone(), endpoints.get(id)?.clone())));
            let endpoints = own.collect();
            let outward = Outward::of(snapshot, &group, groups);
            let part = Part {
                routes: routes.applied(&old.snapshot.routes, is_anew),
                streams: streams.applied(&old.snapshot.stream_routes, is_anew),
                certificates: certificates(&listeners, &backends, &outward, snapshot),
                listeners,
                backends,
                outward,
            };
            self.slices.insert(group, Slice { snapshot: part.snapshot(&old.snapshot), endpoints });
        }
        &self.slices
    }

    /// What changes for whom, and keeps account of what is used.
    fn edits<R: Attached>(
        &mut self,
        before: &OrdMap<RouteId, Arc<R>>,
        now: &OrdMap<RouteId, Arc<R>>,
    ) -> BTreeMap<G, Edits<R>> {
        let mut edits: BTreeMap<G, Edits<R>> = BTreeMap::new();
        for Change { key: id, old, new } in now.changes(before, Arc::ptr_eq) {
            if let Some(old) = old {
                for group in old.groups(&self.groups) {
                    edits.entry(group.clone()).or_default().remove(id);
                    let used = self.used.entry(group.clone()).or_default();
                    old.backends().iter().for_each(|backend| release(used, backend));
                }
            }
            if let Some(new) = new {
                for group in new.groups(&self.groups) {
                    let part = new.part_of(group, &self.groups);
                    edits.entry(group.clone()).or_default().put(id, part);
                    let used = self.used.entry(group.clone()).or_default();
                    new.backends().into_iter().for_each(|backend| *used.entry(backend).or_default() += 1);
                }
            }
        }
        edits
    }

    /// What routes of the group forward to and filters of its listeners ask.
    fn backends(
        &self,
        group: &G,
        listeners: &BTreeMap<ListenerId, Arc<Listener>>,
        snapshot: &Snapshot,
    ) -> BTreeMap<BackendId, Arc<Backend>> {
        let asked = listeners.values().flat_map(|listener| &listener.filters);
        let asked: Vec<BackendId> =
            asked.filter_map(|ListenerFilter::ExternalAuth(auth)| target(&auth.target)).collect();
        let used = self.used.get(group).into_iter().flat_map(BTreeMap::keys).chain(&asked);
        used.filter_map(|id| Some((id.clone(), snapshot.backends.get(id)?.clone()))).collect()
    }
}

fn release(used: &mut BTreeMap<BackendId, usize>, backend: &BackendId) {
    if let Some(routes) = used.get_mut(backend) {
        *routes -= 1;
        if *routes == 0 {
            used.remove(backend);
        }
    }
}

/// What a slice is made of.
struct Part {
    listeners: BTreeMap<ListenerId, Arc<Listener>>,
    /// None if they are as before.
    routes: Option<OrdMap<RouteId, Arc<lychgate_ir::Route>>>,
    streams: Option<OrdMap<RouteId, Arc<lychgate_ir::StreamRoute>>>,
    backends: BTreeMap<BackendId, Arc<Backend>>,
    certificates: BTreeMap<CertificateId, Arc<Certificate>>,
    outward: Outward,
}

impl Part {
    /// The old one if it says the same.
    fn snapshot(self, old: &Arc<Snapshot>) -> Arc<Snapshot> {
        let Self { listeners, routes, streams, backends, certificates, outward } = self;
        let Outward { gateways, policies, secrets, workloads, certificates: _ } = outward;
        let is_same = routes.is_none()
            && streams.is_none()
            && listeners == old.listeners
            && backends == old.backends
            && certificates == old.certificates
            && gateways == old.egress
            && policies == old.egress_policies
            && secrets == old.secrets
            && workloads == old.workloads;
        if is_same {
            return old.clone();
        }
        Arc::new(Snapshot {
            listeners,
            routes: routes.unwrap_or_else(|| old.routes.clone()),
            stream_routes: streams.unwrap_or_else(|| old.stream_routes.clone()),
            backends,
            certificates,
            secrets,
            egress: gateways,
            egress_policies: policies,
            workloads,
        })
    }
}

/// Those that listeners show, and that backends and what is outside are shown.
fn certificates(
    listeners: &BTreeMap<ListenerId, Arc<Listener>>,
    backends: &BTreeMap<BackendId, Arc<Backend>>,
    outward: &Outward,
    snapshot: &Snapshot,
) -> BTreeMap<CertificateId, Arc<Certificate>> {
    let mut all: BTreeSet<&CertificateId> = outward.certificates.iter().collect();
    for listener in listeners.values() {
        let Listener {
            id: _,
            addresses: _,
            port: _,
            protocol: _,
            hostname: _,
            tls,
            upstream_identity,
            trusted_hops: _,
            proxy_protocol_from: _,
            filters: _,
            leaves: _,
        } = &**listener;
        all.extend(tls.iter().flat_map(|tls| &tls.certificates));
        all.extend(upstream_identity);
    }
    for backend in backends.values() {
        let Backend { id: _, protocol: _, tls, resolution: _, balance: _, persistence: _, proxy_protocol: _ } =
            &**backend;
        match tls {
            BackendTls::Plain | BackendTls::Broken(_) => {}
            BackendTls::Tls(tls) => match &tls.identity {
                ClientIdentity::Gateway | ClientIdentity::None => {}
                ClientIdentity::Certificate(id) => {
                    all.insert(id);
                }
            },
        }
    }
    all.into_iter().filter_map(|id| Some((id.clone(), snapshot.certificates.get(id)?.clone()))).collect()
}

#[cfg(test)]
mod tests;
