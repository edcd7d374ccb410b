//! TCPRoute.

use super::{loopback, pod, route, teller};
use crate::support::{PATIENCE, Site, gateway, service};
use crate::tls::{to_xbackend, xbackend};
use lychgate_echo::{EchoConfig, EchoServer, Port, pattern};
use lychgate_testkit::{Dial, Ending, RawConnection, free_addr};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

fn listener(port: u16) -> String {
    gateway(&format!("    - {{name: tcp, protocol: TCP, port: {port}}}\n"))
}

/// A backend that sends every byte back.
async fn mirror() -> (EchoServer, SocketAddr) {
    let server = EchoServer::bind(EchoConfig::default().with_tcp(loopback())).await.unwrap();
    let address = server.local_addr(Port::Tcp).unwrap();
    (server, address)
}

#[tokio::test]
async fn bytes_go_both_ways_and_half_an_end_is_half_an_end() {
    let (_server, backend) = mirror().await;
    let address = free_addr();
    let files = listener(address.port())
        + &service("db", &[backend])
        + &route("TCPRoute", "db", "tcp", "", "{name: db, port: 80}");
    let site = Site::serve(&[("all.yaml", &files)]).await;
    assert!(site.report().is_clean(), "{:#}", site.report().to_value());
    let mut client = RawConnection::open(&Dial::http1(address), "").await.unwrap();
    client.send("first").await.unwrap();
    assert_eq!(client.read_exact(5).await.unwrap(), b"first");
    client.send("last").await.unwrap();
    // The backend sends the rest only after it has seen our end.
    client.finish().await.unwrap();
    assert_eq!(client.to_end().await.unwrap(), (b"last".to_vec(), Ending::Closed));
    assert_eq!(site.stop().await, 0);
}

#[tokio::test]
async fn large_transfers_arrive_whole() {
    const SIZE: usize = 32 << 20;
    let (_server, backend) = mirror().await;
    let address = free_addr();
    let files = listener(address.port())
        + &service("db", &[backend])
        + &route("TCPRoute", "db", "tcp", "", "{name: db, port: 80}");
    let site = Site::serve(&[("all.yaml", &files)]).await;
    let sent = pattern(SIZE);
    let (mut from, mut to) = TcpStream::connect(address).await.unwrap().into_split();
    let copy = sent.clone();
    let sending = tokio::spawn(async move {
        to.write_all(&copy).await.unwrap();
        to.shutdown().await.unwrap();
    });
    let mut received = Vec::with_capacity(SIZE);
    tokio::time::timeout(PATIENCE, from.read_to_end(&mut received)).await.unwrap().unwrap();
    sending.await.unwrap();
    assert!(received == sent, "{} bytes came back, and not as they were sent", received.len());
    assert_eq!(site.stop().await, 0);
}

#[tokio::test]
async fn connections_are_shared_by_weight_and_broken_shares_are_closed() {
    let heavy = teller("heavy", |config| config.with_tcp(loopback())).await;
    let light = teller("light", |config| config.with_tcp(loopback())).await;
    let address = free_addr();
    let files = listener(address.port())
        + &service("heavy", &[heavy.local_addr(Port::Tcp).unwrap()])
        + &service("light", &[light.local_addr(Port::Tcp).unwrap()])
        + &route(
            "TCPRoute",
            "db",
            "tcp",
            "",
            "{name: heavy, port: 80, weight: 6}, {name: light, port: 80, weight: 2}, {name: nowhere, port: 80, weight: \
             2}, {name: light, port: 81, weight: 0}",
        );
    let site = Site::serve(&[("all.yaml", &files)]).await;
    let mut counts: BTreeMap<Option<String>, u32> = BTreeMap::new();
    for _ in 0..400 {
        *counts.entry(pod(address).await).or_default() += 1;
    }
    let of = |name: Option<&str>| counts.get(&name.map(str::to_owned)).copied().unwrap_or_default();
    // Six standard deviations, and more.
    assert!((180..=300).contains(&of(Some("heavy"))), "{counts:?}");
    assert!((30..=130).contains(&of(Some("light"))), "{counts:?}");
    assert!((30..=130).contains(&of(None)), "{counts:?}");
    assert_eq!(site.stop().await, 0);
}

#[tokio::test]
async fn a_dead_endpoint_costs_no_connection() {
    let alive = teller("alive", |config| config.with_tcp(loopback())).await;
    let (address, dead) = (free_addr(), free_addr());
    let backends = |endpoints: &[SocketAddr]| service("db", endpoints);
    let live = alive.local_addr(Port::Tcp).unwrap();
    let routes = listener(address.port()) + &route("TCPRoute", "db", "tcp", "", "{name: db, port: 80}");
    let site = Site::serve(&[("routes.yaml", &routes), ("backends.yaml", &backends(&[dead, live]))]).await;
    for _ in 0..10 {
        assert_eq!(pod(address).await.as_deref(), Some("alive"));
    }
    site.write("backends.yaml", &backends(&[dead])).await;
    assert_eq!(pod(address).await, None);
    site.write("backends.yaml", &backends(&[])).await;
    assert_eq!(pod(address).await, None);
    site.write("backends.yaml", &backends(&[live])).await;
    assert_eq!(pod(address).await.as_deref(), Some("alive"));
    assert_eq!(site.stop().await, 0);
}

#[tokio::test]
async fn the_oldest_of_several_routes_gets_all_connections() {
    let old = teller("old", |config| config.with_tcp(loopback())).await;
    let young = teller("young", |config| config.with_tcp(loopback())).await;
    let address = free_addr();
    let aged = |route: String, time: &str| {
        route.replace("namespace: default}", &format!("namespace: default, creationTimestamp: \"{time}\"}}"))
    };
    let files = listener(address.port())
        + &service("old", &[old.local_addr(Port::Tcp).unwrap()])
        + &service("young", &[young.local_addr(Port::Tcp).unwrap()])
        + &aged(route("TCPRoute", "a-young", "tcp", "", "{name: young, port: 80}"), "2026-02-01T00:00:00Z")
        + &aged(route("TCPRoute", "b-old", "tcp", "", "{name: old, port: 80}"), "2026-01-01T00:00:00Z");
    let site = Site::serve(&[("all.yaml", &files)]).await;
    for _ in 0..10 {
        assert_eq!(pod(address).await.as_deref(), Some("old"));
    }
    let report = format!("{:#}", site.report().to_value());
    assert!(report.contains("goes to TCPRoute/default/b-old"), "{report}");
    assert_eq!(site.stop().await, 0);
}

#[tokio::test]
async fn names_outside_are_reached_through_xbackends() {
    let server = teller("outside", |config| config.with_tcp(loopback())).await;
    let address = free_addr();
    let files = listener(address.port())
        + &xbackend("db", server.local_addr(Port::Tcp).unwrap().port(), "  protocol: TCP\n")
        + &route("TCPRoute", "db", "tcp", "", &to_xbackend("db"));
    let site = Site::serve(&[("all.yaml", &files)]).await;
    assert_eq!(pod(address).await.as_deref(), Some("outside"));
    assert_eq!(site.stop().await, 0);
}

#[tokio::test]
async fn a_silent_connection_ends() {
    let (_server, backend) = mirror().await;
    let address = free_addr();
    let files = listener(address.port())
        + &service("db", &[backend])
        + &route("TCPRoute", "db", "tcp", "", "{name: db, port: 80}");
    let edit = |options: &mut lychgate_gateway::standalone::Options| {
        options.limits.stream_idle = Duration::from_millis(200);
    };
    let site = Site::try_serve_with(&[("all.yaml", &files)], edit).await.unwrap();
    let mut client = RawConnection::open(&Dial::http1(address), "").await.unwrap();
    client.send("hello").await.unwrap();
    assert_eq!(client.read_exact(5).await.unwrap(), b"hello");
    // Nobody says anything any more.
    let (rest, _) = client.to_end().await.unwrap();
    assert_eq!(rest, b"");
    assert_eq!(site.stop().await, 0);
}
