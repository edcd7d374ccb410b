//! Requests that can be read in more than one way (RFC 9112 section 11.2) are refused, never forwarded, and end the
//! connection.

use super::bed;
use http::Request;
use lychgate_testkit::{Dial, RawConnection};

const AMBIGUOUS: [&str; 24] = [
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc",
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3, 3\r\n\r\nabc",
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +3\r\n\r\nabc",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "GET / HTTP/1.1\nHost: a\n\n",
    "GET / HTTP/1.1\r\nHost: a\nX: y\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\nX: y\rz\r\n\r\n",
    "GET / HTTP/1.1\r\nHost : a\r\n\r\n",
    "GET / HTTP/1.1\r\n Host: a\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\nX: y\r\n z\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\nX: \0\r\n\r\n",
    "GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET  / HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
    "GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0x3\r\nabc\r\n0\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\nabc\r\n0\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nabc\r\n0\r\n\r\n",
];

#[tokio::test]
async fn an_ambiguous_request_is_400_with_an_id_and_ends_the_connection() {
    let bed = bed(|_| {}).await;
    for request in AMBIGUOUS {
        let mut connection = RawConnection::open(&Dial::http1(bed.at), "a").await.unwrap();
        // What a backend would take for another request.
        connection.send(request.to_owned() + "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
        let reply = connection.response().await.unwrap_or_else(|error| panic!("{request:?}: {error}"));
        assert_eq!(reply.status, 400, "{request:?}: {}", reply.text());
        assert!(reply.header("x-request-id").is_some_and(|id| reply.text().contains(id)), "{request:?}: {reply:?}");
        assert_eq!(reply.header("connection"), Some("close"), "{request:?}");
        let (rest, _) = connection.to_end().await.unwrap();
        assert!(rest.is_empty(), "{request:?}: {}", String::from_utf8_lossy(&rest));
    }
    assert!(bed.serves().await);
    let seen: Vec<String> = bed.it.requests().iter().map(|request| request.report.path.clone()).collect();
    assert!(!seen.iter().any(|path| path.contains("smuggled")), "{seen:?}");
    assert_eq!(bed.refused("bad_framing").await + bed.refused("bad_request").await, AMBIGUOUS.len() as u64);
}

#[tokio::test]
async fn it_makes_no_difference_how_the_bytes_come() {
    let bed = bed(|_| {}).await;
    for request in AMBIGUOUS {
        let mut connection = RawConnection::open(&Dial::http1(bed.at), "a").await.unwrap();
        for byte in request.as_bytes() {
            // It may have been refused by now.
            if connection.send([*byte]).await.is_err() {
                break;
            }
        }
        let reply = connection.response().await.unwrap_or_else(|error| panic!("{request:?}: {error}"));
        assert_eq!(reply.status, 400, "{request:?}: {}", reply.text());
    }
}

#[tokio::test]
async fn what_came_before_is_answered_first() {
    let bed = bed(|_| {}).await;
    let mut connection = RawConnection::open(&Dial::http1(bed.at), "a").await.unwrap();
    let good = "GET /?delay=50ms HTTP/1.1\r\nHost: a\r\n\r\n";
    connection.send([good, good, "GET / HTTP/1.1\r\nHost : a\r\n\r\n"].concat()).await.unwrap();
    for status in [200, 200, 400] {
        assert_eq!(connection.response().await.unwrap().status, status);
    }
    assert!(connection.to_end().await.unwrap().0.is_empty());
    assert_eq!(bed.it.requests().len(), 2);
}

#[tokio::test]
async fn the_page_is_json_for_those_who_ask_for_it() {
    let bed = bed(|_| {}).await;
    let mut connection = RawConnection::open(&Dial::http1(bed.at), "a").await.unwrap();
    connection.send("GET / HTTP/1.1\r\nAccept: application/json\r\nHost : a\r\n\r\n").await.unwrap();
    let reply = connection.response().await.unwrap();
    let page: serde_json::Value = serde_json::from_slice(&reply.body).unwrap();
    assert_eq!((page["status"].as_u64(), page["reason"].as_str()), (Some(400), Some("bad_request")));
    assert_eq!(page["requestId"].as_str(), reply.header("x-request-id"));
}

#[tokio::test]
async fn names_that_disagree_over_http2_are_400_with_an_id_and_end_nothing_but_the_stream() {
    let bed = bed(|_| {}).await;
    let mut connection = Dial::h2c(bed.at).connect("a.example").await.unwrap();
    for (url, host) in [
        ("http://a.example/", Some("b.example")),
        ("http://a.example/", Some("a.example:80")),
        ("http://a.example/", Some("user@a.example")),
        ("http://user@a.example/", None),
    ] {
        let mut request = Request::get(url);
        if let Some(host) = host {
            request = request.header("host", host);
        }
        let reply = connection.send(request.body("").unwrap()).await.unwrap();
        assert_eq!(reply.status, 400, "{url} {host:?}: {}", reply.text());
        assert!(reply.header("x-request-id").is_some_and(|id| reply.text().contains(id)), "{url} {host:?}: {reply:?}");
    }
    assert_eq!(connection.get("http://a.example/").await.unwrap().status, 200);
    assert_eq!(bed.it.requests().len(), 1);
    assert_eq!(bed.refused("bad_request").await, 4);
}

#[tokio::test]
async fn other_versions_are_told_so() {
    let bed = bed(|_| {}).await;
    for version in ["HTTP/2.0", "HTTP/0.9", "HTTP/1.2"] {
        let mut connection = RawConnection::open(&Dial::http1(bed.at), "a").await.unwrap();
        connection.send(format!("GET / {version}\r\nHost: a\r\n\r\n")).await.unwrap();
        assert_eq!(connection.response().await.unwrap().status, 505, "{version}");
    }
    assert_eq!(bed.refused("http_version").await, 3);
}

#[tokio::test]
async fn unusual_requests_that_can_be_read_in_one_way_are_served() {
    let bed = bed(|_| {}).await;
    for request in [
        "\r\nGET / HTTP/1.1\r\nhost:a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX:\r\nY: \t z \t\r\n\r\n",
        "GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n00003;x=\"y\"\r\nabc\r\n0\r\nX-Trailer: 1\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 000003\r\n\r\nabc",
        "GET / HTTP/1.1\r\nHost: a\r\nX-Latin: \u{e9}\r\n\r\n",
    ] {
        let mut connection = RawConnection::open(&Dial::http1(bed.at), "a").await.unwrap();
        for _ in 0..2 {
            connection.send(request).await.unwrap();
            let reply = connection.response().await.unwrap();
            assert_eq!(reply.status, 200, "{request:?}: {}", reply.text());
        }
    }
}
