//! Requests that become something else.

use crate::support::*;
use std::net::Ipv4Addr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

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
