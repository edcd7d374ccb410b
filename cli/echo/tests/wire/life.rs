//! Binding, shutting down, being killed.

use std::io::ErrorKind;

use ::http::StatusCode;
use lychgate_echo::{EchoConfig, EchoServer, Port};
use lychgate_testkit::{Dial, Ending, RawConnection, free_addr};

use crate::{addr, any, h2c, http1, server};

#[tokio::test]
async fn one_server_serves_several_ports_and_only_those() {
    let server = EchoServer::bind(EchoConfig::loopback().with_tcp(any()).with_udp(any())).await.unwrap();
    let served: Vec<Port> = server.local_addrs().iter().map(|(port, _)| *port).collect();
    assert_eq!(served, [Port::Http, Port::Tcp, Port::Udp]);
    assert_eq!(server.local_addr(Port::Https), None);
}

#[tokio::test]
async fn a_port_in_use_is_named() {
    let first = server().await;
    let taken = addr(&first, Port::Http);
    let error = EchoServer::bind(EchoConfig::default().with_http(taken)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AddrInUse);
    assert!(error.to_string().contains(&format!("HTTP port {taken}")), "{error}");
}

#[tokio::test]
async fn a_shutdown_finishes_what_is_in_flight_and_frees_the_port() {
    let server = server().await;
    let addr = addr(&server, Port::Http);
    let dials = [http1(&server), h2c(&server)];
    let held = dials.map(|dial| tokio::spawn(async move { dial.get("http://a/?hold=gate").await }));
    server.wait_held("gate", 2).await;
    server.shutdown().await;
    for request in held {
        assert_eq!(request.await.unwrap().unwrap().status, StatusCode::OK);
    }
    let again = EchoServer::bind(EchoConfig::default().with_http(addr)).await.unwrap();
    assert_eq!(Dial::http1(addr).get("http://a/").await.unwrap().status, StatusCode::OK);
    again.shutdown().await;
}

#[tokio::test]
async fn a_shutdown_does_not_wait_for_idle_connections() {
    let server = server().await;
    let mut http1 = http1(&server).connect("a").await.unwrap();
    let mut h2c = h2c(&server).connect("a").await.unwrap();
    http1.get("http://a/").await.unwrap();
    h2c.get("http://a/").await.unwrap();
    tokio::time::timeout(lychgate_echo::limits::SHUTDOWN_GRACE / 2, server.shutdown()).await.unwrap();
}

#[tokio::test]
async fn a_killed_server_answers_nobody() {
    let server = server().await;
    let addr = addr(&server, Port::Http);
    let mut raw = RawConnection::open(&http1(&server), "a").await.unwrap();
    raw.send("GET /?hold=gate HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    server.wait_held("gate", 1).await;
    server.kill().await;
    assert_eq!(raw.to_end().await.unwrap(), (Vec::new(), Ending::Closed));
    assert!(Dial::http1(addr).get("http://a/").await.is_err());
}

#[tokio::test]
async fn a_dropped_server_is_gone() {
    let server = server().await;
    let mut connection = http1(&server).connect("a").await.unwrap();
    connection.get("http://a/").await.unwrap();
    drop(server);
    assert!(connection.get("http://a/").await.is_err());
}

#[tokio::test]
async fn ports_that_are_free_can_be_bound() {
    let addr = free_addr();
    let server = EchoServer::bind(EchoConfig::default().with_http(addr)).await.unwrap();
    assert_eq!(server.local_addr(Port::Http), Some(addr));
}
