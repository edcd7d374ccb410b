//! What we say to calls ourselves: statuses of gRPC, as trailers only.

use super::{Bed, UNARY, call, grpc_route};
use crate::support::{Site, echo, http_gateway, http_route, service};
use lychgate_testkit::grpc::GrpcReply;
use lychgate_testkit::{Dial, free_addr, grpc};

const UNIMPLEMENTED: u16 = 12;
const UNAVAILABLE: u16 = 14;
const DEADLINE_EXCEEDED: u16 = 4;

/// Trailers only: no message, no trailers after the head.
fn assert_ours(reply: &GrpcReply, status: u16) {
    assert_eq!((reply.http_status.as_u16(), reply.status), (200, Some(status)), "{reply:?}");
    assert_eq!(reply.headers["content-type"], "application/grpc");
    assert!(reply.trailers.is_empty() && reply.messages.is_empty(), "{reply:?}");
    let id = reply.headers["x-request-id"].to_str().unwrap();
    assert!(reply.message.contains(id), "{reply:?}");
}

#[tokio::test]
async fn config_that_cannot_be_done_is_unavailable() {
    let rule = |service: &str, rest: &str| format!("    - matches: [{{method: {{service: {service}}}}}]\n{rest}");
    let rules = rule("gone", "      backendRefs: [{name: nowhere, port: 80}]\n")
        + &rule("none", "")
        + &rule("zero", "      backendRefs: [{name: blue, port: 80, weight: 0}]\n")
        + &rule(
            "odd",
            "      filters: [{type: ExtensionRef, extensionRef: {group: x.io, kind: F, name: f}}]\n      backendRefs: \
             [{name: blue, port: 80}]\n",
        );
    let bed = Bed::serve(&grpc_route("grpc", "[a.example]", &rules)).await;
    for service in ["gone", "none", "zero", "odd"] {
        assert_ours(&bed.call(&format!("{service}/Method"), &[]).await, UNAVAILABLE);
    }
    assert_ours(&bed.call("other/Method", &[]).await, UNIMPLEMENTED);
    assert_ours(&call(bed.address, "b.example", UNARY, &[]).await, UNIMPLEMENTED);
    assert_eq!(bed.seen(), (0, 0));
    // To others it is HTTP as ever.
    assert_eq!(Dial::http1(bed.address).get("http://a.example/gone/Method").await.unwrap().status, 500);
    assert_eq!(bed.site.stop().await, 0);
}

/// Clients look for the status where the stream ends: an empty piece of body after the head would be an end without one.
#[tokio::test]
async fn the_stream_ends_with_the_head() {
    let address = free_addr();
    let files = http_gateway(address.port())
        + &service("dead", &[free_addr()])
        + &grpc_route("dead", "[dead.example]", "    - backendRefs: [{name: dead, port: 80}]\n");
    let site = Site::serve(&[("all.yaml", &files)]).await;
    // Refused at once, and after an attempt.
    for host in ["nobody.example", "dead.example"] {
        let mut connection = Dial::h2c(address).connect(host).await.unwrap();
        let request = grpc::request(&format!("http://{host}/{UNARY}"), grpc::framed(b"x")).unwrap();
        let response = connection.begin(request).await.unwrap();
        assert!(response.headers().contains_key("grpc-status"), "{host}: {response:?}");
        assert!(hyper::body::Body::is_end_stream(response.body()), "{host}: {response:?}");
    }
    assert_eq!(site.stop().await, 0);
}

#[tokio::test]
async fn half_a_backend_is_half_unavailable() {
    let rules = "    - backendRefs: [{name: blue, port: 80}, {name: nowhere, port: 80}]\n";
    let bed = Bed::serve(&grpc_route("grpc", "[]", rules)).await;
    let mut connection = Dial::h2c(bed.address).connect("a.example").await.unwrap();
    let mut unavailable = 0;
    for _ in 0..100 {
        let reply = grpc::call(&mut connection, &format!("http://a.example/{UNARY}"), &[], b"x").await.unwrap();
        match reply.status {
            Some(0) => {}
            _ => {
                assert_ours(&reply, UNAVAILABLE);
                unavailable += 1;
            }
        }
    }
    assert!((20..=80).contains(&unavailable), "{unavailable}");
    drop(connection);
    assert_eq!(bed.site.stop().await, 0);
}

#[tokio::test]
async fn backends_that_are_not_there_are_unavailable() {
    let address = free_addr();
    let files = http_gateway(address.port())
        + &service("dead", &[free_addr()])
        + &service("empty", &[])
        + &grpc_route("dead", "[dead.example]", "    - backendRefs: [{name: dead, port: 80}]\n")
        + &grpc_route("empty", "[empty.example]", "    - backendRefs: [{name: empty, port: 80}]\n");
    let site = Site::serve(&[("all.yaml", &files)]).await;
    for host in ["dead.example", "empty.example"] {
        assert_ours(&call(address, host, UNARY, &[]).await, UNAVAILABLE);
    }
    assert_eq!(site.stop().await, 0);
}

#[tokio::test]
async fn a_backend_that_breaks_off_is_unavailable_and_what_it_says_itself_goes_through() {
    let bed = Bed::serve(&grpc_route("grpc", "[]", "    - backendRefs: [{name: blue, port: 80}]\n")).await;
    assert_ours(&bed.call(UNARY, &[("x-echo-abort", "close")]).await, UNAVAILABLE);
    let reply = bed.call(UNARY, &[("x-echo-grpc-status", "7")]).await;
    assert_eq!(reply.status, Some(7));
    assert_eq!(bed.call("lychgate.echo.v1.Echo/Other", &[]).await.status, Some(UNIMPLEMENTED));
    assert_eq!(bed.site.stop().await, 0);
}

#[tokio::test]
async fn calls_through_httproutes_are_told_in_grpc_too() {
    let (server, backend) = echo("blue").await;
    let address = free_addr();
    let rules = "    - timeouts: {request: 150ms}\n      backendRefs: [{name: blue, port: 80}]\n";
    let files = http_gateway(address.port())
        + &crate::support::service_speaking("blue", Some("kubernetes.io/h2c"), &[backend])
        + &http_route("web", "[a.example]", rules);
    let site = Site::serve(&[("all.yaml", &files)]).await;
    let reply = call(address, "a.example", UNARY, &[("x-echo-hold", "forever")]).await;
    assert_ours(&reply, DEADLINE_EXCEEDED);
    server.release("forever");
    assert_eq!(call(address, "a.example", UNARY, &[]).await.status, Some(0));
    assert_eq!(site.stop().await, 0);
}
