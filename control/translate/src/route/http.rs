//! The rules of HTTPRoutes.

use super::finding::Findings;
use super::{matches, session};
use crate::backend::resolve::Resolver;
use crate::filter::{self, Surroundings};
use crate::status::reason;
use lychgate_api::gateway::{
    HttpBackendRef, HttpRoute, HttpRouteRetry, HttpRouteRule, HttpRouteTimeouts, PathMatchType,
};
use lychgate_ir::{
    Filter, Forward, Match, PathMatch, Refusal, RefusalReason, Retry, RouteId, Rule, RuleId, Timeouts, WeightedBackend,
};
use std::sync::Arc;
use std::time::Duration;

/// Between tries, where the route says nothing.
const DEFAULT_BACKOFF: Duration = Duration::from_millis(25);

/// All rules that match anything, in the order written.
pub(super) fn rules(
    resolver: &mut Resolver<'_, '_>,
    id: &RouteId,
    route: &HttpRoute,
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

fn rule(resolver: &mut Resolver<'_, '_>, id: RuleId, written: &HttpRouteRule, findings: &mut Findings) -> Option<Rule> {
    let HttpRouteRule { name: _, matches, filters, backend_refs, timeouts, retry, session_persistence } = written;
    let path = format!("rules[{}]", id.index);
    let (matches, matches_problem) = read_matches(matches, &path, findings);
    let mut around = Surroundings { resolver, paths: path_types(written), of_backend: false };
    let filters = filter::read(&mut around, filters, &path, findings);
    around.of_backend = true;
    let backends = backends(&mut around, backend_refs, &path, findings);
    let persistence = session_persistence.as_deref().map(|wanted| session::read(wanted, &owner(&id))).transpose();
    let persistence_problem = persistence.as_ref().err().map(|problem| {
        let message = format!("{path}.sessionPersistence: {problem}");
        findings.invalid(reason::UNSUPPORTED_VALUE, message.clone());
        message
    });
    let refusal = match matches_problem.or(persistence_problem) {
        Some(message) => Some(Refusal::internal(RefusalReason::UnsupportedValue, message)),
        None if backends.is_empty() && !filter::answers(&filters) => {
            let message = format!("{path} of {} has no backendRefs and no filter that answers", id.route);
            Some(Refusal::internal(RefusalReason::NoBackend, message))
        }
        None => None,
    };
    let forward = match refusal {
        Some(refusal) => Err(refusal),
        None => Ok(Arc::new(Forward {
            backends,
            timeouts: read_timeouts(timeouts.as_deref()),
            retry: retry.as_deref().and_then(read_retry),
            persistence: persistence.unwrap_or_default(),
        })),
    };
    // A rule that matches nothing has no request to refuse.
    (!matches.is_empty()).then_some(Rule { id, matches, filters, forward })
}

/// The alternatives that make sense, and what is wrong with the others. No alternative at all matches everything.
fn read_matches(
    written: &[lychgate_api::gateway::HttpRouteMatch],
    path: &str,
    findings: &mut Findings,
) -> (Vec<Match>, Option<String>) {
    if written.is_empty() {
        let all = Match { path: PathMatch::Prefix("".into()), method: None, headers: Vec::new(), query: Vec::new() };
        return (vec![all], None);
    }
    let mut read = Vec::with_capacity(written.len());
    let mut problem = None;
    for (index, written) in written.iter().enumerate() {
        match matches::read(written) {
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

fn path_types(rule: &HttpRouteRule) -> Vec<PathMatchType> {
    rule.matches.iter().map(|one| one.path.r#type).collect()
}

/// What a generated cookie belongs to. A name outlives the rule's position.
pub(super) fn owner(id: &RuleId) -> String {
    match &id.name {
        Some(name) => format!("{}#{name}", id.route),
        None => format!("{}#{}", id.route, id.index),
    }
}

fn backends(
    around: &mut Surroundings<'_, '_, '_>,
    references: &[HttpBackendRef],
    path: &str,
    findings: &mut Findings,
) -> Vec<WeightedBackend> {
    let read = references.iter().enumerate().map(|(index, HttpBackendRef { backend, filters })| {
        let path = format!("{path}.backendRefs[{index}]");
        let target = around.resolver.target(&backend.target, &path, findings);
        let filters: Vec<Filter> = filter::read(around, filters, &path, findings);
        WeightedBackend { weight: backend.weight, target, filters }
    });
    read.collect()
}

/// Zero is no deadline.
fn read_timeouts(timeouts: Option<&HttpRouteTimeouts>) -> Timeouts {
    let Some(HttpRouteTimeouts { request, backend_request }) = timeouts else { return Timeouts::default() };
    let deadline = |written: &Option<lychgate_api::meta::Duration>| {
        written.filter(|written| !written.is_zero()).map(Duration::from)
    };
    Timeouts { request: deadline(request), backend_request: deadline(backend_request) }
}

/// Without codes, only what never reached a backend is tried again.
fn read_retry(retry: &HttpRouteRetry) -> Option<Retry> {
    let HttpRouteRetry { codes, attempts, backoff } = retry;
    // 0 is kept: it forbids tries that are made where nothing is said, too.
    let attempts = u32::try_from(*attempts).ok()?;
    let mut codes = codes.clone();
    codes.sort_unstable();
    codes.dedup();
    Some(Retry { codes, attempts, backoff: backoff.map_or(DEFAULT_BACKOFF, Duration::from) })
}
