//! The end of a gateway: what goes on, what is told to go, and what is cut.

use crate::streams::{ask_udp, route, udp_client, udp_service};
use crate::support::{Site, echo, gateway, http_gateway, http_route, service};
use lychgate_echo::{EchoConfig, EchoServer, Port};
use lychgate_testkit::{Dial, Ending, RawConnection, WebSocket, free_addr, free_addrs, free_udp_addr};
use std::net::SocketAddr;
use std::time::Duration;

const GET: &str = "GET /?hold=gate HTTP/1.1\r\nHost: a.example\r\n\r\n";

fn to_blue(backend: SocketAddr) -> String {
    service("blue", &[backend]) + &http_route("all", "[]", "    - backendRefs: [{name: blue, port: 80}]\n")
}

/// Waits until nobody listens any more.
async fn until_shut(address: SocketAddr) {
    while tokio::net::TcpStream::connect(address).await.is_ok() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn what_is_answered_at_the_end_says_that_the_connection_is_over() {
    let (blue, backend) = echo("blue").await;
    let address = free_addr();
    let site = Site::serve(&[("all.yaml", &(http_gateway(address.port()) + &to_blue(backend)))]).await;
    let mut held = RawConnection::open(&Dial::http1(address), "a.example").await.unwrap();
    held.send(GET).await.unwrap();
    blue.wait_held("gate", 1).await;
    // One is between two requests, and one has only just come.
    let mut used = RawConnection::open(&Dial::http1(address), "a.example").await.unwrap();
    used.send("GET / HTTP/1.1\r\nHost: a.example\r\n\r\n").await.unwrap();
    let answer = used.response().await.unwrap();
    assert_eq!((answer.status, answer.header("connection")), (200, Some("keep-alive")));
    let mut new = RawConnection::open(&Dial::http1(address), "a.example").await.unwrap();
    let mut silent = RawConnection::open(&Dial::http1(address), "a.example").await.unwrap();
    let (cut, ()) = tokio::join!(site.stop(), async {
        until_shut(address).await;
        // Both may still ask, once.
        for connection in [&mut used, &mut new] {
            connection.send("GET / HTTP/1.1\r\nHost: a.example\r\n\r\n").await.unwrap();
            let answer = connection.response().await.unwrap();
            assert_eq!((answer.status, answer.header("connection")), (200, Some("close")));
            assert_eq!(connection.to_end().await.unwrap(), (Vec::new(), Ending::Closed));
        }
        assert_eq!(silent.to_end().await.unwrap(), (Vec::new(), Ending::Closed));
        blue.release("gate");
        let answer = held.response().await.unwrap();
        assert_eq!((answer.status, answer.header("connection")), (200, Some("close")));
        assert_eq!(held.to_end().await.unwrap(), (Vec::new(), Ending::Closed));
    });
    assert_eq!(cut, 0);
}

/// One frame of HTTP/2: its type, flags and stream (RFC 9113 section 4.1), and what it carries.
async fn frame(connection: &mut RawConnection) -> (u8, u8, u32, Vec<u8>) {
    let head = connection.read_exact(9).await.unwrap();
    let length = usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2]);
    let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
    (head[3], head[4], stream, connection.read_exact(length).await.unwrap())
}

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const END_STREAM: u8 = 1;

#[tokio::test]
async fn http2_is_told_to_go_and_finishes_its_streams() {
    let (blue, backend) = echo("blue").await;
    let address = free_addr();
    let site = Site::serve(&[("all.yaml", &(http_gateway(address.port()) + &to_blue(backend)))]).await;
    let mut client = RawConnection::open(&Dial::http1(address), "a.example").await.unwrap();
    // The preface, empty settings, and GET http://a.example/?hold=gate as stream 1 (RFC 7541, without Huffman).
    let mut head = b"\x82\x86\x04\x0c/?hold=gate\x41\x09a.example".to_vec();
    head[3] = "/?hold=gate".len() as u8;
    let mut begin = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0".to_vec();
    begin.extend([0, 0, head.len() as u8, HEADERS, 0x5, 0, 0, 0, 1]);
    begin.extend(head);
    client.send(begin).await.unwrap();
    blue.wait_held("gate", 1).await;
    let (cut, ()) = tokio::join!(site.stop(), async {
        // Two words: nothing new, please (RFC 9113 section 6.8); and after a round trip what the last stream is.
        let mut last = Vec::new();
        let mut status = Vec::new();
        loop {
            match frame(&mut client).await {
                (GOAWAY, _, 0, payload) => {
                    assert_eq!(payload[4..8], [0; 4], "it is no error");
                    last.push(u32::from_be_bytes([payload[0], payload[1], payload[2], payload[3]]));
                    if last.len() == 2 {
                        blue.release("gate");
                    }
                }
                (PING, 0, 0, payload) => {
                    client.send([&[0, 0, 8, PING, 1, 0, 0, 0, 0], &*payload].concat()).await.unwrap();
                }
                (HEADERS, flags, 1, payload) => {
                    status = payload;
                    assert_eq!(flags & END_STREAM, 0);
                }
                (DATA, flags, 1, _) if flags & END_STREAM != 0 => break,
                _ => {}
            }
        }
        assert_eq!(last, [(1 << 31) - 1, 1]);
        assert_eq!(status[0], 0x88, ":status 200 in the static table");
        assert_eq!(client.to_end().await.unwrap().1, Ending::Closed);
    });
    assert_eq!(cut, 0);
}

#[tokio::test]
async fn streams_go_on_until_the_deadline_and_are_told_of() {
    let (_blue, backend) = echo("blue").await;
    let mirror = EchoServer::bind(EchoConfig::default().with_tcp(([127, 0, 0, 1], 0).into())).await.unwrap();
    let [http, tcp] = free_addrs();
    let files = gateway(&format!(
        "    - {{name: http, protocol: HTTP, port: {}}}\n    - {{name: tcp, protocol: TCP, port: {}}}\n",
        http.port(),
        tcp.port()
    )) + &to_blue(backend)
        + &service("mirror", &[mirror.local_addr(Port::Tcp).unwrap()])
        + &route("TCPRoute", "t", "tcp", "", "{name: mirror, port: 80}");
    let edit = |options: &mut lychgate_gateway::standalone::Options| options.drain = Duration::from_secs(3);
    let site = Site::try_serve_with(&[("all.yaml", &files)], edit).await.unwrap();
    assert!(site.report().is_clean(), "{:#}", site.report().to_value());
    let mut socket = WebSocket::open(&Dial::http1(http), "ws://a.example/").await.unwrap();
    let mut stays = RawConnection::open(&Dial::http1(tcp), "").await.unwrap();
    let mut ends = RawConnection::open(&Dial::http1(tcp), "").await.unwrap();
    let (cut, ()) = tokio::join!(site.stop(), async {
        until_shut(http).await;
        until_shut(tcp).await;
        assert_eq!(socket.ask("still here").await.unwrap(), "still here");
        for stream in [&mut stays, &mut ends] {
            stream.send("still").await.unwrap();
            assert_eq!(stream.read_exact(5).await.unwrap(), b"still");
        }
        ends.finish().await.unwrap();
        assert_eq!(ends.to_end().await.unwrap(), (Vec::new(), Ending::Closed));
        // Neither a close nor an error comes before the connection ends.
        while let Ok(Some(_)) = socket.next().await {}
        stays.to_end().await.unwrap();
    });
    assert_eq!(cut, 2);
}

#[tokio::test]
async fn flows_of_datagrams_get_their_answers() {
    let mirror = EchoServer::bind(EchoConfig::default().with_udp(([127, 0, 0, 1], 0).into())).await.unwrap();
    let udp = free_udp_addr();
    let http = free_addr();
    let files = gateway(&format!(
        "    - {{name: http, protocol: HTTP, port: {}}}\n    - {{name: udp, protocol: UDP, port: {}}}\n",
        http.port(),
        udp.port()
    )) + &udp_service("dns", &[mirror.local_addr(Port::Udp).unwrap()])
        + &route("UDPRoute", "dns", "udp", "", "{name: dns, port: 53}");
    let site = Site::serve(&[("all.yaml", &files)]).await;
    let flow = udp_client(udp).await;
    assert_eq!(ask_udp(&flow, "before").await, "before");
    let (cut, ()) = tokio::join!(site.stop(), async {
        until_shut(http).await;
        assert_eq!(ask_udp(&flow, "meanwhile").await, "meanwhile");
    });
    assert_eq!(cut, 0, "a flow in which nobody says anything is over");
}
