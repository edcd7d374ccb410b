//! Request targets other than a path (RFC 9112 section 3.2), methods that are not forwarded, and interim responses.

use super::bed::{Canned, pod, serve};
use crate::support::{http_route, service};
use lychgate_testkit::{Dial, RawConnection};

const RULE: &str = "    - backendRefs: [{name: it, port: 80}]\n";

#[tokio::test]
async fn a_target_in_absolute_form_is_routed_and_forwarded_by_its_own_host() {
    let (it, services) = pod("it").await;
    let (_site, at) = serve(&(services + &http_route("it", "[a.example]", RULE))).await;
    let mut connection = RawConnection::open(&Dial::http1(at), "a.example").await.unwrap();
    connection.send("GET http://a.example/x?y=z HTTP/1.1\r\nHost: a.example\r\n\r\n").await.unwrap();
    assert_eq!(connection.response().await.unwrap().status, 200);
    let report = it.requests()[0].report.clone();
    assert_eq!(report.host, "a.example");
    // A server takes either form, and yet some backends do not.
    assert_eq!(report.path, "/x?y=z");
}

#[tokio::test]
async fn a_target_that_contradicts_its_host_header_is_not_routed_by_the_wrong_one() {
    let (it, services) = pod("it").await;
    let (_site, at) = serve(&(services + &http_route("it", "[b.example]", RULE))).await;
    let mut connection = RawConnection::open(&Dial::http1(at), "a.example").await.unwrap();
    connection.send("GET http://a.example/ HTTP/1.1\r\nHost: b.example\r\n\r\n").await.unwrap();
    let status = connection.response().await.unwrap().status;
    assert!(status == 404 || status == 400, "{status}");
    assert_eq!(it.counts().requests, 0);
}

#[tokio::test]
async fn a_target_without_a_path_is_refused_and_never_taken_for_the_root() {
    let (it, services) = pod("it").await;
    let (_site, at) = serve(&(services + &http_route("it", "[]", RULE))).await;
    for target in ["*/admin", "?q", "#x", "admin", "ftp://a.example/admin", "a.example:80", "//a.example\\admin"] {
        let mut connection = RawConnection::open(&Dial::http1(at), "a.example").await.unwrap();
        connection.send(format!("GET {target} HTTP/1.1\r\nHost: a.example\r\n\r\n")).await.unwrap();
        assert_eq!(connection.response().await.unwrap().status, 400, "{target}");
    }
    assert_eq!(it.counts().requests, 0);
}

#[tokio::test]
async fn options_of_the_whole_server_goes_where_the_root_goes() {
    let (it, services) = pod("it").await;
    let (_site, at) = serve(&(services + &http_route("it", "[]", RULE))).await;
    let mut connection = RawConnection::open(&Dial::http1(at), "a.example").await.unwrap();
    connection.send("OPTIONS * HTTP/1.1\r\nHost: a.example\r\n\r\n").await.unwrap();
    assert_eq!(connection.response().await.unwrap().status, 200);
    assert_eq!(it.requests()[0].report.path, "*");
}

#[tokio::test]
async fn connect_is_no_method_of_a_gateway() {
    let (it, services) = pod("it").await;
    let (_site, at) = serve(&(services + &http_route("it", "[]", RULE))).await;
    let mut connection = RawConnection::open(&Dial::http1(at), "a.example").await.unwrap();
    connection.send("CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\n\r\n").await.unwrap();
    let response = connection.response().await.unwrap();
    assert_eq!(response.status, 501);
    assert!(response.text().contains("no_tunnel"), "{}", response.text());
    // What might follow is not read as a request.
    assert_eq!(connection.to_end().await.unwrap().0, b"");
    assert_eq!(it.counts().requests, 0);
}

#[tokio::test]
async fn interim_responses_pass_to_those_who_understand_them() {
    let answer = "HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    let canned = Canned::new(answer).await;
    let (_site, at) = serve(&(service("it", &[canned.address]) + &http_route("it", "[]", RULE))).await;
    let mut connection = RawConnection::open(&Dial::http1(at), "a.example").await.unwrap();
    connection.send("GET / HTTP/1.1\r\nHost: a.example\r\n\r\n").await.unwrap();
    let interim = connection.read_exact("HTTP/1.1 103 ".len()).await.unwrap();
    assert_eq!(String::from_utf8_lossy(&interim), "HTTP/1.1 103 ");

    assert_eq!(Dial::h2c(at).get("http://a.example/").await.unwrap().text(), "ok");

    // RFC 9110 section 15.2: never to HTTP/1.0.
    let mut connection = RawConnection::open(&Dial::http1(at), "a.example").await.unwrap();
    connection.send("GET / HTTP/1.0\r\nHost: a.example\r\n\r\n").await.unwrap();
    let (answer, _) = connection.to_end().await.unwrap();
    let answer = String::from_utf8_lossy(&answer);
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("ok"), "{answer}");
}
