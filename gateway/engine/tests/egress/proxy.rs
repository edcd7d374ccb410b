//! Ways in of an explicit proxy.

use crate::support::*;
use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::Empty;
use hyper_util::rt::{TokioExecutor, TokioIo};
use lychgate_ir::egress::{EgressAction, EgressPath, EgressProtocol, HttpRule};
use std::net::Ipv4Addr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

#[tokio::test]
async fn curl_reaches_what_is_allowed_by_connect_and_nothing_else() {
    let origin = Origin::start(&["api.test"]).await;
    let world = World::allowing(vec![allow(&["api.test"])]).await;
    world.dns.say("api.test", Ipv4Addr::LOCALHOST);
    world.dns.say("evil.test", Ipv4Addr::LOCALHOST);
    let allowed = world.curl(&["--cacert", &origin.ca, &format!("https://api.test:{}/a", origin.https())]).await;
    assert_eq!((allowed.status, allowed.connect), (200, 200), "{allowed:?}");
    let denied = world.curl(&["--cacert", &origin.ca, &format!("https://evil.test:{}/a", origin.https())]).await;
    assert_eq!(denied.connect, 403, "{denied:?}");
    assert!(!world.dns.asked().contains(&"evil.test".to_owned()), "a question is a way out");
    world.counted(r#"lychgate_egress_decisions_total{because="no_rule",gateway="egress/out",verdict="deny"}"#, 1).await;
    world.counted(r#"lychgate_egress_decisions_total{because="rule",gateway="egress/out",verdict="allow"}"#, 1).await;
    world.counted(r#"lychgate_egress_connections_total{destination="api.test"}"#, 1).await;
    world.counted(r#"lychgate_egress_connections_open{destination="api.test"}"#, 0).await;
}

#[tokio::test]
async fn curl_asks_for_urls_and_each_request_is_decided() {
    let origin = Origin::start(&[]).await;
    let rules = HttpRule { methods: vec![http::Method::GET], paths: vec![EgressPath::Prefix("/v1".into())] };
    let mut denied = allow_within(&["secret.test"], &[]);
    denied.action = EgressAction::Deny;
    denied.reason = Some("ask the data team".into());
    let allowed = speaking(vec![EgressProtocol::Http(rules)], allow(&["api.test"]));
    let world = World::allowing(vec![allowed, denied]).await;
    world.dns.say("api.test", Ipv4Addr::LOCALHOST);
    let url = |host: &str, path: &str| format!("http://{host}:{}{path}", origin.http());
    // One connection to the proxy, two requests.
    let both = world.curl(&[&url("api.test", "/v1/x?y=1"), &url("api.test", "/v2")]).await;
    assert!(both.body.contains("/v1/x?y=1"), "{both:?}");
    assert!(both.body.contains("no egress policy allows this destination"), "{both:?}");
    assert_eq!(both.status, 403, "{both:?}");
    let posted = world.curl(&["-d", "x", &url("api.test", "/v1")]).await;
    assert_eq!(posted.status, 403, "{posted:?}");
    let above = world.curl(&["--path-as-is", &url("api.test", "/v1/../v2")]).await;
    assert_eq!(above.status, 403, "{above:?}");
    let secret = world.curl(&[&url("secret.test", "/v1")]).await;
    assert_eq!(secret.status, 403, "{secret:?}");
    assert!(secret.body.contains("ask the data team"), "{secret:?}");
    let (answer, _) = world.tunnel("not a target").await;
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
}

#[tokio::test]
async fn curl_speaks_socks_and_names_are_resolved_here() {
    let origin = Origin::start(&["api.test"]).await;
    let world = World::allowing(vec![allow(&["api.test"])]).await;
    world.dns.say("api.test", Ipv4Addr::LOCALHOST);
    let proxy = format!("socks5h://{}", world.proxy);
    let url = format!("https://api.test:{}/", origin.https());
    let allowed = curl(&["-x", &proxy, "--cacert", &origin.ca, &url]).await;
    assert_eq!(allowed.status, 200, "{allowed:?}");
    let plain = curl(&["-x", &proxy, &format!("http://api.test:{}/", origin.http())]).await;
    assert_eq!(plain.status, 200, "{plain:?}");
    let denied = curl(&["-x", &proxy, "https://evil.test/"]).await;
    assert!(denied.error.contains("(2)"), "not allowed by ruleset: {denied:?}");
    // By address, where rules are by name.
    let address = curl(&["-x", &proxy, "-k", &format!("https://127.0.0.1:{}/", origin.https())]).await;
    assert_eq!(address.status, 0, "{address:?}");
}

#[tokio::test]
async fn http2_opens_many_tunnels_over_one_connection() {
    let origin = Origin::start(&["api.test"]).await;
    let world = World::allowing(vec![allow(&["api.test"])]).await;
    world.dns.say("api.test", Ipv4Addr::LOCALHOST);
    let stream = TcpStream::connect(world.proxy).await.unwrap();
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    let driver = tokio::spawn(connection);
    let connect = |authority: String| Request::connect(authority).body(Empty::<Bytes>::new()).unwrap();
    for _ in 0..3 {
        let answer = soon(sender.send_request(connect(format!("api.test:{}", origin.tcp())))).await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        let mut tunnel = TokioIo::new(hyper::upgrade::on(answer).await.unwrap());
        tunnel.write_all(b"\x00hello").await.unwrap();
        let mut echoed = [0; 6];
        soon(tunnel.read_exact(&mut echoed)).await.unwrap();
        assert_eq!(&echoed, b"\x00hello");
    }
    let denied = soon(sender.send_request(connect("evil.test:443".to_owned()))).await.unwrap();
    assert_eq!(denied.status(), StatusCode::FORBIDDEN);
    drop(sender);
    driver.abort();
}

#[tokio::test]
async fn whoever_waits_for_the_other_end_hears_it() {
    // An origin that speaks first.
    let origin = tokio::net::TcpListener::bind((LOCAL, 0)).await.unwrap();
    let port = origin.local_addr().unwrap().port();
    let serving = tokio::spawn(async move {
        let (mut stream, _) = origin.accept().await.unwrap();
        stream.write_all(b"220 hello\r\n").await.unwrap();
        let mut said = [0; 6];
        stream.read_exact(&mut said).await.unwrap();
        said
    });
    let world = World::allowing(vec![allow(&["mail.test"])]).await;
    world.dns.say("mail.test", Ipv4Addr::LOCALHOST);
    let (answer, mut stream) = world.tunnel(&format!("mail.test:{port}")).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let mut greeting = [0; 11];
    soon(stream.read_exact(&mut greeting)).await.unwrap();
    assert_eq!(&greeting, b"220 hello\r\n");
    stream.write_all(b"EHLO\r\n").await.unwrap();
    assert_eq!(&soon(serving).await.unwrap(), b"EHLO\r\n");
}
