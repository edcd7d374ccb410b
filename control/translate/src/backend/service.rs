//! Services: by their endpoints, or by name for ExternalName.

use super::resolve::transport;
use super::{balance, proxy_protocol};
use crate::policy::backend_tls::TlsPolicies;
use lychgate_api::ObjectKey;
use lychgate_api::core::{Service, ServicePort, ServiceType, TransportProtocol};
use lychgate_ir::{
    Backend, BackendId, BackendTls, HostPattern, RefusalReason, Resolution, RouteKind, Transport, UpstreamProtocol,
};

/// Application protocols that Kubernetes names (KEP-3726, GEP-1911).
const KUBERNETES: &str = "kubernetes.io/";
const WSS: &str = "kubernetes.io/wss";

/// Whether a route can use this port of a Service, and its number.
pub(super) fn check(
    key: &ObjectKey,
    service: &Service,
    port: Option<u16>,
    covered: Option<bool>,
    route: RouteKind,
) -> Result<u16, (RefusalReason, String)> {
    let missing = |message| (RefusalReason::BackendNotFound, message);
    let number = port.ok_or_else(|| missing(format!("a reference to Service {key} needs a port; write one")))?;
    let transport = transport(route);
    let known = port_of(service, number, transport).or_else(|| service.port(number));
    if service.spec.r#type == ServiceType::ExternalName {
        external_name(service).map_err(|text| (RefusalReason::UnsupportedValue, format!("Service {key}: {text}")))?;
        // Nothing stands between us and the name: a port that the Service does not list is as good as any.
        if known.is_none() && service.spec.ports.is_empty() {
            return Ok(number);
        }
    }
    let known = known.ok_or_else(|| {
        let ports: Vec<_> = service.spec.ports.iter().map(|port| port.port.to_string()).collect();
        missing(format!("Service {key} has no port {number}; it has {}", ports.join(", ")))
    })?;
    let unsupported = |message| (RefusalReason::UnsupportedProtocol, message);
    if known.protocol != carried_as(transport) {
        let wanted = carried_as(transport);
        return Err(unsupported(format!("port {number} of Service {key} is {}, not {wanted}", known.protocol)));
    }
    match route {
        RouteKind::Http => {}
        RouteKind::Grpc if protocol(known) == UpstreamProtocol::WebSocket => {
            let message = format!("port {number} of Service {key} speaks WebSocket, not HTTP/2, which gRPC needs");
            return Err(unsupported(message));
        }
        RouteKind::Grpc => {}
        // What is said there is between the client and the backend.
        RouteKind::Tls | RouteKind::Tcp | RouteKind::Udp => return Ok(number),
    }
    match known.app_protocol.as_deref() {
        Some(name) if name.starts_with(KUBERNETES) && protocol(known) == UpstreamProtocol::Auto => {
            Err(unsupported(format!(
                "appProtocol {name} of port {number} of Service {key} is unknown; use kubernetes.io/h2c, /ws or /wss"
            )))
        }
        Some(WSS) if covered != Some(true) => Err(unsupported(format!(
            "appProtocol {WSS} of port {number} of Service {key} asks for TLS, and no BackendTLSPolicy says how it is \
             verified; add one"
        ))),
        _ => Ok(number),
    }
}

/// The port of this number that a transport can use: a Service may have one number for both.
pub(super) fn port_of(service: &Service, number: u16, transport: Transport) -> Option<&ServicePort> {
    let wanted = carried_as(transport);
    service.spec.ports.iter().find(|port| port.port == number && port.protocol == wanted)
}

/// A transport as Kubernetes names it.
pub(super) fn carried_as(transport: Transport) -> TransportProtocol {
    match transport {
        Transport::Tcp => TransportProtocol::Tcp,
        Transport::Udp => TransportProtocol::Udp,
    }
}

/// The name of a port for which it matters whether a BackendTLSPolicy covers it: one that must be covered, or one that
/// no policy can protect, be it only where a route leads out.
pub(super) fn asks_for_tls(service: &Service, port: Option<u16>, route: RouteKind) -> Option<&str> {
    let port = port_of(service, port?, transport(route))?;
    let asks = match route {
        RouteKind::Http | RouteKind::Grpc => port.app_protocol.as_deref() == Some(WSS),
        RouteKind::Tls | RouteKind::Tcp | RouteKind::Udp => true,
    };
    asks.then_some(&port.name)
}

fn protocol(port: &ServicePort) -> UpstreamProtocol {
    match port.app_protocol.as_deref() {
        Some("kubernetes.io/h2c") => UpstreamProtocol::Http2,
        Some("kubernetes.io/ws" | WSS) => UpstreamProtocol::WebSocket,
        Some(_) | None => UpstreamProtocol::Auto,
    }
}

fn external_name(service: &Service) -> Result<&str, String> {
    let name = service.spec.external_name.as_deref().unwrap_or_default();
    let name = name.strip_suffix('.').unwrap_or(name);
    match HostPattern::parse(name) {
        Ok(HostPattern::Exact(_)) => Ok(name),
        Ok(HostPattern::Any | HostPattern::Wildcard(_)) | Err(_) => {
            Err(format!("externalName `{name}` is no DNS name; correct it"))
        }
    }
}

/// One port of a Service. Whether it can be used was found out when the reference was followed.
pub(super) fn backend(policies: &TlsPolicies<'_>, id: &BackendId, key: &ObjectKey, service: &Service) -> Backend {
    let port = port_of(service, id.port, id.transport);
    let tls = match id.transport {
        Transport::Tcp => policies.tls(key, port.map_or("", |port| &port.name)),
        Transport::Udp => None,
    };
    let resolution = match &service.spec.r#type {
        ServiceType::ExternalName => Resolution::Dns {
            hostname: external_name(service).unwrap_or_default().to_ascii_lowercase().into(),
            port: id.port,
        },
        ServiceType::ClusterIp | ServiceType::NodePort | ServiceType::LoadBalancer | ServiceType::Other(_) => {
            Resolution::Endpoints
        }
    };
    Backend {
        id: id.clone(),
        protocol: port.map_or(UpstreamProtocol::Auto, protocol),
        tls: tls.unwrap_or(BackendTls::Plain),
        resolution,
        balance: balance::read(&service.metadata).unwrap_or_default(),
        persistence: None,
        proxy_protocol: proxy_protocol::of(&service.metadata, id.transport),
    }
}
