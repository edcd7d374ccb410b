//! Services: by their endpoints, or by name for ExternalName.

use super::balance;
use crate::policy::backend_tls::TlsPolicies;
use lychgate_api::ObjectKey;
use lychgate_api::core::{Service, ServicePort, ServiceType, TransportProtocol};
use lychgate_ir::{Backend, BackendId, BackendTls, HostPattern, RefusalReason, Resolution, UpstreamProtocol};

/// Application protocols that Kubernetes names (KEP-3726, GEP-1911).
const KUBERNETES: &str = "kubernetes.io/";
const WSS: &str = "kubernetes.io/wss";

/// Whether a route can use this port of a Service, and its number.
pub(super) fn check(
    key: &ObjectKey,
    service: &Service,
    port: Option<u16>,
    covered: Option<bool>,
) -> Result<u16, (RefusalReason, String)> {
    let missing = |message| (RefusalReason::BackendNotFound, message);
    let number = port.ok_or_else(|| missing(format!("a reference to Service {key} needs a port; write one")))?;
    let known = service.port(number);
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
    if known.protocol != TransportProtocol::Tcp {
        return Err(unsupported(format!("port {number} of Service {key} is {}, not TCP", known.protocol)));
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

/// The name of a port that must be covered by a BackendTLSPolicy.
pub(super) fn needs_tls(service: &Service, port: Option<u16>) -> Option<&str> {
    let port = service.port(port?)?;
    (port.app_protocol.as_deref() == Some(WSS)).then_some(&port.name)
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
    let port = service.port(id.port);
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
        tls: policies.tls(key, port.map_or("", |port| &port.name)).unwrap_or(BackendTls::Plain),
        resolution,
        balance: balance::read(&service.metadata).unwrap_or_default(),
        persistence: None,
    }
}
