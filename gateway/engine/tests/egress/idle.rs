//! Clients that are slow, silent, or gone without saying so. Limits are short here, and nothing depends on how short.

use crate::support::*;
use lychgate_engine::Limits;
use lychgate_testkit::Dial;
use std::net::Ipv4Addr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const SHORT: Duration = Duration::from_millis(300);

async fn world(limits: Limits) -> (World, Origin) {
    let origin = Origin::start(&["a.test"]).await;
    let limits = Limits { resolve: Duration::from_secs(2), ..limits };
    let setup = Setup { limits, ..Setup::default() };
    let world = World::with(vec![for_everyone(vec![allow(&["a.test"])])], |_| {}, setup).await;
    world.dns.say("a.test", Ipv4Addr::LOCALHOST);
    (world, origin)
}

/// Asks for a page, and takes it whole.
async fn get(stream: &mut TcpStream, port: u16) -> String {
    let request = format!("GET http://a.test:{port}/ HTTP/1.1\r\nHost: a.test:{port}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let head = head(stream).await;
    let length = head.to_ascii_lowercase();
    let length = length.lines().find_map(|line| line.strip_prefix("content-length: ")).expect("a length");
    let mut body = vec![0; length.parse().unwrap()];
    stream.read_exact(&mut body).await.unwrap();
    head
}

/// Everything until the gate ends it.
async fn rest(stream: &mut TcpStream) -> String {
    let mut rest = Vec::new();
    // A reset ends it as well.
    let _ = soon(stream.read_to_end(&mut rest)).await;
    String::from_utf8(rest).unwrap()
}

#[tokio::test]
async fn a_head_has_to_come_and_a_connection_may_be_idle_meanwhile() {
    let (world, origin) = world(Limits { head_time: SHORT, ..Limits::default() }).await;
    let mut idle = TcpStream::connect(world.proxy).await.unwrap();
    assert!(get(&mut idle, origin.http()).await.starts_with("HTTP/1.1 200"));
    // Both are ended for their heads, and the time that this takes goes by for the idle one as well.
    let mut silent = TcpStream::connect(world.proxy).await.unwrap();
    let mut slow = TcpStream::connect(world.proxy).await.unwrap();
    assert!(get(&mut slow, origin.http()).await.starts_with("HTTP/1.1 200"));
    slow.write_all(b"GET http://a.test/ HT").await.unwrap();
    assert_eq!(rest(&mut silent).await, "");
    assert_eq!(rest(&mut slow).await, "");
    assert!(get(&mut idle, origin.http()).await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn an_idle_connection_is_ended() {
    let (world, origin) = world(Limits { client_idle: SHORT, ..Limits::default() }).await;
    let mut stream = TcpStream::connect(world.proxy).await.unwrap();
    assert!(get(&mut stream, origin.http()).await.starts_with("HTTP/1.1 200"));
    assert!(get(&mut stream, origin.http()).await.starts_with("HTTP/1.1 200"));
    assert_eq!(rest(&mut stream).await, "");
}

#[tokio::test]
async fn a_connection_that_is_old_ends_between_requests() {
    let (world, origin) = world(Limits { connection: Some(SHORT), ..Limits::default() }).await;
    let target = format!("a.test:{}", origin.http());
    let mut http1 = TcpStream::connect(world.proxy).await.unwrap();
    let request = format!("GET http://{target}/?hold=it HTTP/1.1\r\nHost: {target}\r\n\r\n");
    http1.write_all(request.as_bytes()).await.unwrap();
    origin.server.wait_held("it", 1).await;
    // It is younger, and nothing runs on it when it ends.
    let mut http2 = Dial::h2c(world.proxy).connect("a.test").await.unwrap();
    let url = format!("http://{target}/");
    soon(async { while http2.get(&url).await.is_ok_and(|answer| answer.status.as_u16() == 200) {} }).await;
    origin.server.release("it");
    let last = rest(&mut http1).await.to_ascii_lowercase();
    assert!(last.starts_with("http/1.1 200") && last.contains("connection: close"), "{last}");
}

#[tokio::test]
async fn a_body_that_does_not_go_on_is_given_up_and_said_to_be_slow() {
    let (world, origin) = world(Limits { client_idle: SHORT, ..Limits::default() }).await;
    let mut stream = TcpStream::connect(world.proxy).await.unwrap();
    let port = origin.http();
    let request =
        format!("POST http://a.test:{port}/ HTTP/1.1\r\nHost: a.test:{port}\r\nContent-Length: 10\r\n\r\nabc");
    stream.write_all(request.as_bytes()).await.unwrap();
    let answer = rest(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    assert!(answer.contains("(slow_request): the body of the request did not go on in time"), "{answer}");
    world.counted(r#"lychgate_refused_total{reason="slow_request"}"#, 1).await;
}

#[tokio::test]
async fn a_response_that_nobody_takes_is_given_up() {
    let (world, _origin) = world(Limits { client_idle: SHORT, ..Limits::default() }).await;
    let endless = TcpListener::bind((LOCAL, 0)).await.unwrap();
    let port = endless.local_addr().unwrap().port();
    let given_up = tokio::spawn(async move {
        let (mut stream, _) = endless.accept().await.unwrap();
        head(&mut stream).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
        while stream.write_all(&[b'x'; 65_536]).await.is_ok() {}
    });
    let mut stream = TcpStream::connect(world.proxy).await.unwrap();
    let request = format!("GET http://a.test:{port}/ HTTP/1.1\r\nHost: a.test:{port}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    soon(given_up).await.unwrap();
}

#[tokio::test]
async fn a_destination_that_never_answers_is_given_up() {
    let (world, _origin) = world(Limits { stream_idle: SHORT, ..Limits::default() }).await;
    let silent = TcpListener::bind((LOCAL, 0)).await.unwrap();
    let port = silent.local_addr().unwrap().port();
    let given_up = tokio::spawn(async move {
        let (mut stream, _) = silent.accept().await.unwrap();
        head(&mut stream).await;
        rest(&mut stream).await
    });
    let late = world.curl(&[&format!("http://a.test:{port}/")]).await;
    assert_eq!(late.status, 504, "{late:?}");
    assert!(late.body.contains("(timeout): the destination did not answer in time"), "{late:?}");
    assert_eq!(soon(given_up).await.unwrap(), "");
    world.counted(r#"lychgate_refused_total{reason="timeout"}"#, 1).await;
}

#[tokio::test]
async fn a_client_of_http2_that_does_not_hear_of_the_end_is_gone_all_the_same() {
    let (world, _origin) = world(Limits { http2_idle: SHORT, client_idle: SHORT, ..Limits::default() }).await;
    let mut deaf = TcpStream::connect(world.proxy).await.unwrap();
    // The preface, and settings that change nothing. No ping is answered.
    deaf.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00").await.unwrap();
    let mut told = Vec::new();
    let _ = soon(deaf.read_to_end(&mut told)).await;
    let goaway = b"\x07\x00\x00\x00\x00\x00";
    assert!(told.windows(goaway.len()).any(|some| some == goaway), "{}", told.escape_ascii());
}

#[tokio::test]
async fn a_stream_of_http2_whose_window_stays_shut_is_given_up() {
    let (world, origin) = world(Limits { client_idle: SHORT, ..Limits::default() }).await;
    let stream = TcpStream::connect(world.proxy).await.unwrap();
    let (mut requests, connection) =
        h2::client::Builder::new().initial_window_size(0).handshake::<_, bytes::Bytes>(stream).await.unwrap();
    let driver = tokio::spawn(connection);
    let mut ask = async |query: &str| {
        let request = http::Request::get(format!("http://a.test:{}/?{query}", origin.http())).body(()).unwrap();
        requests = requests.clone().ready().await.unwrap();
        let (answer, _) = requests.send_request(request, true).unwrap();
        let answer = soon(answer).await.unwrap();
        assert_eq!(answer.status(), http::StatusCode::OK);
        answer.into_body()
    };
    let mut shut = ask("size=100000").await;
    let reset = soon(shut.data()).await.unwrap().unwrap_err();
    assert!(reset.is_reset(), "{reset}");
    // Its connection goes on, and nothing of it is left.
    drop(ask("size=10").await);
    driver.abort();
    world.counted(r#"lychgate_egress_connections_open{destination="a.test"}"#, 0).await;
    world.counted(r#"lychgate_refused_total{reason="slow_reader"}"#, 1).await;
}

#[tokio::test]
async fn a_stream_of_http2_may_wait_for_its_destination() {
    let (world, origin) = world(Limits { client_idle: SHORT, ..Limits::default() }).await;
    let stream = TcpStream::connect(world.proxy).await.unwrap();
    let (requests, connection) = h2::client::handshake(stream).await.unwrap();
    let driver = tokio::spawn(connection);
    let mut requests = requests.ready().await.unwrap();
    let url = format!("http://a.test:{}/?hold-body=rest&size=1000&chunks=2", origin.http());
    let (answer, _) = requests.send_request(http::Request::get(url).body(()).unwrap(), true).unwrap();
    let mut body = soon(answer).await.unwrap().into_body();
    let mut length = soon(body.data()).await.unwrap().unwrap().len();
    // Longer than a client may wait.
    origin.server.wait_held("rest", 1).await;
    let given_up = tokio::time::timeout(SHORT * 4, body.data()).await;
    assert!(given_up.is_err(), "{given_up:?}");
    origin.server.release("rest");
    while let Some(piece) = soon(body.data()).await {
        length += piece.unwrap().len();
    }
    assert_eq!(length, 1000);
    driver.abort();
}
