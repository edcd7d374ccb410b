//! What a data plane has, and how updates change it.

#[cfg(test)]
mod tests;

use super::alike::Alike;
use crate::resource::{Decoded, Hash, Kind, Name, Need, Sum, Value, decode};
use crate::{Rejected, Unbound, Version, wire};
use lychgate_ir::{Attachment, Endpoints, ListenerId, Route, RouteId, Snapshot, StreamRoute};
use lychgate_persistent::OrdMap;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What is to be served.
#[derive(Clone, Debug)]
pub struct Config {
    /// Counts what this process was given. What is said of it carries the number.
    pub serial: u64,
    /// Where it comes from.
    pub origin: Origin,
    /// Listeners, routes, backends, certificates. The same value as before if nothing of it changed.
    pub snapshot: Arc<Snapshot>,
    /// Where backends are.
    pub endpoints: Endpoints,
    /// What of it is not understood here, and fails closed.
    pub rejected: Arc<Vec<Rejected>>,
}

/// Where a config comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// From the cache on disk.
    Cache,
    /// From a control plane, which calls it so.
    Feed(Version),
}

/// What became of a config.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Which config it is.
    pub serial: u64,
    /// Rules that could not be compiled. They fail closed.
    pub rejected: Vec<Rejected>,
    /// Sockets that could not be opened.
    pub unbound: Vec<Unbound>,
}

/// All resources, as they were understood.
#[derive(Clone, Debug, Default)]
pub(crate) struct State {
    held: BTreeMap<Name, Hash>,
    sum: Sum,
    pub(crate) snapshot: Arc<Snapshot>,
    pub(crate) endpoints: Endpoints,
    /// What each resource that was not understood in full has that fails closed.
    pub(crate) rejected: BTreeMap<Name, Vec<Rejected>>,
    /// Listeners on which nothing may be served.
    shut: BTreeSet<ListenerId>,
    /// As they came, where they are attached to listeners that are shut: it may pass.
    routes: BTreeMap<RouteId, Arc<Route>>,
    stream_routes: BTreeMap<RouteId, Arc<StreamRoute>>,
    alike: Arc<Alike>,
}

/// All parts of an update.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    pub(crate) changed: Vec<wire::Resource>,
    pub(crate) removed: Vec<wire::Name>,
    pub(crate) version: u64,
    pub(crate) digest: bytes::Bytes,
}

impl State {
    pub(crate) fn digest(&self) -> Option<Hash> {
        (!self.held.is_empty()).then(|| self.sum.digest())
    }

    /// Names and hashes of all that is here.
    pub(crate) fn held(&self) -> &BTreeMap<Name, Hash> {
        &self.held
    }

    /// The hash of nothing is known, so all of it is sent anew.
    pub(crate) fn doubt(&mut self) {
        self.held.values_mut().for_each(|hash| *hash = Hash::NONE);
        self.sum = self.held.iter().map(|(name, hash)| (name, *hash)).collect();
    }

    /// From what was kept of another process.
    pub(crate) fn restored(
        snapshot: Snapshot,
        endpoints: Endpoints,
        held: BTreeMap<Name, Hash>,
        shut: BTreeSet<ListenerId>,
    ) -> Self {
        let mut snapshot = snapshot;
        let sum = held.iter().map(|(name, hash)| (name, *hash)).collect();
        let mut state = Self { held, sum, endpoints, shut, ..Self::default() };
        let shared = snapshot.routes.iter().map(|(id, route)| (id.clone(), state.alike.share(route.clone())));
        snapshot.routes = shared.collect();
        state.detach(&mut snapshot);
        state.snapshot = Arc::new(snapshot);
        state
    }

    /// The snapshot as it came: with routes on listeners that are shut.
    pub(crate) fn as_published(&self) -> Cow<'_, Snapshot> {
        if self.routes.is_empty() && self.stream_routes.is_empty() {
            return Cow::Borrowed(&self.snapshot);
        }
        let mut snapshot = Snapshot::clone(&self.snapshot);
        snapshot.routes.extend(self.routes.iter().map(|(id, route)| (id.clone(), route.clone())));
        snapshot.stream_routes.extend(self.stream_routes.iter().map(|(id, route)| (id.clone(), route.clone())));
        Cow::Owned(snapshot)
    }

    pub(crate) fn shut(&self) -> &BTreeSet<ListenerId> {
        &self.shut
    }

    /// Everything that fails closed.
    pub(crate) fn all_rejected(&self) -> Vec<Rejected> {
        self.rejected.values().flatten().cloned().collect()
    }

    /// Becomes what these changes make of it.
    ///
    /// # Errors
    /// If it is not what the control plane says that it is. What it is then is to be asked for anew.
    pub(crate) fn apply(&mut self, changes: Changes) -> Result<(), String> {
        let Changes { changed, removed, version: _, digest } = changes;
        let is_config = |kind: &str| Kind::from(kind) != Kind::Endpoints;
        let touched = changed.iter().map(|resource| &resource.kind).chain(removed.iter().map(|name| &name.kind));
        // Endpoints alone leave the snapshot as it is: the very same value.
        let mut snapshot = touched.into_iter().any(|kind| is_config(kind)).then(|| Snapshot::clone(&self.snapshot));
        let mut none = Snapshot::default();
        let target = snapshot.as_mut().unwrap_or(&mut none);
        let was_shut = !self.shut.is_empty();
        for wire::Name { kind, name } in removed {
            self.forget(target, &Name { kind: Kind::from(&*kind), name: name.into() });
        }
        for wire::Resource { kind, name, hash, payload, needs } in changed {
            let name = Name { kind: Kind::from(&*kind), name: name.into() };
            let hash = Hash::from_bytes(&hash).ok_or_else(|| format!("{name} has no hash"))?;
            let need = |wire::Need { feature, rule }| Need { feature: feature.into(), rule };
            let needs: Vec<Need> = needs.into_iter().map(need).collect();
            let Decoded { value, rejected } = decode(&name, &payload, &needs);
            self.forget(target, &name);
            self.take(target, value);
            if !rejected.is_empty() {
                self.rejected.insert(name.clone(), rejected);
            }
            self.sum.add(&name, hash);
            self.held.insert(name, hash);
        }
        if let Some(mut snapshot) = snapshot {
            if was_shut || !self.shut.is_empty() {
                self.detach(&mut snapshot);
            }
            self.snapshot = Arc::new(snapshot);
        }
        if Hash::from_bytes(&digest) != Some(self.sum.digest()) {
            return Err("what is here after the update is not what the control plane has".to_owned());
        }
        Ok(())
    }

    fn take(&mut self, snapshot: &mut Snapshot, value: Value) {
        match value {
            Value::Listener(id, listener) => {
                snapshot.listeners.insert(id, listener);
            }
            Value::Shut(id, listener) => {
                self.shut.insert(id.clone());
                snapshot.listeners.insert(id, listener);
            }
            Value::Route(id, route) => {
                snapshot.routes.insert(id, self.alike.share(route));
            }
            Value::StreamRoute(id, route) => {
                snapshot.stream_routes.insert(id, route);
            }
            Value::Backend(id, backend) => {
                snapshot.backends.insert(id, backend);
            }
            Value::Certificate(id, certificate) => {
                snapshot.certificates.insert(id, certificate);
            }
            Value::Secret(id, secret) => {
                snapshot.secrets.insert(id, secret);
            }
            Value::Egress(id, egress) => {
                snapshot.egress.insert(id, egress);
            }
            Value::EgressPolicy(id, policy) => {
                snapshot.egress_policies.insert(id, policy);
            }
            Value::Workload(address, workload) => {
                snapshot.workloads.insert(address, workload);
            }
            Value::Endpoints(id, endpoints) => {
                self.endpoints.insert(id, endpoints);
            }
            Value::Nothing => {}
        }
    }

    fn forget(&mut self, snapshot: &mut Snapshot, name: &Name) {
        if let Some(before) = self.held.remove(name) {
            self.sum.take(name, before);
        }
        self.rejected.remove(name);
        fn without<I: Ord + std::str::FromStr, V>(map: &mut BTreeMap<I, V>, name: &str) -> Option<I> {
            let id = name.parse().ok()?;
            map.remove(&id);
            Some(id)
        }
        match &name.kind {
            Kind::Listener => {
                if let Some(id) = without(&mut snapshot.listeners, &name.name) {
                    self.shut.remove(&id);
                }
            }
            Kind::Route => {
                if let Ok(id) = name.name.parse::<RouteId>() {
                    snapshot.routes.remove(&id);
                    self.routes.remove(&id);
                }
            }
            Kind::StreamRoute => {
                if let Ok(id) = name.name.parse::<RouteId>() {
                    snapshot.stream_routes.remove(&id);
                    self.stream_routes.remove(&id);
                }
            }
            Kind::Backend => {
                without(&mut snapshot.backends, &name.name);
            }
            Kind::Certificate => {
                without(&mut snapshot.certificates, &name.name);
            }
            Kind::Secret => {
                without(&mut snapshot.secrets, &name.name);
            }
            Kind::Egress => {
                without(&mut snapshot.egress, &name.name);
            }
            Kind::EgressPolicy => {
                without(&mut snapshot.egress_policies, &name.name);
            }
            Kind::Workload => {
                without(&mut snapshot.workloads, &name.name);
            }
            Kind::Endpoints => {
                without(&mut self.endpoints, &name.name);
            }
            Kind::Other(_) => {}
        }
    }

    /// Takes routes off listeners that are shut, and puts them back on those that are so no more.
    fn detach(&mut self, snapshot: &mut Snapshot) {
        detach(
            &self.shut,
            &mut self.routes,
            &mut snapshot.routes,
            (|route| &route.attachments, |route| &mut route.attachments),
        );
        detach(
            &self.shut,
            &mut self.stream_routes,
            &mut snapshot.stream_routes,
            (|route| &route.attachments, |route| &mut route.attachments),
        );
    }
}

/// The same for routes of one kind. Those that are taken off are kept `whole`.
fn detach<R: Clone>(
    shut: &BTreeSet<ListenerId>,
    whole: &mut BTreeMap<RouteId, Arc<R>>,
    routes: &mut OrdMap<RouteId, Arc<R>>,
    (seen, changed): (impl Fn(&R) -> &[Attachment], impl Fn(&mut R) -> &mut Arc<[Attachment]>),
) {
    routes.extend(std::mem::take(whole));
    let is_shut = |attachment: &Attachment| shut.contains(&attachment.listener);
    let taken = routes.iter().filter(|(_, route)| seen(route).iter().any(is_shut));
    *whole = taken.map(|(id, route)| (id.clone(), route.clone())).collect();
    for (id, route) in whole {
        let mut open = R::clone(route);
        *changed(&mut open) = seen(route).iter().filter(|attachment| !is_shut(attachment)).cloned().collect();
        routes.insert(id.clone(), Arc::new(open));
    }
}
