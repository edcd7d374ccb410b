//! Attempts: more than one of them, shares of several backends, and how long they may take.

use crate::support::*;
use lychgate_echo::{EchoConfig, EchoServer, Port};
use lychgate_ir::egress::{EgressHandling, EgressRule, PortRange};
use lychgate_ir::{
    Backend, Endpoint, EndpointAddress, EndpointSet, Endpoints, Protocol, Retry, Rule, Snapshot, Target, Timeouts,
    WeightedBackend,
};
use serde_json::Value;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

fn retrying(attempts: u32, codes: &[u16]) -> impl FnOnce(&mut Rule) {
    let retry = Retry { codes: codes.to_vec(), attempts, backoff: Duration::ZERO };
    move |rule| Arc::make_mut(rule.forward.as_mut().unwrap()).retry = Some(retry)
}

fn endpoints(backend: &Backend, addresses: &[SocketAddr]) -> Endpoints {
    let endpoint = |address: &SocketAddr| Endpoint { address: EndpointAddress::Ip(*address), terminating: false };
    let set = EndpointSet { endpoints: addresses.iter().map(endpoint).collect() };
    Endpoints::from([(backend.id.clone(), Arc::new(set))])
}

/// The decisions that an audit log has, as soon as there are so many of these.
async fn recorded(dir: &Path, count: usize, is_one: impl Fn(&Value) -> bool) -> Vec<Value> {
    let decisions = |log: &str| -> Vec<Value> {
        let lines = log.lines().filter_map(|line| serde_json::from_str(line).ok());
        lines.filter(|line: &Value| line.get("verdict").is_some()).collect()
    };
    let log = written(dir, |log| decisions(log).iter().filter(|record| is_one(record)).count() >= count).await;
    decisions(&log)
}

#[tokio::test]
async fn each_attempt_is_recorded_once_and_the_one_that_succeeds_is_answered() {
    let origin = Origin::start(&[]).await;
    let home = tempfile::tempdir().unwrap();
    let edit = |snapshot: &mut Snapshot| {
        lead_http(snapshot, "api.test", &outside("api.test", origin.http()), retrying(2, &[503]));
    };
    let setup = Setup { protocol: Protocol::Http, audit: Some(audit_into(home.path())), ..Setup::default() };
    let world = World::with(vec![for_everyone(vec![allow(&["api.test"])])], edit, setup).await;
    world.dns.say("api.test", Ipv4Addr::LOCALHOST);
    let seen = world.ask("api.test", "/?fail=1", &["-d", "body"]).await;
    assert_eq!(seen.status, 200, "{seen:?}");
    assert_eq!(origin.server.counts().bodies, 2);
    // Every decision that leaves is written when it has ended, and no other line follows.
    assert_eq!(world.ask("api.test", "/last", &[]).await.status, 200);
    let records = recorded(home.path(), 3, |_| true).await;
    assert_eq!(records.len(), 3, "{records:#?}");
    let again = |record: &Value| record["reason"].as_str().is_some_and(|why| why.contains("it was tried again"));
    assert_eq!(records.iter().filter(|record| again(record)).count(), 1, "{records:#?}");
    assert!(records.iter().all(|record| record["verdict"] == "Allow"), "{records:#?}");
}

#[tokio::test]
async fn an_endpoint_that_refuses_is_passed_over_and_recorded() {
    let origin = Origin::start(&[]).await;
    let home = tempfile::tempdir().unwrap();
    let pods = service(origin.http());
    let edit = |snapshot: &mut Snapshot| lead_http(snapshot, "pods.svc", &pods, retrying(1, &[]));
    let setup = Setup { protocol: Protocol::Http, audit: Some(audit_into(home.path())), ..Setup::default() };
    let policies = vec![for_everyone(vec![allow_addresses(&["127.0.0.0/8"])])];
    let world = World::with(policies, edit, setup).await;
    // Nobody listens there.
    let dead = SocketAddr::from(([127, 0, 0, 3], origin.http()));
    world.engine.apply_endpoints(&endpoints(&pods, &[dead, SocketAddr::new(LOCAL, origin.http())]));
    const ASKED: usize = 4;
    for _ in 0..ASKED {
        let seen = world.ask("pods.svc", "/", &[]).await;
        assert_eq!(seen.status, 200, "{seen:?}");
    }
    assert_eq!(origin.server.requests().len(), ASKED);
    let is_to = |record: &Value, address: &str| record["destination"]["address"] == address;
    // How often the other one is picked first is up to chance.
    let records = recorded(home.path(), ASKED, |record| is_to(record, "127.0.0.1")).await;
    let to = |address: &str| records.iter().filter(|record| is_to(record, address)).collect::<Vec<_>>();
    assert_eq!(to("127.0.0.1").len(), ASKED, "{records:#?}");
    assert!(to("127.0.0.1").iter().all(|record| record["reason"].is_null()), "{records:#?}");
    assert!(!to("127.0.0.3").is_empty(), "{records:#?}");
    assert!(to("127.0.0.3").iter().all(|record| record["reason"].is_string()), "{records:#?}");
}

#[tokio::test]
async fn shares_of_a_host_outside_and_of_pods_inside_are_decided_each_by_itself() {
    let (outer, inner) = (Origin::start(&[]).await, EchoServer::bind(EchoConfig::loopback()).await.unwrap());
    let pods = service(inner.local_addr(Port::Http).unwrap().port());
    let edit = |snapshot: &mut Snapshot| {
        snapshot.backends.insert(pods.id.clone(), Arc::new(pods.clone()));
        lead_http(snapshot, "api.test", &outside("api.test", outer.http()), |rule| {
            let target = Target::Backend(pods.id.clone());
            let share = WeightedBackend { weight: 1, target, filters: vec![] };
            Arc::make_mut(rule.forward.as_mut().unwrap()).backends.push(share);
        });
    };
    let to_both = vec![allow(&["api.test"]), allow_addresses(&["127.0.0.1/32"])];
    let world = World::routed(Protocol::Http, vec![for_everyone(to_both)], edit).await;
    world.dns.say("api.test", Ipv4Addr::LOCALHOST);
    let live = inner.local_addr(Port::Http).unwrap();
    world.engine.apply_endpoints(&endpoints(&pods, &[live]));
    let has_both = || !outer.server.requests().is_empty() && !inner.requests().is_empty();
    // Each has half of them.
    for _ in 0..200 {
        assert_eq!(world.ask("api.test", "/", &[]).await.status, 200);
        if has_both() {
            break;
        }
    }
    assert!(has_both());
    // One of them only: the other share is refused, and does not move.
    let port = PortRange::new(outer.http(), outer.http()).unwrap();
    world.apply(vec![for_everyone(vec![EgressRule { ports: vec![port], ..allow(&["api.test"]) }])]);
    world.engine.apply_endpoints(&endpoints(&pods, &[live]));
    let before = inner.requests().len();
    let mut statuses = Vec::new();
    while !(statuses.contains(&200) && statuses.contains(&403)) {
        assert!(statuses.len() < 200, "{statuses:?}");
        statuses.push(world.ask("api.test", "/", &[]).await.status);
    }
    assert_eq!(inner.requests().len(), before);
    assert!(statuses.iter().all(|status| [200, 403].contains(status)), "{statuses:?}");
}

#[tokio::test]
async fn timeouts_of_a_route_hold_for_what_leaves() {
    let origin = Origin::start(&[]).await;
    let limit = Some(Duration::from_millis(200));
    let edit = |snapshot: &mut Snapshot| {
        for (host, timeouts) in [
            ("whole.svc", Timeouts { request: limit, backend_request: None }),
            ("each.svc", Timeouts { request: None, backend_request: limit }),
        ] {
            lead_http(snapshot, host, &outside("api.test", origin.http()), |rule| {
                rule.filters.push(super::to_host("api.test"));
                Arc::make_mut(rule.forward.as_mut().unwrap()).timeouts = timeouts;
            });
        }
    };
    let world = World::routed(Protocol::Http, vec![for_everyone(vec![allow(&["api.test"])])], edit).await;
    world.dns.say("api.test", Ipv4Addr::LOCALHOST);
    for host in ["whole.svc", "each.svc"] {
        let late = world.ask(host, "/?hold=never", &[]).await;
        assert_eq!(late.status, 504, "{host}: {late:?}");
        assert!(late.body.contains("(timeout)"), "{host}: {late:?}");
        assert_eq!(world.ask(host, "/", &[]).await.status, 200, "{host}");
    }
    // While DNS says nothing, the deadline goes on.
    world.dns.fall_silent();
    let late = world.ask("whole.svc", "/", &[]).await;
    assert_eq!(late.status, 504, "{late:?}");
}

#[tokio::test]
async fn an_endpoint_that_there_is_no_address_to_leave_from_to_is_passed_over() {
    let origin = Origin::start(&[]).await;
    let pods = service(origin.http());
    let edit = |snapshot: &mut Snapshot| lead_http(snapshot, "pods.svc", &pods, plainly);
    let leave_from = vec!["127.0.0.9/32".parse().unwrap()];
    let handling = EgressHandling { leave_from, ..EgressHandling::default() };
    let policies = vec![for_everyone(vec![handled(handling, allow_addresses(&["127.0.0.0/8", "::1/128"]))])];
    let world = World::routed(Protocol::Http, policies, edit).await;
    let [v4, v6] = [LOCAL, Ipv6Addr::LOCALHOST.into()].map(|address| SocketAddr::new(address, origin.http()));
    world.engine.apply_endpoints(&endpoints(&pods, &[v4, v6]));
    // One of two requests begins with that of IPv6.
    for _ in 0..4 {
        let seen = world.ask("pods.svc", "/", &[]).await;
        assert_eq!(seen.status, 200, "{seen:?}");
    }
    // Where there is no other, it is asked once.
    let refused = "lychgate_backend_connect_failures_total";
    let failures = || -> f64 {
        let metrics = world.engine.metrics();
        let counted = metrics.lines().filter(|line| line.starts_with(refused));
        counted.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
    };
    let before = failures();
    world.engine.apply_endpoints(&endpoints(&pods, &[v6]));
    let seen = world.ask("pods.svc", "/", &[]).await;
    assert_eq!(seen.status, 503, "{seen:?}");
    assert!(seen.body.contains("cannot leave from the address that it should"), "{seen:?}");
    assert!((failures() - before - 1.0).abs() < 0.5, "{}", world.engine.metrics());
}

/// Only so many requests that some of them would begin with an endpoint that there is no address for.
const MANY: usize = 24;

#[tokio::test]
async fn endpoints_that_there_is_no_address_to_leave_from_to_take_no_try_from_others() {
    let origin = Origin::start(&[]).await;
    let pods = service(origin.http());
    let edit = |snapshot: &mut Snapshot| lead_http(snapshot, "pods.svc", &pods, retrying(0, &[]));
    let world = World::routed(Protocol::Http, vec![], edit).await;
    let here = SocketAddr::new(LOCAL, origin.http());
    // Nobody has to listen where nothing leaves to.
    let others = |address: &str| -> Vec<SocketAddr> {
        (1..6).map(|port| SocketAddr::new(address.parse().unwrap(), port)).collect()
    };
    let from = |addresses: &[&str], to: &[&str]| {
        let leave_from = addresses.iter().map(|address| address.parse().unwrap()).collect();
        handled(EgressHandling { leave_from, ..EgressHandling::default() }, allow_addresses(to))
    };
    let everywhere = ["127.0.0.0/8", "::1/128"];
    let cases = [
        ("none of IPv6 is named", others("::1"), vec![from(&["127.0.0.9/32"], &everywhere)]),
        (
            "that of IPv6 is of another replica",
            others("::1"),
            vec![from(&["127.0.0.9/32", "2001:db8::9/128"], &everywhere)],
        ),
        ("as are those", others("::1"), vec![from(&["127.0.0.0/8", "2001:db8::/64"], &everywhere)]),
        (
            "the rule of some has none",
            others("127.0.0.2"),
            vec![from(&["198.51.100.9/32"], &["127.0.0.2/32"]), allow_addresses(&everywhere)],
        ),
    ];
    for (case, mut endpoints_of, rules) in cases {
        world.apply(vec![for_everyone(rules)]);
        endpoints_of.push(here);
        world.engine.apply_endpoints(&endpoints(&pods, &endpoints_of));
        for _ in 0..MANY {
            let seen = world.ask("pods.svc", "/", &[]).await;
            assert_eq!(seen.status, 200, "{case}: {seen:?}");
        }
        // Where there is no other, it is told at once.
        endpoints_of.pop();
        world.engine.apply_endpoints(&endpoints(&pods, &endpoints_of));
        let seen = world.ask("pods.svc", "/", &[]).await;
        assert_eq!(seen.status, 503, "{case}: {seen:?}");
        assert!(seen.body.contains("cannot leave from the address that it should"), "{case}: {seen:?}");
    }
}
