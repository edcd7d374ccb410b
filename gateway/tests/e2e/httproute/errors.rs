//! Errors to clients: a small body as they like it, a request id, nothing internal; and what becomes of the connection.

use super::bed::{pod, send, serve};
use crate::support::{Site, http_route, service};
use http::Request;
use lychgate_testkit::{Dial, RawConnection, free_addr};
use std::net::SocketAddr;

/// A path for each kind of error, and a host that nothing serves.
const CASES: [(&str, u16); 5] = [
    ("http://a.example/nowhere", 404),
    ("http://a.example/missing-service", 500),
    ("http://a.example/empty-service", 503),
    ("http://a.example/dead-service", 502),
    ("http://a.example/slow-service?hold=never", 504),
];

async fn bed() -> (lychgate_echo::EchoServer, Site, SocketAddr) {
    let (slow, services) = pod("slow-service").await;
    let services = services + &service("empty-service", &[]) + &service("dead-service", &[free_addr()]);
    let rule = |name: &str| {
        format!(
            "    - matches: [{{path: {{value: /{name}}}}}]\n      timeouts: {{request: 300ms}}\n      backendRefs: [{{name: \
             {name}, port: 80}}]\n"
        )
    };
    let rules = ["missing-service", "empty-service", "dead-service", "slow-service"].map(rule).concat();
    let (site, at) = serve(&(services + &http_route("secret-route", "[]", &rules))).await;
    (slow, site, at)
}

#[tokio::test]
async fn an_error_is_a_line_of_text_or_json_by_accept() {
    let (_slow, _site, at) = bed().await;
    for (url, status) in CASES {
        let reply = send(at, "GET", url, &[]).await;
        assert_eq!(reply.status, status, "{url}");
        assert_eq!(reply.header("content-type"), Some("text/plain; charset=utf-8"));
        assert!(reply.text().contains(&status.to_string()) && reply.text().ends_with('\n'), "{}", reply.text());
        for accept in ["application/json", "application/problem+json, text/plain"] {
            let reply = send(at, "GET", url, &[("accept", accept)]).await;
            assert_eq!(reply.header("content-type"), Some("application/json"), "{url}");
            let body: serde_json::Value = reply.json();
            assert_eq!(body["status"], status);
            assert!(body["reason"].as_str().is_some_and(|reason| !reason.is_empty()), "{body}");
            assert_eq!(body["requestId"].as_str(), reply.header("x-request-id"));
        }
        let reply = send(at, "GET", url, &[("accept", "text/html, application/json;q=0.5")]).await;
        assert_eq!(reply.header("content-type"), Some("text/plain; charset=utf-8"), "{url}");
    }
}

#[tokio::test]
async fn an_error_carries_the_request_s_id_or_a_new_one() {
    let (_slow, _site, at) = bed().await;
    for (url, _) in CASES {
        let reply = send(at, "GET", url, &[("x-request-id", "my-id-1")]).await;
        assert_eq!(reply.header("x-request-id"), Some("my-id-1"), "{url}");
        assert!(reply.text().contains("my-id-1"), "{}", reply.text());
        let ids = [send(at, "GET", url, &[]).await, send(at, "GET", url, &[]).await]
            .map(|reply| reply.header("x-request-id").unwrap().to_owned());
        assert_ne!(ids[0], ids[1]);
        // What could be markup or a log's end of line is no id.
        let reply = send(at, "GET", url, &[("x-request-id", "<script>")]).await;
        assert!(!reply.text().contains("script") && reply.header("x-request-id") != Some("<script>"));
    }
}

#[tokio::test]
async fn backends_get_the_request_id() {
    let (it, services) = pod("it").await;
    let (_site, at) = serve(&(services + &http_route("it", "[]", "    - backendRefs: [{name: it, port: 80}]\n"))).await;
    send(at, "GET", "http://a.example/", &[("x-request-id", "my-id-1")]).await;
    send(at, "GET", "http://a.example/", &[]).await;
    let requests = it.requests();
    assert_eq!(requests[0].report.header("x-request-id"), ["my-id-1"]);
    assert_eq!(requests[1].report.header("x-request-id").len(), 1);
}

#[tokio::test]
async fn an_error_tells_nothing_internal() {
    let (_slow, _site, at) = bed().await;
    for (url, _) in CASES {
        for accept in ["text/plain", "application/json"] {
            let reply = send(at, "GET", url, &[("accept", accept)]).await;
            let told = format!("{:?}\n{}", reply.headers, reply.text()).to_ascii_lowercase();
            for internal in ["secret", "-service", "httproute", "127.0.0.1", "pingora", "lychgate", "rust", "os error"]
            {
                assert!(!told.contains(internal), "{url}: {internal} in {told}");
            }
        }
    }
}

#[tokio::test]
async fn an_error_to_head_has_no_body_and_the_connection_goes_on_or_says_that_it_ends() {
    let (_slow, _site, at) = bed().await;
    for (url, status) in CASES {
        let path = url.trim_start_matches("http://a.example");
        for method in ["HEAD", "GET"] {
            let mut connection = RawConnection::open(&Dial::http1(at), "a.example").await.unwrap();
            let request = format!("{method} {path} HTTP/1.1\r\nHost: a.example\r\n\r\n");
            for _ in 0..2 {
                connection.send(&request).await.unwrap();
                let reply = match method {
                    "HEAD" => connection.response_to_head().await.unwrap(),
                    _ => connection.response().await.unwrap(),
                };
                assert_eq!(reply.status, status, "{method} {url}");
                if reply.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close")) {
                    let (rest, _) = connection.to_end().await.unwrap();
                    assert!(rest.is_empty(), "{}", String::from_utf8_lossy(&rest));
                    break;
                }
            }
        }
    }
}

#[tokio::test]
async fn an_error_over_http2_ends_its_stream_and_no_other() {
    let (_slow, _site, at) = bed().await;
    let mut connection = Dial::h2c(at).connect("a.example").await.unwrap();
    for _ in 0..2 {
        for (url, status) in CASES {
            assert_eq!(connection.get(url).await.unwrap().status, status, "{url}");
        }
    }
}

#[tokio::test]
async fn requests_that_are_none_are_400() {
    let (_slow, _site, at) = bed().await;
    for request in [
        "GET / HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        "GET /a%zz HTTP/1.1\r\nHost: a.example\r\n\r\n",
        "GET /a\\b HTTP/1.1\r\nHost: a.example\r\n\r\n",
        "nonsense\r\n\r\n",
    ] {
        let mut connection = RawConnection::open(&Dial::http1(at), "a.example").await.unwrap();
        connection.send(request).await.unwrap();
        let (answer, _) = connection.to_end().await.unwrap_or_else(|error| panic!("{request:?}: {error}"));
        let answer = String::from_utf8_lossy(&answer);
        assert!(answer.starts_with("HTTP/1.1 400 "), "{request:?}: {answer}");
    }
}

#[tokio::test]
async fn a_backend_that_answers_nonsense_is_502() {
    for answer in ["nonsense\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx", ""] {
        let canned = super::bed::Canned::new(answer).await;
        let rule = "    - backendRefs: [{name: it, port: 80}]\n";
        let (_site, at) = serve(&(service("it", &[canned.address]) + &http_route("it", "[]", rule))).await;
        let reply = send(at, "GET", "http://a.example/", &[]).await;
        assert_eq!(reply.status, 502, "{answer:?}: {}", reply.text());
    }
}

#[tokio::test]
async fn a_response_that_ends_early_is_broken_off_and_never_passed_off_as_whole() {
    for answer in [
        "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
    ] {
        let canned = super::bed::Canned::new(answer).await;
        let rule = "    - backendRefs: [{name: it, port: 80}]\n";
        let (_site, at) = serve(&(service("it", &[canned.address]) + &http_route("it", "[]", rule))).await;
        for dial in [Dial::http1(at), Dial::h2c(at)] {
            let error = dial.send(Request::get("http://a.example/").body(()).unwrap()).await;
            assert!(error.is_err(), "{answer:?}: {error:?}");
        }
    }
}
