//! HTTP versions agreed on by ALPN, and backends that change their mind.

use super::Bed;
use crate::support::service;
use crate::tls::{ca, tls_echo, tls_echo_at, tls_policy, trusting};
use lychgate_testkit::{Authority, Dial, Leaf, WebSocket, server_tls};
use rustls::ServerConfig;
use std::time::{Duration, Instant};

fn offering(leaf: &Leaf, protocols: &[&str]) -> ServerConfig {
    let mut config = server_tls(leaf);
    config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
    config
}

#[tokio::test]
async fn a_backend_that_offers_other_versions_than_before_is_followed() {
    let authority = Authority::new("ca");
    let leaf = authority.server(&["b.example"]);
    let (mut server, address) = tls_echo("b", offering(&leaf, &["h2", "http/1.1"])).await;
    let files = service("b", &[address]) + &tls_policy("b", &trusting("ca", "b.example")) + &ca("ca", &authority);
    let bed = Bed::new(&["b"], &[("all.yaml", &files)]).await;
    for (offered, proto) in [
        (&["http/1.1"][..], "HTTP/1.1"),
        (&["h2"], "HTTP/2.0"),
        (&["http/1.1", "h2"], "HTTP/1.1"),
        (&["h2", "http/1.1"], "HTTP/2.0"),
    ] {
        server.kill().await;
        server = tls_echo_at(address, "b", offering(&leaf, offered)).await.0;
        for _ in 0..3 {
            let seen = bed.seen("b").await;
            assert_eq!(seen.proto, proto, "{offered:?}");
            // The scheme over HTTP/2 says so, too.
            assert_eq!(seen.tls.map(|tls| tls.server_name).as_deref(), Some("b.example"), "{offered:?}");
        }
    }
    bed.stop().await;
}

#[tokio::test]
async fn endpoints_of_one_backend_may_differ() {
    let authority = Authority::new("ca");
    let leaf = authority.server(&["b.example"]);
    let (_old, old) = tls_echo("old", offering(&leaf, &["http/1.1"])).await;
    let (_new, new) = tls_echo("new", offering(&leaf, &["h2"])).await;
    let files = service("b", &[old, new]) + &tls_policy("b", &trusting("ca", "b.example")) + &ca("ca", &authority);
    let bed = Bed::new(&["b"], &[("all.yaml", &files)]).await;
    let mut pods = std::collections::BTreeMap::new();
    for _ in 0..8 {
        let seen = bed.seen("b").await;
        pods.insert(seen.identity.pod, seen.proto);
    }
    assert_eq!(
        pods.into_iter().collect::<Vec<_>>(),
        [("new".to_owned(), "HTTP/2.0".to_owned()), ("old".to_owned(), "HTTP/1.1".to_owned())]
    );
    bed.stop().await;
}

#[tokio::test]
async fn an_upgrade_reaches_a_backend_that_would_rather_speak_http2() {
    let authority = Authority::new("ca");
    let (_server, address) = tls_echo("b", offering(&authority.server(&["b.example"]), &["h2", "http/1.1"])).await;
    let files = service("b", &[address]) + &tls_policy("b", &trusting("ca", "b.example")) + &ca("ca", &authority);
    let bed = Bed::new(&["b"], &[("all.yaml", &files)]).await;
    let dial = Dial::http1(bed.address);
    // Before the backend was ever asked, and after it has chosen HTTP/2.
    for _ in 0..2 {
        let mut socket = WebSocket::open(&dial, "ws://a.example/b").await.unwrap();
        assert_eq!(socket.ask("hello").await.unwrap(), "hello");
        socket.close().await.unwrap();
        assert_eq!(bed.seen("b").await.proto, "HTTP/2.0");
    }
    bed.stop().await;
}

#[tokio::test]
async fn a_client_that_goes_away_frees_the_backend() {
    let authority = Authority::new("ca");
    let leaf = authority.server(&["b.example"]);
    let (h1, h1_address) = tls_echo("h1", offering(&leaf, &["http/1.1"])).await;
    let (h2, h2_address) = tls_echo("h2", offering(&leaf, &["h2"])).await;
    let files = service("h1", &[h1_address])
        + &tls_policy("h1", &trusting("ca", "b.example"))
        + &service("h2", &[h2_address])
        + &tls_policy("h2", &trusting("ca", "b.example"))
        + &ca("ca", &authority);
    let bed = Bed::new(&["h1", "h2"], &[("all.yaml", &files)]).await;
    for (name, server) in [("h1", &h1), ("h2", &h2)] {
        let path = format!("{name}?hold=gate");
        tokio::select! {
            _ = bed.get(&path) => panic!("nobody opens the gate"),
            () = server.wait_held("gate", 1) => {}
        }
        let gone = Instant::now();
        assert_eq!(server.wait_for(|counts| counts.cancelled > 0).await.cancelled, 1, "{name}");
        // Not only when connections that nobody ends are cut.
        assert!(gone.elapsed() < Duration::from_secs(4), "{name}: {:?}", gone.elapsed());
    }
    bed.stop().await;
}
