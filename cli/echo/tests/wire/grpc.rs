//! gRPC over h2c and over TLS.

use lychgate_echo::grpc::{EchoResponse, Message as _};
use lychgate_echo::{EchoConfig, EchoServer, Kind, Port};
use lychgate_testkit::grpc::{call, framed, request, unframed};
use lychgate_testkit::{Authority, ClientTls, Dial, Payload, server_tls};

use crate::{addr, any, h2c, http1, server};

const CONFORMANCE: &str = "http://grpc.example/gateway_api_conformance.echo_basic.grpcecho.GrpcEcho";
const GENERIC: &str = "http://grpc.example/lychgate.echo.v1.Echo";

#[tokio::test]
async fn the_conformance_service_tells_what_arrived() {
    let server = server().await;
    let mut connection = h2c(&server).connect("grpc.example").await.unwrap();
    for method in ["Echo", "EchoTwo"] {
        let reply =
            call(&mut connection, &format!("{CONFORMANCE}/{method}"), &[("x-key", "value")], b"").await.unwrap();
        assert_eq!((reply.http_status.as_u16(), reply.status), (200, Some(0)));
        assert_eq!(reply.trailers["grpc-status"], "0");
        let [message] = reply.messages.as_slice() else { panic!("one message: {reply:?}") };
        let told = EchoResponse::decode(message.clone()).unwrap();
        assert!(told.request.is_some());
        let told = told.assertions.unwrap();
        assert_eq!(
            told.fully_qualified_method,
            format!("/gateway_api_conformance.echo_basic.grpcecho.GrpcEcho/{method}")
        );
        assert_eq!(told.authority, "grpc.example");
        assert_eq!(told.context.unwrap().pod, "one");
        assert!(told.headers.iter().any(|header| header.key == "x-key" && header.value == "value"));
        assert!(told.tls_assertions.is_none());
    }
    assert_eq!(server.nth_request(1).await.unwrap().kind, Kind::Grpc);
}

#[tokio::test]
async fn tls_is_told_too() {
    let ca = Authority::new("ca");
    let config = EchoConfig::default().with_https(any(), server_tls(&ca.server(&["grpc.example"])));
    let server = EchoServer::bind(config).await.unwrap();
    let dial = Dial::tls(addr(&server, Port::Https), &ClientTls::trusting(&ca));
    let mut connection = dial.connect("grpc.example").await.unwrap();
    let method = format!("{CONFORMANCE}/Echo").replace("http:", "https:");
    let reply = call(&mut connection, &method, &[], b"").await.unwrap();
    let told = EchoResponse::decode(reply.messages[0].clone()).unwrap().assertions.unwrap();
    let tls = told.tls_assertions.unwrap();
    assert_eq!((tls.server_name.as_str(), tls.negotiated_protocol.as_str()), ("grpc.example", "h2"));
}

#[tokio::test]
async fn what_is_not_there_is_unimplemented() {
    let server = server().await;
    let mut connection = h2c(&server).connect("grpc.example").await.unwrap();
    for method in [format!("{CONFORMANCE}/EchoThree"), "http://grpc.example/no.Such/Method".to_owned()] {
        let reply = call(&mut connection, &method, &[], b"").await.unwrap();
        assert_eq!((reply.http_status.as_u16(), reply.status), (200, Some(12)));
        assert!(reply.messages.is_empty());
    }
    assert_eq!(server.wait_for(|counts| counts.answered == 2).await.cancelled, 0);
}

#[tokio::test]
async fn any_message_comes_back() {
    let server = server().await;
    let mut connection = h2c(&server).connect("grpc.example").await.unwrap();
    let message = vec![7; 100_000];
    let reply =
        call(&mut connection, &format!("{GENERIC}/Unary"), &[("x-echo-trailers", "1")], &message).await.unwrap();
    assert_eq!(reply.status, Some(0));
    assert_eq!(reply.trailers["x-echo-trailer"], "done");
    assert_eq!(reply.messages, [message]);
}

#[tokio::test]
async fn a_stream_goes_both_ways_at_once() {
    let server = server().await;
    let mut connection = h2c(&server).connect("grpc.example").await.unwrap();
    let (feed, payload) = Payload::fed();
    let response = connection.begin(request(&format!("{GENERIC}/Stream"), payload).unwrap()).await.unwrap();
    let mut body = response.into_body();
    for message in ["one", "two", "three"] {
        assert!(feed.data(framed(message.as_bytes())).await);
        let frame = http_body_util::BodyExt::frame(&mut body).await.unwrap().unwrap();
        assert_eq!(unframed(frame.into_data().unwrap()), [message]);
    }
    drop(feed);
    let frame = http_body_util::BodyExt::frame(&mut body).await.unwrap().unwrap();
    assert_eq!(frame.into_trailers().unwrap()["grpc-status"], "0");
    server.wait_for(|counts| counts.answered == 1).await;
}

#[tokio::test]
async fn calls_fail_when_asked_to() {
    let server = server().await;
    let mut connection = h2c(&server).connect("grpc.example").await.unwrap();
    let method = format!("{CONFORMANCE}/Echo");
    let reply = call(&mut connection, &method, &[("x-echo-grpc-status", "7")], b"").await.unwrap();
    assert_eq!((reply.status, reply.message.as_str()), (Some(7), "the request asked for it"));

    let failing = [("x-echo-fail", "1"), ("x-echo-key", "k")];
    assert_eq!(call(&mut connection, &method, &failing, b"").await.unwrap().status, Some(14));
    assert_eq!(call(&mut connection, &method, &failing, b"").await.unwrap().status, Some(0));

    let reply = call(&mut connection, &method, &[("x-echo-status", "503")], b"").await.unwrap();
    assert_eq!((reply.http_status.as_u16(), reply.status), (503, None));
    assert!(call(&mut connection, &method, &[("x-echo-abort", "1")], b"").await.is_err());
}

#[tokio::test]
async fn half_a_message_is_an_invalid_argument_and_http1_no_grpc() {
    let server = server().await;
    let mut connection = h2c(&server).connect("grpc.example").await.unwrap();
    let broken = request(&format!("{GENERIC}/Unary"), framed(b"whole").slice(..7)).unwrap();
    let reply = connection.send(broken).await.unwrap();
    assert_eq!(reply.header("grpc-status"), Some("3"));
    assert_eq!(reply.header("grpc-message"), Some("a unary call carries one message, not less than one"));

    let over_http1 = request(&format!("{GENERIC}/Unary"), framed(b"whole")).unwrap();
    assert_eq!(http1(&server).send(over_http1).await.unwrap().status.as_u16(), 505);
}

#[tokio::test]
async fn calls_of_all_four_kinds_are_answered() {
    let server = server().await;
    let mut connection = h2c(&server).connect("grpc.example").await.unwrap();
    let three = [framed(b"a"), framed(b"b"), framed(b"c")].concat();
    for (method, sent, answered) in [
        ("Unary", framed(b"abc").to_vec(), vec!["abc"]),
        ("Collect", three.clone(), vec!["abc"]),
        ("Repeat", framed(b"x").to_vec(), vec!["x"; 3]),
        ("Stream", three, vec!["a", "b", "c"]),
    ] {
        let reply = connection.send(request(&format!("{GENERIC}/{method}"), sent).unwrap()).await.unwrap();
        assert_eq!(reply.trailers["grpc-status"], "0", "{method}");
        assert_eq!(unframed(reply.body), answered, "{method}");
    }
}
