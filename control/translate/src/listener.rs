//! Listeners, of Gateways and of ListenerSets alike.
//!
//! ```text
//! spec ─ merge ─> ListenerPlan ─ conflict ─ overlap ─> ir::Listener
//!                  (allowed_routes, tls)            └─> status
//! ```

pub(crate) mod allowed_routes;
pub(crate) mod conflict;
pub(crate) mod merge;
pub(crate) mod overlap;
mod spoken;
pub(crate) mod status;
mod tls;

use crate::backend::resolve::Resolver;
use crate::filter;
use crate::gateway::GatewayPlan;
use crate::names::{DOMAIN, PROXY_PROTOCOL_FROM};
use crate::policy::backend_tls::TlsPolicies;
use crate::reference_grant::Referrer;
use crate::status::condition::Problem;
use crate::status::reason;
use crate::world::World;
use allowed_routes::AllowedNamespaces;
use lychgate_api::Kind;
use lychgate_api::gateway::{Listener, ListenerFilters, RouteGroupKind};
use lychgate_ir::{
    BackendId, BackendKind, HostPattern, ListenerFilter, ListenerId, ListenerOwner, ObjectName, Protocol, RouteKind,
    Transport,
};
use tls::Terminate;

/// A listener as it is written, what of it can be done, and what cannot.
pub(crate) struct ListenerPlan<'a> {
    pub(crate) id: ListenerId,
    pub(crate) spec: &'a Listener,
    pub(crate) hostname: HostPattern,
    /// What is spoken, if we speak it.
    pub(crate) protocol: Option<Protocol>,
    /// Kinds of route that can attach, as the status names them.
    pub(crate) supported_kinds: Vec<RouteGroupKind>,
    /// The same, as routes ask.
    pub(crate) kinds: Vec<RouteKind>,
    /// Namespaces whose routes can attach.
    pub(crate) namespaces: AllowedNamespaces,
    /// How TLS is ended, if it is.
    pub(crate) tls: Option<Terminate>,
    /// What requests pass before they are routed.
    pub(crate) filters: Vec<ListenerFilter>,
    /// Backends that the filters ask.
    pub(crate) targets: Vec<BackendId>,
    /// Objects that the filters refer to and may refer to, usable or not.
    pub(crate) objects: Vec<(BackendKind, ObjectName)>,
    /// Why it is not accepted, if so. A conflict is told apart.
    pub(crate) refused: Option<Problem>,
    /// A reference leads nowhere.
    pub(crate) unresolved: Option<Problem>,
    /// It cannot be told from another listener.
    pub(crate) conflict: Option<Problem>,
    /// Other listeners of its port have certificates for some of its hosts.
    pub(crate) overlaps: Option<String>,
    /// What is worth knowing, though it changes nothing.
    pub(crate) notes: Vec<String>,
}

impl<'a> ListenerPlan<'a> {
    /// Reads a listener of a Gateway or ListenerSet. References are followed in the name of `from`.
    pub(crate) fn read(
        world: &World<'a>,
        policies: &TlsPolicies<'a>,
        gateway: &GatewayPlan<'a>,
        id: ListenerId,
        spec: &'a Listener,
        from: Referrer<'_>,
    ) -> Self {
        let Listener { name: _, hostname, port, protocol, tls: _, allowed_routes, filters } = spec;
        let mut refused = None;
        let mut refuse = |problem: Option<Problem>| {
            if refused.is_none() {
                refused = problem;
            }
        };
        let spoken = spoken::of(protocol, gateway.egress.is_some());
        refuse(spoken.as_ref().err().cloned());
        let spoken = spoken.ok();
        // The API ignores the host name of a protocol that has none.
        let hostname = hostname.as_deref().filter(|_| spoken.is_some_and(spoken::has_hosts));
        let pattern = HostPattern::parse(hostname.unwrap_or_default()).unwrap_or_else(|error| {
            refuse(Some(Problem::new(reason::UNSUPPORTED_VALUE, format!("hostname: {error}"))));
            HostPattern::Any
        });
        let mut resolver = Resolver::of_listener(world, policies, owner_kind(&id.owner), from.namespace);
        let read = filters_of(&mut resolver, spoken, gateway.egress.is_some(), filters.as_ref());
        let filter::listener::Read { filters, refused: bad_filter, unresolved: filters_unresolved, notes: of_filters } =
            read;
        refuse(bad_filter);
        let namespaces = AllowedNamespaces::read(&allowed_routes.namespaces, from.namespace);
        refuse(namespaces.as_ref().err().cloned());
        let mut notes = of_filters;
        if spoken.is_some_and(|spoken| spoken.transport() == Transport::Udp)
            && !gateway.settings.proxy_protocol_from.is_empty()
        {
            notes.push(format!("annotation {PROXY_PROTOCOL_FROM} of {} has no effect for datagrams", gateway.id));
        }
        let tls = spoken.and_then(|protocol| tls::read(world, from, spec, protocol, gateway.frontend.for_port(*port)));
        let (tls, tls_unresolved) = match tls {
            None => (None, None),
            Some(tls::Read { terminate, refused, unresolved, notes: more }) => {
                refuse(refused);
                notes.extend(more);
                (terminate, unresolved)
            }
        };
        let kinds = allowed_routes::kinds(spoken, tls.is_some(), &allowed_routes.kinds);
        let unresolved = kinds.problem.or(tls_unresolved).or(filters_unresolved);
        Self {
            id,
            spec,
            hostname: pattern,
            protocol: spoken,
            supported_kinds: kinds.groups,
            kinds: kinds.kinds,
            namespaces: namespaces.unwrap_or(AllowedNamespaces::None),
            tls,
            filters,
            targets: resolver.targets,
            objects: resolver.objects,
            refused,
            unresolved,
            conflict: None,
            overlaps: None,
            notes,
        }
    }

    /// Accepted, and told apart from all others.
    pub(crate) fn is_valid(&self) -> bool {
        self.refused.is_none() && self.conflict.is_none()
    }

    /// The same, and not without any certificate where one is needed.
    pub(crate) fn is_usable(&self) -> bool {
        self.is_valid() && self.tls.as_ref().is_none_or(|tls| !tls.certificates.is_empty())
    }

    /// Requests can be served.
    pub(crate) fn is_served(&self, gateway: &GatewayPlan<'_>) -> bool {
        self.is_valid() && self.is_emitted(gateway)
    }

    /// It is part of the snapshot: because it can be served, or to refuse handshakes that nobody can verify.
    pub(crate) fn is_emitted(&self, gateway: &GatewayPlan<'_>) -> bool {
        let only_sealed = self.refused.as_ref().is_none_or(|problem| problem.reason == reason::NO_VALID_CA_CERTIFICATE);
        gateway.refused.is_none()
            && !gateway.addresses.none_usable
            && self.conflict.is_none()
            && only_sealed
            && self.protocol.is_some()
            && self.tls.as_ref().is_none_or(|tls| !tls.certificates.is_empty())
    }

    /// The listener for the snapshot.
    pub(crate) fn emit(&self, gateway: &GatewayPlan<'_>) -> Option<lychgate_ir::Listener> {
        let protocol = self.protocol.filter(|_| self.is_emitted(gateway))?;
        Some(lychgate_ir::Listener {
            id: self.id.clone(),
            addresses: gateway.binds.clone(),
            port: self.spec.port,
            protocol,
            hostname: self.hostname.clone(),
            tls: self.tls.as_ref().map(|tls| tls.emit()),
            upstream_identity: gateway.identity.as_ref().and_then(|identity| identity.as_ref().ok().cloned()),
            trusted_hops: gateway.settings.trusted_hops,
            proxy_protocol_from: match protocol.transport() {
                Transport::Tcp => gateway.settings.proxy_protocol_from.clone(),
                Transport::Udp => Vec::new(),
            },
            filters: self.filters.clone(),
            leaves: gateway.egress.is_some(),
        })
    }
}

fn owner_kind(owner: &ListenerOwner) -> Kind {
    match owner {
        ListenerOwner::Gateway => Kind::Gateway,
        ListenerOwner::ListenerSet(_) => Kind::ListenerSet,
    }
}

fn filters_of(
    resolver: &mut Resolver<'_, '_>,
    protocol: Option<Protocol>,
    leaves: bool,
    filters: Option<&ListenerFilters>,
) -> filter::listener::Read {
    match (protocol, filters) {
        (_, None) => filter::listener::Read::default(),
        (Some(Protocol::Http | Protocol::Https), Some(filters)) => filter::listener::read(resolver, leaves, filters),
        // Admission lets nobody write them there.
        (
            None
            | Some(
                Protocol::Tls
                | Protocol::Tcp
                | Protocol::Udp
                | Protocol::Proxy
                | Protocol::Transparent
                | Protocol::Dns
                | Protocol::DnsOverTcp,
            ),
            Some(_),
        ) => filter::listener::Read {
            refused: Some(Problem::new(reason::INVALID_LISTENER_FILTER, "filters: only for protocol HTTP or HTTPS")),
            ..filter::listener::Read::default()
        },
    }
}

/// Whether a key of some `options` map is in our domain.
pub(crate) fn is_ours(key: &str) -> bool {
    key.starts_with(DOMAIN)
}
