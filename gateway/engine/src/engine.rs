//! The engine as the gateway sees it: snapshots go in, connections go in.

use crate::connection::Quotas;
use crate::egress::Gate;
use crate::limits::Limits;
use crate::live::Live;
use crate::observe::Observe;
use crate::proxies::Proxies;
use crate::proxy::Gateway;
use crate::runtime::{Bind, Compiler, Port, Runtime, Speaks};
use crate::tls;
use crate::upstream::{BackendCell, Names, Pace, Pools, Resolver};
use lychgate_audit::Counts;
use lychgate_ir::{Certificate, EndpointAddress, EndpointSet, Endpoints, GatewayId, Resolution, RuleId, Snapshot};
use pingora_core::protocols::http::v2::server::{H2Options, default_h2_options};
use pingora_proxy::ReadAheadBudget;
use rustls::ServerConfig;
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

/// What one connection of HTTP/2 may send before somebody has read it, over all its streams. One stream alone may send
/// 64 KiB: were it the same, a stream that nobody reads from would stop all others.
const HTTP2_WINDOW: u32 = 1 << 20;

/// What may wait of one stream in the code that writes frames. More would only be more that a client can have us keep by
/// not reading from its connection.
const HTTP2_SEND_BUFFER: usize = 64 << 10;

/// Compiles snapshots and serves connections.
pub struct Engine {
    live: Arc<Live<Runtime>>,
    pub(crate) proxies: Arc<Proxies>,
    pub(crate) limits: Limits,
    waiting: Arc<ReadAheadBudget>,
    pub(crate) observe: Arc<Observe>,
    pub(crate) quotas: Quotas,
    resolver: Resolver,
    pools: Pools,
    /// Presents no certificate, so that the handshake fails with an alert.
    pub(crate) refusing: Arc<ServerConfig>,
    /// Told when an egress Gateway has changed.
    gates: watch::Sender<()>,
    /// One snapshot at a time, and the endpoints that were last applied.
    applied: Mutex<Endpoints>,
}

/// What became of a snapshot.
#[derive(Clone, Debug, Default)]
pub struct Applied {
    /// Rules that could not be compiled, wholly or in part, and why. They fail closed.
    pub rejected: Vec<(RuleId, String)>,
}

/// Why an engine cannot be made.
#[derive(Debug, thiserror::Error)]
#[error("TLS cannot be set up: {0}")]
pub struct EngineError(#[from] rustls::Error);

impl Engine {
    /// An engine that serves nothing yet, for so many [workers](crate::be_worker).
    pub fn new(workers: NonZeroUsize, limits: Limits, observe: Arc<Observe>) -> Result<Arc<Self>, EngineError> {
        let live = Arc::new(Live::new(Arc::new(Runtime::default())));
        let gates = watch::Sender::new(());
        let gateway = Gateway::new(live.clone(), limits.clone(), observe.clone(), gates.subscribe());
        let waiting = gateway.waiting();
        let proxies = Arc::new(Proxies::new(workers, &gateway, &http2(&limits), limits.idle_upstream));
        let (pools, of) = (Pools::default(), Arc::downgrade(&proxies));
        pools.are_closed_by(move |key| {
            if let Some(proxies) = of.upgrade() {
                proxies.close_idle(key);
            }
        });
        let refusing = ServerConfig::builder_with_provider(tls::provider())
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(rustls::server::ResolvesServerCertUsingSni::new()));
        Ok(Arc::new(Self {
            live,
            proxies,
            waiting,
            quotas: Quotas::new(limits.connections, limits.connections_of_source),
            limits,
            observe,
            resolver: Resolver::new(None, Pace::default()),
            pools,
            refusing: Arc::new(refusing),
            gates,
            applied: Mutex::default(),
        }))
    }

    /// Serves a snapshot from now on. Requests that have begun finish on the one before.
    ///
    /// Must be called on a tokio runtime, because names of backends are resolved in the background.
    pub fn apply(&self, snapshot: &Arc<Snapshot>, endpoints: &Endpoints) -> Applied {
        let mut applied = self.lock();
        let previous = self.live.pin();
        let (runtime, rejected) =
            Compiler::new(snapshot, &previous, &self.observe.metrics, &self.pools, &self.limits).compile();
        // Endpoints first: no request may find a new backend without them.
        for (id, cell) in &runtime.backends {
            let is_new = !previous.backends.get(id).is_some_and(|before| Arc::ptr_eq(before, cell));
            let (now, before) = (endpoints.get(id), applied.get(id));
            let same_source = previous.snapshot.backends.get(id).map(|backend| &backend.resolution)
                == snapshot.backends.get(id).map(|backend| &backend.resolution);
            let is_resolved = runtime.resolves(id);
            if is_new || !same_source || now != before || is_resolved != previous.resolves(id) {
                self.set_endpoints(cell, now.map(|set| &**set), is_resolved);
            }
        }
        let left: Vec<_> = previous.backends.values().filter(|cell| !runtime.backends.contains_key(&cell.id)).collect();
        left.iter().for_each(|cell| self.resolver.forget(&cell.id));
        *applied = endpoints.clone();
        if previous.snapshot.certificates != snapshot.certificates {
            let expiry = |certificate: &Arc<Certificate>| Some((certificate.id.to_string(), tls::expiry(certificate)?));
            self.observe.metrics.certificates(snapshot.certificates.values().filter_map(expiry));
        }
        let same =
            |(id, gate): (&GatewayId, &Arc<Gate>)| previous.gates.get(id).is_some_and(|now| Arc::ptr_eq(now, gate));
        let gates_changed = !runtime.gates.iter().all(same);
        self.live.set(Arc::new(runtime));
        if gates_changed {
            self.gates.send_replace(());
        }
        // Last: what parts from them has to find its way on the new runtime.
        left.iter().for_each(|cell| cell.leave());
        Applied { rejected: rejected.into_iter().map(|rejected| (rejected.rule, rejected.why)).collect() }
    }

    /// Replaces the endpoints and nothing else.
    pub fn apply_endpoints(&self, endpoints: &Endpoints) {
        let mut applied = self.lock();
        let runtime = self.live.pin();
        for (id, cell) in &runtime.backends {
            let now = endpoints.get(id);
            if now != applied.get(id) {
                self.set_endpoints(cell, now.map(|set| &**set), runtime.resolves(id));
            }
        }
        *applied = endpoints.clone();
    }

    fn lock(&self) -> MutexGuard<'_, Endpoints> {
        // What a panicking holder leaves is the endpoints before its change: still true of what is served.
        self.applied.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `is_resolved` says whether its names are kept resolved.
    fn set_endpoints(&self, cell: &Arc<BackendCell>, endpoints: Option<&EndpointSet>, is_resolved: bool) {
        let mut names = Names::default();
        match &cell.state().spec.resolution {
            Resolution::Dns { hostname, port } => {
                names.names.insert((hostname.clone(), *port));
            }
            Resolution::Endpoints => {
                for endpoint in endpoints.iter().flat_map(|set| &set.endpoints) {
                    match &endpoint.address {
                        EndpointAddress::Ip(address) if endpoint.terminating => names.terminating.push(*address),
                        EndpointAddress::Ip(address) => names.ready.push(*address),
                        EndpointAddress::Name { hostname, port } => {
                            names.names.insert((hostname.clone(), *port));
                        }
                    }
                }
            }
        }
        if names.names.is_empty() || !is_resolved {
            self.resolver.forget(&cell.id);
            cell.set_endpoints(&names.ready, &names.terminating);
        } else {
            self.resolver.watch(cell, names);
        }
    }

    /// The snapshot that is served now.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.live.pin().snapshot.clone()
    }

    /// The endpoints that each backend has now, resolved names included.
    pub fn endpoints(&self) -> BTreeMap<String, Vec<SocketAddr>> {
        let runtime = self.live.pin();
        let addresses = |cell: &Arc<BackendCell>| cell.endpoints().all().map(|endpoint| endpoint.address).collect();
        runtime.backends.values().map(|cell| (cell.id.to_string(), addresses(cell))).collect()
    }

    /// The addresses of this host, from which things may leave; None where nothing does, or where nobody can tell.
    pub fn own_addresses(&self) -> Option<Arc<[IpAddr]>> {
        self.live.pin().gates.values().next()?.own.addresses().ok()
    }

    /// All metrics as text, those included that are read when somebody asks.
    pub fn metrics(&self) -> String {
        self.observe.metrics.waiting(self.waiting.waiting());
        if let Some(audit) = &self.observe.audit {
            let Counts { written, dropped, failing } = audit.counts();
            self.observe.metrics.audit(written, dropped, failing.is_some());
        }
        self.observe.metrics.render()
    }

    /// What is counted and logged.
    pub fn observe(&self) -> &Observe {
        &self.observe
    }

    /// What is served at this moment.
    pub(crate) fn runtime(&self) -> Arc<Runtime> {
        self.live.pin()
    }

    /// Told from now on when an egress Gateway has changed.
    pub(crate) fn gates_changed(&self) -> watch::Receiver<()> {
        self.gates.subscribe()
    }

    pub(crate) fn port(&self, bind: Bind) -> Option<Arc<Port>> {
        self.live.pin().ports.get(&bind).cloned()
    }

    /// The sockets that the snapshot wants, and what is spoken on each.
    pub fn binds(&self) -> BTreeMap<Bind, Speaks> {
        self.live.pin().ports.iter().map(|(bind, port)| (*bind, port.speaks)).collect()
    }
}

/// HTTP/2 with clients.
fn http2(limits: &Limits) -> H2Options {
    let mut options = default_h2_options();
    options.max_concurrent_streams(limits.streams);
    // Above the guard's budget, which says when it acts.
    options.max_pending_accept_reset_streams(1024);
    // Heads that are too large, but not by much, are answered by us, who say so.
    options.max_header_list_size(u32::try_from(limits.head.saturating_mul(2)).unwrap_or(u32::MAX));
    options.initial_connection_window_size(HTTP2_WINDOW);
    options.max_send_buffer_size(HTTP2_SEND_BUFFER);
    // Clients may ask for WebSocket (RFC 8441 section 3).
    options.enable_connect_protocol();
    options
}
