//! Requests that a route leads out.

use super::{decisions, to_host};
use crate::support::*;
use lychgate_ir::egress::{
    EgressAction, EgressExceptions, EgressMode, EgressPath, EgressProtocol, EgressRule, HttpRule, Percent,
};
use lychgate_ir::filter::{Fraction, Mirror};
use lychgate_ir::{Endpoint, EndpointAddress, EndpointSet, Endpoints, Filter, Protocol, Snapshot, Target};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

#[tokio::test]
async fn a_named_host_is_reached_over_tls_that_begins_here_and_no_other_is() {
    let origin = Origin::start(&["api.test", "evil.test"]).await;
    let edit = |snapshot: &mut Snapshot| {
        let api = over_tls(&origin, outside("api.test", origin.https()));
        lead_http(snapshot, "pay.svc", &api, with(to_host("api.test")));
        lead_http(snapshot, "api.test", &api, plainly);
        lead_http(snapshot, "other.svc", &api, plainly);
        let evil = over_tls(&origin, outside("evil.test", origin.https()));
        lead_http(snapshot, "evil.test", &evil, plainly);
    };
    let world = World::routed(Protocol::Http, vec![for_everyone(vec![allow(&["api.test"])])], edit).await;
    world.dns.say("api.test", Ipv4Addr::LOCALHOST);
    world.dns.say("evil.test", Ipv4Addr::LOCALHOST);
    for host in ["pay.svc", "api.test"] {
        let seen = world.ask(host, "/v1/charge", &[]).await;
        assert_eq!(seen.status, 200, "{host}: {seen:?}");
        assert!(seen.body.contains("/v1/charge") && seen.body.contains("api.test"), "{seen:?}");
        assert!(!seen.body.to_lowercase().contains("x-forwarded"), "{seen:?}");
    }
    let evil = world.ask("evil.test", "/", &[]).await;
    assert_eq!(evil.status, 403, "{evil:?}");
    assert!(evil.body.contains("(egress_denied): no egress policy allows this destination"), "{evil:?}");
    let json = world.ask("evil.test", "/", &["-H", "Accept: application/json"]).await;
    assert!(json.body.contains(r#""message":"no egress policy allows this destination""#), "{json:?}");
    // What is never allowed is not asked of anybody, neither when it is tried nor in advance.
    assert!(!world.dns.asked().contains(&"evil.test".to_owned()));
    // A Host that is not that of the backend goes nowhere.
    let other = world.ask("other.svc", "/", &[]).await;
    assert_eq!(other.status, 403, "{other:?}");
    assert!(other.body.contains("the Host is not the server that was asked for"), "{other:?}");
    assert_eq!(origin.server.requests().len(), 2);
    world.counted(&decisions("rule", "allow"), 2).await;
    world.counted(&decisions("no_rule", "deny"), 2).await;
    world.counted(&decisions("uncertain", "deny"), 1).await;
    world.counted(r#"lychgate_egress_connections_open{destination="api.test"}"#, 0).await;
}

#[tokio::test]
async fn methods_paths_denials_and_reasons_hold_and_shadow_tells_only() {
    let origin = Origin::start(&[]).await;
    let http = HttpRule { methods: vec![http::Method::GET], paths: vec![EgressPath::Prefix("/v1".into())] };
    let get = speaking(vec![EgressProtocol::Http(http)], allow(&["api.test"]));
    let denied = EgressRule {
        action: EgressAction::Deny,
        reason: Some("charges are paused".into()),
        ..speaking(
            vec![EgressProtocol::Http(HttpRule {
                methods: vec![],
                paths: vec![EgressPath::Exact("/v1/charge".into())],
            })],
            allow_within(&["api.test"], &[]),
        )
    };
    let edit = |snapshot: &mut Snapshot| {
        lead_http(snapshot, "api.test", &outside("api.test", origin.http()), plainly);
    };
    let world = World::routed(Protocol::Http, vec![for_everyone(vec![get, denied])], edit).await;
    world.dns.say("api.test", Ipv4Addr::LOCALHOST);
    assert_eq!(world.ask("api.test", "/v1/list", &[]).await.status, 200);
    assert_eq!(world.ask("api.test", "/v1/list", &["-X", "POST"]).await.status, 403);
    assert_eq!(world.ask("api.test", "/v2", &[]).await.status, 403);
    let paused = world.ask("api.test", "/v1/charge", &[]).await;
    assert_eq!((paused.status, paused.body.contains("charges are paused")), (403, true), "{paused:?}");
    world.change(|snapshot| {
        edit_gateway(snapshot, |gateway| {
            gateway.default = EgressMode::Shadow(Percent::ALL);
            gateway.policies.clear();
        });
    });
    assert_eq!(world.ask("api.test", "/v2", &[]).await.status, 200);
    world.counted(&decisions("not_enforced", "would_deny"), 1).await;
}

#[tokio::test]
async fn no_name_leads_to_the_metadata_address_also_when_its_answer_changes() {
    let origin = Origin::start(&[]).await;
    let edit = |snapshot: &mut Snapshot| {
        lead_http(snapshot, "api.test", &outside("api.test", origin.http()), plainly);
        lead_http(snapshot, "literal.test", &outside("169.254.169.254", 80), with(to_host("169.254.169.254")));
    };
    let world = World::routed(Protocol::Http, vec![for_everyone(vec![allow(&["api.test"])])], edit).await;
    world.dns.say("api.test", Ipv4Addr::LOCALHOST);
    assert_eq!(world.ask("api.test", "/", &[]).await.status, 200);
    // The connection of before waits in a pool; it is not where the name leads now.
    world.dns.say("api.test", Ipv4Addr::new(169, 254, 169, 254));
    let rebound = world.ask("api.test", "/", &[]).await;
    assert_eq!(rebound.status, 403, "{rebound:?}");
    let literal = world.ask("literal.test", "/latest/meta-data/", &[]).await;
    assert_eq!(literal.status, 403, "{literal:?}");
    assert_eq!(origin.server.requests().len(), 1);
}

#[tokio::test]
async fn a_mirrored_copy_leaves_only_where_it_may() {
    let origin = Origin::start(&[]).await;
    let (good, evil) = (Origin::start(&[]).await, Origin::start(&[]).await);
    let edit = |snapshot: &mut Snapshot| {
        let copies = [outside("copy.test", good.http()), outside("evil.test", evil.http())];
        for copy in &copies {
            snapshot.backends.insert(copy.id.clone(), Arc::new(copy.clone()));
        }
        lead_http(snapshot, "api.test", &outside("api.test", origin.http()), |rule| {
            for copy in &copies {
                let target = Target::Backend(copy.id.clone());
                rule.filters.push(Filter::Mirror(Mirror { target, share: Fraction::ALL }));
            }
        });
    };
    // A copy says the Host of what it is a copy of.
    let exceptions = EgressExceptions { other_host: true, ..EgressExceptions::default() };
    let rules = vec![allow(&["api.test"]), EgressRule { exceptions, ..allow(&["copy.test"]) }];
    let world = World::routed(Protocol::Http, vec![for_everyone(rules)], edit).await;
    for host in ["api.test", "copy.test", "evil.test"] {
        world.dns.say(host, Ipv4Addr::LOCALHOST);
    }
    assert_eq!(world.ask("api.test", "/", &["-d", "body"]).await.status, 200);
    soon(good.server.wait_for(|counts| counts.bodies > 0)).await;
    world.counted(&decisions("no_rule", "deny"), 1).await;
    assert!(evil.server.requests().is_empty());
}

#[tokio::test]
async fn each_attempt_is_decided_for_its_endpoint() {
    let origin = Origin::start(&[]).await;
    let pods = service(origin.http());
    let edit = |snapshot: &mut Snapshot| lead_http(snapshot, "127.0.0.3", &pods, plainly);
    let nets = |nets: &[&str]| vec![for_everyone(vec![allow_addresses(nets)])];
    let world = World::routed(Protocol::Http, nets(&["127.0.0.3/32"]), edit).await;
    let live = SocketAddr::new(LOCAL, origin.http());
    // Nobody listens there: the next one is tried.
    let dead = SocketAddr::from(([127, 0, 0, 3], lychgate_testkit::free_addr().port()));
    let endpoint = |address| Endpoint { address: EndpointAddress::Ip(address), terminating: false };
    let set = EndpointSet { endpoints: vec![endpoint(dead), endpoint(live)] };
    world.engine.apply_endpoints(&Endpoints::from([(pods.id.clone(), Arc::new(set))]));
    for _ in 0..4 {
        let seen = world.ask("127.0.0.3", "/", &[]).await;
        assert_eq!(seen.status, 403, "{seen:?}");
    }
    assert!(origin.server.requests().is_empty());
}
