//! HTTP as such: what belongs to a connection stays on it, HEAD, bodies that are none, pipelining.

use super::bed::{Canned, pod, request, send, serve};
use crate::support::{echo, http_route, service, service_speaking};
use http::{Request, Version};
use lychgate_echo::EchoReport;
use lychgate_testkit::{Dial, Payload, RawConnection};

const RULE: &str = "    - backendRefs: [{name: it, port: 80}]\n";

#[tokio::test]
async fn hop_by_hop_headers_of_a_request_are_not_forwarded() {
    for protocol in [None, Some("kubernetes.io/h2c")] {
        let (it, address) = echo("it").await;
        let services = service_speaking("it", protocol, &[address]);
        let (_site, at) = serve(&(services + &http_route("it", "[]", RULE))).await;
        let headers = [
            ("connection", "keep-alive, x-hop"),
            ("x-hop", "1"),
            ("keep-alive", "timeout=5"),
            ("proxy-connection", "keep-alive"),
            ("proxy-authorization", "secret"),
            ("te", "trailers, deflate"),
            ("upgrade", "h2c"),
            ("x-end", "1"),
        ];
        assert_eq!(send(at, "GET", "http://a.example/", &headers).await.status, 200);
        let report = it.requests()[0].report.clone();
        for name in ["x-hop", "keep-alive", "proxy-connection", "proxy-authorization", "upgrade"] {
            assert_eq!(report.header(name), [""; 0], "{name}");
        }
        assert!(!report.header("te").iter().any(|value| value.contains("deflate")));
        assert_eq!(report.header("x-end"), ["1"]);
    }
}

#[tokio::test]
async fn hop_by_hop_headers_of_a_response_are_not_forwarded() {
    let canned = Canned::new(
        "HTTP/1.1 200 OK\r\nConnection: close, X-Hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\nProxy-Connection: \
         close\r\nUpgrade: h2c\r\nX-End: 1\r\nContent-Length: 2\r\n\r\nok",
    )
    .await;
    let (_site, at) = serve(&(service("it", &[canned.address]) + &http_route("it", "[]", RULE))).await;
    for dial in [Dial::http1(at), Dial::h2c(at)] {
        // The backend's connection ends, the client's does not.
        let mut connection = dial.connect("a.example").await.unwrap();
        for _ in 0..2 {
            let reply = connection.get("http://a.example/").await.unwrap();
            assert_eq!((reply.text().as_str(), reply.header("x-end")), ("ok", Some("1")));
            for name in ["x-hop", "keep-alive", "proxy-connection", "upgrade"] {
                assert_eq!(reply.header(name), None, "{name}");
            }
            assert!(
                !reply.header("connection").is_some_and(|value| value.contains("close") || value.contains("X-Hop"))
            );
        }
    }
}

#[tokio::test]
async fn head_has_the_length_and_no_body() {
    for protocol in [None, Some("kubernetes.io/h2c")] {
        let (_it, address) = echo("it").await;
        let services = service_speaking("it", protocol, &[address]);
        let (_site, at) = serve(&(services + &http_route("it", "[]", RULE))).await;
        for dial in [Dial::http1(at), Dial::h2c(at)] {
            let mut connection = dial.connect("a.example").await.unwrap();
            for _ in 0..2 {
                let reply = connection.send(request("HEAD", "http://a.example/?size=1000", &[])).await.unwrap();
                assert_eq!((reply.status.as_u16(), reply.header("content-length")), (200, Some("1000")));
                assert!(reply.body.is_empty());
            }
        }
    }
}

#[tokio::test]
async fn statuses_without_a_body_have_none_and_keep_the_connection() {
    let (_it, services) = pod("it").await;
    let (_site, at) = serve(&(services + &http_route("it", "[]", RULE))).await;
    for dial in [Dial::http1(at), Dial::h2c(at)] {
        let mut connection = dial.connect("a.example").await.unwrap();
        for status in [204, 304, 200] {
            let reply = connection.get(&format!("http://a.example/?status={status}")).await.unwrap();
            assert_eq!((reply.status.as_u16(), reply.body.is_empty()), (status, status != 200));
        }
    }
}

#[tokio::test]
async fn connections_to_clients_and_backends_are_kept() {
    let (it, services) = pod("it").await;
    let (_site, at) = serve(&(services + &http_route("it", "[]", RULE))).await;
    let mut connection = Dial::http1(at).connect("a.example").await.unwrap();
    for _ in 0..10 {
        let request = Request::post("http://a.example/").body(Payload::from("body")).unwrap();
        assert_eq!(connection.send(request).await.unwrap().status, 200);
    }
    assert_eq!(it.counts().connections, 1);
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    let (_it, services) = pod("it").await;
    let (_site, at) = serve(&(services + &http_route("it", "[]", RULE))).await;
    let mut connection = RawConnection::open(&Dial::http1(at), "a.example").await.unwrap();
    let one = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: a.example\r\n\r\n");
    connection.send(one("/?delay=100ms&size=1") + &one("/?size=2") + &one("/nowhere?size=3")).await.unwrap();
    for size in 1..=3 {
        assert_eq!(connection.response().await.unwrap().body.len(), size);
    }
}

#[tokio::test]
async fn old_clients_get_what_they_understand() {
    let (it, services) = pod("it").await;
    let (_site, at) = serve(&(services + &http_route("it", "[]", RULE))).await;
    let mut connection = RawConnection::open(&Dial::http1(at), "a.example").await.unwrap();
    connection.send("GET /?size=100&chunks=4 HTTP/1.0\r\nHost: a.example\r\n\r\n").await.unwrap();
    let (answer, _) = connection.to_end().await.unwrap();
    let answer = String::from_utf8_lossy(&answer);
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.contains(" 200 ") && !head.to_ascii_lowercase().contains("chunked"), "{head}");
    assert_eq!(body.len(), 100);
    assert_eq!(it.requests()[0].report.proto, "HTTP/1.1");
}

#[tokio::test]
async fn requests_shorter_than_the_preface_of_http2_are_answered() {
    let (_it, services) = pod("it").await;
    let (_site, at) = serve(&(services + &http_route("it", "[]", RULE))).await;
    let mut connection = RawConnection::open(&Dial::http1(at), "a.example").await.unwrap();
    // A usual health check of older proxies: 18 bytes.
    connection.send("GET / HTTP/1.0\r\n\r\n").await.unwrap();
    let (answer, _) = connection.to_end().await.unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 200 "), "{}", String::from_utf8_lossy(&answer));
    for beginning in ["P", "PRI", "PRI * HTTP/1"] {
        // What begins like the preface and is something else.
        let mut connection = RawConnection::open(&Dial::http1(at), "a.example").await.unwrap();
        connection.send(beginning).await.unwrap();
        tokio::task::yield_now().await;
        connection.send("UT /x HTTP/1.1\r\nHost: a.example\r\nContent-Length: 0\r\n\r\n").await.unwrap();
        let status = connection.response().await.unwrap().status;
        assert_eq!(status, if beginning.contains("HTTP") { 400 } else { 200 }, "{beginning}");
    }
}

#[tokio::test]
async fn the_version_of_one_side_does_not_show_on_the_other() {
    for (protocol, spoken) in [(None, "HTTP/1.1"), (Some("kubernetes.io/h2c"), "HTTP/2.0")] {
        let (_it, address) = echo("it").await;
        let services = service_speaking("it", protocol, &[address]);
        let (_site, at) = serve(&(services + &http_route("it", "[]", RULE))).await;
        for (dial, version) in [(Dial::http1(at), Version::HTTP_11), (Dial::h2c(at), Version::HTTP_2)] {
            let reply = dial.get("http://a.example/a?b=c").await.unwrap();
            assert_eq!(reply.version, version);
            let report: EchoReport = reply.json();
            assert_eq!(
                (report.proto.as_str(), report.host.as_str(), report.path.as_str()),
                (spoken, "a.example", "/a?b=c")
            );
        }
    }
}
