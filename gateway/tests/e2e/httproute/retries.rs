//! Retries: on codes, on broken connections, with backoff, with timeouts.

use super::bed::{pod, send, serve};
use crate::support::{echo, http_route, service};
use lychgate_testkit::{Dial, free_addr};
use std::time::{Duration, Instant};

fn rule(retry: &str) -> String {
    format!("    - retry: {{{retry}}}\n      backendRefs: [{{name: it, port: 80}}]\n")
}

#[tokio::test]
async fn codes_are_tried_again_as_often_as_the_rule_says() {
    let (it, services) = pod("it").await;
    let (site, at) =
        serve(&(services + &http_route("it", "[]", &rule("codes: [500, 503], attempts: 2, backoff: 1ms")))).await;
    assert!(site.report().is_clean(), "{:#}", site.report().to_value());
    let mut before = 0;
    for (query, status, tries) in [
        ("status=503&fail=2&key=a", 200, 3),
        ("status=500&fail=1&key=b", 200, 2),
        ("status=503&fail=3&key=c", 503, 3),
        ("status=502&fail=1&key=d", 502, 1),
        ("status=404&fail=1&key=e", 404, 1),
        ("", 200, 1),
    ] {
        let reply = send(at, "GET", &format!("http://a.example/?{query}"), &[]).await;
        let seen = it.counts().requests;
        assert_eq!((reply.status.as_u16(), seen - before), (status, tries), "{query}");
        before = seen;
    }
}

#[tokio::test]
async fn the_last_try_s_answer_is_the_backend_s_own() {
    let (_it, services) = pod("it").await;
    let (_site, at) =
        serve(&(services + &http_route("it", "[]", &rule("codes: [503], attempts: 1, backoff: 1ms")))).await;
    let reply = send(at, "GET", "http://a.example/?status=503&header=x-own:1&size=10", &[]).await;
    assert_eq!(reply.status, 503);
    assert_eq!((reply.header("x-own"), reply.text().as_str()), (Some("1"), "abcdefghij"));
}

#[tokio::test]
async fn without_a_policy_and_with_0_attempts_codes_are_not_tried_again() {
    let (it, services) = pod("it").await;
    let routes = http_route("none", "[none.example]", "    - backendRefs: [{name: it, port: 80}]\n")
        + &http_route("zero", "[zero.example]", &rule("codes: [503], attempts: 0"));
    let (_site, at) = serve(&(services + &routes)).await;
    for (n, host) in (1..).zip(["none.example", "zero.example"]) {
        assert_eq!(send(at, "GET", &format!("http://{host}/?status=503&fail=1&key={host}"), &[]).await.status, 503);
        assert_eq!(it.counts().requests, n);
    }
}

#[tokio::test]
async fn tries_are_spaced_by_a_growing_backoff() {
    let (_it, services) = pod("it").await;
    let (_site, at) =
        serve(&(services + &http_route("it", "[]", &rule("codes: [503], attempts: 2, backoff: 200ms")))).await;
    let begun = Instant::now();
    assert_eq!(send(at, "GET", "http://a.example/?status=503&fail=2&key=a", &[]).await.status, 200);
    let took = begun.elapsed();
    // 200 ms, then 400 ms, each less up to half of it.
    assert!(took >= Duration::from_millis(300) && took < Duration::from_secs(5), "{took:?}");
}

#[tokio::test]
async fn a_dead_endpoint_is_passed_over_by_a_retry() {
    let (it, alive) = echo("it").await;
    let services = service("it", &[free_addr(), alive]);
    let (_site, at) = serve(&(services + &http_route("it", "[]", &rule("attempts: 1, backoff: 1ms")))).await;
    // Round robin offers the dead one to every other request first.
    for n in 1..=6 {
        assert_eq!(send(at, "POST", "http://a.example/", &[]).await.status, 200);
        assert_eq!(it.counts().requests, n);
    }
}

#[tokio::test]
async fn a_dead_endpoint_is_passed_over_without_a_policy_because_nobody_has_seen_the_request() {
    let (_it, alive) = echo("it").await;
    let services = service("it", &[free_addr(), alive]);
    let rule = "    - backendRefs: [{name: it, port: 80}]\n";
    let (_site, at) = serve(&(services + &http_route("it", "[]", rule))).await;
    for _ in 0..6 {
        assert_eq!(send(at, "POST", "http://a.example/", &[]).await.status, 200);
    }
}

#[tokio::test]
async fn with_nobody_alive_the_answer_is_502() {
    let services = service("it", &[free_addr(), free_addr()]);
    let routes = http_route("none", "[none.example]", "    - backendRefs: [{name: it, port: 80}]\n")
        + &http_route("some", "[some.example]", &rule("attempts: 3, backoff: 1ms"));
    let (_site, at) = serve(&(services + &routes)).await;
    for host in ["none.example", "some.example"] {
        assert_eq!(send(at, "GET", &format!("http://{host}/"), &[]).await.status, 502);
    }
}

#[tokio::test]
async fn a_connection_that_breaks_before_the_answer_is_tried_again() {
    let (it, services) = pod("it").await;
    let routes = http_route("it", "[]", &rule("attempts: 1, backoff: 1ms"));
    let (_site, at) = serve(&(services + &routes)).await;
    let mut before = 0;
    for (n, how) in (1..).zip(["reset", "close"]) {
        for method in ["GET", "POST"] {
            let url = format!("http://a.example/?abort={how}&fail=1&key={how}{method}");
            assert_eq!(send(at, method, &url, &[]).await.status, 200, "{how} {method}");
            let counts = it.counts();
            assert_eq!(counts.requests - before, 2, "{n} {method}");
            before = counts.requests;
        }
    }
    // As often as the rule says, and no more.
    assert_eq!(send(at, "GET", "http://a.example/?abort=reset", &[]).await.status, 502);
    assert_eq!(it.counts().requests - before, 2);
}

#[tokio::test]
async fn without_a_policy_a_broken_connection_is_502_and_the_request_seen_once() {
    let (it, services) = pod("it").await;
    let rule = "    - backendRefs: [{name: it, port: 80}]\n";
    let (_site, at) = serve(&(services + &http_route("it", "[]", rule))).await;
    assert_eq!(send(at, "POST", "http://a.example/?abort=reset", &[]).await.status, 502);
    assert_eq!(it.counts().requests, 1);
}

#[tokio::test]
async fn a_kept_connection_that_the_backend_closes_is_no_failure_for_get_and_never_repeats_a_post() {
    let (it, services) = pod("it").await;
    let rule = "    - backendRefs: [{name: it, port: 80}]\n";
    let (_site, at) = serve(&(services + &http_route("it", "[]", rule))).await;
    let mut client = Dial::http1(at).connect("a.example").await.unwrap();
    assert_eq!(client.get("http://a.example/").await.unwrap().status, 200);
    // The kept connection dies as the next request comes: it may well not have been seen.
    assert_eq!(client.get("http://a.example/?abort=close&fail=1&key=get").await.unwrap().status, 200);
    assert_eq!(it.counts().requests, 3);
    assert_eq!(send(at, "POST", "http://a.example/?abort=close&fail=1&key=post", &[]).await.status, 502);
    assert_eq!(it.counts().requests, 4);
}

#[tokio::test]
async fn a_try_that_takes_too_long_is_tried_again() {
    let (it, services) = pod("it").await;
    let rule = "    - retry: {attempts: 2, backoff: 1ms}\n      timeouts: {backendRequest: 200ms}\n      backendRefs: [{name: it, port: 80}]\n";
    let (_site, at) = serve(&(services + &http_route("it", "[]", rule))).await;
    assert_eq!(send(at, "GET", "http://a.example/?hold=never&fail=2&key=a", &[]).await.status, 200);
    assert_eq!(it.counts().requests, 3);
    assert_eq!(send(at, "GET", "http://a.example/?hold=never", &[]).await.status, 504);
    assert_eq!(it.counts().requests, 6);
    it.wait_for(|counts| counts.cancelled == 5).await;
}

#[tokio::test]
async fn all_tries_and_pauses_end_at_the_request_timeout() {
    let (it, services) = pod("it").await;
    let routes = http_route(
        "tries",
        "[tries.example]",
        "    - retry: {attempts: 100, backoff: 1ms}\n      timeouts: {request: 500ms, backendRequest: 200ms}\n      backendRefs: \
         [{name: it, port: 80}]\n",
    ) + &http_route(
        "pauses",
        "[pauses.example]",
        "    - retry: {attempts: 100, codes: [503], backoff: 1m}\n      timeouts: {request: 300ms}\n      backendRefs: [{name: it, \
         port: 80}]\n",
    );
    let (_site, at) = serve(&(services + &routes)).await;
    for (url, least, tries) in [
        ("http://tries.example/?hold=never", Duration::from_millis(500), 2..=3),
        ("http://pauses.example/?status=503", Duration::from_millis(300), 1..=1),
    ] {
        let (begun, before) = (Instant::now(), it.counts().requests);
        assert_eq!(send(at, "GET", url, &[]).await.status, 504, "{url}");
        let took = begun.elapsed();
        assert!(took >= least && took < Duration::from_secs(5), "{url}: {took:?}");
        let tried = it.counts().requests - before;
        assert!(tries.contains(&tried), "{url}: {tried}");
    }
}
