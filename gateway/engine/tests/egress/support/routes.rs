//! Routes of an egress Gateway, in few words.

use super::{LOCAL, Origin, Setup, World, gateway_id};
use lychgate_ir::egress::EgressPolicy;
use lychgate_ir::{
    Attachment, Backend, BackendId, BackendKind, BackendTls, Balance, ClientIdentity, Filter, Forward, HostPattern,
    ListenerId, ListenerOwner, Match, ObjectName, PathMatch, Protocol, Resolution, Roots, Route, RouteId, RouteKind,
    Rule, RuleId, Snapshot, StreamBackend, StreamRoute, Target, Timeouts, Transport, UpstreamProtocol, UpstreamTls,
    WeightedBackend,
};
use std::sync::Arc;

/// The listener that a world has.
pub(crate) fn listener_id() -> ListenerId {
    ListenerId { gateway: gateway_id(), owner: ListenerOwner::Gateway, section: "proxy".into() }
}

/// A host outside, in clear text.
pub(crate) fn outside(host: &str, port: u16) -> Backend {
    Backend {
        id: BackendId {
            kind: BackendKind::XBackend,
            name: ObjectName::new("egress", host),
            port,
            transport: Transport::Tcp,
        },
        protocol: UpstreamProtocol::Auto,
        tls: BackendTls::Plain,
        resolution: Resolution::Dns { hostname: host.into(), port },
        balance: Balance::RoundRobin,
        persistence: None,
        proxy_protocol: None,
    }
}

/// The same over TLS, verified for its name.
pub(crate) fn over_tls(origin: &Origin, backend: Backend) -> Backend {
    let Resolution::Dns { hostname, port: _ } = &backend.resolution else { panic!("it has no name") };
    let tls = UpstreamTls {
        hostname: hostname.clone(),
        subject_alt_names: vec![],
        roots: Roots::Pem(vec![origin.authority.pem().into()]),
        identity: ClientIdentity::None,
    };
    Backend { tls: BackendTls::Tls(tls), ..backend }
}

/// Pods of a Service.
pub(crate) fn service(port: u16) -> Backend {
    let of = outside("pods", port);
    Backend { id: BackendId { kind: BackendKind::Service, ..of.id }, resolution: Resolution::Endpoints, ..of }
}

/// Leads one host, by HTTP, to a backend.
pub(crate) fn lead_http(snapshot: &mut Snapshot, host: &str, backend: &Backend, edit: impl FnOnce(&mut Rule)) {
    lead(snapshot, RouteKind::Http, host, backend, edit);
}

/// Leads one host to a backend, by a route of this kind.
pub(crate) fn lead(
    snapshot: &mut Snapshot,
    kind: RouteKind,
    host: &str,
    backend: &Backend,
    edit: impl FnOnce(&mut Rule),
) {
    snapshot.backends.insert(backend.id.clone(), Arc::new(backend.clone()));
    let id = RouteId { kind, name: ObjectName::new("egress", host) };
    let mut rule = Rule {
        id: RuleId { route: id.clone(), generation: 1, index: 0, name: None },
        matches: vec![Match { path: PathMatch::Prefix("".into()), method: None, headers: vec![], query: vec![] }],
        filters: vec![],
        forward: Ok(Arc::new(Forward {
            backends: vec![WeightedBackend { weight: 1, target: Target::Backend(backend.id.clone()), filters: vec![] }],
            timeouts: Timeouts::default(),
            retry: None,
            persistence: None,
        })),
    };
    edit(&mut rule);
    let attachment = Attachment { listener: listener_id(), hostnames: vec![HostPattern::parse(host).unwrap()] };
    let route = Route { id: id.clone(), created: None, attachments: [attachment].into(), rules: vec![Arc::new(rule)] };
    snapshot.routes.insert(id, Arc::new(route));
}

/// Nothing else about the rule.
pub(crate) fn plainly(_: &mut Rule) {}

/// With this filter.
pub(crate) fn with(filter: Filter) -> impl FnOnce(&mut Rule) {
    move |rule| rule.filters.push(filter)
}

/// Leads connections to a backend: those for a server name, or all.
pub(crate) fn lead_streams(snapshot: &mut Snapshot, kind: RouteKind, host: &str, backend: &Backend) {
    snapshot.backends.insert(backend.id.clone(), Arc::new(backend.clone()));
    let id = RouteId { kind, name: ObjectName::new("egress", "stream") };
    let route = StreamRoute {
        id: id.clone(),
        created: None,
        attachments: [Attachment { listener: listener_id(), hostnames: vec![HostPattern::parse(host).unwrap()] }]
            .into(),
        rule: RuleId { route: id.clone(), generation: 1, index: 0, name: None },
        forward: Ok(vec![StreamBackend { weight: 1, target: Target::Backend(backend.id.clone()) }]),
    };
    snapshot.stream_routes.insert(id, Arc::new(route));
}

impl World {
    /// A Gateway with routes.
    pub(crate) async fn routed(
        protocol: Protocol,
        policies: Vec<EgressPolicy>,
        edit: impl FnOnce(&mut Snapshot),
    ) -> Self {
        Self::with(policies, edit, Setup { protocol, ..Setup::default() }).await
    }

    /// Asks the listener with curl, as if this host were there.
    pub(crate) async fn ask(&self, host: &str, path: &str, arguments: &[&str]) -> super::Curl {
        assert_eq!(self.proxy.ip(), LOCAL);
        let (named, url) = (format!("Host: {host}"), format!("http://{}{path}", self.proxy));
        super::curl(&[&["-H", &named, &url][..], arguments].concat()).await
    }
}
