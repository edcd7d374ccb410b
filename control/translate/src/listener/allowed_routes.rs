//! `allowedRoutes` of listeners, and `allowedListeners` of Gateways: who may attach.

use crate::status::condition::{Problem, list};
use crate::status::reason;
use crate::world::World;
use lychgate_api::gateway::{FromNamespaces, RouteGroupKind, RouteNamespaces};
use lychgate_api::meta::LabelSelector;
use lychgate_api::{GATEWAY_GROUP, Kind};
use lychgate_ir::{Protocol, RouteKind};

/// The namespaces from which objects may attach.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum AllowedNamespaces {
    /// All of them.
    All,
    /// This one.
    Only(String),
    /// Those with these labels.
    Selected(LabelSelector),
    /// None.
    None,
}

impl AllowedNamespaces {
    /// Of a listener, which is written in namespace `own`.
    pub(super) fn read(wanted: &RouteNamespaces, own: &str) -> Result<Self, Problem> {
        Self::of(wanted.from, wanted.selector.as_ref(), own)
            .map_err(|problem| Problem::new(reason::UNSUPPORTED_VALUE, format!("allowedRoutes.namespaces: {problem}")))
    }

    /// From the parts that all such choices have.
    pub(super) fn of(from: FromNamespaces, selector: Option<&LabelSelector>, own: &str) -> Result<Self, String> {
        Ok(match from {
            FromNamespaces::All => Self::All,
            FromNamespaces::Same => Self::Only(own.to_owned()),
            FromNamespaces::None => Self::None,
            FromNamespaces::Selector => {
                let selector = selector.ok_or("from is Selector, but there is no selector; write one")?;
                match selector.problem() {
                    Some(problem) => return Err(format!("selector: {problem}")),
                    None => Self::Selected(selector.clone()),
                }
            }
        })
    }

    /// Whether objects of a namespace may attach.
    pub(crate) fn allow(&self, world: &World<'_>, namespace: &str) -> bool {
        match self {
            Self::All => true,
            Self::Only(own) => own == namespace,
            Self::Selected(selector) => selector.matches(&world.namespace_labels(namespace)),
            Self::None => false,
        }
    }
}

/// Kinds of route that can attach to a listener.
pub(super) struct Kinds {
    pub(super) groups: Vec<RouteGroupKind>,
    pub(super) kinds: Vec<RouteKind>,
    pub(super) problem: Option<Problem>,
}

/// What a protocol can carry. What is left of TLS that is ended here is a stream like any other.
fn carried(protocol: Option<Protocol>, ends_tls: bool) -> &'static [(Kind, RouteKind)] {
    match protocol {
        Some(Protocol::Http | Protocol::Https) => {
            &[(Kind::HttpRoute, RouteKind::Http), (Kind::GrpcRoute, RouteKind::Grpc)]
        }
        Some(Protocol::Tls) if ends_tls => &[(Kind::TlsRoute, RouteKind::Tls), (Kind::TcpRoute, RouteKind::Tcp)],
        Some(Protocol::Tls) => &[(Kind::TlsRoute, RouteKind::Tls)],
        Some(Protocol::Tcp) => &[(Kind::TcpRoute, RouteKind::Tcp)],
        Some(Protocol::Udp) => &[(Kind::UdpRoute, RouteKind::Udp)],
        Some(Protocol::Proxy | Protocol::Transparent | Protocol::Dns | Protocol::DnsOverTcp) | None => &[],
    }
}

/// Those that are asked for and that the protocol can carry; without asking, all of the latter.
pub(super) fn kinds(protocol: Option<Protocol>, ends_tls: bool, wanted: &[RouteGroupKind]) -> Kinds {
    let carried = carried(protocol, ends_tls);
    let group_kind = |kind: Kind| RouteGroupKind { group: GATEWAY_GROUP.to_owned(), kind: kind.as_str().to_owned() };
    if wanted.is_empty() {
        return Kinds {
            groups: carried.iter().map(|(kind, _)| group_kind(*kind)).collect(),
            kinds: carried.iter().map(|(_, kind)| *kind).collect(),
            problem: None,
        };
    }
    let mut kinds = Kinds { groups: Vec::new(), kinds: Vec::new(), problem: None };
    let mut bad = Vec::new();
    for wanted in wanted {
        let known = carried.iter().find(|(kind, _)| wanted.group == GATEWAY_GROUP && wanted.kind == kind.as_str());
        match known {
            Some((_, kind)) if !kinds.kinds.contains(kind) => {
                kinds.groups.push(wanted.clone());
                kinds.kinds.push(*kind);
            }
            Some(_) => {}
            None => bad.push(format!("{} of group {}", wanted.kind, wanted.group)),
        }
    }
    if !bad.is_empty() {
        let message = format!("allowedRoutes.kinds: this listener cannot carry {}; remove it", list(&bad));
        kinds.problem = Some(Problem::new(reason::INVALID_ROUTE_KINDS, message));
    }
    kinds
}
