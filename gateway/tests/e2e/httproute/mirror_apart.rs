//! Fire and forget: whatever a mirror does, the client does not notice.

use super::bed::{Canned, pods, send, serve, serve_alone};
use super::mirror::whole;
use crate::support::{http_route, service};
use bytes::Bytes;
use http::Request;
use lychgate_echo::pattern;
use lychgate_testkit::{Dial, free_addr};
use std::time::Duration;

/// Far longer than an answer takes, far shorter than anything that a mirror waits for.
const SOON: Duration = Duration::from_secs(10);

/// Mirrors to `mirror`. What steers the echo server by header steers the mirror alone.
fn rule() -> String {
    let strip = "{type: RequestHeaderModifier, requestHeaderModifier: {remove: [x-echo-hold, x-echo-abort, x-echo-echo, \
                 x-echo-status]}}";
    format!(
        "    - filters: [{{type: RequestMirror, requestMirror: {{backendRef: {{name: mirror, port: 80}}}}}}]\n      \
         backendRefs: [{{name: main, port: 80, filters: [{strip}]}}]\n"
    )
}

#[tokio::test]
async fn a_mirror_that_holds_forever_does_not_slow_the_client() {
    let ([main, mirror], services) = pods(["main", "mirror"]).await;
    let (_site, at) = serve(&(services + &http_route("it", "[]", &rule()))).await;
    for n in 1..=3 {
        let reply = tokio::time::timeout(SOON, send(at, "GET", "http://a.example/", &[("x-echo-hold", "never")]));
        assert_eq!(reply.await.unwrap().header("x-echo-pod"), Some("main"));
        mirror.wait_held("never", n).await;
    }
    assert_eq!(main.counts().answered, 3);
    assert_eq!(mirror.counts().answered, 0);
}

#[tokio::test]
async fn a_mirror_that_does_not_read_loses_its_copy_and_slows_nobody() {
    let ([main, mirror], services) = pods(["main", "mirror"]).await;
    let (_site, at) = serve(&(services + &http_route("it", "[]", &rule()))).await;
    // More than any socket and any queue takes.
    let body = Bytes::from(pattern(32 << 20));
    let request = Request::post("http://a.example/")
        .header("x-echo-hold", "never")
        .header("x-echo-echo", "body")
        .body(body)
        .unwrap();
    let reply = tokio::time::timeout(SOON, Dial::http1(at).send(request)).await.unwrap().unwrap();
    assert_eq!(reply.json::<lychgate_echo::EchoReport>().body_bytes, Some(32 << 20));
    assert_eq!(main.counts().answered, 1);
    mirror.release("never");
    mirror.wait_for(|counts| counts.cancelled == 1).await;
    assert_eq!(mirror.counts().bodies, 0, "half a body is broken off, never passed off as whole");
}

#[tokio::test]
async fn a_dead_mirror_does_not_matter() {
    let ([main], services) = pods(["main"]).await;
    let services = services + &service("mirror", &[free_addr()]);
    let (_site, at) = serve(&(services + &http_route("it", "[]", &rule()))).await;
    let request = Request::post("http://a.example/").body(Bytes::from(pattern(1 << 20))).unwrap();
    let reply = tokio::time::timeout(SOON, Dial::http1(at).send(request)).await.unwrap().unwrap();
    assert_eq!(reply.header("x-echo-pod"), Some("main"));
    assert_eq!(whole(&main, 1).await.1.size, 1 << 20);
}

#[tokio::test]
async fn a_mirror_that_fails_aborts_or_talks_nonsense_does_not_matter() {
    let ([main, mirror], services) = pods(["main", "mirror"]).await;
    let (_site, at) = serve(&(services + &http_route("it", "[]", &rule()))).await;
    for (n, (name, value)) in
        (1..).zip([("x-echo-status", "500"), ("x-echo-abort", "close"), ("x-echo-abort", "reset")])
    {
        assert_eq!(send(at, "GET", "http://a.example/", &[(name, value)]).await.header("x-echo-pod"), Some("main"));
        mirror.wait_for(|counts| counts.requests >= n).await;
    }
    assert_eq!(main.counts().answered, 3);

    let ([_main], services) = pods(["main"]).await;
    let canned = Canned::new("nonsense\r\n\r\n").await;
    let (_site, at) =
        serve(&(services + &service("mirror", &[canned.address]) + &http_route("it", "[]", &rule()))).await;
    assert_eq!(send(at, "GET", "http://a.example/", &[]).await.header("x-echo-pod"), Some("main"));
}

#[tokio::test]
async fn a_mirror_without_endpoints_or_without_object_does_not_matter() {
    for mirror in [service("mirror", &[]), String::new()] {
        let ([_main], services) = pods(["main"]).await;
        let (_site, at) = serve(&(services + &mirror + &http_route("it", "[]", &rule()))).await;
        assert_eq!(send(at, "GET", "http://a.example/", &[]).await.header("x-echo-pod"), Some("main"));
    }
}

#[tokio::test]
async fn the_mirror_s_answer_is_thrown_away_and_its_connection_kept() {
    let ([_main, mirror], services) = pods(["main", "mirror"]).await;
    let (_site, at) = serve_alone(&(services + &http_route("it", "[]", &rule()))).await;
    for n in 1..=3 {
        assert_eq!(send(at, "GET", "http://a.example/?size=100000", &[]).await.header("x-echo-pod"), Some("main"));
        mirror.wait_for(|counts| counts.answered >= n).await;
        // The connection goes back to the pool just after the mirror has said its last word.
        tokio::task::yield_now().await;
    }
    assert!(mirror.counts().connections < 3, "{:?}", mirror.counts());
}
