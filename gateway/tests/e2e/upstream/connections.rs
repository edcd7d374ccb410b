//! Connections to backends: what they speak, and that they are kept and shared.

use super::Bed;
use crate::support::{echo, service, service_speaking};
use crate::tls::{ca, tls_echo, tls_policy, to_xbackend, trusting, xbackend};
use lychgate_testkit::{Authority, server_tls};

#[tokio::test]
async fn backends_are_spoken_to_as_they_say() {
    let authority = Authority::new("ca");
    let (_plain, plain) = echo("plain").await;
    let (_tls, tls) = tls_echo("tls", server_tls(&authority.server(&["b.example"]))).await;
    let trust = trusting("ca", "b.example");
    let over_tls = format!("  tls: {{mode: ServerOnly, validation: {trust}}}\n");
    let files = service("h1", &[plain])
        + &service_speaking("h2c", Some("kubernetes.io/h2c"), &[plain])
        + &service_speaking("ws", Some("kubernetes.io/ws"), &[plain])
        + &service_speaking("other", Some("example.com/whatever"), &[plain])
        + &service("auto", &[tls])
        + &tls_policy("auto", &trust)
        + &service_speaking("h2", Some("kubernetes.io/h2c"), &[tls])
        + &tls_policy("h2", &trust)
        + &service_speaking("wss", Some("kubernetes.io/wss"), &[tls])
        + &tls_policy("wss", &trust)
        + &xbackend("x-h1", tls.port(), &format!("  protocol: HTTP11\n{over_tls}"))
        + &xbackend("x-h2", tls.port(), &format!("  protocol: HTTP2\n{over_tls}"))
        + &xbackend("x-plain", plain.port(), "")
        + &ca("ca", &authority);
    let [x_h1, x_h2, x_plain] = ["x-h1", "x-h2", "x-plain"].map(|name| format!("{name}={}", to_xbackend(name)));
    let backends = ["h1", "h2c", "ws", "other", "auto", "h2", "wss", &x_h1, &x_h2, &x_plain];
    let bed = Bed::new(&backends, &[("all.yaml", &files)]).await;
    assert!(bed.site.report().is_clean(), "{:#}", bed.site.report().to_value());
    for (name, proto, alpn) in [
        ("h1", "HTTP/1.1", None),
        ("h2c", "HTTP/2.0", None),
        ("ws", "HTTP/1.1", None),
        ("other", "HTTP/1.1", None),
        ("auto", "HTTP/2.0", Some("h2")),
        ("h2", "HTTP/2.0", Some("h2")),
        ("wss", "HTTP/1.1", Some("http/1.1")),
        ("x-h1", "HTTP/1.1", Some("http/1.1")),
        ("x-h2", "HTTP/2.0", Some("h2")),
        ("x-plain", "HTTP/1.1", None),
    ] {
        let seen = bed.seen(name).await;
        assert_eq!(seen.proto, proto, "{name}");
        assert_eq!(seen.tls.map(|tls| tls.negotiated_protocol).as_deref(), alpn, "{name}");
        assert_eq!(seen.host, "a.example", "{name}");
    }
    bed.stop().await;
}

#[tokio::test]
async fn connections_are_kept_for_the_next_request() {
    let authority = Authority::new("ca");
    let trust = trusting("ca", "b.example");
    let leaf = authority.server(&["b.example"]);
    let (_h1, h1) = echo("h1").await;
    let (_h2c, h2c) = echo("h2c").await;
    let (_h2, h2) = tls_echo("h2", server_tls(&leaf)).await;
    let mut only_h1 = server_tls(&leaf);
    only_h1.alpn_protocols = vec![b"http/1.1".to_vec()];
    let (_tls, tls) = tls_echo("tls", only_h1).await;
    let files = service("h1", &[h1])
        + &service_speaking("h2c", Some("kubernetes.io/h2c"), &[h2c])
        + &service("h2", &[h2])
        + &tls_policy("h2", &trust)
        + &service("tls", &[tls])
        + &tls_policy("tls", &trust)
        + &ca("ca", &authority);
    let bed = Bed::new(&["h1", "h2c", "h2", "tls"], &[("all.yaml", &files), ("other.yaml", "")]).await;
    for name in ["h1", "h2c", "h2", "tls"] {
        let first = bed.seen(name).await.connection;
        for _ in 0..3 {
            assert_eq!(bed.seen(name).await.connection, first, "{name}");
        }
    }
    bed.site.write("other.yaml", "apiVersion: v1\nkind: Namespace\nmetadata: {name: other}\n").await;
    for name in ["h1", "h2c", "h2", "tls"] {
        assert_eq!(bed.seen(name).await.connection, 1, "{name}: a reload of something else keeps them");
    }
    bed.stop().await;
}

#[tokio::test]
async fn http2_carries_many_requests_at_once_and_http1_one() {
    let authority = Authority::new("ca");
    let (h1, h1_address) = echo("h1").await;
    let (h2c, h2c_address) = echo("h2c").await;
    let (h2, h2_address) = tls_echo("h2", server_tls(&authority.server(&["b.example"]))).await;
    let files = service("h1", &[h1_address])
        + &service_speaking("h2c", Some("kubernetes.io/h2c"), &[h2c_address])
        + &service("h2", &[h2_address])
        + &tls_policy("h2", &trusting("ca", "b.example"))
        + &ca("ca", &authority);
    let bed = Bed::new(&["h1", "h2c", "h2"], &[("all.yaml", &files)]).await;
    for (name, server, is_shared) in [("h1", &h1, false), ("h2c", &h2c, true), ("h2", &h2, true)] {
        let path = format!("{name}?hold=gate");
        let (first, second) = tokio::join!(bed.seen(&path), async {
            server.wait_held("gate", 1).await;
            tokio::join!(bed.seen(&path), async {
                server.wait_held("gate", 2).await;
                server.release("gate");
            })
            .0
        });
        assert_eq!(first.connection == second.connection, is_shared, "{name}");
    }
    bed.stop().await;
}

#[tokio::test]
async fn a_connection_that_the_backend_has_closed_fails_no_request() {
    let authority = Authority::new("ca");
    let leaf = authority.server(&["b.example"]);
    let files = |plain, tls| {
        service("h1", &[plain])
            + &service_speaking("h2c", Some("kubernetes.io/h2c"), &[plain])
            + &service("h2", &[tls])
            + &tls_policy("h2", &trusting("ca", "b.example"))
            + &ca("ca", &authority)
    };
    let (mut plain, plain_address) = echo("plain").await;
    let (mut tls, tls_address) = tls_echo("tls", server_tls(&leaf)).await;
    let bed = Bed::new(&["h1", "h2c", "h2"], &[("all.yaml", &files(plain_address, tls_address))]).await;
    for _ in 0..3 {
        for name in ["h1", "h2c", "h2"] {
            bed.seen(name).await;
        }
        plain.kill().await;
        tls.kill().await;
        let config = lychgate_echo::EchoConfig::default().with_http(plain_address);
        plain = lychgate_echo::EchoServer::bind(config).await.unwrap();
        tls = crate::tls::tls_echo_at(tls_address, "tls", server_tls(&leaf)).await.0;
    }
    for name in ["h1", "h2c", "h2"] {
        bed.seen(name).await;
    }
    bed.stop().await;
}
