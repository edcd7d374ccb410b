//! WebSocket through the Gateway.

use super::bed::{Canned, pod, serve};
use crate::support::{Site, echo, gateway, http_route, service, service_speaking};
use lychgate_testkit::{Authority, ClientError, ClientTls, Dial, RawConnection, WebSocket, free_addr};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_tungstenite::tungstenite::{Error, Message};

const RULE: &str = "    - backendRefs: [{name: it, port: 80}]\n";

#[tokio::test]
async fn messages_pass_both_ways_with_and_without_app_protocol() {
    for protocol in [None, Some("kubernetes.io/ws")] {
        let (it, address) = echo("it").await;
        let services = service_speaking("it", protocol, &[address]);
        let (site, at) = serve(&(services + &http_route("it", "[]", RULE))).await;
        assert!(site.report().is_clean(), "{:#}", site.report().to_value());
        let mut socket = WebSocket::open_with_headers(
            &Dial::http1(at),
            "ws://a.example/chat?x=1",
            &[("sec-websocket-protocol", "chat, other")],
        )
        .await
        .unwrap();
        assert_eq!(socket.handshake.headers()["sec-websocket-protocol"], "chat");
        assert_eq!(it.requests()[0].report.path, "/chat?x=1");
        for text in ["one", "two"] {
            assert_eq!(socket.ask(text).await.unwrap(), text);
        }
        let large = vec![7; 1 << 20];
        socket.send(Message::binary(large.clone())).await.unwrap();
        assert!(socket.next().await.unwrap() == Some(Message::binary(large)));
        socket.close().await.unwrap();
        it.wait_for(|counts| counts.answered == 1).await;
    }
}

#[tokio::test]
async fn other_requests_to_a_websocket_backend_are_http1() {
    let (_it, address) = echo("it").await;
    let services = service_speaking("it", Some("kubernetes.io/ws"), &[address]);
    let (_site, at) = serve(&(services + &http_route("it", "[]", RULE))).await;
    assert_eq!(Dial::http1(at).get("http://a.example/").await.unwrap().status, 200);
}

#[tokio::test]
async fn a_websocket_stays_open_across_reloads_and_beyond_timeouts() {
    let (_it, address) = echo("it").await;
    let (_other, other) = echo("other").await;
    let rule = "    - timeouts: {request: 700ms, backendRequest: 600ms}\n      backendRefs: [{name: it, port: 80}]\n";
    let (site, at) = serve(&(service("it", &[address]) + &http_route("it", "[]", rule))).await;
    let mut socket = WebSocket::open(&Dial::http1(at), "ws://a.example/").await.unwrap();
    assert_eq!(socket.ask("before").await.unwrap(), "before");
    let quiet = tokio::time::Instant::now() + Duration::from_millis(1000);
    let moved = service("it", &[other]) + &http_route("it", "[]", rule);
    site.write_until("objects.yaml", &moved, |report| report.is_clean()).await;
    assert_eq!(Dial::http1(at).get("http://a.example/").await.unwrap().header("x-echo-pod"), Some("other"));
    assert_eq!(socket.ask("moved").await.unwrap(), "moved");
    let gone =
        |report: &lychgate_gateway::standalone::Report| report.snapshot.routes.is_empty() && report.kept.is_empty();
    site.write_until("objects.yaml", &service("other", &[other]), gone).await;
    assert_eq!(Dial::http1(at).get("http://a.example/").await.unwrap().status, 404);
    assert_eq!(socket.ask("gone").await.unwrap(), "gone");
    // Silent for longer than the route's timeouts.
    tokio::time::sleep_until(quiet).await;
    assert_eq!(socket.ask("after").await.unwrap(), "after");
    socket.close().await.unwrap();
}

#[tokio::test]
async fn a_handshake_that_the_backend_refuses_is_an_answer_like_any_other() {
    let (_it, services) = pod("it").await;
    let (_site, at) = serve(&(services + &http_route("it", "[]", RULE))).await;
    let error = WebSocket::open(&Dial::http1(at), "ws://a.example/?status=403").await.unwrap_err();
    let ClientError::WebSocket(error) = error else { panic!("{error}") };
    let Error::Http(response) = *error else { panic!("{error}") };
    assert_eq!(response.status(), 403);
}

#[tokio::test]
async fn a_handshake_is_subject_to_the_timeout_until_it_is_answered() {
    let (_it, services) = pod("it").await;
    let rule = "    - timeouts: {request: 200ms}\n      backendRefs: [{name: it, port: 80}]\n";
    let (_site, at) = serve(&(services + &http_route("it", "[]", rule))).await;
    let dial = Dial::http1(at);
    let opening = WebSocket::open(&dial, "ws://a.example/?hold=never");
    let error = tokio::time::timeout(Duration::from_secs(5), opening).await.unwrap().unwrap_err();
    let ClientError::WebSocket(error) = error else { panic!("{error}") };
    let Error::Http(response) = *error else { panic!("{error}") };
    assert_eq!(response.status(), 504);
}

#[tokio::test]
async fn when_one_end_breaks_off_the_other_learns_it() {
    let (it, services) = pod("it").await;
    let (_site, at) = serve(&(services + &http_route("it", "[]", RULE))).await;
    let mut socket = WebSocket::open(&Dial::http1(at), "ws://a.example/").await.unwrap();
    socket.ask("hello").await.unwrap();
    drop(socket);
    it.wait_for(|counts| counts.closed == 1).await;
    let mut socket = WebSocket::open(&Dial::http1(at), "ws://a.example/").await.unwrap();
    socket.ask("hello").await.unwrap();
    it.kill().await;
    assert!(!matches!(socket.next().await, Ok(Some(Message::Text(_) | Message::Binary(_)))));
}

#[tokio::test]
async fn an_upgrade_to_a_backend_that_speaks_http2_only_is_refused() {
    let (_it, address) = echo("it").await;
    let services = service_speaking("it", Some("kubernetes.io/h2c"), &[address]);
    let (_site, at) = serve(&(services + &http_route("it", "[]", RULE))).await;
    let error = WebSocket::open(&Dial::http1(at), "ws://a.example/").await.unwrap_err();
    let ClientError::WebSocket(error) = error else { panic!("{error}") };
    let Error::Http(response) = *error else { panic!("{error}") };
    assert!(response.status().is_client_error() || response.status().is_server_error(), "{}", response.status());
}

#[tokio::test]
async fn a_websocket_over_tls_reaches_a_backend_in_the_clear() {
    let (_it, address) = echo("it").await;
    let authority = Authority::new("test");
    let at = free_addr();
    let listener = format!(
        "    - {{name: https, protocol: HTTPS, port: {}, tls: {{certificateRefs: [{{name: cert}}]}}}}\n",
        at.port()
    );
    let secret = authority.server(&["a.example"]).secret("default", "cert");
    let files = gateway(&listener) + &secret + "---\n" + &service("it", &[address]) + &http_route("it", "[]", RULE);
    let site = Site::serve(&[("all.yaml", &files)]).await;
    let dial = Dial::tls(at, &ClientTls::trusting(&authority).alpn(&["http/1.1"]));
    let mut socket = WebSocket::open(&dial, "wss://a.example/").await.unwrap();
    assert_eq!(socket.ask("secret").await.unwrap(), "secret");
    socket.close().await.unwrap();
    drop(site);
}

/// A backend may answer before it is told that the request has no body: that has nothing to do with what comes after. Which comes
/// first is chance, so it is tried often.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_backend_that_upgrades_at_once_is_connected() {
    const ANSWER: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n";
    let backend = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = backend.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut tcp, _)) = backend.accept().await {
            tokio::spawn(async move {
                tcp.write_all(ANSWER).await.unwrap();
                let mut some = vec![0; 4096];
                while let Ok(read @ 1..) = tcp.read(&mut some).await {
                    if some[..read].ends_with(b"hello") {
                        tcp.write_all(b"and to you").await.unwrap();
                    }
                }
            });
        }
    });
    let (_site, at) = serve(&(service("it", &[address]) + &http_route("it", "[]", RULE))).await;
    let client = || async {
        let mut client = RawConnection::open(&Dial::http1(at), "a.example").await.unwrap();
        let asking = "GET / HTTP/1.1\r\nHost: a.example\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n";
        client.send(asking).await.unwrap();
        assert_eq!(client.response_to_head().await.unwrap().status, 101);
        client.send("hello").await.unwrap();
        assert_eq!(client.read_exact(10).await.unwrap(), b"and to you");
    };
    for _ in 0..20 {
        futures::future::join_all((0..50).map(|_| client())).await;
    }
}

#[tokio::test]
async fn a_backend_that_upgrades_whom_nobody_asked_for_is_502() {
    let canned =
        Canned::new("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n").await;
    let (_site, at) = serve(&(service("it", &[canned.address]) + &http_route("it", "[]", RULE))).await;
    assert_eq!(Dial::http1(at).get("http://a.example/").await.unwrap().status, 502);
}
