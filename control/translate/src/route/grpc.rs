//! The rules of GRPCRoutes. A call is a request for the path `/service/method`, so its rules become those of requests.

use super::finding::Findings;
use super::http::owner;
use super::matches::{read_headers, regex};
use super::session;
use crate::backend::resolve::Resolver;
use crate::filter::{self, Surroundings};
use crate::status::reason;
use lychgate_api::gateway::{
    GrpcBackendRef, GrpcHeaderMatch, GrpcMethodMatch, GrpcMethodMatchType, GrpcRoute, GrpcRouteFilter,
    GrpcRouteFilterType, GrpcRouteMatch, GrpcRouteRule, HttpHeaderMatch, HttpRouteFilter, HttpRouteFilterType,
};
use lychgate_ir::{
    Forward, Match, PathMatch, Refusal, RefusalReason, RouteId, Rule, RuleId, Timeouts, WeightedBackend,
};
use std::sync::Arc;

/// Any service, and any method.
const SEGMENT: &str = "[^/]+";

/// All rules that match anything, in the order written.
pub(super) fn rules(
    resolver: &mut Resolver<'_, '_>,
    id: &RouteId,
    route: &GrpcRoute,
    findings: &mut Findings,
) -> Vec<Rule> {
    let mut rules = Vec::with_capacity(route.spec.rules.len());
    for (index, written) in route.spec.rules.iter().enumerate() {
        findings.enter(index);
        let id = RuleId {
            route: id.clone(),
            generation: route.metadata.generation,
            index: u32::try_from(index).unwrap_or(u32::MAX),
            name: written.name.as_deref().map(Into::into),
        };
        rules.extend(rule(resolver, id, written, findings));
    }
    rules
}

fn rule(resolver: &mut Resolver<'_, '_>, id: RuleId, written: &GrpcRouteRule, findings: &mut Findings) -> Option<Rule> {
    let GrpcRouteRule { name: _, matches, filters, backend_refs, session_persistence } = written;
    let path = format!("rules[{}]", id.index);
    let (matches, matches_problem) = read_matches(matches, &path, findings);
    let mut around = Surroundings { resolver, paths: Vec::new(), of_backend: false };
    let filters = filter::read(&mut around, &as_http(filters), &path, findings);
    around.of_backend = true;
    let backends: Vec<WeightedBackend> = backend_refs
        .iter()
        .enumerate()
        .map(|(index, GrpcBackendRef { backend, filters })| {
            let path = format!("{path}.backendRefs[{index}]");
            let target = around.resolver.target(&backend.target, &path, findings);
            let filters = filter::read(&mut around, &as_http(filters), &path, findings);
            WeightedBackend { weight: backend.weight, target, filters }
        })
        .collect();
    let persistence = session_persistence.as_ref().map(|wanted| session::read(wanted, &owner(&id))).transpose();
    let persistence_problem = persistence.as_ref().err().map(|problem| {
        let message = format!("{path}.sessionPersistence: {problem}");
        findings.invalid(reason::UNSUPPORTED_VALUE, message.clone());
        message
    });
    let forward = match matches_problem.or(persistence_problem) {
        Some(message) => Err(Refusal::internal(RefusalReason::UnsupportedValue, message)),
        None if backends.is_empty() && !filter::answers(&filters) => {
            let message = format!("{path} of {} has no backendRefs", id.route);
            Err(Refusal::internal(RefusalReason::NoBackend, message))
        }
        None => Ok(Arc::new(Forward {
            backends,
            timeouts: Timeouts::default(),
            retry: None,
            persistence: persistence.unwrap_or_default(),
        })),
    };
    // A rule that matches nothing has no call to refuse.
    (!matches.is_empty()).then_some(Rule { id, matches, filters, forward })
}

/// The alternatives that make sense, and what is wrong with the others. No alternative at all matches everything.
fn read_matches(written: &[GrpcRouteMatch], path: &str, findings: &mut Findings) -> (Vec<Match>, Option<String>) {
    if written.is_empty() {
        let all = Match { path: every_call(), method: None, headers: Vec::new(), query: Vec::new() };
        return (vec![all], None);
    }
    let mut read = Vec::with_capacity(written.len());
    let mut problem = None;
    for (index, written) in written.iter().enumerate() {
        match read_match(written) {
            Ok(one) => read.push(one),
            Err(error) => {
                let message = format!("{path}.matches[{index}].{error}");
                findings.invalid(reason::UNSUPPORTED_VALUE, message.clone());
                problem.get_or_insert(message);
            }
        }
    }
    (read, problem)
}

fn read_match(GrpcRouteMatch { method, headers }: &GrpcRouteMatch) -> Result<Match, String> {
    let headers: Vec<HttpHeaderMatch> = headers
        .iter()
        .map(|GrpcHeaderMatch { r#type, name, value }| HttpHeaderMatch {
            r#type: *r#type,
            name: name.clone(),
            value: value.clone(),
        })
        .collect();
    Ok(Match {
        path: method.as_ref().map_or_else(|| Ok(every_call()), read_method)?,
        method: None,
        headers: read_headers(&headers)?,
        query: Vec::new(),
    })
}

fn every_call() -> PathMatch {
    PathMatch::Prefix("".into())
}

/// Precedence goes by the service first, then by the method: exact paths before prefixes before expressions, which is
/// how paths rank anyway.
fn read_method(GrpcMethodMatch { r#type, service, method }: &GrpcMethodMatch) -> Result<PathMatch, String> {
    let service = service.as_deref().filter(|service| !service.is_empty());
    let method = method.as_deref().filter(|method| !method.is_empty());
    let exact = |field: &str, name: &str| match name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._".contains(&b)) {
        true => Ok(()),
        false => Err(format!("method.{field}: `{name}` is no name of gRPC")),
    };
    match (r#type, service, method) {
        (_, None, None) => Ok(every_call()),
        (GrpcMethodMatchType::Exact, service, method) => {
            service.map_or(Ok(()), |name| exact("service", name))?;
            method.map_or(Ok(()), |name| exact("method", name))?;
            Ok(match (service, method) {
                (Some(service), Some(method)) => PathMatch::Exact(format!("/{service}/{method}").into()),
                (Some(service), None) => PathMatch::Prefix(format!("/{service}").into()),
                (None, method) => {
                    let method = method.map_or_else(|| SEGMENT.to_owned(), ::regex::escape);
                    PathMatch::Regex(format!("/{SEGMENT}/{method}").into())
                }
            })
        }
        (GrpcMethodMatchType::RegularExpression, service, method) => {
            let service = service.map_or_else(|| Ok(SEGMENT.into()), |text| regex("method.service", text))?;
            let method = method.map_or_else(|| Ok(SEGMENT.into()), |text| regex("method.method", text))?;
            regex("method", &format!("/(?:{service})/(?:{method})")).map(PathMatch::Regex)
        }
    }
}

/// The same filters, as HTTPRoutes have them.
fn as_http(filters: &[GrpcRouteFilter]) -> Vec<HttpRouteFilter> {
    let same = |filter: &GrpcRouteFilter| {
        let GrpcRouteFilter {
            r#type,
            request_header_modifier,
            response_header_modifier,
            request_mirror,
            extension_ref,
        } = filter;
        HttpRouteFilter {
            r#type: match r#type {
                GrpcRouteFilterType::RequestHeaderModifier => HttpRouteFilterType::RequestHeaderModifier,
                GrpcRouteFilterType::ResponseHeaderModifier => HttpRouteFilterType::ResponseHeaderModifier,
                GrpcRouteFilterType::RequestMirror => HttpRouteFilterType::RequestMirror,
                GrpcRouteFilterType::ExtensionRef => HttpRouteFilterType::ExtensionRef,
                GrpcRouteFilterType::Other(kind) => HttpRouteFilterType::Other(kind.clone()),
            },
            request_header_modifier: request_header_modifier.clone(),
            response_header_modifier: response_header_modifier.clone(),
            request_mirror: request_mirror.clone(),
            request_redirect: None,
            url_rewrite: None,
            cors: None,
            external_auth: None,
            extension_ref: extension_ref.clone(),
        }
    };
    filters.iter().map(same).collect()
}
