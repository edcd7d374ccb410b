//! WebSocket over HTTP/2 (RFC 8441), by a client that others wrote.

use super::bed::{Canned, pod, serve};
use crate::support::{PATIENCE, Site, echo, gateway, http_route, service, service_speaking, soon};
use crate::tls::{https, secret};
use http::Request;
use hyper::ext::Protocol;
use lychgate_gateway::{AccessFormat, AccessLogOptions, AccessTarget};
use lychgate_testkit::{Authority, ClientError, ClientTls, Connected, Dial, Payload, WebSocket, free_addr};
use std::net::SocketAddr;
use std::time::Duration;
use tokio_tungstenite::tungstenite::{Error, Message};

const RULE: &str = "    - backendRefs: [{name: it, port: 80}]\n";
const URL: &str = "http://a.example/chat?x=1";

async fn connect(at: SocketAddr) -> Connected {
    let mut connection = Dial::h2c(at).connect("a.example").await.unwrap();
    // By now the client has been told that it may ask.
    connection.get("http://a.example/").await.unwrap();
    connection
}

/// The answer to a handshake that failed.
fn refusal(result: Result<WebSocket, ClientError>) -> http::Response<Option<Vec<u8>>> {
    match result {
        Err(ClientError::WebSocket(error)) => match *error {
            Error::Http(response) => *response,
            error => panic!("{error}"),
        },
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("it was accepted"),
    }
}

#[tokio::test]
async fn messages_pass_both_ways_with_and_without_app_protocol() {
    for protocol in [None, Some("kubernetes.io/ws")] {
        let (it, address) = echo("it").await;
        let services = service_speaking("it", protocol, &[address]);
        let (_site, at) = serve(&(services + &http_route("it", "[]", RULE))).await;
        let mut connection = connect(at).await;
        let headers =
            [("sec-websocket-protocol", "chat, other"), ("cookie", "a=1"), ("cookie", "b=2"), ("x-own", "own")];
        let mut socket = WebSocket::open_on(&mut connection, URL, &headers).await.unwrap();
        assert_eq!(socket.handshake.headers()["sec-websocket-protocol"], "chat");
        for name in ["connection", "upgrade", "sec-websocket-accept"] {
            assert!(!socket.handshake.headers().contains_key(name), "{name}");
        }
        let report = it.requests()[1].report.clone();
        assert_eq!((report.method.as_str(), report.path.as_str()), ("GET", "/chat?x=1"));
        assert_eq!((report.proto.as_str(), report.host.as_str()), ("HTTP/1.1", "a.example"));
        assert_eq!(report.header("cookie"), ["a=1; b=2"]);
        assert_eq!(report.header("x-own"), ["own"]);
        assert_eq!(report.header("x-forwarded-for"), ["127.0.0.1"]);
        assert_eq!(report.header("sec-websocket-version"), ["13"]);
        for text in ["one", "two"] {
            assert_eq!(socket.ask(text).await.unwrap(), text);
        }
        // The connection is free for other requests, and for another socket.
        assert_eq!(connection.get("http://a.example/").await.unwrap().status, 200);
        let mut other = WebSocket::open_on(&mut connection, URL, &[]).await.unwrap();
        assert_eq!(other.ask("three").await.unwrap(), "three");
        assert_eq!(socket.ask("four").await.unwrap(), "four");
        socket.close().await.unwrap();
        other.close().await.unwrap();
        assert_eq!(connection.get("http://a.example/").await.unwrap().status, 200);
    }
}

#[tokio::test]
async fn much_passes_both_ways_at_once() {
    const MESSAGES: u8 = 40;
    let (_it, services) = pod("it").await;
    let (_site, at) = serve(&(services + &http_route("it", "[]", RULE))).await;
    let mut connection = connect(at).await;
    let mut socket = WebSocket::open_on(&mut connection, URL, &[]).await.unwrap();
    // More than all windows and buffers on the way hold, before anything is read.
    let messages: Vec<Message> = (0..MESSAGES).map(|n| Message::binary(vec![n; 1 << 20])).collect();
    assert!(socket.exchange(messages.clone()).await.unwrap() == messages);
}

#[tokio::test]
async fn a_client_that_does_not_read_holds_nobody_else_up() {
    let (it, services) = pod("it").await;
    let (_site, at) = serve(&(services + &http_route("it", "[]", RULE))).await;
    let mut connection = connect(at).await;
    let mut slow = WebSocket::open_on(&mut connection, URL, &[]).await.unwrap();
    let mut quick = WebSocket::open_on(&mut connection, URL, &[]).await.unwrap();
    // As much as it takes until nothing moves any more; hyper gives a stream less room than a connection.
    let stuck = async { while slow.send(Message::binary(vec![0; 1 << 16])).await.is_ok() {} };
    tokio::select! {
        () = stuck => panic!("the client can send without end"),
        () = async {
            for n in 0..50 {
                let text = n.to_string();
                assert_eq!(quick.ask(&text).await.unwrap(), text);
            }
        } => {}
    }
    drop(slow);
    soon(it.wait_for(|counts| counts.closed >= 1)).await;
    assert_eq!(quick.ask("still").await.unwrap(), "still");
}

#[tokio::test]
async fn over_tls_it_is_the_listeners_host_that_counts() {
    let (it, address) = echo("it").await;
    let authority = Authority::new("test");
    let at = free_addr();
    let files =
        gateway(&(https("a", at.port(), "a.example", &["cert"]) + &https("b", at.port(), "b.example", &["cert"])))
            + &secret("cert", &authority.server(&["a.example", "b.example"]))
            + &service("it", &[address])
            + &http_route("it", "[]", RULE);
    let _site = Site::serve(&[("all.yaml", &files)]).await;
    let dial = Dial::tls(at, &ClientTls::trusting(&authority).alpn(&["h2"]));
    let mut connection = dial.connect("a.example").await.unwrap();
    let mut socket = WebSocket::open_on(&mut connection, "https://a.example/", &[]).await.unwrap();
    assert_eq!(socket.ask("secret").await.unwrap(), "secret");
    assert_eq!(it.requests()[0].report.header("x-forwarded-proto"), ["https"]);
    let misdirected = refusal(WebSocket::open_on(&mut connection, "https://b.example/", &[]).await);
    assert_eq!(misdirected.status(), 421);
}

#[tokio::test]
async fn what_is_no_upgrade_is_an_answer_like_any_other() {
    let (it, services) = pod("it").await;
    let rule = "    - matches: [{path: {value: /limited}}]\n      timeouts: {request: 200ms}\n      backendRefs: [{name: it, \
                port: 80}]\n    - matches: [{path: {value: /broken}}]\n      backendRefs: [{name: missing, port: 80}]\n    - \
                matches: [{path: {value: /moved}}]\n      filters: [{type: RequestRedirect, requestRedirect: {hostname: \
                b.example}}]\n    - matches: [{path: {value: /it}}]\n      filters: [{type: ResponseHeaderModifier, \
                responseHeaderModifier: {set: [{name: x-ours, value: set}]}}]\n      backendRefs: [{name: it, port: 80}]\n";
    let (_site, at) = serve(&(services + &http_route("it", "[]", rule))).await;
    let mut connection = Dial::h2c(at).connect("a.example").await.unwrap();
    connection.get("http://a.example/it").await.unwrap();
    for (path, status) in
        [("/it?status=403", 403), ("/moved", 302), ("/broken", 500), ("/none", 404), ("/limited?hold=never", 504)]
    {
        let url = format!("http://a.example{path}");
        let answer = refusal(WebSocket::open_on(&mut connection, &url, &[]).await);
        assert_eq!(answer.status(), status, "{path}");
        if status == 302 {
            assert!(answer.headers()["location"].to_str().unwrap().starts_with("http://b.example"));
        }
    }
    let mut socket = WebSocket::open_on(&mut connection, "http://a.example/it", &[]).await.unwrap();
    assert_eq!(socket.handshake.headers()["x-ours"], "set");
    assert_eq!(socket.ask("hello").await.unwrap(), "hello");
    assert_eq!(it.counts().requests, 4);
}

#[tokio::test]
async fn a_whole_answer_arrives_in_place_of_an_upgrade() {
    let (_it, services) = pod("it").await;
    let (_site, at) = serve(&(services + &http_route("it", "[]", RULE))).await;
    let mut connection = connect(at).await;
    let mut request = Request::connect("http://a.example/?status=403&size=300000").body(Payload::Empty).unwrap();
    request.extensions_mut().insert(Protocol::from_static("websocket"));
    let reply = connection.send(request).await.unwrap();
    assert_eq!((reply.status.as_u16(), reply.body.len()), (403, 300_000));
}

#[tokio::test]
async fn who_does_not_know_the_answer_speaks_no_websocket() {
    let answer = "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: \
                  c29tZXRoaW5nIGVsc2UgYWx0b2dl\r\n\r\n";
    let canned = Canned::new(answer).await;
    let (_site, at) = serve(&(service("it", &[canned.address]) + &http_route("it", "[]", RULE))).await;
    let mut connection = Dial::h2c(at).connect("a.example").await.unwrap();
    assert_eq!(refusal(WebSocket::open_on(&mut connection, URL, &[]).await).status(), 502);
}

#[tokio::test]
async fn other_protocols_and_tunnels_are_refused() {
    let (it, services) = pod("it").await;
    let (site, at) = serve(&(services + &http_route("it", "[]", RULE))).await;
    let mut connection = Dial::h2c(at).connect("a.example").await.unwrap();
    for protocol in [Some("connect-udp"), Some("webtransport"), None] {
        let url = if protocol.is_some() { "http://a.example/" } else { "a.example:443" };
        let mut request = Request::connect(url).body(Payload::Empty).unwrap();
        if let Some(protocol) = protocol {
            request.extensions_mut().insert(Protocol::from_static(protocol));
        }
        let reply = connection.send(request).await.unwrap();
        assert_eq!(reply.status, 501, "{protocol:?}");
        assert!(reply.text().contains("no_tunnel"), "{}", reply.text());
    }
    assert_eq!(connection.get("http://a.example/").await.unwrap().status, 200);
    assert_eq!(it.counts().requests, 1);
    let metrics = Dial::http1(site.admin()).get("http://admin/metrics").await.unwrap().text();
    assert!(metrics.contains("lychgate_refused_total{reason=\"no_tunnel\"} 3"), "{metrics}");
}

#[tokio::test]
async fn when_one_end_breaks_off_the_other_learns_it() {
    let (it, services) = pod("it").await;
    let (_site, at) = serve(&(services + &http_route("it", "[]", RULE))).await;
    let mut connection = connect(at).await;
    let closed = it.counts().closed;
    // The stream alone.
    let mut socket = WebSocket::open_on(&mut connection, URL, &[]).await.unwrap();
    socket.ask("hello").await.unwrap();
    drop(socket);
    soon(it.wait_for(|counts| counts.closed == closed + 1)).await;
    // Before the backend has answered.
    let shaking = WebSocket::open_on(&mut connection, "http://a.example/?hold=never", &[]);
    tokio::select! {
        _ = shaking => panic!("nobody has answered"),
        () = soon(it.wait_held("never", 1)) => {}
    }
    soon(it.wait_for(|counts| counts.closed == closed + 2)).await;
    // The whole connection.
    let mut socket = WebSocket::open_on(&mut connection, URL, &[]).await.unwrap();
    socket.ask("hello").await.unwrap();
    drop((socket, connection));
    soon(it.wait_for(|counts| counts.closed >= closed + 3)).await;
    // The backend.
    let mut connection = connect(at).await;
    let mut socket = WebSocket::open_on(&mut connection, URL, &[]).await.unwrap();
    socket.ask("hello").await.unwrap();
    it.kill().await;
    assert!(!matches!(socket.next().await, Ok(Some(Message::Text(_) | Message::Binary(_)))));
    assert_eq!(connection.get("http://a.example/").await.unwrap().status, 502);
}

#[tokio::test]
async fn a_socket_stays_open_across_reloads_and_beyond_timeouts_and_ends_with_the_drain() {
    let (_it, address) = echo("it").await;
    let rule = "    - timeouts: {request: 300ms}\n      backendRefs: [{name: it, port: 80}]\n";
    let (site, at) = serve(&(service("it", &[address]) + &http_route("it", "[]", rule))).await;
    let mut connection = connect(at).await;
    let mut socket = WebSocket::open_on(&mut connection, URL, &[]).await.unwrap();
    assert_eq!(socket.ask("before").await.unwrap(), "before");
    let quiet = tokio::time::Instant::now() + Duration::from_millis(600);
    site.write("objects.yaml", &(service("it", &[address]) + &http_route("other", "[]", rule))).await;
    assert_eq!(socket.ask("moved").await.unwrap(), "moved");
    tokio::time::sleep_until(quiet).await;
    assert_eq!(socket.ask("after").await.unwrap(), "after");
    // It is served to its end while the gateway goes.
    let stopping = tokio::spawn(site.stop());
    assert_eq!(socket.ask("draining").await.unwrap(), "draining");
    socket.close().await.unwrap();
    drop(connection);
    assert_eq!(tokio::time::timeout(PATIENCE, stopping).await.unwrap().unwrap(), 0);
}

#[tokio::test]
async fn it_is_counted_and_logged_once() {
    let (_it, address) = echo("it").await;
    let at = free_addr();
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("access.log");
    let listener = format!("    - {{name: http, protocol: HTTP, port: {}}}\n", at.port());
    let files = gateway(&listener) + &service("it", &[address]) + &http_route("it", "[]", RULE);
    let logged = |options: &mut lychgate_gateway::standalone::Options| {
        let target = AccessTarget::File(path.clone());
        options.access_log = Some(AccessLogOptions::new(target, AccessFormat::Json));
    };
    let site = Site::try_serve_with(&[("all.yaml", &files)], logged).await.unwrap();
    let mut connection = Dial::h2c(at).connect("a.example").await.unwrap();
    let mut socket = WebSocket::open_on(&mut connection, URL, &[]).await.unwrap();
    let metrics = async || Dial::http1(site.admin()).get("http://admin/metrics").await.unwrap().text();
    assert_eq!(socket.ask("hello").await.unwrap(), "hello");
    let during = metrics().await;
    let listener = "gateway=\"default/gw\",listener=\"http\"";
    assert!(during.contains(&format!("lychgate_listener_requests_in_flight{{{listener}}} 1")), "{during}");
    assert!(during.contains(&format!("lychgate_connections_open{{socket=\"{at}\"}} 1")), "{during}");
    socket.close().await.unwrap();
    crate::support::eventually("it is counted", async || {
        metrics().await.contains(&format!("lychgate_listener_requests_in_flight{{{listener}}} 0"))
    })
    .await;
    let after = metrics().await;
    assert!(after.contains(&format!("lychgate_listener_requests_total{{code=\"1xx\",{listener}}} 1")), "{after}");
    assert!(
        after.contains("lychgate_backend_requests_total{backend=\"Service/default/it:80\",code=\"1xx\"} 1"),
        "{after}"
    );
    let client = connection.local_addr();
    drop(connection);
    site.stop().await;
    let log = std::fs::read_to_string(&path).unwrap();
    let lines: Vec<serde_json::Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let [line] = &lines[..] else { panic!("{log}") };
    assert_eq!((&line["method"], &line["path"]), (&"GET".into(), &"/chat?x=1".into()), "{line}");
    assert_eq!((&line["status"], &line["protocol"]), (&101.into(), &"HTTP/2.0".into()), "{line}");
    assert_eq!(line["client"], client.to_string());
    assert!(line["sent"].as_u64().unwrap() > 0 && line["received"].as_u64().unwrap() > 0, "{line}");
}
