//! Authorization services that an egress Gateway asks: what they are told leaves as well.

use super::decisions;
use crate::support::*;
use lychgate_ir::egress::{EgressExceptions, EgressHandling, EgressLimits, EgressRule};
use lychgate_ir::filter::{AuthHeaders, AuthProtocol, ExternalAuth, HttpAuth};
use lychgate_ir::{Filter, Protocol, Snapshot, Target};
use std::net::Ipv4Addr;
use std::sync::Arc;

/// A route to `api.test` that asks `auth.test` first.
async fn world(rules: Vec<EgressRule>, origin: &Origin, service: &Origin) -> World {
    let edit = |snapshot: &mut Snapshot| {
        let auth = outside("auth.test", service.http());
        snapshot.backends.insert(auth.id.clone(), Arc::new(auth.clone()));
        let http = HttpAuth { prefix: "/check".into(), sees: vec![], gives: AuthHeaders::Only(vec![]) };
        let asks = ExternalAuth { target: Target::Backend(auth.id), protocol: AuthProtocol::Http(http), body: 1024 };
        lead_http(snapshot, "api.test", &outside("api.test", origin.http()), with(Filter::ExternalAuth(asks)));
    };
    let world = World::routed(Protocol::Http, vec![for_everyone(rules)], edit).await;
    world.dns.say("api.test", Ipv4Addr::LOCALHOST);
    world.dns.say("auth.test", Ipv4Addr::LOCALHOST);
    world
}

#[tokio::test]
async fn a_service_is_asked_where_policies_let_it_be() {
    let (origin, service) = (Origin::start(&[]).await, Origin::start(&[]).await);
    // A question says the Host of what it is about.
    let exceptions = EgressExceptions { other_host: true, ..EgressExceptions::default() };
    let rules = vec![allow(&["api.test"]), EgressRule { exceptions, ..allow(&["auth.test"]) }];
    let world = world(rules, &origin, &service).await;
    let seen = world.ask("api.test", "/v1/charge", &["-d", "body", "-H", "X-Forwarded-For: 10.9.8.7"]).await;
    assert_eq!(seen.status, 200, "{seen:?}");
    let asked = service.server.requests();
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].report.path, "/check/v1/charge");
    assert!(asked[0].report.header("x-forwarded-for").is_empty());
    world.counted(&decisions("rule", "allow"), 2).await;
    world.counted(r#"lychgate_egress_connections_total{destination="auth.test"}"#, 1).await;
    // It says no, and the request goes nowhere.
    let refused = world.ask("api.test", "/?status=401", &[]).await;
    assert_eq!(refused.status, 401, "{refused:?}");
    assert_eq!(origin.server.requests().len(), 1);
    world.counted(&decisions("rule", "allow"), 3).await;
}

#[tokio::test]
async fn a_service_that_a_limit_keeps_away_is_asked_once() {
    let (origin, service) = (Origin::start(&[]).await, Origin::start(&[]).await);
    let limits = EgressLimits { connections: Some(0), ..NO_LIMITS };
    let exceptions = EgressExceptions { other_host: true, ..EgressExceptions::default() };
    let handling = EgressHandling { limits: Some(limits), ..EgressHandling::default() };
    let asked = handled(handling, EgressRule { exceptions, ..allow(&["auth.test"]) });
    let world = world(vec![allow(&["api.test"]), asked], &origin, &service).await;
    let seen = world.ask("api.test", "/", &[]).await;
    assert_eq!(seen.status, 500, "{seen:?}");
    world.counted(&decisions("rule", "deny"), 1).await;
}

#[tokio::test]
async fn a_service_that_may_not_be_reached_lets_nothing_pass() {
    let (origin, service) = (Origin::start(&[]).await, Origin::start(&[]).await);
    let world = world(vec![allow(&["api.test"])], &origin, &service).await;
    let seen = world.ask("api.test", "/", &[]).await;
    assert_eq!(seen.status, 500, "{seen:?}");
    assert!(seen.body.contains("(auth_failed)"), "{seen:?}");
    assert!(origin.server.requests().is_empty() && service.server.requests().is_empty());
    assert!(!world.dns.asked().contains(&"auth.test".to_owned()));
    world.counted(&decisions("no_rule", "deny"), 1).await;
}
