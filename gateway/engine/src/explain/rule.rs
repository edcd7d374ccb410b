//! What a rule asks for and does, in sentences.

use super::filter::sentence;
use super::words::list;
use lychgate_ir::{
    CookieLifetime, Forward, Match, PersistenceKind, Refusal, Retry, Rule, SessionPersistence, StreamBackend,
    StreamRoute, Target, Timeouts, WeightedBackend,
};
use lychgate_router::Asks;

/// What it does, a sentence a line: filters, backends, and how long and how often they are tried.
pub(super) fn sentences(rule: &Rule) -> String {
    let Rule { id: _, matches: _, filters, forward } = rule;
    let mut lines: Vec<String> = filters.iter().map(|filter| format!("Filter: {}.", sentence(filter))).collect();
    match forward {
        Ok(forward) => lines.extend(forwarded(forward)),
        Err(refusal) => lines.push(refused(refusal)),
    }
    lines.join("\n") + "\n"
}

/// What requests it takes.
pub(super) fn matches(matches: &[Match]) -> String {
    let alternatives: Vec<String> = matches.iter().map(|each| Asks(each).to_string()).collect();
    format!("It asks for {}.\n", alternatives.join(", or for "))
}

/// What the rule of a TLSRoute, TCPRoute or UDPRoute does.
pub(super) fn stream(route: &StreamRoute) -> String {
    let StreamRoute { id: _, created: _, attachments: _, rule: _, forward } = route;
    let lines: Vec<String> = match forward {
        Ok(backends) => {
            let all = backends.iter().map(|backend| u64::from(backend.weight)).sum();
            backends.iter().map(|StreamBackend { weight, target }| backend(*weight, target, all)).collect()
        }
        Err(refusal) => vec![format!("Connections are closed ({}): {}.", refusal.reason, stop(refusal))],
    };
    lines.join("\n") + "\n"
}

fn forwarded(forward: &Forward) -> Vec<String> {
    let Forward { backends, timeouts, retry, persistence } = forward;
    if backends.is_empty() {
        // A filter answers every request.
        return Vec::new();
    }
    let all = backends.iter().map(|backend| u64::from(backend.weight)).sum();
    let mut lines = Vec::new();
    for WeightedBackend { weight, target, filters } in backends {
        lines.push(backend(*weight, target, all));
        lines.extend(filters.iter().map(|filter| format!("  Filter: {}.", sentence(filter))));
    }
    lines.extend(limits(*timeouts));
    lines.extend(retry.as_ref().map(tries));
    lines.extend(persistence.as_ref().map(sessions));
    lines
}

fn refused(refusal: &Refusal) -> String {
    format!("It answers {} ({}): {}.", refusal.status, refusal.reason, stop(refusal))
}

fn stop(refusal: &Refusal) -> &str {
    refusal.message.trim_end_matches('.')
}

fn backend(weight: u32, target: &Target, all: u64) -> String {
    let share = match (weight, all) {
        (_, 0) => "weight 0, as have all: nothing is forwarded".to_owned(),
        (0, _) => "weight 0: it gets nothing".to_owned(),
        (weight, all) if u64::from(weight) == all => format!("weight {weight}"),
        (weight, all) => format!("weight {weight} of {all}"),
    };
    match target {
        Target::Backend(id) => format!("Backend: {id}, {share}."),
        Target::Broken(refusal) => format!(
            "Backend: none, {share}; its share gets {} ({}): {}.",
            refusal.status,
            refusal.reason,
            stop(refusal)
        ),
    }
}

fn limits(timeouts: Timeouts) -> impl Iterator<Item = String> {
    let Timeouts { request, backend_request } = timeouts;
    let whole = request.map(|limit| format!("The whole request may take {limit:?}, all tries included."));
    let one = backend_request.map(|limit| format!("One try may take {limit:?}."));
    [whole, one].into_iter().flatten()
}

fn tries(retry: &Retry) -> String {
    let Retry { codes, attempts, backoff } = retry;
    let times = match attempts {
        0 => return "It is never tried again.".to_owned(),
        1 => "once more".to_owned(),
        more => format!("up to {more} times more"),
    };
    let mut causes: Vec<String> = codes.iter().map(ToString::to_string).collect();
    causes.push("a broken connection".to_owned());
    format!("It is tried {times} after {}; the first pause is at most {backoff:?}, and doubles.", either(causes))
}

fn either(causes: Vec<String>) -> String {
    list(causes).replace(" and ", " or ")
}

fn sessions(persistence: &SessionPersistence) -> String {
    let SessionPersistence { name, kind, absolute_timeout } = persistence;
    let carrier = match kind {
        PersistenceKind::Header => format!("the header {name}"),
        PersistenceKind::Cookie { path, lifetime: CookieLifetime::Session } => {
            format!("the cookie {name} (path {path}), until the browser ends")
        }
        PersistenceKind::Cookie { path, lifetime: CookieLifetime::Permanent } => {
            format!("the cookie {name} (path {path}), which outlives the browser")
        }
    };
    let limit = absolute_timeout.map(|limit| format!(", for {limit:?} at most")).unwrap_or_default();
    format!("Sessions stay with their endpoint by {carrier}{limit}.")
}

#[cfg(test)]
mod tests {
    use super::*;
    use lychgate_ir::{BackendId, BackendKind, ObjectName, RefusalReason, RouteId, RouteKind, RuleId, Transport};
    use std::sync::Arc;
    use std::time::Duration;

    fn rule(forward: Result<Arc<Forward>, Refusal>) -> Rule {
        let route = RouteId { kind: RouteKind::Http, name: ObjectName::new("ns", "r") };
        let id = RuleId { route, generation: 1, index: 0, name: None };
        Rule { id, matches: Vec::new(), filters: Vec::new(), forward }
    }

    fn to(name: &str, weight: u32) -> WeightedBackend {
        let (kind, name) = (BackendKind::Service, ObjectName::new("ns", name));
        let target = Target::Backend(BackendId { kind, name, port: 80, transport: Transport::Tcp });
        WeightedBackend { weight, target, filters: Vec::new() }
    }

    #[test]
    fn all_that_a_rule_says_is_told() {
        let broken = Refusal::internal(RefusalReason::BackendNotFound, "there is no Service ns/gone.");
        let forward = Forward {
            backends: vec![
                to("a", 3),
                WeightedBackend { weight: 1, target: Target::Broken(broken), filters: Vec::new() },
                to("b", 0),
            ],
            timeouts: Timeouts {
                request: Some(Duration::from_secs(10)),
                backend_request: Some(Duration::from_millis(1500)),
            },
            retry: Some(Retry { codes: vec![502, 503], attempts: 2, backoff: Duration::from_millis(25) }),
            persistence: Some(SessionPersistence {
                name: "s".into(),
                kind: PersistenceKind::Cookie { path: "/".into(), lifetime: CookieLifetime::Session },
                absolute_timeout: Some(Duration::from_secs(3600)),
            }),
        };
        assert_eq!(
            sentences(&rule(Ok(forward.into()))),
            "Backend: Service/ns/a:80, weight 3 of 4.\n\
             Backend: none, weight 1 of 4; its share gets 500 (BackendNotFound): there is no Service ns/gone.\n\
             Backend: Service/ns/b:80, weight 0: it gets nothing.\n\
             The whole request may take 10s, all tries included.\n\
             One try may take 1.5s.\n\
             It is tried up to 2 times more after 502, 503 or a broken connection; the first pause is at most 25ms, and doubles.\n\
             Sessions stay with their endpoint by the cookie s (path /), until the browser ends, for 3600s at most.\n"
        );
    }

    #[test]
    fn what_is_refused_says_so() {
        let refusal = Refusal::internal(RefusalReason::UnsupportedValue, "the expression does not compile");
        assert_eq!(
            sentences(&rule(Err(refusal))),
            "It answers 500 (UnsupportedValue): the expression does not compile.\n"
        );
        let never = Retry { codes: Vec::new(), attempts: 0, backoff: Duration::ZERO };
        assert_eq!(tries(&never), "It is never tried again.");
    }
}
