//! Follows backendRefs.
//!
//! Every step is recorded, so that the next translation can tell whether a route would find the same again without
//! translating it.

use super::{balance, proxy_protocol, service, xbackend};
use crate::names::name_of;
use crate::policy::backend_tls::TlsPolicies;
use crate::reference_grant::{Referent, Referrer, advice};
use crate::route::finding::Findings;
use crate::status::reason;
use crate::world::World;
use lychgate_api::core::Service;
use lychgate_api::gateway::{BackendObjectReference, BackendTlsMode, XBackend};
use lychgate_api::{GATEWAY_GROUP, GATEWAY_X_GROUP, Kind, ObjectKey};
use lychgate_ir::{BackendId, BackendKind, ObjectName, Refusal, RefusalReason, RouteKind, Target, Transport};
use std::sync::Arc;

/// What a reference led to. Compared by value: a directory that is read again gives equal objects, not the very same.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Found {
    Service {
        object: Arc<Service>,
        /// Whether a BackendTLSPolicy covers the port; asked only where it matters.
        covered: Option<bool>,
    },
    XBackend(Arc<XBackend>),
    Nothing,
    NotPermitted,
}

impl Found {
    /// Whether it says itself that TLS is spoken with it.
    fn wants_tls(&self) -> bool {
        match self {
            Self::Service { object: _, covered } => *covered == Some(true),
            Self::XBackend(object) => object.spec.tls.mode != BackendTlsMode::None,
            Self::Nothing | Self::NotPermitted => false,
        }
    }
}

/// What is said to routes of egress Gateways about backends with TLS of their own. How TLS is spoken with what is outside is up
/// to the rule that lets a connection leave.
const TLS_OF_CONNECTIONS: &str = "its TLS is not spoken on connections that leave; let the rule of an EgressPolicy that allows them \
     speak it (tls.mode Originate) and lead to a backend without, or lead there by an HTTPRoute";
const TLS_OF_WHAT_IS_SEALED: &str = "its TLS is not spoken on connections that leave: TLS that a listener passes through leaves as it \
     comes, and where a listener ends TLS, connections are refused";

/// A reference that was followed.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Lookup {
    kind: BackendKind,
    key: ObjectKey,
    port: Option<u16>,
    speaks: RouteKind,
    found: Found,
}

/// Follows the references of one route, or of one listener.
pub(crate) struct Resolver<'w, 'a> {
    world: &'w World<'a>,
    policies: &'w TlsPolicies<'a>,
    /// Who refers.
    referrer: Kind,
    /// What is spoken to backends, unless it is said otherwise.
    route: RouteKind,
    namespace: &'w str,
    pub(crate) lookups: Vec<Lookup>,
    /// Backends that can be used.
    pub(crate) targets: Vec<BackendId>,
    /// Objects that the route refers to and may refer to, usable or not.
    pub(crate) objects: Vec<(BackendKind, ObjectName)>,
}

impl<'w, 'a> Resolver<'w, 'a> {
    pub(crate) fn new(
        world: &'w World<'a>,
        policies: &'w TlsPolicies<'a>,
        route: RouteKind,
        namespace: &'w str,
    ) -> Self {
        let referrer = match route {
            RouteKind::Http => Kind::HttpRoute,
            RouteKind::Grpc => Kind::GrpcRoute,
            RouteKind::Tls => Kind::TlsRoute,
            RouteKind::Tcp => Kind::TcpRoute,
            RouteKind::Udp => Kind::UdpRoute,
        };
        let (lookups, targets, objects) = (Vec::new(), Vec::new(), Vec::new());
        Self { world, policies, referrer, route, namespace, lookups, targets, objects }
    }

    /// In the name of a Gateway or ListenerSet.
    pub(crate) fn of_listener(
        world: &'w World<'a>,
        policies: &'w TlsPolicies<'a>,
        referrer: Kind,
        namespace: &'w str,
    ) -> Self {
        Self { referrer, ..Self::new(world, policies, RouteKind::Http, namespace) }
    }

    /// Whether all references lead where they led before.
    pub(crate) fn confirms(&self, lookups: &[Lookup]) -> bool {
        lookups.iter().all(|lookup| self.find(lookup.kind, &lookup.key, lookup.port, lookup.speaks) == lookup.found)
    }

    /// Where a reference leads; what is wrong with it becomes a finding and a target that refuses.
    pub(crate) fn target(&mut self, reference: &BackendObjectReference, path: &str, findings: &mut Findings) -> Target {
        self.target_speaking(self.route, reference, path, findings)
    }

    /// The same where something else is spoken than what the route carries.
    pub(crate) fn target_speaking(
        &mut self,
        speaks: RouteKind,
        reference: &BackendObjectReference,
        path: &str,
        findings: &mut Findings,
    ) -> Target {
        match self.resolve(speaks, reference, path, findings) {
            Ok(id) => {
                if !self.targets.contains(&id) {
                    self.targets.push(id.clone());
                }
                Target::Backend(id)
            }
            Err((reason, text)) => {
                let message = format!("{path}: {text}");
                let refusal = Refusal::internal(reason, message.as_str());
                findings.unresolved(condition_reason(reason), message);
                Target::Broken(refusal)
            }
        }
    }

    fn resolve(
        &mut self,
        speaks: RouteKind,
        reference: &BackendObjectReference,
        path: &str,
        findings: &mut Findings,
    ) -> Result<BackendId, (RefusalReason, String)> {
        let BackendObjectReference { group, kind, name, namespace, port } = reference;
        let backend_kind = if group.is_empty() && kind == Kind::Service.as_str() {
            BackendKind::Service
        } else if group == GATEWAY_X_GROUP && kind == Kind::XBackend.as_str() {
            BackendKind::XBackend
        } else {
            let message = format!("{kind} of group `{group}` is no kind of backend; use Service or XBackend");
            return Err((RefusalReason::InvalidKind, message));
        };
        let key = ObjectKey::new(namespace.as_deref().unwrap_or(self.namespace), name.as_str());
        let found = self.find(backend_kind, &key, *port, speaks);
        self.record(Lookup { kind: backend_kind, key: key.clone(), port: *port, speaks, found: found.clone() });
        let (metadata, result) = match &found {
            Found::Nothing => {
                let message = format!("{kind} {key} does not exist; create it or correct the reference");
                return Err((RefusalReason::BackendNotFound, message));
            }
            Found::NotPermitted => {
                let message = advice(self.referrer(), referent(backend_kind, &key));
                return Err((RefusalReason::RefNotPermitted, message));
            }
            Found::Service { object, covered } => {
                if *covered == Some(true) && speaks == RouteKind::Udp {
                    findings.note(format!("{path}: the BackendTLSPolicy of Service {key} does not hold for datagrams"));
                }
                (&object.metadata, service::check(&key, object, *port, *covered, speaks))
            }
            Found::XBackend(object) => (&object.metadata, xbackend::check(&key, object, *port, speaks)),
        };
        let name = name_of(&key);
        if !self.objects.iter().any(|(kind, known)| *kind == backend_kind && *known == name) {
            self.objects.push((backend_kind, name.clone()));
        }
        if let Err(note) = balance::read(metadata) {
            findings.note(format!("{path}: {kind} {key}: {note}"));
        }
        if found.wants_tls() && result.is_ok() {
            match speaks {
                RouteKind::Http | RouteKind::Grpc | RouteKind::Udp => {}
                RouteKind::Tcp => findings.inside_only(format!("{path}: {kind} {key}: {TLS_OF_CONNECTIONS}")),
                RouteKind::Tls => findings.outside_note(format!("{path}: {kind} {key}: {TLS_OF_WHAT_IS_SEALED}")),
            }
        }
        let result = result.and_then(|port| match speaks {
            RouteKind::Udp => {
                let note = proxy_protocol::note_for_datagrams(metadata);
                note.into_iter().for_each(|note| findings.note(format!("{path}: {kind} {key}: {note}")));
                Ok(port)
            }
            RouteKind::Http | RouteKind::Grpc | RouteKind::Tls | RouteKind::Tcp => {
                let refused = |message| (RefusalReason::UnsupportedValue, format!("{kind} {key}: {message}"));
                let asked = proxy_protocol::read(metadata).map_err(refused)?;
                let note = asked.map(|_| proxy_protocol::note_for_what_leaves());
                note.into_iter().for_each(|note| findings.inside_only(format!("{path}: {kind} {key}: {note}")));
                Ok(port)
            }
        });
        result.map(|port| BackendId { kind: backend_kind, name, port, transport: transport(speaks) })
    }

    /// Rules of one route often refer to the same: once is enough.
    fn record(&mut self, lookup: Lookup) {
        let known = |old: &Lookup| {
            old.kind == lookup.kind && old.key == lookup.key && old.port == lookup.port && old.speaks == lookup.speaks
        };
        if !self.lookups.iter().any(known) {
            self.lookups.push(lookup);
        }
    }

    fn find(&self, kind: BackendKind, key: &ObjectKey, port: Option<u16>, speaks: RouteKind) -> Found {
        if key.namespace != self.namespace && !self.world.grants.permit(self.referrer(), referent(kind, key)) {
            return Found::NotPermitted;
        }
        match kind {
            BackendKind::Service => {
                self.world.objects.get_service(key).map_or(Found::Nothing, |object| Found::Service {
                    object: object.clone(),
                    covered: service::asks_for_tls(object, port, speaks).map(|name| self.policies.covers(key, name)),
                })
            }
            BackendKind::XBackend => {
                self.world.objects.get_xbackend(key).cloned().map_or(Found::Nothing, Found::XBackend)
            }
        }
    }

    fn referrer(&self) -> Referrer<'_> {
        Referrer { group: GATEWAY_GROUP, kind: self.referrer.as_str(), namespace: self.namespace }
    }
}

/// What a kind of route is carried over.
pub(super) fn transport(route: RouteKind) -> Transport {
    match route {
        RouteKind::Http | RouteKind::Grpc | RouteKind::Tls | RouteKind::Tcp => Transport::Tcp,
        RouteKind::Udp => Transport::Udp,
    }
}

fn referent(kind: BackendKind, key: &ObjectKey) -> Referent<'_> {
    let kind = match kind {
        BackendKind::Service => Kind::Service,
        BackendKind::XBackend => Kind::XBackend,
    };
    Referent { group: kind.group(), kind: kind.as_str(), namespace: &key.namespace, name: &key.name }
}

/// The reason of `ResolvedRefs` for a target that refuses.
fn condition_reason(reason: RefusalReason) -> &'static str {
    match reason {
        RefusalReason::InvalidKind => reason::INVALID_KIND,
        RefusalReason::BackendNotFound | RefusalReason::NoBackend => reason::BACKEND_NOT_FOUND,
        RefusalReason::RefNotPermitted => reason::REF_NOT_PERMITTED,
        RefusalReason::UnsupportedProtocol => reason::UNSUPPORTED_PROTOCOL,
        RefusalReason::UnsupportedFilter | RefusalReason::UnsupportedValue => reason::UNSUPPORTED_VALUE,
        RefusalReason::InvalidPolicy => reason::INVALID,
    }
}
