//! What a client is told over HTTP/1.1 and h2c.

use ::http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Version};
use lychgate_echo::{EchoReport, Kind};
use lychgate_testkit::{Payload, RawConnection};

use crate::{h2c, http1, server};

#[tokio::test]
async fn a_report_says_what_arrived() {
    let server = server().await;
    for (dial, proto, version) in
        [(http1(&server), "HTTP/1.1", Version::HTTP_11), (h2c(&server), "HTTP/2.0", Version::HTTP_2)]
    {
        let request = Request::put("http://shop.example:8080/a/b?c=d&c=e")
            .header("x-twice", "one")
            .header("x-twice", "two")
            .body("hello")
            .unwrap();
        let reply = dial.send(request).await.unwrap();
        assert_eq!((reply.status, reply.version), (StatusCode::OK, version));
        assert_eq!(reply.header("content-type"), Some("application/json"));
        assert_eq!(reply.header("x-echo-pod"), Some("one"));
        let report: EchoReport = reply.json();
        assert_eq!(report.path, "/a/b?c=d&c=e");
        assert_eq!(report.host, "shop.example:8080");
        assert_eq!(report.method, "PUT");
        assert_eq!(report.proto, proto);
        assert_eq!(report.headers["X-Twice"], ["one", "two"]);
        assert_eq!(report.header("x-TWICE"), ["one", "two"]);
        assert!(!report.headers.contains_key("Host"));
        assert_eq!(report.http_port, dial.addr().port().to_string());
        assert_eq!((report.identity.namespace.as_str(), report.identity.pod.as_str()), ("default", "one"));
        assert_eq!(report.tls, None);
        assert_eq!(report.body_bytes, Some(5));
    }
}

#[tokio::test]
async fn the_report_has_the_names_that_the_conformance_suite_reads() {
    let server = server().await;
    let report: serde_json::Value = http1(&server).get("http://a.example/x").await.unwrap().json();
    for name in ["path", "host", "method", "proto", "headers", "httpPort", "namespace", "ingress", "service", "pod"] {
        assert!(report.get(name).is_some(), "{name} is missing in {report}");
    }
}

#[tokio::test]
async fn connections_and_requests_are_numbered() {
    let server = server().await;
    let mut kept = http1(&server).connect("a.example").await.unwrap();
    let first: EchoReport = kept.get("http://a.example/1").await.unwrap().json();
    let second: EchoReport = kept.get("http://a.example/2").await.unwrap().json();
    assert_eq!(first.client, kept.local_addr());
    assert_eq!((first.connection, first.request), (1, 1));
    assert_eq!((second.connection, second.request), (1, 2));
    let third: EchoReport = http1(&server).get("http://a.example/3").await.unwrap().json();
    assert_eq!((third.connection, third.request), (2, 3));
}

#[tokio::test]
async fn requests_are_recorded_with_their_bodies_and_trailers() {
    let server = server().await;
    let trailers =
        HeaderMap::from_iter([(::http::HeaderName::from_static("x-checksum"), HeaderValue::from_static("abc"))]);
    let request = Request::post("http://a.example/upload").body(Payload::Trailed("body".into(), trailers)).unwrap();
    let report: EchoReport = h2c(&server).send(request).await.unwrap().json();
    assert_eq!(report.trailers["X-Checksum"], ["abc"]);

    let recorded = server.nth_request(1).await.unwrap();
    assert_eq!(recorded.kind, Kind::Http);
    assert_eq!(recorded.report.path, "/upload");
    let body = recorded.body().unwrap();
    assert_eq!((body.size, body.start.as_ref()), (4, b"body".as_ref()));
    assert_eq!(body.trailers["x-checksum"], "abc");
    assert_eq!(server.counts().answered, 1);
}

#[tokio::test]
async fn the_record_is_bounded_and_the_count_is_not() {
    let config = lychgate_echo::EchoConfig::loopback().with_recorded(2);
    let server = lychgate_echo::EchoServer::bind(config).await.unwrap();
    let mut kept = http1(&server).connect("a.example").await.unwrap();
    for n in 1..=5 {
        kept.get(&format!("http://a.example/{n}")).await.unwrap();
    }
    let numbers: Vec<u64> = server.requests().iter().map(|recorded| recorded.number).collect();
    assert_eq!(numbers, [4, 5]);
    assert_eq!(server.counts().requests, 5);
    assert!(server.nth_request(1).await.is_none());
}

#[tokio::test]
async fn head_has_the_length_and_no_body() {
    let server = server().await;
    let mut raw = RawConnection::open(&http1(&server), "a.example").await.unwrap();
    raw.send("HEAD /?size=1000 HTTP/1.1\r\nHost: a.example\r\n\r\n").await.unwrap();
    let head = raw.response_to_head().await.unwrap();
    assert_eq!((head.status, head.header("content-length")), (200, Some("1000")));
    raw.send("GET /?status=204 HTTP/1.1\r\nHost: a.example\r\n\r\n").await.unwrap();
    assert_eq!(raw.response().await.unwrap().status, 204);
    assert_eq!(server.wait_for(|counts| counts.answered == 2).await.cancelled, 0);
}

#[tokio::test]
async fn a_body_streams_back_as_it_comes() {
    let server = server().await;
    for dial in [http1(&server), h2c(&server)] {
        let (feed, payload) = Payload::fed();
        let request = Request::post("http://a.example/?echo=body")
            .header("content-type", "text/plain")
            .header("te", "trailers")
            .header("trailer", "x-end")
            .body(payload)
            .unwrap();
        let mut connection = dial.connect("a.example").await.unwrap();
        let response = connection.begin(request).await.unwrap();
        assert_eq!(response.headers()["content-type"], "text/plain");
        let mut body = response.into_body();
        for piece in ["first", "second"] {
            assert!(feed.data(piece).await);
            let frame = http_body_util::BodyExt::frame(&mut body).await.unwrap().unwrap();
            assert_eq!(frame.into_data().unwrap(), piece);
        }
        let trailers =
            HeaderMap::from_iter([(::http::HeaderName::from_static("x-end"), HeaderValue::from_static("yes"))]);
        assert!(feed.trailers(trailers).await);
        let frame = http_body_util::BodyExt::frame(&mut body).await.unwrap().unwrap();
        assert_eq!(frame.into_trailers().unwrap()["x-end"], "yes");
    }
    assert_eq!(server.wait_for(|counts| counts.answered == 2).await.bodies, 2);
}

#[tokio::test]
async fn a_connect_is_refused() {
    let server = server().await;
    let mut raw = RawConnection::open(&http1(&server), "").await.unwrap();
    raw.send("CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\n\r\n").await.unwrap();
    assert_eq!(raw.response().await.unwrap().status, 405);
}

#[tokio::test]
async fn methods_of_any_name_are_told() {
    let server = server().await;
    let request = Request::builder()
        .method(Method::from_bytes(b"BREW").unwrap())
        .uri("http://a.example/pot")
        .body(Payload::Empty)
        .unwrap();
    let report: EchoReport = http1(&server).send(request).await.unwrap().json();
    assert_eq!(report.method, "BREW");
}

#[tokio::test]
async fn many_requests_share_an_http2_connection() {
    let server = server().await;
    let mut connection = h2c(&server).connect("a.example").await.unwrap();
    assert!(connection.is_http2());
    let mut other = connection.multiplexed().unwrap();
    let held = tokio::spawn(async move { other.get("http://a.example/?hold=gate").await });
    server.wait_held("gate", 1).await;
    let meanwhile: EchoReport = connection.get("http://a.example/").await.unwrap().json();
    server.release("gate");
    let held: EchoReport = held.await.unwrap().unwrap().json();
    assert_eq!((meanwhile.connection, held.connection), (1, 1));
    assert!(http1(&server).connect("a.example").await.unwrap().multiplexed().is_none());
}

#[tokio::test]
async fn a_request_that_breaks_off_is_never_answered() {
    let server = server().await;
    for (cancelled, dial) in [(1, http1(&server)), (2, h2c(&server))] {
        let (feed, payload) = Payload::fed();
        let request = Request::post("http://a.example/").body(payload).unwrap();
        let mut connection = dial.connect("a.example").await.unwrap();
        let answer = tokio::spawn(async move { connection.send(request).await });
        assert!(feed.data("half").await);
        server.wait_for(|counts| counts.requests == cancelled).await;
        assert!(feed.abort().await);
        assert!(answer.await.unwrap().is_err());
        server.wait_for(|counts| counts.cancelled == cancelled).await;
    }
    assert_eq!(server.counts().bodies, 0);
}

#[tokio::test]
async fn a_connection_closes_when_the_answer_says_so() {
    let server = server().await;
    let mut kept = http1(&server).connect("a.example").await.unwrap();
    kept.get("http://a.example/?header=connection:close").await.unwrap();
    server.wait_for(|counts| counts.closed == 1).await;
    assert!(kept.get("http://a.example/").await.is_err());
}
