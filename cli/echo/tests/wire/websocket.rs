//! WebSocket over an HTTP/1.1 upgrade.

use lychgate_echo::{EchoConfig, EchoServer, Kind, Port};
use lychgate_testkit::{Authority, ClientError, ClientTls, Dial, WebSocket, server_tls};
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::{addr, any, http1, server};

#[tokio::test]
async fn messages_come_back_as_they_came() {
    let server = server().await;
    let mut socket = WebSocket::open(&http1(&server), "ws://chat.example/room?x=y").await.unwrap();
    assert_eq!(socket.handshake.headers()["x-echo-pod"], "one");
    assert_eq!(socket.ask("hello").await.unwrap(), "hello");
    let binary = Message::binary(vec![0, 255, 7]);
    socket.send(binary.clone()).await.unwrap();
    assert_eq!(socket.next().await.unwrap(), Some(binary));
    socket.send(Message::Ping("are you there".into())).await.unwrap();
    assert_eq!(socket.next().await.unwrap(), Some(Message::Pong("are you there".into())));
    let large = "x".repeat(1 << 20);
    assert_eq!(socket.ask(&large).await.unwrap(), large);
    socket.close().await.unwrap();

    let counts = server.wait_for(|counts| counts.answered == 1).await;
    assert_eq!((counts.messages, counts.cancelled), (3, 0));
    let recorded = server.nth_request(1).await.unwrap();
    assert_eq!((recorded.kind, recorded.report.path.as_str()), (Kind::WebSocket, "/room?x=y"));
}

#[tokio::test]
async fn the_first_protocol_offered_is_taken() {
    let server = server().await;
    let headers = [("sec-websocket-protocol", "v2.chat, v1.chat")];
    let socket = WebSocket::open_with_headers(&http1(&server), "ws://chat.example/", &headers).await.unwrap();
    assert_eq!(socket.handshake.headers()["sec-websocket-protocol"], "v2.chat");
}

#[tokio::test]
async fn it_works_under_tls() {
    let ca = Authority::new("ca");
    let config = EchoConfig::default().with_https(any(), server_tls(&ca.server(&["chat.example"])));
    let server = EchoServer::bind(config).await.unwrap();
    let dial = Dial::tls(addr(&server, Port::Https), &ClientTls::trusting(&ca).alpn(&["http/1.1"]));
    let mut socket = WebSocket::open(&dial, "wss://chat.example/").await.unwrap();
    assert_eq!(socket.ask("hello").await.unwrap(), "hello");
}

#[tokio::test]
async fn a_handshake_can_be_refused() {
    let server = server().await;
    match WebSocket::open(&http1(&server), "ws://chat.example/?status=403").await {
        Err(ClientError::WebSocket(error)) => match *error {
            Error::Http(response) => assert_eq!(response.status().as_u16(), 403),
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_client_that_breaks_off_is_seen() {
    let server = server().await;
    let socket = WebSocket::open(&http1(&server), "ws://chat.example/").await.unwrap();
    drop(socket);
    server.wait_for(|counts| counts.cancelled == 1).await;
}

#[tokio::test]
async fn a_shutdown_says_goodbye() {
    let server = server().await;
    let mut socket = WebSocket::open(&http1(&server), "ws://chat.example/").await.unwrap();
    assert_eq!(socket.ask("hello").await.unwrap(), "hello");
    let stopping = tokio::spawn(server.shutdown());
    match socket.next().await.unwrap() {
        Some(Message::Close(Some(frame))) => assert_eq!(u16::from(frame.code), 1001),
        other => panic!("{other:?}"),
    }
    drop(socket);
    stopping.await.unwrap();
}
