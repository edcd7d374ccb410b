//! Names that lead to addresses of both families, of which one does not connect.

use crate::support::*;
use lychgate_audit::Audit;
use lychgate_echo::{EchoConfig, EchoServer, Port};
use lychgate_engine::Limits;
use lychgate_ir::{Protocol, Retry, Rule, Snapshot};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpSocket, TcpStream};

const V6: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);

/// Nothing listens there.
const GONE: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));

/// One attempt, and no other.
fn once(rule: &mut Rule) {
    let Ok(forward) = &mut rule.forward else { panic!("it leads nowhere") };
    Arc::make_mut(forward).retry = Some(Retry { codes: vec![], attempts: 0, backoff: Duration::ZERO });
}

/// Leads `api.test` by a route to this port, and lets it be reached on loopback.
async fn world(protocol: Protocol, port: u16, addresses: &[IpAddr]) -> World {
    recorded(protocol, port, addresses, None).await
}

/// The same with an audit log.
async fn recorded(protocol: Protocol, port: u16, addresses: &[IpAddr], audit: Option<Audit>) -> World {
    let rule = allow_within(&["api.test"], &["127.0.0.0/8", "::1/128"]);
    let edit = |snapshot: &mut Snapshot| lead_http(snapshot, "api.test", &outside("api.test", port), once);
    // Nobody who waits for an address that says nothing is there in time.
    let limits = Limits { connect: PATIENCE * 2, resolve: Duration::from_secs(2), ..Limits::default() };
    let setup = Setup { limits, protocol, audit, ..Setup::default() };
    let world = World::with(vec![for_everyone(vec![rule])], edit, setup).await;
    world.dns.say_all("api.test", addresses);
    world
}

async fn origin_of_ipv6() -> EchoServer {
    EchoServer::bind(EchoConfig::default().with_http(SocketAddr::new(V6, 0))).await.unwrap()
}

fn port(server: &EchoServer) -> u16 {
    server.local_addr(Port::Http).unwrap().port()
}

/// A port that takes no more connections, and refuses none: whoever asks is not answered.
async fn silent(address: IpAddr, port: u16) -> (TcpListener, TcpStream) {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }.unwrap();
    socket.bind(SocketAddr::new(address, port)).unwrap();
    let listener = socket.listen(0).unwrap();
    // The one for which there is room.
    let first = TcpStream::connect((address, port)).await.unwrap();
    (listener, first)
}

#[tokio::test]
async fn a_route_takes_ipv4_where_both_answer_and_the_other_where_it_does_not() {
    let origin = Origin::start(&[]).await;
    // Nobody listens at this port of IPv6.
    let world = world(Protocol::Http, origin.http(), &[V6, LOCAL]).await;
    for _ in 0..8 {
        assert_eq!(world.ask("api.test", "/", &[]).await.status, 200);
    }
    let failures = "lychgate_backend_connect_failures_total";
    let metrics = world.engine.metrics();
    let failed: Vec<&str> =
        metrics.lines().filter(|line| line.starts_with(failures) && !line.ends_with(" 0")).collect();
    assert!(failed.is_empty(), "{failed:?}");

    let origin = origin_of_ipv6().await;
    let world = self::world(Protocol::Http, port(&origin), &[GONE, V6]).await;
    for _ in 0..8 {
        let seen = world.ask("api.test", "/", &[]).await;
        assert_eq!(seen.status, 200, "{seen:?}");
    }
    assert_eq!(origin.requests().len(), 8);
}

#[tokio::test]
async fn a_log_that_is_required_hears_of_the_address_that_a_request_of_a_route_takes() {
    let origin = origin_of_ipv6().await;
    let home = tempfile::tempdir().unwrap();
    let audit = Some(audit_required(home.path()));
    let world = recorded(Protocol::Http, port(&origin), &[GONE, V6], audit).await;
    assert_eq!(world.ask("api.test", "/", &[]).await.status, 200);
    written(home.path(), |log| {
        let begun = log.lines().filter(|line| line.contains(r#""phase":"begun""#));
        let to: Vec<bool> = begun.map(|line| line.contains(r#""address":"::1""#)).collect();
        to == [false, true]
    })
    .await;
}

#[tokio::test]
async fn an_address_that_says_nothing_keeps_nobody_waiting() {
    let origin = origin_of_ipv6().await;
    let _silent = silent(LOCAL, port(&origin)).await;
    let routed = world(Protocol::Http, port(&origin), &[LOCAL, V6]).await;
    let seen = routed.ask("api.test", "/", &[]).await;
    assert_eq!(seen.status, 200, "by a route: {seen:?}");
    let world = world(Protocol::Proxy, port(&origin), &[LOCAL, V6]).await;
    let url = format!("http://api.test:{}/", port(&origin));
    for arguments in [vec![&*url], vec!["-p", &url]] {
        let seen = world.curl(&arguments).await;
        assert_eq!(seen.status, 200, "{arguments:?}: {seen:?}");
    }
    assert_eq!(origin.requests().len(), 3);
}
