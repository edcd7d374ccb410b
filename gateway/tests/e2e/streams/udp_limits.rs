//! UDPRoute: thousands of flows, and no more than allowed.

use super::udp::{ask, client, listener};
use super::{loopback, route, udp_service};
use crate::support::{Site, eventually};
use lychgate_echo::{EchoConfig, EchoServer, Port};
use lychgate_gateway::standalone::Options;
use lychgate_testkit::{Dial, free_udp_addr};
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;

/// Clients that ask at once: no more than sockets have buffers for.
const CHUNK: usize = 64;

/// Several thousand, where the system lets us.
const FLOWS: usize = 4000;

/// A gateway in front of a mirror of datagrams.
async fn mirrored(edit: impl FnOnce(&mut Options)) -> (Site, EchoServer, SocketAddr) {
    let server = EchoServer::bind(EchoConfig::default().with_udp(loopback())).await.unwrap();
    let gateway = free_udp_addr();
    let files = listener(gateway.port())
        + &udp_service("dns", &[server.local_addr(Port::Udp).unwrap()])
        + &route("UDPRoute", "dns", "udp", "", "{name: dns, port: 53}");
    let site = Site::try_serve_with(&[("all.yaml", &files)], edit).await.unwrap();
    (site, server, gateway)
}

/// How many flows this process has descriptors for: two a flow, one of them the client's. Where it may have more, it
/// takes them.
fn affordable() -> usize {
    let own = std::process::id().to_string();
    // Without the command, or the right, it has what it has.
    let _ = std::process::Command::new("prlimit").args(["--pid", &own, "--nofile=16384:"]).status();
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let line = limits.lines().find(|line| line.starts_with("Max open files")).unwrap_or_default();
    let soft: usize = line.split_whitespace().nth(3).and_then(|number| number.parse().ok()).unwrap_or(1024);
    (soft.saturating_sub(600) / 2).min(FLOWS)
}

#[tokio::test]
async fn thousands_of_flows_run_at_once_and_answers_go_to_those_who_asked() {
    let (site, _server, gateway) = mirrored(|_| {}).await;
    let flows = affordable();
    assert!(flows >= 100, "descriptors for {flows} flows are too few; raise `ulimit -n`");
    let mut clients = Vec::with_capacity(flows);
    for _ in 0..flows {
        clients.push(Arc::new(client(gateway).await));
    }
    // Twice, so that every flow is used while all the others are there.
    for round in 0..2 {
        for (chunk, some) in clients.chunks(CHUNK).enumerate() {
            let mut asking = JoinSet::new();
            for (number, client) in some.iter().cloned().enumerate() {
                let number = chunk * CHUNK + number;
                asking.spawn(async move { (ask(&client, &format!("{round} of {number}")).await, number) });
            }
            while let Some(asked) = asking.join_next().await {
                let (answer, number) = asked.unwrap();
                // What was asked twice may be answered late, but never to another client.
                let (_, own) = answer.split_once(" of ").unwrap();
                assert_eq!(own, number.to_string());
            }
        }
    }
    drop(clients);
    assert_eq!(site.stop().await, 0);
}

#[tokio::test]
async fn a_flow_too_many_is_not_carried() {
    let (site, server, gateway) = mirrored(|options| options.limits.flows = 8).await;
    let mut known = Vec::new();
    for number in 0..8 {
        let client = client(gateway).await;
        assert_eq!(ask(&client, &number.to_string()).await, number.to_string());
        known.push(client);
    }
    let stranger = client(gateway).await;
    stranger.send(b"let me in").await.unwrap();
    // Datagrams of one socket are read in order: when this one is answered, the stranger's has been dropped.
    assert_eq!(ask(&known[0], "after").await, "after");
    let nothing = stranger.try_recv(&mut [0; 16]).unwrap_err();
    assert_eq!(nothing.kind(), ErrorKind::WouldBlock);
    assert!(server.counts().datagrams >= 9);
    drop(site);
}

/// Not for twice as long.
#[tokio::test]
async fn a_flow_ends_when_it_was_silent_for_as_long_as_is_said() {
    const IDLE: Duration = Duration::from_secs(3);
    let (site, _server, gateway) = mirrored(|options| options.limits.datagram_idle = IDLE).await;
    let client = client(gateway).await;
    for _ in 0..3 {
        assert_eq!(ask(&client, "hello").await, "hello");
    }
    let begun = tokio::time::Instant::now();
    let url = format!("http://{}/metrics", site.admin());
    let none = "lychgate_backend_connections_open{backend=\"Service/default/dns:53/udp\"} 0";
    eventually("the flow ends", async || Dial::http1(site.admin()).get(&url).await.unwrap().text().contains(none))
        .await;
    let took = begun.elapsed();
    assert!(took < IDLE * 5 / 3, "{took:?}");
}

#[tokio::test]
async fn silent_flows_make_room() {
    let edit = |options: &mut Options| {
        options.limits.flows = 1;
        options.limits.datagram_idle = Duration::from_millis(100);
    };
    let (site, _server, gateway) = mirrored(edit).await;
    let (first, second) = (client(gateway).await, client(gateway).await);
    assert_eq!(ask(&first, "first").await, "first");
    assert_eq!(ask(&second, "second").await, "second");
    assert_eq!(ask(&first, "again").await, "again");
    drop(site);
}
