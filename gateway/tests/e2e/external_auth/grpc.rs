//! A service that is asked over gRPC, in Envoy's protocol.

use super::service::{CheckResponse, Code, Denied, Granted, HeaderOption, Pair, Status, Verdict};
use super::{Bed, Says, rule, send, values};
use crate::support::{http_route, service_speaking};
use bytes::Bytes;
use http::Version;
use lychgate_testkit::Dial;
use lychgate_testkit::grpc as call;

const GRPC: &str = "protocol: GRPC, grpc: {}";

fn pair(key: &str, value: &str) -> Pair {
    Pair { key: key.into(), value: value.into() }
}

fn header(key: &str, value: &str, action: i32) -> HeaderOption {
    HeaderOption { header: Some(pair(key, value)), action }
}

fn granted(granted: Granted) -> Says {
    Says::Grpc(CheckResponse { status: None, verdict: Some(Verdict::Granted(granted)) })
}

fn denied(code: i32, status: i32, headers: Vec<HeaderOption>, body: &str) -> Says {
    let denied = Denied { status: Some(Code { code: status }), headers, body: body.into() };
    Says::Grpc(CheckResponse { status: Some(Status { code }), verdict: Some(Verdict::Denied(denied)) })
}

#[tokio::test]
async fn the_service_is_told_of_the_request() {
    let bed = Bed::new(GRPC, |_| granted(Granted::default())).await;
    let headers = [("cookie", "a=1"), ("x-list", "1"), ("x-list", "2"), ("authorization", "Basic YQ==")];
    for (dial, protocol) in [(Dial::http1(bed.at), "HTTP/1.1"), (Dial::h2c(bed.at), "HTTP/2")] {
        assert_eq!(send(&dial, "PUT", "/a?b=c", &headers, Bytes::from_static(b"body")).await.status, 200);
        let asked = bed.auth.last();
        assert_eq!(asked.target, "/envoy.service.auth.v3.Authorization/Check");
        assert_eq!(asked.version, Version::HTTP_2);
        assert_eq!(values(&asked.headers, "te"), ["trailers"]);
        assert_eq!(values(&asked.headers, "host"), ["auth.default"]);
        assert!(values(&asked.headers, "grpc-timeout")[0].ends_with('m'));
        let attributes = asked.check().attributes.unwrap();
        let socket = |peer: Option<super::service::Peer>| peer.unwrap().address.unwrap().socket.unwrap();
        assert_eq!(socket(attributes.source).address, "127.0.0.1");
        assert_eq!(socket(attributes.destination).port, u32::from(bed.at.port()));
        let told = asked.http();
        assert_eq!((told.method.as_str(), told.path.as_str(), told.host.as_str()), ("PUT", "/a?b=c", "a.example"));
        assert_eq!((told.scheme.as_str(), told.protocol.as_str()), ("http", protocol));
        assert_eq!(told.headers["cookie"], "a=1");
        assert_eq!(told.headers["x-list"], "1,2");
        assert_eq!(told.headers["x-forwarded-for"], "127.0.0.1");
        assert!(!told.headers.contains_key("host") && !told.headers.contains_key("connection"));
        assert!(told.body.is_empty() && told.raw_body.is_empty(), "nobody has asked for the body");
        assert_eq!(told.id.len(), 32);
    }
    assert_eq!((bed.it.counts().requests, bed.auth.connections()), (2, 1));
}

#[tokio::test]
async fn only_what_is_listed_is_told() {
    let bed = Bed::new("protocol: GRPC, grpc: {allowedHeaders: [Cookie]}", |_| granted(Granted::default())).await;
    assert_eq!(bed.get(&[("cookie", "a=1"), ("authorization", "Basic YQ==")]).await.status, 200);
    let told = bed.auth.last().http();
    assert_eq!(told.headers.keys().collect::<Vec<_>>(), ["cookie"]);
}

#[tokio::test]
async fn a_yes_changes_what_it_says() {
    let bed = Bed::new(GRPC, |_| {
        granted(Granted {
            headers: vec![
                header("x-user", "ann", 0),
                header("x-list", "2", 2),
                header("x-kept", "theirs", 1),
                header("host", "evil.example", 0),
                header(":path", "/evil", 0),
            ],
            remove: vec!["authorization".into(), "host".into(), ":method".into()],
            response: vec![header("set-cookie", "s=1", 0), header("set-cookie", "t=2", 0)],
            set_query: vec![pair("user", "ann & co")],
            remove_query: vec!["token".into()],
        })
    })
    .await;
    let headers = [("x-user", "admin"), ("x-list", "1"), ("x-kept", "mine"), ("authorization", "Basic YQ==")];
    let reply = super::get(bed.at, "/a?token=t&b=c", &headers).await;
    assert_eq!(reply.status, 200);
    assert_eq!(values(&reply.headers, "set-cookie"), ["s=1", "t=2"]);
    let seen = bed.it.nth_request(1).await.unwrap();
    assert_eq!((seen.report.path.as_str(), seen.report.host.as_str()), ("/a?b=c&user=ann%20%26%20co", "a.example"));
    assert_eq!(seen.report.header("x-user"), ["ann"]);
    assert_eq!(seen.report.header("x-list"), ["2"]);
    assert_eq!(seen.report.header("x-kept"), ["mine"]);
    assert_eq!(seen.report.header("authorization"), [""; 0]);
}

#[tokio::test]
async fn a_no_is_what_the_client_gets() {
    let bed = Bed::new(GRPC, |asked| match asked.http().path.as_str() {
        "/page" => {
            let headers =
                vec![header("x-why", "late", 0), header("set-cookie", "a=1", 0), header("set-cookie", "b=2", 0)];
            denied(16, 401, headers, "who?")
        }
        "/success" => denied(7, 200, vec![], "it looks good"),
        "/bare" => Says::Grpc(CheckResponse { status: Some(Status { code: 7 }), verdict: None }),
        _ => granted(Granted::default()),
    })
    .await;
    let reply = super::get(bed.at, "/page", &[]).await;
    assert_eq!((reply.status.as_u16(), reply.text().as_str(), reply.header("x-why")), (401, "who?", Some("late")));
    assert_eq!(values(&reply.headers, "set-cookie"), ["a=1", "b=2"]);
    for path in ["/success", "/bare"] {
        let reply = super::get(bed.at, path, &[]).await;
        assert_eq!(reply.status, 403);
        assert!(reply.text().contains("auth_denied"), "{}", reply.text());
    }
    assert_eq!(bed.it.counts().requests, 0);
    assert_eq!(super::get(bed.at, "/", &[]).await.status, 200);
}

#[tokio::test]
async fn a_call_that_is_denied_is_told_in_its_own_way() {
    let bed = Bed::new(GRPC, |_| denied(16, 401, vec![header("x-why", "late", 0)], "who?")).await;
    let mut connection = Dial::h2c(bed.at).connect("a.example").await.unwrap();
    let reply = call::call(&mut connection, "http://a.example/s/m", &[], b"message").await.unwrap();
    assert_eq!((reply.http_status.as_u16(), reply.status), (200, Some(16)));
    assert!(reply.message.contains("auth_denied"), "{}", reply.message);
}

#[tokio::test]
async fn what_is_no_good_answer_is_no_yes() {
    let bed = Bed::new(GRPC, |asked| match asked.http().path.as_str() {
        "/status" => Says::GrpcStatus("14"),
        "/contradiction" => denied(0, 403, vec![], ""),
        "/unknown-action" => granted(Granted { headers: vec![header("a", "b", 9)], ..Granted::default() }),
        "/no-name" => granted(Granted { headers: vec![header("a b", "c", 0)], ..Granted::default() }),
        "/http" => super::answer(200, &[], "yes"),
        "/long" => granted(Granted { headers: vec![header("a", &"x".repeat(100_000), 0)], ..Granted::default() }),
        _ => Says::Nothing,
    })
    .await;
    for path in ["/status", "/contradiction", "/unknown-action", "/no-name", "/http", "/long", "/nothing"] {
        let reply = super::get(bed.at, path, &[]).await;
        assert_eq!(reply.status, 500, "{path}");
        assert!(reply.text().contains("auth_failed"), "{path}: {}", reply.text());
    }
    assert_eq!(bed.it.counts().requests, 0);
}

#[tokio::test]
async fn a_service_that_cannot_speak_grpc_is_refused_with_a_condition() {
    let bed = Bed::new(GRPC, |_| granted(Granted::default())).await;
    let websocket = service_speaking("ws", Some("kubernetes.io/ws"), &[bed.auth.address]);
    let rule = rule(GRPC, "").replace("name: auth", "name: ws");
    let report = bed.site.write("more.yaml", &(websocket + &http_route("ws", "[b.example]", &rule))).await;
    assert!(report.to_value().to_string().contains("UnsupportedProtocol"), "{:#}", report.to_value());
    assert_eq!(Dial::http1(bed.at).get("http://b.example/").await.unwrap().status, 500);
    assert_eq!(bed.it.counts().requests, 0);
}
