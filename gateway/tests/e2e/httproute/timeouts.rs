//! Timeouts: 504 before the response begins, a cut after it.

use super::bed::{pod, send, serve};
use crate::support::{Site, echo, gateway, http_route, service_speaking};
use bytes::Bytes;
use http::Request;
use http_body_util::BodyExt;
use lychgate_testkit::{Authority, ClientError, ClientTls, Dial, Ending, Payload, RawConnection, free_addr};
use std::time::{Duration, Instant};

/// Far longer than a timeout of these tests takes on a busy machine.
const SOON: Duration = Duration::from_secs(5);

fn rule(timeouts: &str) -> String {
    format!("    - timeouts: {{{timeouts}}}\n      backendRefs: [{{name: it, port: 80}}]\n")
}

#[tokio::test]
async fn a_backend_that_does_not_answer_is_504_at_the_request_timeout() {
    for protocol in [None, Some("kubernetes.io/h2c")] {
        let (it, address) = echo("it").await;
        let services = service_speaking("it", protocol, &[address]);
        let (_site, at) = serve(&(services + &http_route("it", "[]", &rule("request: 200ms")))).await;
        for dial in [Dial::http1(at), Dial::h2c(at)] {
            let begun = Instant::now();
            let reply = dial.get("http://a.example/?hold=never").await.unwrap();
            assert_eq!(reply.status, 504);
            assert!(reply.text().contains("timeout"), "{}", reply.text());
            let took = begun.elapsed();
            assert!(took >= Duration::from_millis(200) && took < SOON, "{took:?}");
        }
        // Upstream work that nobody waits for is cancelled.
        it.wait_for(|counts| counts.cancelled == 2).await;
    }
}

#[tokio::test]
async fn a_backend_that_does_not_answer_is_504_at_the_backend_timeout() {
    let (it, services) = pod("it").await;
    let (_site, at) = serve(&(services + &http_route("it", "[]", &rule("backendRequest: 200ms, request: 1m")))).await;
    let begun = Instant::now();
    assert_eq!(send(at, "GET", "http://a.example/?hold=never", &[]).await.status, 504);
    let took = begun.elapsed();
    assert!(took >= Duration::from_millis(200) && took < SOON, "{took:?}");
    it.wait_for(|counts| counts.cancelled == 1).await;
}

#[tokio::test]
async fn what_is_in_time_is_served_and_0_is_no_timeout() {
    let (_it, services) = pod("it").await;
    let routes = http_route("it", "[a.example]", &rule("request: 20s, backendRequest: 20s"))
        + &http_route("none", "[none.example]", &rule("request: 0s, backendRequest: 0ms"));
    let (site, at) = serve(&(services + &routes)).await;
    assert!(site.report().is_clean(), "{:#}", site.report().to_value());
    for host in ["a.example", "none.example"] {
        let reply = send(at, "GET", &format!("http://{host}/?delay=100ms&size=1000&chunks=3&interval=10ms"), &[]).await;
        assert_eq!((reply.status.as_u16(), reply.body.len()), (200, 1000));
    }
}

#[tokio::test]
async fn a_response_that_has_begun_is_cut_at_the_timeout() {
    for timeouts in ["request: 300ms", "backendRequest: 300ms"] {
        let (it, services) = pod("it").await;
        let (_site, at) = serve(&(services + &http_route("it", "[]", &rule(timeouts)))).await;
        let mut http1 = Dial::http1(at).connect("a.example").await.unwrap();
        let begun = Instant::now();
        let error = http1.get("http://a.example/?size=100000&hold-body=never").await.unwrap_err();
        assert!(matches!(error, ClientError::Broken(_)), "{error}");
        assert!(begun.elapsed() < SOON);

        // Over HTTP/2 it is the stream that ends, not the connection.
        let mut http2 = Dial::h2c(at).connect("a.example").await.unwrap();
        let mut other = http2.multiplexed().unwrap();
        let error = http2.get("http://a.example/?size=100000&hold-body=never").await.unwrap_err();
        assert!(matches!(error, ClientError::Broken(_)), "{error}");
        assert_eq!(other.get("http://a.example/").await.unwrap().status, 200);
        it.wait_for(|counts| counts.cancelled == 2).await;
    }
}

#[tokio::test]
async fn a_response_that_trickles_is_cut_at_the_timeout_too() {
    let (_it, services) = pod("it").await;
    let (_site, at) = serve(&(services + &http_route("it", "[]", &rule("request: 300ms")))).await;
    let begun = Instant::now();
    // A piece every 50 ms for 50 s: no single pause is too long.
    let error = Dial::http1(at).get("http://a.example/?size=100000&chunks=1000&interval=50ms").await.unwrap_err();
    assert!(matches!(error, ClientError::Broken(_)), "{error}");
    assert!(begun.elapsed() < SOON);
}

#[tokio::test]
async fn an_upload_that_stalls_is_504_at_the_timeout() {
    let (it, services) = pod("it").await;
    let (_site, at) = serve(&(services + &http_route("it", "[]", &rule("request: 300ms")))).await;
    for (n, dial) in (1..).zip([Dial::http1(at), Dial::h2c(at)]) {
        let mut connection = dial.connect("a.example").await.unwrap();
        let (feed, payload) = Payload::fed();
        let request = Request::post("http://a.example/").body(payload).unwrap();
        let answer =
            tokio::spawn(async move { connection.begin(request).await.map(|response| (response, connection)) });
        assert!(feed.data("half").await);
        it.wait_for(|counts| counts.requests == n).await;
        let begun = Instant::now();
        let (response, _connection) = tokio::time::timeout(SOON, answer).await.unwrap().unwrap().unwrap();
        assert_eq!(response.status(), 504);
        assert!(begun.elapsed() < SOON);
        drop(feed);
    }
}

#[tokio::test]
async fn an_upload_that_trickles_is_504_at_the_timeout() {
    let (_it, services) = pod("it").await;
    let (_site, at) = serve(&(services + &http_route("it", "[]", &rule("request: 300ms")))).await;
    for dial in [Dial::http1(at), Dial::h2c(at)] {
        let mut connection = dial.connect("a.example").await.unwrap();
        let (feed, payload) = Payload::fed();
        let feeding = tokio::spawn(async move {
            while feed.data("piece").await {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        });
        let request = Request::post("http://a.example/").body(payload).unwrap();
        let response = tokio::time::timeout(SOON, connection.begin(request)).await.unwrap().unwrap();
        assert_eq!(response.status(), 504);
        let body = response.into_body().collect().await.unwrap().to_bytes();
        assert!(String::from_utf8_lossy(&body).contains("timeout"));
        drop(connection);
        feeding.await.unwrap();
    }
}

#[tokio::test]
async fn time_spent_on_a_slow_upload_counts() {
    let (it, services) = pod("it").await;
    let (_site, at) = serve(&(services + &http_route("it", "[]", &rule("request: 1s")))).await;
    let mut connection = RawConnection::open(&Dial::http1(at), "a.example").await.unwrap();
    let begun = Instant::now();
    connection.send("POST /?hold=never HTTP/1.1\r\nHost: a.example\r\nContent-Length: 8\r\n\r\nhalf").await.unwrap();
    it.wait_for(|counts| counts.requests == 1).await;
    tokio::time::sleep(Duration::from_millis(700).saturating_sub(begun.elapsed())).await;
    connection.send("half").await.unwrap();
    let reply = connection.response().await.unwrap();
    assert_eq!(reply.status, 504);
    let took = begun.elapsed();
    // Anew after the upload it would be 1700 ms.
    assert!(took >= Duration::from_millis(1000) && took < Duration::from_millis(1500), "{took:?}");
}

#[tokio::test]
async fn a_backend_that_does_not_read_the_upload_is_504_at_the_timeout() {
    let (it, services) = pod("it").await;
    let (_site, at) = serve(&(services + &http_route("it", "[]", &rule("request: 300ms")))).await;
    for dial in [Dial::http1(at), Dial::h2c(at)] {
        // More than sockets hold.
        let body = Bytes::from(vec![b'x'; 32 << 20]);
        let request = Request::post("http://a.example/?echo=body&hold=never").body(Payload::Whole(body)).unwrap();
        let mut connection = dial.connect("a.example").await.unwrap();
        let response = tokio::time::timeout(SOON, connection.begin(request)).await.unwrap().unwrap();
        assert_eq!(response.status(), 504);
    }
    it.release("never");
    it.wait_for(|counts| counts.cancelled == 2).await;
}

#[tokio::test]
async fn a_timeout_covers_connecting() {
    // A socket that is bound and does not listen refuses; one whose queue is full says nothing at all.
    let full = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = full.local_addr().unwrap();
    let mut waiting = Vec::new();
    loop {
        let connecting = tokio::net::TcpStream::connect(address);
        match tokio::time::timeout(Duration::from_millis(100), connecting).await {
            Ok(connected) => waiting.push(connected.unwrap()),
            Err(_) => break,
        }
    }
    let services = crate::support::service("it", &[address]);
    let (_site, at) = serve(&(services + &http_route("it", "[]", &rule("request: 300ms")))).await;
    let begun = Instant::now();
    assert_eq!(send(at, "GET", "http://a.example/", &[]).await.status, 504);
    assert!(begun.elapsed() < SOON);
}

#[tokio::test]
async fn over_tls_a_slow_upload_is_504_at_the_timeout_too() {
    let (it, address) = echo("it").await;
    let authority = Authority::new("test");
    let at = free_addr();
    let listener = format!(
        "    - {{name: https, protocol: HTTPS, port: {}, tls: {{certificateRefs: [{{name: cert}}]}}}}\n",
        at.port()
    );
    let secret = authority.server(&["a.example"]).secret("default", "cert");
    let services = service_speaking("it", None, &[address]);
    let files = gateway(&listener) + &secret + "---\n" + &services + &http_route("it", "[]", &rule("request: 300ms"));
    let _site = Site::serve(&[("all.yaml", &files)]).await;
    let dial = Dial::tls(at, &ClientTls::trusting(&authority).alpn(&["http/1.1"]));
    let mut connection = RawConnection::open(&dial, "a.example").await.unwrap();
    connection
        .send("POST / HTTP/1.1\r\nHost: a.example\r\nAccept: application/json\r\nX-Request-Id: my-id\r\nContent-Length: 8\r\n\r\nhalf")
        .await
        .unwrap();
    it.wait_for(|counts| counts.requests == 1).await;
    let reply = connection.response().await.unwrap();
    assert_eq!((reply.status, reply.header("connection")), (504, Some("close")));
    assert_eq!(reply.header("x-request-id"), Some("my-id"));
    assert!(reply.text().contains("\"reason\":\"timeout\"") && reply.text().contains("my-id"), "{}", reply.text());
    let (rest, ending) = connection.to_end().await.unwrap();
    assert_eq!((rest.len(), ending), (0, Ending::Closed));
}
