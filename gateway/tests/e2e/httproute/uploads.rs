//! Bodies both ways: large, chunked, unread, announced with `Expect`.

use super::bed::{pod, serve};
use crate::support::{echo, http_route, service_speaking};
use bytes::Bytes;
use http::Request;
use lychgate_echo::{EchoReport, pattern};
use lychgate_testkit::{Dial, Ending, Payload, RawConnection};

const RULE: &str = "    - backendRefs: [{name: it, port: 80}]\n";
const ONLY_HERE: &str = "    - matches: [{path: {value: /here}}]\n      backendRefs: [{name: it, port: 80}]\n";
/// Where requests are answered before their end, with what: by the gateway itself, and by the backend.
const EARLY: [(&str, u16); 2] = [("/nowhere", 404), ("/here?read=0&status=403", 403)];

#[tokio::test]
async fn ten_mebibytes_pass_either_way_unchanged() {
    for protocol in [None, Some("kubernetes.io/h2c")] {
        let (_it, address) = echo("it").await;
        let services = service_speaking("it", protocol, &[address]);
        let (_site, at) = serve(&(services + &http_route("it", "[]", RULE))).await;
        let body = Bytes::from(pattern(10 << 20));
        for dial in [Dial::http1(at), Dial::h2c(at)] {
            let reply = dial.get("http://a.example/?size=10485760").await.unwrap();
            assert!(reply.body == body, "down: {} bytes", reply.body.len());
            let request = Request::put("http://a.example/").body(body.clone()).unwrap();
            let report: EchoReport = dial.send(request).await.unwrap().json();
            assert_eq!(report.body_bytes, Some(10 << 20));
        }
    }
}

#[tokio::test]
async fn what_goes_up_while_the_same_comes_down_is_unchanged() {
    // To a backend of HTTP/1.1, Pingora does not read a response while it waits to write the request: more than what
    // sockets hold, both ways at once, can stop for good.
    for (protocol, size) in [(None, 2 << 20), (Some("kubernetes.io/h2c"), 20 << 20)] {
        let (_it, address) = echo("it").await;
        let services = service_speaking("it", protocol, &[address]);
        let (_site, at) = serve(&(services + &http_route("it", "[]", RULE))).await;
        let body = Bytes::from(pattern(size));
        for dial in [Dial::http1(at), Dial::h2c(at)] {
            let request = Request::put("http://a.example/?echo=body").body(body.clone()).unwrap();
            let reply = dial.send(request).await.unwrap();
            assert!(reply.body == body, "{} bytes", reply.body.len());
        }
    }
}

#[tokio::test]
async fn bodies_of_unknown_length_pass_as_they_come() {
    for protocol in [None, Some("kubernetes.io/h2c")] {
        let (it, address) = echo("it").await;
        let services = service_speaking("it", protocol, &[address]);
        let (_site, at) = serve(&(services + &http_route("it", "[]", RULE))).await;
        for (n, dial) in (1..).zip([Dial::http1(at), Dial::h2c(at)]) {
            let mut connection = dial.connect("a.example").await.unwrap();
            let (feed, payload) = Payload::fed();
            let request = Request::post("http://a.example/?echo=body").body(payload).unwrap();
            let response = connection.begin(request);
            let feeding = async {
                assert!(feed.data("one ").await);
                it.wait_for(|counts| counts.requests == n).await;
                assert!(feed.data("two").await);
                drop(feed);
            };
            let (response, ()) = tokio::join!(response, feeding);
            let body = http_body_util::BodyExt::collect(response.unwrap().into_body()).await.unwrap().to_bytes();
            assert_eq!(body, "one two");
            it.wait_for(|counts| counts.bodies == n).await;
            if protocol.is_none() {
                assert_eq!(it.requests().last().unwrap().report.header("transfer-encoding"), ["chunked"]);
            }
        }
    }
}

#[tokio::test]
async fn a_response_streams_while_the_request_does() {
    let (_it, services) = pod("it").await;
    let (_site, at) = serve(&(services + &http_route("it", "[]", RULE))).await;
    for dial in [Dial::http1(at), Dial::h2c(at)] {
        let mut connection = dial.connect("a.example").await.unwrap();
        let (feed, payload) = Payload::fed();
        let request = Request::post("http://a.example/?echo=body").body(payload).unwrap();
        let (response, fed) = tokio::join!(connection.begin(request), feed.data("ping"));
        assert!(fed);
        let mut body = response.unwrap().into_body();
        for text in ["ping", "pong", "ping"] {
            let piece = http_body_util::BodyExt::frame(&mut body).await.unwrap().unwrap().into_data().unwrap();
            assert_eq!(piece, text);
            assert!(feed.data(if text == "ping" { "pong" } else { "ping" }).await);
        }
    }
}

#[tokio::test]
async fn expect_100_continue_is_answered_before_the_body() {
    let (it, services) = pod("it").await;
    let (_site, at) = serve(&(services + &http_route("it", "[]", RULE))).await;
    let mut connection = RawConnection::open(&Dial::http1(at), "a.example").await.unwrap();
    for n in 1..=2 {
        connection
            .send("POST / HTTP/1.1\r\nHost: a.example\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n")
            .await
            .unwrap();
        let interim = connection.read_exact("HTTP/1.1 100 Continue\r\n\r\n".len()).await.unwrap();
        assert_eq!(String::from_utf8_lossy(&interim), "HTTP/1.1 100 Continue\r\n\r\n");
        connection.send("body").await.unwrap();
        let reply = connection.response().await.unwrap();
        assert_eq!(reply.status, 200);
        it.wait_for(|counts| counts.bodies == n).await;
        assert_eq!(it.requests().last().unwrap().body().unwrap().start, "body");
    }
}

#[tokio::test]
async fn expect_100_continue_may_be_answered_without_asking_for_the_body() {
    let (_it, services) = pod("it").await;
    let redirect = "    - matches: [{path: {value: /r}}]\n      filters: [{type: RequestRedirect, requestRedirect: {scheme: \
                    https}}]\n";
    let (_site, at) = serve(&(services + &http_route("it", "[]", &(redirect.to_owned() + RULE)))).await;
    for (path, status) in [("/r", 302), ("/?read=0&status=403", 403)] {
        let mut connection = RawConnection::open(&Dial::http1(at), "a.example").await.unwrap();
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: a.example\r\nExpect: 100-continue\r\nContent-Length: 4000000\r\n\r\n"
        );
        connection.send(head).await.unwrap();
        assert_eq!(connection.response().await.unwrap().status, status, "{path}");
    }
}

#[tokio::test]
async fn an_early_answer_reaches_a_client_that_is_still_uploading() {
    let (_it, services) = pod("it").await;
    let (_site, at) = serve(&(services + &http_route("it", "[]", ONLY_HERE))).await;
    for (path, status) in EARLY {
        let url = format!("http://a.example{path}");
        for dial in [Dial::http1(at), Dial::h2c(at)] {
            let body = Bytes::from(vec![b'x'; 20 << 20]);
            let reply = dial.send(Request::post(&url).body(Payload::Whole(body)).unwrap()).await.unwrap();
            assert_eq!(reply.status, status, "{url}");
        }
    }
}

#[tokio::test]
async fn a_client_that_was_answered_early_may_go_on_to_send() {
    // To close on it would reset the connection, and take away what it has not read of the answer.
    let (_it, services) = pod("it").await;
    let (_site, at) = serve(&(services + &http_route("it", "[]", ONLY_HERE))).await;
    for (path, status) in EARLY {
        let mut connection = RawConnection::open(&Dial::http1(at), "a.example").await.unwrap();
        let head = format!("POST {path} HTTP/1.1\r\nHost: a.example\r\nContent-Length: {}\r\n\r\nx", 20 << 20);
        connection.send(head).await.unwrap();
        assert_eq!(connection.response().await.unwrap().status, status, "{path}");
        // More than what sockets hold.
        connection.send(vec![b'x'; (20 << 20) - 1]).await.unwrap_or_else(|error| panic!("{path}: {error}"));
        assert_eq!(connection.to_end().await.unwrap(), (vec![], Ending::Closed), "{path}");
    }
}

#[tokio::test]
async fn a_client_that_breaks_off_its_upload_breaks_off_the_backend_s() {
    let (it, services) = pod("it").await;
    let (_site, at) = serve(&(services + &http_route("it", "[]", RULE))).await;
    for (n, dial) in (1..).zip([Dial::http1(at), Dial::h2c(at)]) {
        let mut connection = dial.connect("a.example").await.unwrap();
        let (feed, payload) = Payload::fed();
        let request = Request::post("http://a.example/").body(payload).unwrap();
        let exchange = async { connection.begin(request).await };
        let abort = async {
            assert!(feed.data("half").await);
            it.wait_for(|counts| counts.requests == n).await;
            feed.abort().await
        };
        let (response, _) = tokio::join!(exchange, abort);
        assert!(response.is_err());
        it.wait_for(|counts| counts.cancelled == n).await;
        assert_eq!(it.counts().bodies, 0, "half a body is never passed off as whole");
    }
}

#[tokio::test]
async fn a_backend_that_dies_during_an_upload_is_502_for_a_client_that_is_still_uploading() {
    let (_it, services) = pod("it").await;
    let (_site, at) = serve(&(services + &http_route("it", "[]", RULE))).await;
    for dial in [Dial::http1(at), Dial::h2c(at)] {
        for how in ["close", "reset"] {
            let body = Bytes::from(vec![b'x'; 20 << 20]);
            let url = format!("http://a.example/?echo=body&abort={how}");
            let reply = dial.send(Request::post(&url).body(Payload::Whole(body)).unwrap()).await.unwrap();
            assert_eq!(reply.status, 502, "{how}");
        }
    }
}
