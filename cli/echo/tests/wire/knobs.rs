//! What a request can ask for.

use std::time::{Duration, Instant};

use ::http::{Request, StatusCode};
use lychgate_echo::{EchoReport, pattern};
use lychgate_testkit::{ClientError, Ending, Payload, RawConnection};

use crate::{h2c, http1, server};

#[tokio::test]
async fn status_and_headers() {
    let server = server().await;
    for dial in [http1(&server), h2c(&server)] {
        let reply = dial.get("http://a/?status=418&header=x-a:1&header=x-a:2&header=content-type:text/tea").await;
        let reply = reply.unwrap();
        assert_eq!(reply.status, StatusCode::IM_A_TEAPOT);
        let values: Vec<_> = reply.headers.get_all("x-a").iter().collect();
        assert_eq!(values, ["1", "2"]);
        assert_eq!(reply.header("content-type"), Some("text/tea"));
    }
    let request = Request::get("http://a/").header("x-echo-status", "503").body(Payload::Empty).unwrap();
    assert_eq!(http1(&server).send(request).await.unwrap().status, StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test]
async fn what_cannot_be_answers_400_and_says_so() {
    let server = server().await;
    let reply = http1(&server).get("http://a/?status=42").await.unwrap();
    assert_eq!(reply.status, StatusCode::BAD_REQUEST);
    assert!(reply.text().contains("status=42: wants a status from 200 to 599"), "{}", reply.text());
    let reply = http1(&server).get("http://a/?header=content-length:7").await.unwrap();
    assert_eq!(reply.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_body_of_any_size() {
    let server = server().await;
    for dial in [http1(&server), h2c(&server)] {
        for size in [0, 1, 16_380, 1_048_577] {
            let reply = dial.get(&format!("http://a/?size={size}")).await.unwrap();
            assert_eq!(reply.header("content-length").unwrap(), size.to_string());
            assert!(reply.body == pattern(size), "{size} bytes");
        }
    }
    assert_eq!(server.wait_for(|counts| counts.answered == 8).await.cancelled, 0);
}

#[tokio::test]
async fn chunks_come_one_by_one_and_trailers_after_them() {
    let server = server().await;
    let mut raw = RawConnection::open(&http1(&server), "a").await.unwrap();
    let start = Instant::now();
    raw.send("GET /?size=10&chunks=5&interval=20ms&trailers=1 HTTP/1.1\r\nHost: a\r\nTE: trailers\r\n\r\n")
        .await
        .unwrap();
    let response = raw.response().await.unwrap();
    assert!(start.elapsed() >= Duration::from_millis(80), "four pauses");
    assert_eq!(response.header("transfer-encoding"), Some("chunked"));
    assert_eq!(response.body, pattern(10));
    let trailers: Vec<_> = response.trailers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(trailers, [("x-echo-trailer", "done"), ("x-echo-body-bytes", "10")]);

    let reply = h2c(&server).get("http://a/?size=10&chunks=5&trailers=1").await.unwrap();
    assert_eq!(reply.trailers["x-echo-trailer"], "done");
    assert_eq!(reply.body, pattern(10));
}

#[tokio::test]
async fn delay_comes_before_the_headers() {
    let server = server().await;
    let start = Instant::now();
    http1(&server).get("http://a/?delay=50ms").await.unwrap();
    assert!(start.elapsed() >= Duration::from_millis(50));
}

#[tokio::test]
async fn abort_leaves_no_answer() {
    let server = server().await;
    let request = |query: &str| format!("GET /?{query} HTTP/1.1\r\nHost: a\r\n\r\n");

    let mut raw = RawConnection::open(&http1(&server), "a").await.unwrap();
    raw.send(request("abort=1")).await.unwrap();
    assert_eq!(raw.to_end().await.unwrap(), (Vec::new(), Ending::Closed));

    let mut raw = RawConnection::open(&http1(&server), "a").await.unwrap();
    raw.send(request("abort=reset")).await.unwrap();
    assert_eq!(raw.to_end().await.unwrap(), (Vec::new(), Ending::Reset));

    let mut raw = RawConnection::open(&http1(&server), "a").await.unwrap();
    raw.send(request("abort=body&size=100")).await.unwrap();
    let (got, ending) = raw.to_end().await.unwrap();
    let got = String::from_utf8(got).unwrap();
    let (head, body) = got.split_once("\r\n\r\n").unwrap();
    assert!(head.contains("content-length: 100"), "{head}");
    assert_eq!((body.len(), ending), (50, Ending::Closed));

    let counts = server.wait_for(|counts| counts.aborted == 3).await;
    assert_eq!((counts.answered, counts.cancelled), (0, 0));
}

#[tokio::test]
async fn abort_on_http2_spares_the_other_streams() {
    let server = server().await;
    let mut connection = h2c(&server).connect("a").await.unwrap();
    assert!(matches!(connection.get("http://a/?abort=1").await, Err(ClientError::Broken(_))));
    let report: EchoReport = connection.get("http://a/").await.unwrap().json();
    assert_eq!(report.connection, 1);
    let request = Request::get("http://a/?abort=body&size=100").body(Payload::Empty).unwrap();
    let head = connection.begin(request).await.unwrap();
    assert_eq!(head.status(), StatusCode::OK);
    assert!(http_body_util::BodyExt::collect(head.into_body()).await.is_err());
    // A reset ends them all.
    assert!(connection.get("http://a/?abort=reset").await.is_err());
    assert!(connection.get("http://a/").await.is_err());
}

#[tokio::test]
async fn the_first_so_many_of_a_key_fail() {
    let server = server().await;
    let mut connection = http1(&server).connect("a").await.unwrap();
    let mut statuses = Vec::new();
    for url in ["?fail=2&key=k", "?fail=2&key=k", "?fail=1&key=other&status=500", "?fail=2&key=k", "?fail=2&key=k"] {
        statuses.push(connection.get(&format!("http://a/{url}")).await.unwrap().status.as_u16());
    }
    assert_eq!(statuses, [503, 503, 500, 200, 200]);
    let start = Instant::now();
    let url = "http://a/?fail=1&key=slow&delay=40ms";
    assert_eq!(connection.get(url).await.unwrap().status.as_u16(), 503);
    assert!(start.elapsed() >= Duration::from_millis(40));
    assert!(http1(&server).get("http://a/?fail=1&key=gone&abort=1").await.is_err());
    assert_eq!(http1(&server).get("http://a/?fail=1&key=gone&abort=1").await.unwrap().status.as_u16(), 200);
}

#[tokio::test]
async fn the_conformance_suites_retries() {
    let server = server().await;
    let url = "http://a/retry/x?uuid=u&succeedAfter=1";
    assert!(http1(&server).get(url).await.is_err(), "a TCP reset");
    let report: EchoReport = http1(&server).get(url).await.unwrap().json();
    assert_eq!(report.path, "/retry/x?uuid=u&succeedAfter=1");
    assert_eq!(http1(&server).get("http://a/status/502").await.unwrap().status.as_u16(), 502);
    let request = Request::get("http://a/").header("X-Echo-Set-Header", "x-b:1,x-c:2").body(Payload::Empty).unwrap();
    let reply = http1(&server).send(request).await.unwrap();
    assert_eq!((reply.header("x-b"), reply.header("x-c")), (Some("1"), Some("2")));
}

#[tokio::test]
async fn held_requests_wait_for_their_gate() {
    let server = server().await;
    let dials = [http1(&server), h2c(&server)];
    let held = dials.map(|dial| tokio::spawn(async move { dial.get("http://a/?hold=gate").await }));
    server.wait_held("gate", 2).await;
    assert_eq!(server.held("gate"), 2);
    assert_eq!(server.counts().answered, 0);
    server.release("gate");
    for request in held {
        assert_eq!(request.await.unwrap().unwrap().status, StatusCode::OK);
    }
    assert_eq!(http1(&server).get("http://a/?hold=gate").await.unwrap().status, StatusCode::OK, "open for good");

    server.shut("gate");
    let again = tokio::spawn({
        let dial = http1(&server);
        async move { dial.get("http://a/?hold=gate").await }
    });
    server.wait_held("gate", 1).await;
    server.release("gate");
    assert_eq!(again.await.unwrap().unwrap().status, StatusCode::OK);
}

#[tokio::test]
async fn half_a_body_waits_at_its_gate() {
    let server = server().await;
    let mut connection = http1(&server).connect("a").await.unwrap();
    let request = Request::get("http://a/?hold-body=middle&size=100").body(Payload::Empty).unwrap();
    let response = connection.begin(request).await.unwrap();
    let mut body = response.into_body();
    let half = http_body_util::BodyExt::frame(&mut body).await.unwrap().unwrap().into_data().unwrap();
    assert_eq!(half.len(), 50);
    server.wait_held("middle", 1).await;
    server.release("middle");
    let rest = http_body_util::BodyExt::collect(body).await.unwrap().to_bytes();
    assert_eq!(rest.len(), 50);
}

#[tokio::test]
async fn a_client_that_goes_away_is_seen() {
    let server = server().await;
    for (cancelled, dial) in [(1, http1(&server)), (2, h2c(&server))] {
        let request = tokio::spawn(async move { dial.get("http://a/?hold=never").await });
        server.wait_held("never", 1).await;
        request.abort();
        server.wait_for(|counts| counts.cancelled == cancelled).await;
        assert_eq!(server.held("never"), 0);
    }
}

#[tokio::test]
async fn an_answer_need_not_wait_for_the_body() {
    let server = server().await;
    let mut raw = RawConnection::open(&http1(&server), "a").await.unwrap();
    raw.send("POST /?read=0&status=403 HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\nonly this").await.unwrap();
    assert_eq!(raw.response().await.unwrap().status, 403);
    assert_eq!(server.counts().bodies, 0);
}
