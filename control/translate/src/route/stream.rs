//! The rules of TLSRoutes, TCPRoutes and UDPRoutes. There is one: nothing tells connections apart but listener and host.

use super::finding::Findings;
use crate::backend::resolve::Resolver;
use crate::status::reason;
use lychgate_api::gateway::{BackendRef, TcpRouteRule, TlsRouteRule, UdpRouteRule};
use lychgate_ir::{Refusal, RefusalReason, RouteId, RuleId, StreamBackend};

/// Where connections or datagrams go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Carried {
    pub(super) rule: RuleId,
    pub(super) forward: Result<Vec<StreamBackend>, Refusal>,
}

/// A rule of any of these kinds.
pub(super) struct Written<'a> {
    name: Option<&'a str>,
    backend_refs: &'a [BackendRef],
}

impl<'a> From<&'a TlsRouteRule> for Written<'a> {
    fn from(TlsRouteRule { name, backend_refs }: &'a TlsRouteRule) -> Self {
        Self { name: name.as_deref(), backend_refs }
    }
}

impl<'a> From<&'a TcpRouteRule> for Written<'a> {
    fn from(TcpRouteRule { name, backend_refs }: &'a TcpRouteRule) -> Self {
        Self { name: name.as_deref(), backend_refs }
    }
}

impl<'a> From<&'a UdpRouteRule> for Written<'a> {
    fn from(UdpRouteRule { name, backend_refs }: &'a UdpRouteRule) -> Self {
        Self { name: name.as_deref(), backend_refs }
    }
}

/// The first rule is the one; the CRDs take no second, but routes may have been stored before they did not.
pub(super) fn rules(
    resolver: &mut Resolver<'_, '_>,
    id: &RouteId,
    generation: i64,
    written: &[Written<'_>],
    findings: &mut Findings,
) -> Carried {
    let first = written.first();
    let rule =
        RuleId { route: id.clone(), generation, index: 0, name: first.and_then(|rule| rule.name).map(Into::into) };
    findings.enter(0);
    let references = first.map_or(&[][..], |rule| rule.backend_refs);
    let backends = references.iter().enumerate().map(|(index, BackendRef { target, weight })| {
        let path = format!("rules[0].backendRefs[{index}]");
        StreamBackend { weight: *weight, target: resolver.target(target, &path, findings) }
    });
    let backends: Vec<StreamBackend> = backends.collect();
    for index in 1..written.len() {
        findings.enter(index);
        let message = format!("rules[{index}] can match nothing, since rules[0] matches everything; remove it");
        findings.invalid(reason::UNSUPPORTED_VALUE, message);
    }
    let forward = if backends.is_empty() {
        Err(Refusal::internal(RefusalReason::NoBackend, format!("{id} has no backendRefs")))
    } else {
        Ok(backends)
    };
    Carried { rule, forward }
}
