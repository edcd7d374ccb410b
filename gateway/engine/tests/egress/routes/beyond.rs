//! Routes whose rule leads on through a proxy beyond the gate.

use super::to_host;
use crate::support::*;
use lychgate_ir::egress::{EgressHandling, EgressPolicy, UpstreamProxy, UpstreamProxyProtocol};
use lychgate_ir::{Protocol, RouteKind, Snapshot};
use std::net::Ipv4Addr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const BOTH: [UpstreamProxyProtocol; 2] = [UpstreamProxyProtocol::Http, UpstreamProxyProtocol::Socks5];

fn via(protocol: UpstreamProxyProtocol, port: u16) -> Vec<EgressPolicy> {
    let proxy = UpstreamProxy { protocol, host: "127.0.0.1".into(), port, login: None };
    let handling = EgressHandling { via: Some(proxy), ..EgressHandling::default() };
    vec![for_everyone(vec![handled(handling, allow(&["api.test"]))])]
}

/// A gate that lets `api.test` be reached.
async fn beyond() -> World {
    let world = World::allowing(vec![allow(&["api.test"])]).await;
    world.dns.say("api.test", Ipv4Addr::LOCALHOST);
    world
}

#[tokio::test]
async fn requests_go_on_through_the_proxy_of_their_rule() {
    let (origin, beyond) = (Origin::start(&["api.test"]).await, beyond().await);
    let edit = |snapshot: &mut Snapshot| {
        lead_http(snapshot, "plain.svc", &outside("api.test", origin.http()), with(to_host("api.test")));
        let sealed = over_tls(&origin, outside("api.test", origin.https()));
        lead_http(snapshot, "sealed.svc", &sealed, with(to_host("api.test")));
    };
    let world = World::routed(Protocol::Http, vec![], edit).await;
    for protocol in BOTH {
        world.apply(via(protocol, beyond.proxy.port()));
        for host in ["plain.svc", "sealed.svc"] {
            for _ in 0..2 {
                let seen = world.ask(host, "/v1", &[]).await;
                assert_eq!(seen.status, 200, "{protocol:?} {host}: {seen:?}");
                assert!(seen.body.contains("/v1") && seen.body.contains("api.test"), "{seen:?}");
            }
        }
    }
    // The proxy resolves names, and nobody asks twice. It counts each request that it can read, and of TLS each connection:
    // that is used again.
    assert!(world.dns.asked().is_empty(), "{:?}", world.dns.asked());
    beyond.counted(r#"lychgate_egress_connections_total{destination="api.test"}"#, 4 + 2).await;
    world.apply(via(UpstreamProxyProtocol::Http, lychgate_testkit::free_addr().port()));
    let down = world.ask("plain.svc", "/", &[]).await;
    assert_eq!(down.status, 502, "{down:?}");
}

#[tokio::test]
async fn connections_go_on_through_the_proxy_of_their_rule() {
    let (origin, beyond) = (Origin::start(&["api.test"]).await, beyond().await);
    let edit = |snapshot: &mut Snapshot| {
        lead_streams(snapshot, RouteKind::Tcp, "", &outside("api.test", origin.tcp()));
    };
    let world = World::routed(Protocol::Tcp, vec![], edit).await;
    for protocol in BOTH {
        world.apply(via(protocol, beyond.proxy.port()));
        let (mut stream, mut echoed) = (TcpStream::connect(world.proxy).await.unwrap(), [0; 5]);
        stream.write_all(b"\x00ping").await.unwrap();
        soon(stream.read_exact(&mut echoed)).await.unwrap();
        assert_eq!(&echoed, b"\x00ping", "{protocol:?}");
    }
    assert!(world.dns.asked().is_empty(), "{:?}", world.dns.asked());
}
