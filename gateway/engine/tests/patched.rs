//! What patches of Pingora change that no request through the gate shows soon enough (third_party/README.md).
#![allow(clippy::unwrap_used, clippy::panic)]

use lychgate_echo::{EchoConfig, EchoServer, Port};
use pingora_core::connectors::http::Connector;
use pingora_core::protocols::http::client::HttpSession;
use pingora_core::upstreams::peer::HttpPeer;
use pingora_http::RequestHeader;
use std::time::Duration;
use tokio::time::timeout;

/// Far more than anything here takes.
const SOON: Duration = Duration::from_secs(30);

/// Patch `18-home-when-dropped`: whoever gives an exchange up leaves a connection that is idle, and not one that is in use for good.
#[tokio::test]
async fn a_connection_whose_last_stream_was_dropped_is_idle() {
    let it = EchoServer::bind(EchoConfig::loopback()).await.unwrap();
    let mut peer = HttpPeer::new(it.local_addr(Port::Http).unwrap(), false, String::new());
    peer.options.set_http_version(2, 2);
    peer.options.max_h2_streams = 2;
    peer.options.idle_timeout = Some(Duration::from_millis(1));
    let connector = Connector::new(None);
    let ask = || async {
        let HttpSession::H2(mut session) = connector.get_http_session(&peer).await.unwrap().0 else {
            panic!("HTTP/2 was wanted")
        };
        let mut request = RequestHeader::build("GET", b"/?hold=it", None).unwrap();
        request.insert_header("Host", "a.example").unwrap();
        session.write_request_header(Box::new(request), true).unwrap();
        session
    };
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
