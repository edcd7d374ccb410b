//! What patches of Pingora change that no request through the gate shows soon enough (third_party/README.md).
#![allow(clippy::unwrap_used, clippy::panic)]

use lychgate_echo::{EchoConfig, EchoServer, Port};
use pingora_core::connectors::http::v2::{ConnectionRef, Connector};
use pingora_core::protocols::Digest;
use pingora_core::protocols::http::client::HttpSession;
use pingora_core::protocols::http::v2::client::Http2Session;
use pingora_core::upstreams::peer::{HttpPeer, Peer};
use pingora_http::RequestHeader;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::timeout;

/// Far more than anything here takes.
const SOON: Duration = Duration::from_secs(30);

/// Patch `18-home-when-dropped`: whoever gives an exchange up leaves a connection that is idle, and not one that is in use for good.
#[tokio::test]
async fn a_connection_whose_last_stream_was_dropped_is_idle() {
    let it = EchoServer::bind(EchoConfig::loopback()).await.unwrap();
    let peer = peer(&it, 2);
    let connector = Connector::new(None);
    let ask = || ask(&connector, &peer);
    let (one, other) = (ask().await, ask().await);
    timeout(SOON, it.wait_held("it", 2)).await.unwrap();
    assert_eq!(it.counts().connections, 1);
    // While there is another stream, the connection stays.
    drop(one);
    let three = ask().await;
    assert_eq!(it.counts().connections, 1);
    drop((other, three));
    let counts = timeout(SOON, it.wait_for(|counts| counts.closed == 1)).await.unwrap();
    assert_eq!(counts.connections, 1);
}

/// Patch `19-in-one-pool`: two who add a stream to a connection at the same time both put it back. It leaves all the same.
#[tokio::test]
async fn a_connection_that_was_put_back_twice_is_closed_when_it_was_idle() {
    let it = EchoServer::bind(EchoConfig::loopback()).await.unwrap();
    let peer = peer(&it, 4);
    let connector = Connector::new(None);
    let session = ask(&connector, &peer).await;
    timeout(SOON, it.wait_held("it", 1)).await.unwrap();
    connector.in_use_pool().insert(peer.reuse_hash(), session.conn.clone());
    drop(session);
    timeout(SOON, it.wait_for(|counts| counts.closed == 1)).await.unwrap();
}

/// Patch `19-in-one-pool`: a connection that was closed while it had streams is no other's, though the other has its socket's number.
#[tokio::test]
async fn a_connection_is_not_taken_for_one_that_was_closed_before() {
    let it = EchoServer::bind(EchoConfig::loopback()).await.unwrap();
    let peer = peer(&it, 4);
    let connector = Connector::new(None);
    let session = ask(&connector, &peer).await;
    timeout(SOON, it.wait_held("it", 1)).await.unwrap();
    // It is found first, as it was there before.
    let own = connector.in_use_pool().get(peer.reuse_hash()).unwrap();
    connector.in_use_pool().insert(peer.reuse_hash(), closed(own.id()).await);
    connector.in_use_pool().insert(peer.reuse_hash(), own);
    drop(session);
    timeout(SOON, it.wait_for(|counts| counts.closed == 1)).await.unwrap();
}

/// A connection that is closed, with the number of a socket.
async fn closed(id: i32) -> ConnectionRef {
    let (here, there) = tokio::io::duplex(1024);
    let (sender, _) = h2::client::handshake(here).await.unwrap();
    drop(there);
    ConnectionRef::new(sender, watch::channel(true).1, Arc::default(), id, 1, Digest::default())
}

/// The echo server, over HTTP/2, with so many streams a connection.
fn peer(it: &EchoServer, max_streams: usize) -> HttpPeer {
    let mut peer = HttpPeer::new(it.local_addr(Port::Http).unwrap(), false, String::new());
    peer.options.set_http_version(2, 2);
    peer.options.max_h2_streams = max_streams;
    peer.options.idle_timeout = Some(Duration::from_millis(1));
    peer
}

/// A request that the echo server holds.
async fn ask(connector: &Connector, peer: &HttpPeer) -> Http2Session {
    let mut session = match connector.reused_http_session(peer).await.unwrap() {
        Some(session) => session,
        None => match connector.new_http_session::<_, ()>(peer).await.unwrap() {
            HttpSession::H2(session) => session,
            HttpSession::H1(_) | HttpSession::Custom(_) => panic!("HTTP/2 was wanted"),
        },
    };
    let mut request = RequestHeader::build("GET", b"/?hold=it", None).unwrap();
    request.insert_header("Host", "a.example").unwrap();
    session.write_request_header(Box::new(request), true).unwrap();
    session
}
