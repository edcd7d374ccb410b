//! Routes of every kind, as far as they are alike.

use super::alike::Alike;
use super::attach::Asks;
use super::finding::Findings;
use super::stream::Carried;
use super::{grpc, http, stream};
use crate::backend::resolve::Resolver;
use lychgate_api::gateway::{GrpcRoute, HttpRoute, TcpRoute, TlsRoute, UdpRoute};
use lychgate_api::meta::ObjectMeta;
use lychgate_api::{Kind, ObjectKey, Objects};
use lychgate_ir::{RouteId, RouteKind, Rule};
use std::sync::Arc;

/// A route as it is written.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Source {
    Http(Arc<HttpRoute>),
    Grpc(Arc<GrpcRoute>),
    Tls(Arc<TlsRoute>),
    Tcp(Arc<TcpRoute>),
    Udp(Arc<UdpRoute>),
}

/// What the rules of a route say.
pub(super) enum Rules {
    Requests(Vec<Rule>),
    Streams(Carried),
}

/// Every route, ordered by kind, namespace and name.
pub(super) fn all(objects: &Objects) -> impl Iterator<Item = (&ObjectKey, Source)> {
    let http = objects.http_routes().map(|(key, route)| (key, Source::Http(route.clone())));
    let grpc = objects.grpc_routes().map(|(key, route)| (key, Source::Grpc(route.clone())));
    let tls = objects.tls_routes().map(|(key, route)| (key, Source::Tls(route.clone())));
    let tcp = objects.tcp_routes().map(|(key, route)| (key, Source::Tcp(route.clone())));
    let udp = objects.udp_routes().map(|(key, route)| (key, Source::Udp(route.clone())));
    http.chain(grpc).chain(tls).chain(tcp).chain(udp)
}

/// A kind of route, as objects have it.
pub(super) fn object_kind(kind: RouteKind) -> Kind {
    match kind {
        RouteKind::Http => Kind::HttpRoute,
        RouteKind::Grpc => Kind::GrpcRoute,
        RouteKind::Tls => Kind::TlsRoute,
        RouteKind::Tcp => Kind::TcpRoute,
        RouteKind::Udp => Kind::UdpRoute,
    }
}

impl Source {
    pub(super) fn kind(&self) -> RouteKind {
        match self {
            Self::Http(_) => RouteKind::Http,
            Self::Grpc(_) => RouteKind::Grpc,
            Self::Tls(_) => RouteKind::Tls,
            Self::Tcp(_) => RouteKind::Tcp,
            Self::Udp(_) => RouteKind::Udp,
        }
    }

    pub(super) fn metadata(&self) -> &ObjectMeta {
        match self {
            Self::Http(route) => &route.metadata,
            Self::Grpc(route) => &route.metadata,
            Self::Tls(route) => &route.metadata,
            Self::Tcp(route) => &route.metadata,
            Self::Udp(route) => &route.metadata,
        }
    }

    /// How many rules it has.
    pub(super) fn written(&self) -> usize {
        match self {
            Self::Http(route) => route.spec.rules.len(),
            Self::Grpc(route) => route.spec.rules.len(),
            Self::Tls(route) => route.spec.rules.len(),
            Self::Tcp(route) => route.spec.rules.len(),
            Self::Udp(route) => route.spec.rules.len(),
        }
    }

    /// What it asks of its parents. Connections and datagrams name no host.
    pub(super) fn asks<'a>(&'a self, key: &'a ObjectKey) -> Asks<'a> {
        let (parents, defaults, hosts) = match self {
            Self::Http(route) => (&*route.spec.parent_refs, route.spec.use_default_gateways, &route.spec.hostnames[..]),
            Self::Grpc(route) => (&*route.spec.parent_refs, route.spec.use_default_gateways, &route.spec.hostnames[..]),
            Self::Tls(route) => (&*route.spec.parent_refs, route.spec.use_default_gateways, &route.spec.hostnames[..]),
            Self::Tcp(route) => (&*route.spec.parent_refs, route.spec.use_default_gateways, &[][..]),
            Self::Udp(route) => (&*route.spec.parent_refs, route.spec.use_default_gateways, &[][..]),
        };
        Asks::new(self.kind(), key, parents, defaults, hosts)
    }

    pub(super) fn rules(&self, resolver: &mut Resolver<'_, '_>, id: &RouteId, findings: &mut Findings) -> Rules {
        let generation = self.metadata().generation;
        let mut streams =
            |rules: Vec<stream::Written<'_>>| Rules::Streams(stream::rules(resolver, id, generation, &rules, findings));
        match self {
            Self::Tls(route) => streams(route.spec.rules.iter().map(stream::Written::from).collect()),
            Self::Tcp(route) => streams(route.spec.rules.iter().map(stream::Written::from).collect()),
            Self::Udp(route) => streams(route.spec.rules.iter().map(stream::Written::from).collect()),
            Self::Http(route) => Rules::Requests(http::rules(resolver, id, route, findings)),
            Self::Grpc(route) => Rules::Requests(grpc::rules(resolver, id, route, findings)),
        }
    }
}

/// What a route is called in the snapshot.
pub(super) fn id_of(kind: RouteKind, key: &ObjectKey, alike: &Alike) -> RouteId {
    RouteId { kind, name: alike.name(&key.namespace, &key.name) }
}
