//! Trailers, both ways and between both versions (RFC 9110 section 6.5): what the protocol has a place for passes, what
//! may not be a trailer does not, and there are limits.

use super::bed::{Canned, serve};
use crate::support::{Site, echo, eventually, gateway, http_route, service, service_speaking};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Version};
use lychgate_echo::EchoServer;
use lychgate_gateway::standalone::Options;
use lychgate_testkit::{Dial, Payload, RawConnection, free_addr};
use std::net::SocketAddr;

const RULE: &str = "    - backendRefs: [{name: it, port: 80}]\n";
const H2C: Option<&str> = Some("kubernetes.io/h2c");

/// An echo server that is spoken to over this protocol.
async fn over(protocol: Option<&str>, rule: &str, edit: impl FnOnce(&mut Options)) -> (EchoServer, Site, SocketAddr) {
    let (it, address) = echo("it").await;
    let at = free_addr();
    let objects = service_speaking("it", protocol, &[address]) + &http_route("it", "[]", rule);
    let listeners = format!("    - {{name: http, protocol: HTTP, port: {}}}\n", at.port());
    let files = [("gateway.yaml", gateway(&listeners)), ("objects.yaml", objects)];
    let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (*name, text.as_str())).collect();
    (it, Site::try_serve_with(&files, edit).await.unwrap(), at)
}

fn trailers(fields: &[(&str, &str)]) -> HeaderMap {
    fields
        .iter()
        .map(|(name, value)| (name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value).unwrap()))
        .collect()
}

fn trailed(uri: &str, body: &'static str, fields: &[(&str, &str)]) -> Request<Payload> {
    let names: Vec<&str> = fields.iter().map(|(name, _)| *name).collect();
    // A client of HTTP/1.1 sends none that it has not announced.
    let request = Request::post(uri).header("trailer", names.join(", "));
    request.body(Payload::Trailed(body.into(), trailers(fields))).unwrap()
}

#[tokio::test]
async fn those_of_a_response_pass_to_clients_who_can_take_them() {
    for protocol in [None, H2C] {
        let (_it, _site, at) = over(protocol, RULE, |_| {}).await;
        let request = |te: &str| {
            let request = Request::post("http://a.example/?echo=body&trailers=1").header("te", te);
            request.body(Payload::from("body")).unwrap()
        };
        let reply = Dial::h2c(at).send(request("trailers")).await.unwrap();
        assert_eq!((reply.version, reply.text().as_str()), (Version::HTTP_2, "body"));
        assert_eq!(reply.header("trailer"), Some("x-echo-trailer"), "{protocol:?}");
        assert_eq!(reply.trailers.get("x-echo-trailer").unwrap(), "done");
        // A client of HTTP/1.1 gets them only if it says so, and its connection goes on.
        let reply = Dial::http1(at).send(request("gzip")).await.unwrap();
        assert_eq!((reply.version, reply.text().as_str()), (Version::HTTP_11, "body"));
        assert_eq!((reply.header("trailer"), reply.trailers.len()), (None, 0));
        let mut connection = RawConnection::open(&Dial::http1(at), "a.example").await.unwrap();
        for _ in 0..2 {
            let head = "POST /?echo=body&trailers=1 HTTP/1.1\r\nHost: a.example\r\nTE: trailers\r\nConnection: TE\r\n";
            connection.send(format!("{head}Content-Length: 4\r\n\r\nbody")).await.unwrap();
            let reply = connection.response().await.unwrap();
            assert_eq!((reply.text().as_str(), reply.header("trailer")), ("body", Some("x-echo-trailer")));
            assert_eq!(reply.trailers, [("x-echo-trailer".to_owned(), "done".to_owned())], "{protocol:?}");
            connection.send("GET /?size=3 HTTP/1.1\r\nHost: a.example\r\n\r\n").await.unwrap();
            let reply = connection.response().await.unwrap();
            assert_eq!((reply.body.len(), reply.trailers.len()), (3, 0));
        }
    }
}

#[tokio::test]
async fn those_of_a_request_reach_the_backend() {
    for protocol in [None, H2C] {
        let (it, _site, at) = over(protocol, RULE, |_| {}).await;
        for dial in [Dial::http1(at), Dial::h2c(at)] {
            let mut connection = dial.connect("a.example").await.unwrap();
            for body in ["body", "", "more"] {
                let request = trailed("http://a.example/", body, &[("x-one", "1"), ("x-two", "2")]);
                assert_eq!(connection.send(request).await.unwrap().status, 200);
                let last = it.requests().pop().unwrap();
                eventually("the body is read", async || last.body().is_some()).await;
                let seen = last.body().unwrap();
                assert_eq!(seen.start, body, "{protocol:?}");
                assert_eq!(seen.trailers, trailers(&[("x-one", "1"), ("x-two", "2")]), "{protocol:?} {body:?}");
                assert_eq!(last.report.header("trailer"), ["x-one, x-two"]);
                // The next request has none of them.
                assert_eq!(connection.get("http://a.example/").await.unwrap().status, 200);
                assert_eq!(it.requests().pop().unwrap().report.header("trailer"), [""; 0]);
            }
        }
        // All that a client sent on one connection went over one to the backend.
        assert!(it.counts().connections <= 2, "{:?}", it.counts());
    }
}

#[tokio::test]
async fn both_pass_at_once() {
    for protocol in [None, H2C] {
        let (_it, _site, at) = over(protocol, RULE, |_| {}).await;
        for dial in [Dial::http1(at), Dial::h2c(at)] {
            let mut request = trailed("http://a.example/?echo=body&trailers=1", "body", &[("x-one", "1")]);
            request.headers_mut().insert("te", HeaderValue::from_static("trailers"));
            let reply = dial.send(request).await.unwrap();
            assert_eq!(reply.text(), "body");
            assert_eq!(reply.trailers, trailers(&[("x-one", "1"), ("x-echo-trailer", "done")]), "{protocol:?}");
        }
    }
}

#[tokio::test]
async fn another_try_has_them_too() {
    let rule = "    - retry: {codes: [503], attempts: 2, backoff: 1ms}\n      backendRefs: [{name: it, port: 80}]\n";
    for protocol in [None, H2C] {
        let (it, _site, at) = over(protocol, rule, |_| {}).await;
        for (n, dial) in (1..).zip([Dial::http1(at), Dial::h2c(at)]) {
            let uri = format!("http://a.example/?status=503&fail=2&key={n}");
            let reply = dial.send(trailed(&uri, "body", &[("x-one", "1")])).await.unwrap();
            assert_eq!((reply.status.as_u16(), it.counts().requests), (200, 3 * n), "{protocol:?}");
            it.wait_for(|counts| counts.bodies == 3 * n).await;
            for request in &it.requests()[it.requests().len() - 3..] {
                let seen = request.body().unwrap();
                assert_eq!(
                    (&*seen.start, &seen.trailers),
                    (&b"body"[..], &trailers(&[("x-one", "1")])),
                    "{protocol:?}"
                );
            }
        }
    }
}

#[tokio::test]
async fn what_may_not_be_a_trailer_is_left_out() {
    // Of a request: who somebody is, where it came from, how it is to be read.
    for protocol in [None, H2C] {
        let (it, _site, at) = over(protocol, RULE, |_| {}).await;
        let unfit =
            [("authorization", "me"), ("x-forwarded-for", "192.0.2.1"), ("content-type", "a/b"), ("x-one", "1")];
        for (n, dial) in (1..).zip([Dial::http1(at), Dial::h2c(at)]) {
            assert_eq!(dial.send(trailed("http://a.example/", "body", &unfit)).await.unwrap().status, 200);
            it.wait_for(|counts| counts.bodies == n).await;
            let requests = it.requests();
            assert_eq!(requests.last().unwrap().body().unwrap().trailers, trailers(&[("x-one", "1")]), "{protocol:?}");
        }
    }
    // Of a response.
    let canned = Canned::new(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nSet-Cookie: a=b\r\nX-One: 1\r\n\
         Content-Length: 7\r\nLocation: /\r\n\r\n",
    )
    .await;
    let (_site, at) = serve(&(service("it", &[canned.address]) + &http_route("it", "[]", RULE))).await;
    let reply = Dial::h2c(at).get("http://a.example/").await.unwrap();
    assert_eq!((reply.text().as_str(), reply.trailers), ("ok", trailers(&[("x-one", "1")])));
}

#[tokio::test]
async fn a_body_of_known_length_has_no_place_for_them_over_http1() {
    let (it, _site, at) = over(None, RULE, |_| {}).await;
    let mut request = trailed("http://a.example/", "body", &[("x-one", "1")]);
    request.headers_mut().insert("content-length", HeaderValue::from_static("4"));
    assert_eq!(Dial::h2c(at).send(request).await.unwrap().status, 200);
    it.wait_for(|counts| counts.bodies == 1).await;
    let requests = it.requests();
    assert_eq!((&*requests[0].body().unwrap().start, requests[0].body().unwrap().trailers.len()), (&b"body"[..], 0));
    assert_eq!(
        (requests[0].report.header("trailer"), requests[0].report.header("content-length")),
        (vec![], vec!["4"])
    );
}

#[tokio::test]
async fn there_are_no_more_of_them_than_of_headers() {
    let many: Vec<(String, String)> = (0..30).map(|n| (format!("x-{n}"), "v".to_owned())).collect();
    let many: Vec<(&str, &str)> = many.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    for protocol in [None, H2C] {
        let (it, _site, at) = over(protocol, RULE, |options| options.limits.fields = 20).await;
        for dial in [Dial::http1(at), Dial::h2c(at)] {
            let reply = dial.send(trailed("http://a.example/", "body", &many)).await.unwrap();
            assert_eq!(reply.status, 431, "{protocol:?}");
            assert!(reply.text().contains("head_too_large"), "{}", reply.text());
        }
        assert_eq!(it.counts().answered, 0);
        // What a backend may not do breaks its answer: it adds one more.
        let answered = async |uri: &str| {
            let mut request = trailed(uri, "body", &many[..20]);
            request.headers_mut().insert("te", HeaderValue::from_static("trailers"));
            Dial::h2c(at).send(request).await.map(|reply| (reply.status.as_u16(), reply.trailers.len()))
        };
        assert_eq!(answered("http://a.example/?echo=body").await.unwrap(), (200, 20), "{protocol:?}");
        // Where nothing of it was sent yet, there can be a better one.
        let broken = answered("http://a.example/?echo=body&trailers=1").await;
        assert!(matches!(broken, Err(_) | Ok((502, 0))), "{protocol:?}: {broken:?}");
    }
}

#[tokio::test]
async fn a_response_with_trailers_that_are_no_fields_is_broken_off() {
    for section in ["no field\r\n\r\n", "X One: 1\r\n\r\n", "X-One: a\0b\r\n\r\n"] {
        let answer = format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n{section}");
        let canned = Canned::new(answer.leak()).await;
        let (_site, at) = serve(&(service("it", &[canned.address]) + &http_route("it", "[]", RULE))).await;
        for dial in [Dial::http1(at), Dial::h2c(at)] {
            assert!(dial.get("http://a.example/").await.is_err(), "{section:?}");
        }
    }
}
