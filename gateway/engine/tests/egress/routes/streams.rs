//! Connections that a route leads out, and what runs when a policy changes.

use crate::support::*;
use lychgate_ir::egress::EgressHandling;
use lychgate_ir::{Endpoint, EndpointAddress, EndpointSet, Endpoints, Protocol, RouteKind, Snapshot};
use lychgate_testkit::{Dial, WebSocket};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

#[tokio::test]
async fn what_runs_when_a_policy_changes_ends_and_upgraded_connections_are_cut() {
    let origin = Origin::start(&[]).await;
    let edit = |snapshot: &mut Snapshot| {
        lead_http(snapshot, "api.test", &outside("api.test", origin.http()), plainly);
    };
    let world = Arc::new(World::routed(Protocol::Http, vec![for_everyone(vec![allow(&["api.test"])])], edit).await);
    world.dns.say("api.test", Ipv4Addr::LOCALHOST);
    let asking = world.clone();
    let held = tokio::spawn(async move { asking.ask("api.test", "/?hold=change", &[]).await });
    origin.server.wait_held("change", 1).await;
    let mut socket = WebSocket::open(&Dial::http1(world.proxy), "ws://api.test/socket").await.unwrap();
    // Still allowed.
    world.apply(vec![for_everyone(vec![allow(&["api.test", "more.test"])])]);
    assert_eq!(socket.ask("ping").await.unwrap(), "ping");
    world.apply(vec![for_everyone(vec![allow(&["more.test"])])]);
    // Closed or reset.
    assert!(!matches!(soon(socket.next()).await, Ok(Some(_))));
    origin.server.release("change");
    let seen = held.await.unwrap();
    assert_eq!(seen.status, 200, "{seen:?}");
    assert_eq!(world.ask("api.test", "/", &[]).await.status, 403);
}

#[tokio::test]
async fn tls_that_is_passed_through_names_the_backend_or_goes_nowhere() {
    let origin = Origin::start(&["api.test", "evil.test"]).await;
    let edit = |snapshot: &mut Snapshot| {
        lead_streams(snapshot, RouteKind::Tls, "", &outside("api.test", origin.https()));
    };
    let world = World::routed(Protocol::Tls, vec![for_everyone(vec![allow(&["api.test"])])], edit).await;
    world.dns.say("api.test", Ipv4Addr::LOCALHOST);
    let stream = TcpStream::connect(world.proxy).await.unwrap();
    let answer = get_over_tls(stream, &origin.tls(), "api.test").await;
    assert!(answer.as_ref().is_ok_and(|answer| answer.starts_with("HTTP/1.1 200")), "{answer:?}");
    let stream = TcpStream::connect(world.proxy).await.unwrap();
    let fronted = get_over_tls(stream, &origin.tls(), "evil.test").await;
    assert!(fronted.is_err(), "{fronted:?}");
    world.apply(vec![for_everyone(vec![allow(&["other.test"])])]);
    let stream = TcpStream::connect(world.proxy).await.unwrap();
    let denied = get_over_tls(stream, &origin.tls(), "api.test").await;
    let denied = denied.unwrap_err().to_lowercase().replace(['_', '-'], " ");
    assert!(denied.contains("access denied") || denied.contains("accessdenied"), "{denied}");
    assert_eq!(origin.server.requests().len(), 1);
}

#[tokio::test]
async fn a_connection_of_a_tcp_route_is_carried_looked_at_and_cut() {
    async fn echo(stream: &mut TcpStream) -> std::io::Result<()> {
        stream.write_all(b"\x00ping").await?;
        let mut echoed = [0; 5];
        stream.read_exact(&mut echoed).await.map(drop)
    }
    let origin = Origin::start(&["evil.test"]).await;
    let edit = |snapshot: &mut Snapshot| {
        lead_streams(snapshot, RouteKind::Tcp, "", &outside("db.test", origin.tcp()));
    };
    let world = World::routed(Protocol::Tcp, vec![for_everyone(vec![allow(&["db.test"])])], edit).await;
    world.dns.say("db.test", Ipv4Addr::LOCALHOST);
    let mut stream = TcpStream::connect(world.proxy).await.unwrap();
    soon(echo(&mut stream)).await.unwrap();
    world.counted(r#"lychgate_egress_connections_open{destination="db.test"}"#, 1).await;
    // TLS for somebody else inside.
    let inside = TcpStream::connect(world.proxy).await.unwrap();
    assert!(get_over_tls(inside, &origin.tls(), "evil.test").await.is_err());
    world.apply(vec![for_everyone(vec![allow(&["other.test"])])]);
    let mut rest = Vec::new();
    // Closed or reset.
    let _ = soon(stream.read_to_end(&mut rest)).await;
    assert!(rest.is_empty());
    let mut denied = TcpStream::connect(world.proxy).await.unwrap();
    let _ = soon(denied.read_to_end(&mut rest)).await;
    assert!(rest.is_empty());
    world.counted(r#"lychgate_egress_connections_open{destination="db.test"}"#, 0).await;
}

#[tokio::test]
async fn a_connection_is_not_tried_where_there_is_no_address_to_leave_from_to() {
    let origin = Origin::start(&[]).await;
    let pods = service(origin.tcp());
    let edit = |snapshot: &mut Snapshot| lead_streams(snapshot, RouteKind::Tcp, "", &pods);
    let leave_from = vec!["127.0.0.9/32".parse().unwrap()];
    let handling = EgressHandling { leave_from, ..EgressHandling::default() };
    let policies = vec![for_everyone(vec![handled(handling, allow_addresses(&["127.0.0.0/8", "::1/128"]))])];
    let world = World::routed(Protocol::Tcp, policies, edit).await;
    let mut addresses: Vec<SocketAddr> = (1..6).map(|port| SocketAddr::new(Ipv6Addr::LOCALHOST.into(), port)).collect();
    addresses.push(SocketAddr::new(LOCAL, origin.tcp()));
    let endpoint = |address: &SocketAddr| Endpoint { address: EndpointAddress::Ip(*address), terminating: false };
    let set = EndpointSet { endpoints: addresses.iter().map(endpoint).collect() };
    world.engine.apply_endpoints(&Endpoints::from([(pods.id.clone(), Arc::new(set))]));
    for _ in 0..12 {
        let mut stream = TcpStream::connect(world.proxy).await.unwrap();
        stream.write_all(b"\x00ping").await.unwrap();
        let mut echoed = [0; 5];
        soon(stream.read_exact(&mut echoed)).await.unwrap();
    }
    world.counted(r#"lychgate_refused_total{reason="egress_source_address"}"#, 0).await;
}
