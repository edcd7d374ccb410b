//! From a snapshot to a runtime. What did not change is taken over from the runtime before: backend cells with their
//! endpoints and counters, TLS settings with their tickets, rules, and route tables of hosts that nobody touched.

use super::listener::ListenerTlsState;
use super::rule::Rules;
use super::{AuthState, Bind, ListenerState, Port, Runtime, Speaks};
use crate::egress;
use crate::limits::Limits;
use crate::proxy_protocol::Proxies;
use crate::stream::StreamTable;
use crate::tls::TlsError;
use crate::tls::client::ClientTls;
use crate::tls::server::{Presentable, ServerTls};
use crate::upstream::{BackendCell, BackendState, Pools, Reach};
use lychgate_ir::{
    Attachment, Backend, BackendId, BackendTls, Certificate, CertificateId, ClientIdentity, Listener, ListenerFilter,
    ListenerId, ListenerTls, Protocol, Refusal, RefusalReason, Route, RouteId, RuleId, Snapshot, StreamRoute,
    UpstreamTls,
};
use lychgate_persistent::Change;
use lychgate_router::{Listeners, RouteTable, Unusable};
use lychgate_telemetry::Metrics;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// A rule that could not be compiled, wholly or in part. It fails closed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rejected {
    pub(crate) rule: RuleId,
    pub(crate) why: String,
}

/// One compilation.
pub(crate) struct Compiler<'a> {
    snapshot: &'a Arc<Snapshot>,
    previous: &'a Runtime,
    metrics: &'a Metrics,
    pools: &'a Pools,
    limits: &'a Limits,
    rejected: Vec<Rejected>,
}

impl<'a> Compiler<'a> {
    pub(crate) fn new(
        snapshot: &'a Arc<Snapshot>,
        previous: &'a Runtime,
        metrics: &'a Metrics,
        pools: &'a Pools,
        limits: &'a Limits,
    ) -> Self {
        Self { snapshot, previous, metrics, pools, limits, rejected: Vec::new() }
    }

    pub(crate) fn compile(mut self) -> (Runtime, Vec<Rejected>) {
        let backends = self.backends();
        let listeners = self.listeners(&backends);
        let ports = ports(listeners, self.metrics);
        let gates = egress::compile(self.snapshot, &self.previous.gates, self.limits);
        let resolved = egress::names_of_routes(self.snapshot);
        let runtime = Runtime { snapshot: self.snapshot.clone(), ports, backends, gates, resolved };
        (runtime, self.rejected)
    }

    fn certificate(&self, id: &CertificateId) -> Option<&Arc<Certificate>> {
        self.snapshot.certificates.get(id)
    }

    /// The certificate to present to a backend: one that only requests of before present may be gone by now.
    fn identity(&self, id: &CertificateId) -> Option<&Arc<Certificate>> {
        self.certificate(id).or_else(|| self.previous.snapshot.certificates.get(id))
    }

    // Backends.

    fn backends(&self) -> HashMap<BackendId, Arc<BackendCell>> {
        // Those of before, too: requests that have begun still come through the listeners of the runtime before.
        let listeners = self.snapshot.listeners.values().chain(self.previous.snapshot.listeners.values());
        let identities: BTreeSet<Option<&CertificateId>> =
            listeners.map(|listener| listener.upstream_identity.as_ref()).collect();
        let cell = |(id, spec): (&BackendId, &Arc<Backend>)| {
            let previous = self.previous.backends.get(id);
            if let Some(cell) = previous.filter(|cell| self.is_unchanged(&cell.state(), spec, &identities)) {
                return (id.clone(), cell.clone());
            }
            let state = BackendState::new(spec.clone(), self.reaches(spec, &identities));
            let cell = match previous {
                Some(cell) => {
                    cell.set_state(state);
                    cell.clone()
                }
                None => Arc::new(BackendCell::new(id.clone(), state, self.metrics.backend(id), self.pools.clone())),
            };
            (id.clone(), cell)
        };
        self.snapshot.backends.iter().map(cell).collect()
    }

    /// Whether a backend and every certificate that may be presented to it are as they were.
    fn is_unchanged(
        &self,
        state: &BackendState,
        spec: &Arc<Backend>,
        identities: &BTreeSet<Option<&CertificateId>>,
    ) -> bool {
        let same = |id: &CertificateId| self.identity(id) == self.previous.snapshot.certificates.get(id);
        // Most are the same value, and are not compared.
        state.spec == *spec
            && match &spec.tls {
                BackendTls::Plain | BackendTls::Broken(_) => true,
                BackendTls::Tls(UpstreamTls { identity, .. }) => match identity {
                    ClientIdentity::None => true,
                    ClientIdentity::Certificate(id) => same(id),
                    ClientIdentity::Gateway => {
                        identities.iter().all(|id| state.reach(*id).is_some() && id.is_none_or(same))
                    }
                },
            }
    }

    fn reaches(
        &self,
        spec: &Backend,
        identities: &BTreeSet<Option<&CertificateId>>,
    ) -> HashMap<Option<CertificateId>, Reach> {
        let alone = |reach| HashMap::from([(None, reach)]);
        match &spec.tls {
            BackendTls::Plain => alone(Reach::Plain),
            BackendTls::Broken(refusal) => alone(Reach::Refused(refusal.clone())),
            BackendTls::Tls(tls) => match &tls.identity {
                ClientIdentity::None => alone(self.reach(spec, tls, None)),
                ClientIdentity::Certificate(id) => alone(self.reach(spec, tls, Some(id))),
                ClientIdentity::Gateway => {
                    identities.iter().map(|id| (id.cloned(), self.reach(spec, tls, *id))).collect()
                }
            },
        }
    }

    fn reach(&self, spec: &Backend, tls: &UpstreamTls, identity: Option<&CertificateId>) -> Reach {
        let certificate = match identity.map(|id| self.identity(id).ok_or(id)) {
            None => None,
            Some(Ok(certificate)) => Some(&**certificate),
            Some(Err(id)) => return Reach::Refused(broken(format!("{id} is not in the snapshot"))),
        };
        match ClientTls::new(tls, spec.protocol, certificate) {
            Ok(tls) => Reach::Tls(Arc::new(tls)),
            Err(error) => {
                tracing::error!(backend = %spec.id, %error, "TLS to the backend cannot be set up; it is refused");
                Reach::Refused(broken(format!("TLS to {} cannot be set up: {error}", spec.id)))
            }
        }
    }

    // Listeners.

    fn listeners(&mut self, backends: &HashMap<BackendId, Arc<BackendCell>>) -> Vec<Arc<ListenerState>> {
        let attachments = |route: &'a Arc<StreamRoute>| &route.attachments[..];
        let mut streams = by_listener(self.snapshot.stream_routes.values(), attachments);
        let previous: HashMap<&ListenerId, &Arc<ListenerState>> = self
            .previous
            .ports
            .values()
            .flat_map(|port| port.listeners.iter())
            .map(|(_, listener)| (&listener.spec.id, listener))
            .collect();
        let (mut changed, mut attached) = (self.changed_routes(&previous), self.routes_of_new(&previous));
        let (snapshot, metrics) = (self.snapshot, self.metrics);
        let mut rules = Rules::new(backends, metrics);
        let compile = |(id, spec): (&ListenerId, &Arc<Listener>)| {
            let previous = previous.get(id).copied();
            let mut make = |rule: &Arc<lychgate_ir::Rule>| rules.make(rule);
            let (routes, unusable) = match previous {
                Some(previous) => previous.routes.edited(changed.remove(id).unwrap_or_default(), &mut make),
                None => RouteTable::build(id, attached.remove(id).unwrap_or_default(), &mut make),
            };
            let rejected = |unusable: Unusable| Rejected { why: unusable.to_string(), rule: unusable.rule };
            self.rejected.extend(unusable.into_iter().map(rejected));
            let tls = spec.tls.as_ref().map(|tls| self.listener_tls(spec, tls, previous));
            let streams = StreamTable::build(id, streams.remove(id).unwrap_or_default(), backends, metrics);
            let ask = |ListenerFilter::ExternalAuth(auth): &ListenerFilter| AuthState::compile(auth, backends);
            Arc::new(ListenerState {
                auth: spec.filters.iter().map(ask).collect(),
                metrics: metrics.listener(id),
                stream_metrics: metrics.stream(id),
                spec: spec.clone(),
                tls,
                routes,
                streams,
                // Either is enough: where one is missing, nobody decides, and nothing leaves.
                leaves: spec.leaves || snapshot.egress.contains_key(&id.gateway),
            })
        };
        snapshot.listeners.iter().map(compile).collect()
    }

    /// The routes that are not as they were, by the listeners that have them or had them, and were there before.
    fn changed_routes(
        &self,
        previous: &HashMap<&ListenerId, &Arc<ListenerState>>,
    ) -> HashMap<&'a ListenerId, Vec<Change<'a, RouteId, Arc<Route>>>> {
        let mut changed: HashMap<&ListenerId, Vec<_>> = HashMap::new();
        for change in self.snapshot.routes.changes(&self.previous.snapshot.routes, Arc::ptr_eq) {
            let routes = change.old.into_iter().chain(change.new);
            let listeners = routes.flat_map(|route| &*route.attachments).map(|attachment| &attachment.listener);
            for listener in listeners.filter(|id| previous.contains_key(id)).collect::<BTreeSet<_>>() {
                changed.entry(listener).or_default().push(change);
            }
        }
        changed
    }

    /// All routes, by listener, if there are listeners that were not there before.
    fn routes_of_new(
        &self,
        previous: &HashMap<&ListenerId, &Arc<ListenerState>>,
    ) -> HashMap<&'a ListenerId, Vec<&'a Arc<Route>>> {
        if self.snapshot.listeners.keys().all(|id| previous.contains_key(id)) {
            return HashMap::new();
        }
        by_listener(self.snapshot.routes.values(), |route| &route.attachments[..])
    }

    fn listener_tls(
        &self,
        listener: &Listener,
        tls: &ListenerTls,
        previous: Option<&Arc<ListenerState>>,
    ) -> Result<Arc<ListenerTlsState>, Refusal> {
        let ListenerTls { certificates, min_version, client_validation } = tls;
        let validation = client_validation.as_ref().map(Result::as_ref).transpose().map_err(Clone::clone)?;
        let certificates: Vec<Arc<Certificate>> =
            certificates.iter().filter_map(|id| self.certificate(id)).cloned().collect();
        if let Some(previous) = previous
            && let Some(Ok(state)) = &previous.tls
            && previous.spec.tls.as_ref() == Some(tls)
            && state.certificates == certificates
        {
            return Ok(state.clone());
        }
        let presentable = |certificate: &Arc<Certificate>| Presentable::new(certificate).map(Arc::new);
        let make = || -> Result<ListenerTlsState, TlsError> {
            let presentables = certificates.iter().map(presentable).collect::<Result<Vec<_>, _>>()?;
            // What is not HTTP is not ours to name.
            let alpn: &[&[u8]] = match listener.protocol {
                Protocol::Https | Protocol::Proxy => &[b"h2", b"http/1.1"],
                Protocol::Http
                | Protocol::Tls
                | Protocol::Tcp
                | Protocol::Udp
                | Protocol::Transparent
                | Protocol::Dns
                | Protocol::DnsOverTcp => &[],
            };
            let server = ServerTls::new(presentables, *min_version, validation, alpn)?;
            Ok(ListenerTlsState { server, certificates: certificates.clone() })
        };
        make().map(Arc::new).map_err(|error| {
            tracing::error!(listener = %listener.id, %error, "TLS cannot be set up; its handshakes are refused");
            broken(format!("TLS of {} cannot be set up: {error}", listener.id))
        })
    }
}

/// Routes by the listeners that serve them.
fn by_listener<'r, R>(
    routes: impl Iterator<Item = &'r R>,
    attachments: impl Fn(&'r R) -> &'r [Attachment],
) -> HashMap<&'r ListenerId, Vec<&'r R>> {
    // Most routes have the listener of the one before: thousands of them are not looked up one by one.
    let mut lists: Vec<(&ListenerId, Vec<&R>)> = Vec::new();
    let mut places: HashMap<&ListenerId, usize> = HashMap::new();
    let mut place = 0;
    for route in routes {
        for Attachment { listener, hostnames: _ } in attachments(route) {
            if lists.get(place).is_none_or(|(last, _)| *last != listener) {
                place = *places.entry(listener).or_insert(lists.len());
            }
            match lists.get_mut(place) {
                Some((_, routes)) => routes.push(route),
                None => lists.push((listener, vec![route])),
            }
        }
    }
    lists.into_iter().collect()
}

fn broken(message: String) -> Refusal {
    Refusal::internal(RefusalReason::InvalidPolicy, message)
}

fn ports(listeners: Vec<Arc<ListenerState>>, metrics: &Metrics) -> HashMap<Bind, Arc<Port>> {
    let mut by_bind: BTreeMap<Bind, Vec<Arc<ListenerState>>> = BTreeMap::new();
    for listener in listeners {
        for bind in Bind::of(&listener.spec) {
            by_bind.entry(bind).or_default().push(listener.clone());
        }
    }
    let port = |(bind, listeners): (Bind, Vec<Arc<ListenerState>>)| {
        let first = listeners.first()?.spec.clone();
        let (agree, differ): (Vec<_>, Vec<_>) =
            listeners.into_iter().partition(|listener| listener.spec.proxy_protocol_from == first.proxy_protocol_from);
        for listener in differ {
            // Translation leaves such listeners out, with a condition.
            tracing::error!(%bind, listener = %listener.spec.id, "its socket believes other proxies; not served");
        }
        let by_host = agree.into_iter().map(|listener| (listener.spec.hostname.clone(), listener));
        let (listeners, repeated) = Listeners::new(by_host);
        for (hostname, listener) in repeated {
            // Translation leaves such listeners out, with a condition.
            tracing::error!(%bind, %hostname, listener = %listener.spec.id, "another listener has this host already");
        }
        let port = Port {
            speaks: Speaks::from(first.protocol),
            metrics: metrics.socket(&bind.to_string()),
            proxies: Proxies::new(first.proxy_protocol_from.clone()),
            listeners,
        };
        Some((bind, Arc::new(port)))
    };
    by_bind.into_iter().filter_map(port).collect()
}
