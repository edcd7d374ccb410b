//! The address that something leaves from.

use crate::support::*;
use ipnet::IpNet;
use lychgate_echo::{EchoConfig, EchoServer, Port};
use lychgate_ir::egress::{EgressHandling, EgressPath, EgressPolicy, EgressProtocol, EgressRule, HttpRule, Workload};
use lychgate_ir::{Protocol, Snapshot};
use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

fn from(networks: &[&str]) -> EgressHandling {
    let network = |text: &&str| text.parse::<IpAddr>().map(IpNet::from).or_else(|_| text.parse()).unwrap();
    let leave_from: Vec<IpNet> = networks.iter().map(network).collect();
    EgressHandling { leave_from, ..EgressHandling::default() }
}

fn leaving_from(networks: &[&str]) -> Vec<EgressPolicy> {
    vec![for_everyone(vec![handled(from(networks), allow(&["api.test", "**.many.test"])), allow(&["usual.test"])])]
}

/// The address of the client that the origin saw.
fn client(seen: &str) -> &str {
    let (_, from) = seen.split_once(r#""client": ""#).unwrap();
    from.split_once(':').unwrap().0
}

#[tokio::test]
async fn the_origin_sees_the_address_of_the_rule() {
    let origin = Origin::start(&["api.test"]).await;
    let world = World::allowing(vec![]).await;
    world.dns.say("api.test", Ipv4Addr::LOCALHOST);
    world.dns.say("usual.test", Ipv4Addr::LOCALHOST);
    // All of 127.0.0.0/8 is this machine.
    world.apply(leaving_from(&["::1", "127.0.0.9"]));
    let plain = |host: &str| format!("http://{host}:{}/", origin.http());
    for arguments in [
        vec![plain("api.test")],
        vec!["-p".to_owned(), plain("api.test")],
        vec!["--cacert".to_owned(), origin.ca.clone(), format!("https://api.test:{}/", origin.https())],
    ] {
        let seen = world.curl(&arguments.iter().map(String::as_str).collect::<Vec<_>>()).await;
        assert!(seen.body.contains(r#""client": "127.0.0.9:"#), "{arguments:?}: {seen:?}");
    }
    let usual = world.curl(&[&plain("usual.test")]).await;
    assert!(usual.body.contains(r#""client": "127.0.0.1:"#), "{usual:?}");
    // One connection of a client, two rules: neither takes the connection of the other.
    let both = world.curl(&[&plain("api.test"), &plain("usual.test"), &plain("api.test")]).await;
    let seen: Vec<&str> = both.body.lines().filter(|line| line.contains(r#""client""#)).collect();
    let is_from = |line: &str, address: &str| line.contains(&format!("\"{address}:"));
    assert_eq!(seen.len(), 3, "{both:?}");
    for (line, address) in seen.iter().zip(["127.0.0.9", "127.0.0.1", "127.0.0.9"]) {
        assert!(is_from(line, address), "{both:?}");
    }
}

#[tokio::test]
async fn an_address_that_is_not_ours_lets_nothing_leave() {
    let origin = Origin::start(&["api.test"]).await;
    let world = World::allowing(vec![]).await;
    world.dns.say("api.test", Ipv4Addr::LOCALHOST);
    // Another one of the host's is none of the rule's.
    let lists = [&["198.51.100.9"][..], &["::1"], &["198.51.100.9", "198.51.100.10"], &["198.51.100.0/24", "::/0"]];
    for (index, addresses) in lists.into_iter().enumerate() {
        world.apply(leaving_from(addresses));
        let seen = world.curl(&[&format!("http://api.test:{}/", origin.http())]).await;
        assert_eq!(seen.status, 503, "{addresses:?}: {seen:?}");
        assert!(seen.body.contains("cannot leave from the address that it should"), "{addresses:?}: {seen:?}");
        let (answer, _) = world.tunnel(&format!("api.test:{}", origin.https())).await;
        assert!(answer.starts_with("HTTP/1.1 503"), "{addresses:?}: {answer}");
        let refused = r#"lychgate_refused_total{reason="egress_source_address"}"#;
        world.counted(refused, 2 * (index as u64 + 1)).await;
    }
    assert_eq!(origin.server.counts().requests, 0);
}

#[tokio::test]
async fn each_source_and_destination_keep_one_of_the_addresses_that_are_here() {
    let origin = Origin::start(&["api.test"]).await;
    let world = World::allowing(vec![]).await;
    let hosts: Vec<String> = (0..12).map(|number| format!("h{number}.many.test")).collect();
    hosts.iter().for_each(|host| world.dns.say(host, Ipv4Addr::LOCALHOST));
    // The first one is that of another replica.
    world.apply(leaving_from(&["198.51.100.9", "127.0.0.9", "127.0.0.10", "127.0.0.11"]));
    let mut used = BTreeSet::new();
    for host in &hosts {
        let url = format!("http://{host}:{}/", origin.http());
        let (first, tunnel) = (world.curl(&[&url]).await, world.curl(&["-p", &url]).await);
        assert_eq!(client(&first.body), client(&tunnel.body), "{host}");
        used.insert(client(&first.body).to_owned());
    }
    let all: Vec<&str> = used.iter().map(String::as_str).collect();
    assert_eq!(all, ["127.0.0.10", "127.0.0.11", "127.0.0.9"]);
    // Of a network it is what an interface has.
    world.apply(leaving_from(&["127.0.0.0/8"]));
    let seen = world.curl(&[&format!("http://{}:{}/", hosts[0], origin.http())]).await;
    assert_eq!(client(&seen.body), "127.0.0.1", "{seen:?}");
}

#[tokio::test]
async fn connections_of_routes_are_those_of_their_source_address() {
    let origin = Origin::start(&["api.test"]).await;
    let list = ["127.0.0.9", "127.0.0.10", "127.0.0.11"];
    let sources: Vec<String> = (1..=12).map(|last| format!("127.0.1.{last}")).collect();
    let edit = |snapshot: &mut Snapshot| {
        lead_http(snapshot, "api.test", &outside("api.test", origin.http()), plainly);
        for source in &sources {
            let workload = Workload { service_account: Some(source.as_str().into()), ..Workload::clone(&cart()) };
            snapshot.workloads.insert(source.parse().unwrap(), Arc::new(workload));
        }
    };
    let world = World::routed(Protocol::Http, leaving_from(&list), edit).await;
    world.dns.say("api.test", Ipv4Addr::LOCALHOST);
    let mut seen = Vec::new();
    for source in sources.iter().chain(&sources) {
        let answer = world.ask("api.test", "/", &["--interface", source]).await;
        seen.push(client(&answer.body).to_owned());
    }
    let (first, again) = seen.split_at(sources.len());
    assert_eq!(first, again);
    assert!(list.iter().all(|address| first.iter().any(|seen| seen == address)), "{first:?}");
    // Elsewhere, it is not asked again, and says what it is.
    world.apply(leaving_from(&["198.51.100.0/24"]));
    let refused = world.ask("api.test", "/", &[]).await;
    assert_eq!(refused.status, 503, "{refused:?}");
    assert!(refused.body.contains("cannot leave from the address that it should"), "{refused:?}");
}

/// A host with an address of each family, and a rule for each of these paths.
struct Both {
    world: World,
    v4: EchoServer,
    v6: EchoServer,
}

impl Both {
    async fn with(rules: &[(&str, &[&str])]) -> Self {
        let at = |address: SocketAddr| EchoServer::bind(EchoConfig::default().with_http(address));
        let v6 = at(SocketAddr::new(Ipv6Addr::LOCALHOST.into(), 0)).await.unwrap();
        let port = v6.local_addr(Port::Http).unwrap().port();
        // Nobody else takes ports of this one.
        let address = Ipv4Addr::new(127, 0, 3, 4);
        let v4 = at(SocketAddr::new(address.into(), port)).await.unwrap();
        let rule = |(path, networks): &(&str, &[&str])| -> EgressRule {
            let paths = vec![EgressPath::Prefix((*path).into())];
            let http = EgressProtocol::Http(HttpRule { methods: vec![http::Method::GET], paths });
            handled(from(networks), speaking(vec![http], allow_within(&["api.test"], &["127.0.0.0/8", "::1/128"])))
        };
        let rules = rules.iter().map(rule).collect();
        let edit = |snapshot: &mut Snapshot| lead_http(snapshot, "api.test", &outside("api.test", port), plainly);
        let world = World::routed(Protocol::Http, vec![for_everyone(rules)], edit).await;
        world.dns.say_all::<IpAddr>("api.test", &[Ipv6Addr::LOCALHOST.into(), address.into()]);
        Self { world, v4, v6 }
    }

    /// Asks once, and says how often each family was asked so far.
    async fn ask(&self, path: &str) -> (u16, [usize; 2]) {
        let seen = self.world.ask("api.test", path, &[]).await;
        (seen.status, [&self.v4, &self.v6].map(|origin| origin.requests().len()))
    }
}

#[tokio::test]
async fn a_rule_leaves_to_the_family_that_it_has_an_address_of_and_others_are_not_bothered() {
    let both = Both::with(&[("/any", &[]), ("/v6", &["::1"]), ("/gone", &["198.51.100.9"])]).await;
    assert_eq!(both.ask("/any").await, (200, [1, 0]));
    // IPv4 is known to answer, and is of no use here.
    assert_eq!(both.ask("/v6").await, (200, [1, 1]));
    // That this host has no such address says nothing of where it would have gone.
    assert_eq!(both.ask("/gone").await, (503, [1, 1]));
    assert_eq!(both.ask("/any").await, (200, [2, 1]));
}

#[tokio::test]
async fn what_the_destination_refuses_is_told_though_there_is_no_address_to_leave_from_to_another_of_its() {
    let origin = Origin::start(&[]).await;
    let rule = allow_within(&["api.test"], &["127.0.0.0/8", "::1/128"]);
    let world = World::allowing(vec![handled(from(&["127.0.0.9", "2001:db8::9"]), rule)]).await;
    // Nobody listens at the first.
    let gone = Ipv4Addr::new(127, 0, 0, 2);
    world.dns.say_all::<IpAddr>("api.test", &[gone.into(), Ipv6Addr::LOCALHOST.into()]);
    let seen = world.curl(&[&format!("http://api.test:{}/", origin.http())]).await;
    assert_eq!(seen.status, 502, "{seen:?}");
    assert!(seen.body.contains("the destination refused the connection"), "{seen:?}");
}

#[tokio::test]
async fn another_address_of_a_host_is_tried_where_there_is_none_to_leave_from_to_the_first() {
    let both = Both::with(&[("/any", &[]), ("/other", &["198.51.100.9", "::1"])]).await;
    assert_eq!(both.ask("/any").await, (200, [1, 0]));
    assert_eq!(both.ask("/other").await, (200, [1, 1]));
}
