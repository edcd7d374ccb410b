//! TCP and UDP.

use lychgate_echo::{EchoConfig, EchoIdentity, EchoServer, Port, RawMode};
use lychgate_testkit::{Authority, ClientTls, Dial, Ending, PATIENCE, RawConnection, server_tls};
use tokio::net::UdpSocket;

use crate::{addr, any};

#[tokio::test]
async fn every_byte_comes_back() {
    let server = EchoServer::bind(EchoConfig::default().with_tcp(any())).await.unwrap();
    let mut raw = RawConnection::open(&Dial::http1(addr(&server, Port::Tcp)), "").await.unwrap();
    raw.send(b"\x00binary\xff").await.unwrap();
    assert_eq!(raw.read_exact(8).await.unwrap(), b"\x00binary\xff");
    raw.send("the last").await.unwrap();
    raw.finish().await.unwrap();
    assert_eq!(raw.to_end().await.unwrap(), (b"the last".to_vec(), Ending::Closed));
    let counts = server.wait_for(|counts| counts.closed == 1).await;
    assert_eq!(counts.connections, 1);
}

#[tokio::test]
async fn every_byte_comes_back_under_tls() {
    let ca = Authority::new("ca");
    let config = EchoConfig::default().with_tls(any(), server_tls(&ca.server(&["db.example"])));
    let server = EchoServer::bind(config).await.unwrap();
    let dial = Dial::tls(addr(&server, Port::Tls), &ClientTls::trusting(&ca).alpn(&[]));
    let mut raw = RawConnection::open(&dial, "db.example").await.unwrap();
    assert_eq!(raw.tls().unwrap().certificates.len(), 1);
    raw.send("hello").await.unwrap();
    assert_eq!(raw.read_exact(5).await.unwrap(), b"hello");
}

#[tokio::test]
async fn every_datagram_comes_back() {
    let server = EchoServer::bind(EchoConfig::default().with_udp(any())).await.unwrap();
    let client = UdpSocket::bind(any()).await.unwrap();
    client.connect(addr(&server, Port::Udp)).await.unwrap();
    let mut buffer = [0; 2048];
    for datagram in [b"one".as_slice(), b"", &[9; 1400]] {
        client.send(datagram).await.unwrap();
        let size = tokio::time::timeout(PATIENCE, client.recv(&mut buffer)).await.unwrap().unwrap();
        assert_eq!(&buffer[..size], datagram);
    }
    server.wait_for(|counts| counts.datagrams == 3).await;
}

#[tokio::test]
async fn the_conformance_backends() {
    let ca = Authority::new("ca");
    let config = EchoConfig::default()
        .with_tcp(any())
        .with_tls(any(), server_tls(&ca.server(&["db.example"])))
        .with_udp(any())
        .with_raw(RawMode::Conformance)
        .with_identity(EchoIdentity::pod("backend-1"));
    let server = EchoServer::bind(config).await.unwrap();
    let tls = Dial::tls(addr(&server, Port::Tls), &ClientTls::trusting(&ca).alpn(&[]));
    for (dial, is_tls) in [(Dial::http1(addr(&server, Port::Tcp)), false), (tls, true)] {
        let mut raw = RawConnection::open(&dial, "db.example").await.unwrap();
        let welcome = b"Gateway API Test TCP Server\n";
        assert_eq!(raw.read_exact(welcome.len()).await.unwrap(), welcome);
        raw.send("PING\nIS_TLS\n").await.unwrap();
        let wanted = format!("PONG\n{is_tls}\n");
        assert_eq!(raw.read_exact(wanted.len()).await.unwrap(), wanted.as_bytes());
        raw.send("what?\nTEST\n").await.unwrap();
        raw.finish().await.unwrap();
        let (answer, _) = raw.to_end().await.unwrap();
        let answer: serde_json::Value = serde_json::from_slice(&answer).unwrap();
        assert_eq!(answer["pod"], "backend-1");
        assert_eq!(answer["isTLS"], is_tls);
        assert_eq!(answer["tls"]["serverName"].as_str(), is_tls.then_some("db.example"));
    }
    let client = UdpSocket::bind(any()).await.unwrap();
    client.send_to(b"hello", addr(&server, Port::Udp)).await.unwrap();
    let mut buffer = [0; 2048];
    let size = tokio::time::timeout(PATIENCE, client.recv(&mut buffer)).await.unwrap().unwrap();
    let answer: serde_json::Value = serde_json::from_slice(&buffer[..size]).unwrap();
    assert_eq!((answer["request"].as_str(), answer["pod"].as_str()), (Some("hello"), Some("backend-1")));
}
