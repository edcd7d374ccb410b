//! XBackends (GEP-4731): names outside of the cluster.

use super::{balance, proxy_protocol, validation};
use crate::gateway_class::controller_of;
use crate::reference_grant::Referrer;
use crate::route::session;
use crate::status::condition::{self, Problem, Writer};
use crate::status::reason;
use crate::world::{BadRef, World};
use lychgate_api::gateway::{
    BackendProtocol, BackendStatus, BackendTlsMode, BackendType, PolicyAncestorStatus, XBackend,
};
use lychgate_api::{GATEWAY_X_GROUP, Kind, ObjectKey};
use lychgate_ir::{
    Backend, BackendId, BackendTls, ClientIdentity, GatewayId, Refusal, RefusalReason, Resolution, RouteKind,
    Transport, UpstreamProtocol, UpstreamTls,
};
use std::collections::BTreeSet;

/// The CRD takes no more ancestors.
const MAX_ANCESTORS: usize = 32;

/// Whether a route can use an XBackend, and its port.
pub(super) fn check(
    key: &ObjectKey,
    backend: &XBackend,
    port: Option<u16>,
    route: RouteKind,
) -> Result<u16, (RefusalReason, String)> {
    if let Some(Problem { reason: _, message }) = unsupported(backend) {
        return Err((RefusalReason::UnsupportedValue, format!("XBackend {key}: {message}")));
    }
    if let Err(message) = protocol(backend).and_then(|_| usable(backend, route)) {
        return Err((RefusalReason::UnsupportedProtocol, format!("XBackend {key}: {message}")));
    }
    let number = backend.spec.port.number;
    match port {
        Some(port) if port != number => {
            let message =
                format!("XBackend {key} has port {number}, not {port}; correct the reference or leave it out");
            Err((RefusalReason::BackendNotFound, message))
        }
        Some(_) | None => Ok(number),
    }
}

fn unsupported(backend: &XBackend) -> Option<Problem> {
    let problem = |message| Some(Problem::new(reason::UNSUPPORTED_VALUE, message));
    match backend.spec.r#type {
        BackendType::EndpointSelector => {
            problem("type EndpointSelector is not supported by this version; use a Service, or type ExternalHostname")
        }
        BackendType::ExternalHostname if backend.spec.external_hostname.is_none() => {
            problem("externalHostname is missing")
        }
        BackendType::ExternalHostname => None,
    }
}

/// Whether a kind of route can speak what the backend asks for. Streams of bytes carry all that is spoken over TCP.
fn usable(backend: &XBackend, route: RouteKind) -> Result<(), String> {
    let asks = backend.spec.protocol;
    match (route, asks) {
        (RouteKind::Http | RouteKind::Grpc, Some(protocol @ BackendProtocol::Tcp)) => {
            Err(format!("protocol {protocol} is not one that HTTP routes can use; leave it out, or use a TCPRoute"))
        }
        (RouteKind::Grpc, Some(protocol @ (BackendProtocol::Http11 | BackendProtocol::Wss))) => {
            Err(format!("protocol {protocol} is not HTTP/2, which gRPC needs; write GRPC"))
        }
        (RouteKind::Udp, Some(protocol)) => Err(format!("protocol {protocol} is not spoken over UDP; leave it out")),
        (RouteKind::Udp, None) if backend.spec.tls.mode != BackendTlsMode::None => {
            Err("TLS is not spoken over UDP; write tls.mode None".to_owned())
        }
        (RouteKind::Http | RouteKind::Grpc | RouteKind::Tls | RouteKind::Tcp | RouteKind::Udp, _) => Ok(()),
    }
}

fn protocol(backend: &XBackend) -> Result<UpstreamProtocol, String> {
    match backend.spec.protocol {
        None | Some(BackendProtocol::Http | BackendProtocol::Tcp) => Ok(UpstreamProtocol::Auto),
        Some(BackendProtocol::Http11) => Ok(UpstreamProtocol::Http1),
        Some(BackendProtocol::Http2 | BackendProtocol::H2c | BackendProtocol::Grpc) => Ok(UpstreamProtocol::Http2),
        Some(BackendProtocol::Wss) => Ok(UpstreamProtocol::WebSocket),
        Some(protocol @ BackendProtocol::Mcp) => Err(format!("protocol {protocol} is not supported by this version")),
    }
}

/// An XBackend that can be used, as was found out when the reference was followed.
pub(super) fn backend(world: &World<'_>, id: &BackendId, key: &ObjectKey, object: &XBackend) -> Backend {
    let hostname = object.spec.external_hostname.as_ref().map_or("", |external| &external.hostname);
    Backend {
        id: id.clone(),
        protocol: protocol(object).unwrap_or(UpstreamProtocol::Auto),
        tls: match id.transport {
            Transport::Tcp => tls(world, key, object).backend,
            Transport::Udp => BackendTls::Plain,
        },
        resolution: Resolution::Dns { hostname: hostname.to_ascii_lowercase().into(), port: object.spec.port.number },
        balance: balance::read(&object.metadata).unwrap_or_default(),
        persistence: object
            .spec
            .session_persistence
            .as_ref()
            .and_then(|wanted| session::read(wanted, &format!("XBackend/{key}")).ok()),
        proxy_protocol: proxy_protocol::of(&object.metadata, id.transport),
    }
}

/// How it is protected, and what is wrong with that.
struct Tls {
    backend: BackendTls,
    unresolved: Option<Problem>,
}

fn tls(world: &World<'_>, key: &ObjectKey, object: &XBackend) -> Tls {
    let wanted = &object.spec.tls;
    let broken = |problem: Problem| Tls {
        backend: BackendTls::Broken(Refusal::internal(
            RefusalReason::InvalidPolicy,
            format!("XBackend {key}: {}", problem.message),
        )),
        unresolved: Some(problem),
    };
    let identity = match (wanted.mode, &wanted.client_certificate_ref) {
        (BackendTlsMode::None, _) => return Tls { backend: BackendTls::Plain, unresolved: None },
        (BackendTlsMode::ServerOnly, _) => ClientIdentity::None,
        (BackendTlsMode::ClientAndServer, None) => {
            return broken(Problem::new(reason::INVALID, "tls.clientCertificateRef is missing"));
        }
        (BackendTlsMode::ClientAndServer, Some(reference)) => {
            let from = Referrer { group: GATEWAY_X_GROUP, kind: Kind::XBackend.as_str(), namespace: &key.namespace };
            match world.certificate(from, reference) {
                Ok(certificate) => ClientIdentity::Certificate(certificate.id.clone()),
                Err(bad) => {
                    let reason = match bad {
                        BadRef::NotPermitted(_) => reason::REF_NOT_PERMITTED,
                        BadRef::Kind(_) | BadRef::Broken(_) => reason::INVALID_CLIENT_CERTIFICATE_REF,
                    };
                    let message = format!("tls.clientCertificateRef: {}", bad.into_message());
                    return broken(Problem::new(reason, message));
                }
            }
        }
    };
    let Some(wanted) = &wanted.validation else {
        return broken(Problem::new(reason::INVALID, "tls.validation is missing"));
    };
    let checked = validation::check(world, &key.namespace, "tls.validation", wanted);
    match checked.result {
        Err(problem) => broken(checked.unresolved.unwrap_or(problem)),
        Ok(validation::Good { hostname, subject_alt_names, roots }) => Tls {
            backend: BackendTls::Tls(UpstreamTls { hostname, subject_alt_names, roots, identity }),
            unresolved: checked.unresolved,
        },
    }
}

/// What is said about an XBackend, to each Gateway that uses it.
pub(super) fn status(
    world: &World<'_>,
    key: &ObjectKey,
    object: &XBackend,
    gateways: &BTreeSet<GatewayId>,
) -> BackendStatus {
    let writer = Writer::new(object.metadata.generation);
    let tls = tls(world, key, object);
    let refused = unsupported(object)
        .or_else(|| protocol(object).err().map(|message| Problem::new(reason::UNSUPPORTED_PROTOCOL, message)))
        .or_else(|| {
            proxy_protocol::read(&object.metadata).err().map(|message| Problem::new(reason::UNSUPPORTED_VALUE, message))
        })
        .or_else(|| match &tls.backend {
            BackendTls::Broken(_) => tls.unresolved.clone(),
            BackendTls::Plain | BackendTls::Tls(_) => None,
        });
    let mut message = match &tls.backend {
        // The API calls this a security risk for names outside of the cluster.
        BackendTls::Plain => "requests can be sent there, in clear text: tls.mode is None".to_owned(),
        BackendTls::Tls(_) | BackendTls::Broken(_) => "requests can be sent there".to_owned(),
    };
    if let Err(note) = balance::read(&object.metadata) {
        message = format!("{message} | {note}");
    }
    let conditions = vec![
        writer.verdict(condition::ACCEPTED, refused.as_ref(), reason::ACCEPTED, &message),
        writer.verdict(
            condition::RESOLVED_REFS,
            tls.unresolved.as_ref(),
            reason::RESOLVED_REFS,
            "all references are resolved",
        ),
    ];
    let ancestors = gateways.iter().take(MAX_ANCESTORS).map(|gateway| PolicyAncestorStatus {
        ancestor_ref: crate::policy::ancestor(gateway),
        controller_name: controller_of(world.objects, gateway).to_owned(),
        conditions: conditions.clone(),
    });
    BackendStatus { ancestors: ancestors.collect() }
}
