//! Requests that become something else.

use crate::support::*;
use std::net::Ipv4Addr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Asks for a WebSocket in absolute-form.
async fn websocket(world: &World, host: &str, port: u16) -> (String, TcpStream) {
    let mut stream = TcpStream::connect(world.proxy).await.unwrap();
    let ask = format!(
        "GET http://{host}:{port}/chat HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: keep-alive, Upgrade\r\n\
         Upgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    );
    stream.write_all(ask.as_bytes()).await.unwrap();
    (head(&mut stream).await, stream)
}

/// Sends a text message (RFC 6455 section 5.2), masked with zeros, and reads what comes back.
async fn echo(stream: &mut TcpStream) -> std::io::Result<[u8; 6]> {
    stream.write_all(b"\x81\x84\x00\x00\x00\x00ping").await?;
    let mut echoed = [0; 6];
    stream.read_exact(&mut echoed).await?;
    Ok(echoed)
}

#[tokio::test]
async fn a_websocket_passes_in_the_clear_and_inside_tls_that_the_gate_begins() {
    let origin = Origin::start(&["api.test"]).await;
    let sealed = originating(believing(&origin.authority), allow(&["api.test"]));
    let world = World::allowing(vec![sealed, allow(&["plain.test"])]).await;
    for host in ["api.test", "plain.test"] {
        world.dns.say(host, Ipv4Addr::LOCALHOST);
    }
    for (host, port) in [("plain.test", origin.http()), ("api.test", origin.https())] {
        let (answer, mut stream) = websocket(&world, host, port).await;
        assert!(answer.starts_with("HTTP/1.1 101"), "{host}: {answer}");
        assert!(answer.to_lowercase().contains("upgrade: websocket"), "{host}: {answer}");
        assert!(answer.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), "{host}: {answer}");
        for _ in 0..3 {
            assert_eq!(&soon(echo(&mut stream)).await.unwrap(), b"\x81\x04ping", "{host}");
        }
    }
    let (denied, _) = websocket(&world, "evil.test", origin.http()).await;
    assert!(denied.starts_with("HTTP/1.1 403"), "{denied}");
}

#[tokio::test]
async fn a_policy_that_denies_later_cuts_a_websocket() {
    let origin = Origin::start(&[]).await;
    let world = World::allowing(vec![allow(&["a.test", "b.test"])]).await;
    for host in ["a.test", "b.test"] {
        world.dns.say(host, Ipv4Addr::LOCALHOST);
    }
    let (_, mut a) = websocket(&world, "a.test", origin.http()).await;
    let (_, mut b) = websocket(&world, "b.test", origin.http()).await;
    soon(echo(&mut a)).await.unwrap();
    soon(echo(&mut b)).await.unwrap();
    world.apply(vec![for_everyone(vec![allow(&["a.test"])])]);
    let mut rest = Vec::new();
    // Closed or reset.
    let _ = soon(b.read_to_end(&mut rest)).await;
    assert!(rest.is_empty());
    soon(echo(&mut a)).await.unwrap();
}

/// Accepts one connection, and reads the head of a request.
async fn asked(origin: &TcpListener) -> (String, TcpStream) {
    let (mut stream, _) = soon(origin.accept()).await.unwrap();
    (head(&mut stream).await.to_lowercase(), stream)
}

#[tokio::test]
async fn nothing_but_a_websocket_is_asked_for_and_nothing_else_is_taken() {
    let origin = TcpListener::bind((LOCAL, 0)).await.unwrap();
    let port = origin.local_addr().unwrap().port();
    let world = World::allowing(vec![allow(&["a.test"])]).await;
    world.dns.say("a.test", Ipv4Addr::LOCALHOST);
    let switched = |to: &str| format!("HTTP/1.1 101 x\r\nConnection: Upgrade\r\nUpgrade: {to}\r\n\r\n");
    // What is asked for, whether that goes on, what the destination switches to, what the client is answered.
    let cases = [
        ("GET", "h2c", false, "h2c", 502),
        ("GET", "TLS/1.2", false, "TLS/1.2", 502),
        ("GET", "websocket, h2c", false, "h2c", 502),
        ("GET", "websocket\r\nUpgrade: h2c", false, "h2c", 502),
        ("POST", "websocket", false, "websocket", 502),
        ("GET", "WebSocket", true, "h2c", 502),
        ("GET", "WebSocket", true, "websocket, h2c", 502),
        ("GET", "WebSocket", true, "websocket", 101),
    ];
    for (method, wanted, goes_on, to, status) in cases {
        let mut client = TcpStream::connect(world.proxy).await.unwrap();
        let ask = format!(
            "{method} http://a.test:{port}/ HTTP/1.1\r\nHost: a.test:{port}\r\nConnection: Upgrade, HTTP2-Settings\r\n\
             Upgrade: {wanted}\r\nHTTP2-Settings: AAMAAABk\r\n\r\n"
        );
        client.write_all(ask.as_bytes()).await.unwrap();
        let (seen, mut server) = asked(&origin).await;
        assert_eq!(seen.contains("upgrade"), goes_on, "{wanted}: {seen}");
        assert!(!seen.contains("http2-settings") && !seen.contains("h2c"), "{wanted}: {seen}");
        server.write_all(switched(to).as_bytes()).await.unwrap();
        let answer = head(&mut client).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{wanted}, {to}: {answer}");
    }
}

#[tokio::test]
async fn a_policy_that_changes_before_the_destination_switches_cuts_what_it_denies() {
    let origin = TcpListener::bind((LOCAL, 0)).await.unwrap();
    let port = origin.local_addr().unwrap().port();
    let world = World::allowing(vec![allow(&["a.test"])]).await;
    world.dns.say("a.test", Ipv4Addr::LOCALHOST);
    let switches = async {
        let (_, mut server) = asked(&origin).await;
        world.apply(vec![]);
        let answer = b"HTTP/1.1 101 x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
        server.write_all(answer).await.unwrap();
        server
    };
    let ((answer, mut client), _server) = tokio::join!(websocket(&world, "a.test", port), switches);
    assert!(answer.starts_with("HTTP/1.1 101"), "{answer}");
    let mut rest = Vec::new();
    // Closed or reset.
    let _ = soon(client.read_to_end(&mut rest)).await;
    assert!(rest.is_empty());
}
