//! Slices: of a whole snapshot, what one data plane needs and no more. It gets no key, no route and no address that only
//! others use.
//!
//! A slice whose parts are all the same values as before is the same value again, so that a change costs only those whom
//! it concerns.

use lychgate_ir::filter::{ExternalAuth, ListenerFilter, Mirror};
use lychgate_ir::{
    Attachment, Backend, BackendId, BackendTls, CertificateId, ClientIdentity, Endpoints, Filter, Forward, GatewayId,
    Listener, Route, RouteId, Snapshot, StreamBackend, StreamRoute, Target, WeightedBackend,
};
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
    slices: BTreeMap<G, Slice>,
    routes: BTreeMap<RouteId, Known<Route>>,
    streams: BTreeMap<RouteId, Known<StreamRoute>>,
}

/// What is known of a route of the snapshot before.
#[derive(Debug)]
struct Known<R> {
    route: Arc<R>,
    backends: Arc<[BackendId]>,
}

impl<G> Default for Slicer<G> {
    fn default() -> Self {
        Self { slices: BTreeMap::new(), routes: BTreeMap::new(), streams: BTreeMap::new() }
    }
}

/// A route of either kind.
trait Attached: Clone + Eq {
    fn attachments(&self) -> &Vec<Attachment>;
    fn attachments_mut(&mut self) -> &mut Vec<Attachment>;
    fn backends(&self) -> BTreeSet<BackendId>;
}

impl<G: Ord + Clone> Slicer<G> {
    /// The slices of now. Every group of `groups` has one, also if it serves nothing yet.
    pub fn cut(
        &mut self,
        snapshot: &Snapshot,
        endpoints: &Endpoints,
        groups: &BTreeMap<GatewayId, G>,
    ) -> &BTreeMap<G, Slice> {
        let mut cut: BTreeMap<G, Snapshot> =
            groups.values().map(|group| (group.clone(), Snapshot::default())).collect();
        for (id, listener) in &snapshot.listeners {
            if let Some(slice) = groups.get(&id.gateway).and_then(|group| cut.get_mut(group)) {
                slice.listeners.insert(id.clone(), listener.clone());
            }
        }
        let mut used: BTreeMap<G, BTreeSet<BackendId>> = BTreeMap::new();
        for (group, slice) in &cut {
            let asked = slice.listeners.values().flat_map(|listener| &listener.filters);
            let services = asked.filter_map(|ListenerFilter::ExternalAuth(auth)| target(&auth.target));
            used.entry(group.clone()).or_default().extend(services);
        }
        self.routes = attach(&snapshot.routes, &self.routes, groups, &mut used, |group, id, route| {
            let old = self.slices.get(group).and_then(|slice| slice.snapshot.routes.get(id));
            if let Some(slice) = cut.get_mut(group) {
                slice.routes.insert(id.clone(), same(route, old));
            }
        });
        self.streams = attach(&snapshot.stream_routes, &self.streams, groups, &mut used, |group, id, route| {
            let old = self.slices.get(group).and_then(|slice| slice.snapshot.stream_routes.get(id));
            if let Some(slice) = cut.get_mut(group) {
                slice.stream_routes.insert(id.clone(), same(route, old));
            }
        });
        let finished = cut.into_iter().map(|(group, mut slice)| {
            for id in used.remove(&group).unwrap_or_default() {
                if let Some(backend) = snapshot.backends.get(&id) {
                    slice.backends.insert(id, backend.clone());
                }
            }
            for id in certificates(&slice) {
                if let Some(certificate) = snapshot.certificates.get(&id) {
                    slice.certificates.insert(id, certificate.clone());
                }
            }
            let own = slice.backends.keys().filter_map(|id| Some((id.clone(), endpoints.get(id)?.clone())));
            let endpoints: Endpoints = own.collect();
            let old = self.slices.get(&group);
            let snapshot = old.map(|old| &old.snapshot).filter(|old| ***old == slice).cloned();
            let snapshot = snapshot.unwrap_or_else(|| Arc::new(slice));
            (group, Slice { snapshot, endpoints })
        });
        self.slices = finished.collect();
        &self.slices
    }
}

/// Gives every group the routes that are attached to listeners of it, without what they say of listeners of others.
fn attach<G: Ord + Clone, R: Attached>(
    routes: &BTreeMap<RouteId, Arc<R>>,
    known: &BTreeMap<RouteId, Known<R>>,
    groups: &BTreeMap<GatewayId, G>,
    used: &mut BTreeMap<G, BTreeSet<BackendId>>,
    mut give: impl FnMut(&G, &RouteId, Arc<R>),
) -> BTreeMap<RouteId, Known<R>> {
    let mut now = BTreeMap::new();
    for (id, route) in routes {
        let backends = match known.get(id).filter(|known| Arc::ptr_eq(&known.route, route)) {
            Some(known) => known.backends.clone(),
            None => route.backends().into_iter().collect(),
        };
        let group = |attachment: &Attachment| groups.get(&attachment.listener.gateway);
        let mine: BTreeSet<&G> = route.attachments().iter().filter_map(group).collect();
        for one in &mine {
            used.entry((*one).clone()).or_default().extend(backends.iter().cloned());
            let all = route.attachments().iter().all(|attachment| group(attachment) == Some(*one));
            if all {
                give(one, id, route.clone());
            } else {
                let mut part = R::clone(route);
                part.attachments_mut().retain(|attachment| group(attachment) == Some(*one));
                give(one, id, Arc::new(part));
            }
        }
        now.insert(id.clone(), Known { route: route.clone(), backends });
    }
    now
}

/// The old one if it says the same.
fn same<R: Attached>(new: Arc<R>, old: Option<&Arc<R>>) -> Arc<R> {
    old.filter(|old| **old == new).cloned().unwrap_or(new)
}

fn certificates(slice: &Snapshot) -> BTreeSet<CertificateId> {
    let mut all = BTreeSet::new();
    for listener in slice.listeners.values() {
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
        } = &**listener;
        all.extend(tls.iter().flat_map(|tls| tls.certificates.iter().cloned()));
        all.extend(upstream_identity.clone());
    }
    for backend in slice.backends.values() {
        let Backend { id: _, protocol: _, tls, resolution: _, balance: _, persistence: _, proxy_protocol: _ } =
            &**backend;
        match tls {
            BackendTls::Plain | BackendTls::Broken(_) => {}
            BackendTls::Tls(tls) => match &tls.identity {
                ClientIdentity::Gateway | ClientIdentity::None => {}
                ClientIdentity::Certificate(id) => {
                    all.insert(id.clone());
                }
            },
        }
    }
    all
}

impl Attached for Route {
    fn attachments(&self) -> &Vec<Attachment> {
        &self.attachments
    }

    fn attachments_mut(&mut self) -> &mut Vec<Attachment> {
        &mut self.attachments
    }

    fn backends(&self) -> BTreeSet<BackendId> {
        let mut all = BTreeSet::new();
        for rule in &self.rules {
            of_filters(&rule.filters, &mut all);
            let Ok(Forward { backends, timeouts: _, retry: _, persistence: _ }) = &rule.forward else { continue };
            for WeightedBackend { weight: _, target: to, filters } in backends {
                all.extend(target(to));
                of_filters(filters, &mut all);
            }
        }
        all
    }
}

impl Attached for StreamRoute {
    fn attachments(&self) -> &Vec<Attachment> {
        &self.attachments
    }

    fn attachments_mut(&mut self) -> &mut Vec<Attachment> {
        &mut self.attachments
    }

    fn backends(&self) -> BTreeSet<BackendId> {
        let backends = self.forward.iter().flatten();
        backends.filter_map(|StreamBackend { weight: _, target: to }| target(to)).collect()
    }
}

fn target(to: &Target) -> Option<BackendId> {
    match to {
        Target::Backend(id) => Some(id.clone()),
        Target::Broken(_) => None,
    }
}

fn of_filters(filters: &[Filter], all: &mut BTreeSet<BackendId>) {
    for filter in filters {
        match filter {
            Filter::Mirror(Mirror { target: to, share: _ }) => all.extend(target(to)),
            Filter::ExternalAuth(ExternalAuth { target: to, protocol: _, body: _ }) => all.extend(target(to)),
            Filter::RequestHeaders(_)
            | Filter::ResponseHeaders(_)
            | Filter::Redirect(_)
            | Filter::Rewrite(_)
            | Filter::Cors(_)
            | Filter::Broken(_) => {}
        }
    }
}

#[cfg(test)]
mod tests;
