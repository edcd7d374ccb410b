//! sessionPersistence: a client stays with its endpoint, by cookie or header.

use super::bed::{by, send, serve};
use crate::support::eventually;
use crate::support::{echo, http_route, service};
use lychgate_echo::EchoServer;
use lychgate_testkit::Reply;
use std::collections::BTreeSet;
use std::net::SocketAddr;

/// Three pods of one Service.
async fn three() -> ([EchoServer; 3], [SocketAddr; 3]) {
    let [(a, x), (b, y), (c, z)] = [echo("a").await, echo("b").await, echo("c").await];
    ([a, b, c], [x, y, z])
}

fn rule(persistence: &str) -> String {
    format!("    - sessionPersistence: {{{persistence}}}\n      backendRefs: [{{name: it, port: 80}}]\n")
}

/// `name=value` of the cookie that was set.
fn cookie(reply: &Reply) -> String {
    reply.header("set-cookie").unwrap().split(';').next().unwrap().to_owned()
}

#[tokio::test]
async fn a_cookie_keeps_a_client_with_its_endpoint() {
    let (_pods, addresses) = three().await;
    let (site, at) =
        serve(&(service("it", &addresses) + &http_route("it", "[]", &rule("cookie: {name: keep, path: /shop}")))).await;
    assert!(site.report().is_clean(), "{:#}", site.report().to_value());
    let mut met = BTreeSet::new();
    for _ in 0..3 {
        let first = send(at, "GET", "http://a.example/", &[]).await;
        let set = first.header("set-cookie").unwrap();
        assert!(set.starts_with("keep=") && set.contains("HttpOnly"), "{set}");
        assert!(!set.contains("Max-Age") && !set.contains("Expires"), "{set}");
        assert!(set.contains("; Path=/shop;"), "{set}");
        assert!(!addresses.iter().any(|address| set.contains(&address.port().to_string())), "{set}");
        met.insert(by(&first));
        let cookies = format!("other=1; {}; more=2", cookie(&first));
        for _ in 0..4 {
            let next = send(at, "GET", "http://a.example/x", &[("cookie", &cookies)]).await;
            assert_eq!(by(&next), by(&first));
            assert_eq!(next.header("set-cookie"), None, "it knows already");
        }
    }
    assert!(met.len() > 1, "clients without a session are spread: {met:?}");
}

#[tokio::test]
async fn a_header_keeps_a_client_with_its_endpoint() {
    let (_pods, addresses) = three().await;
    let routes = http_route("it", "[]", &rule("type: Header, header: {name: X-Session}"));
    let (site, at) = serve(&(service("it", &addresses) + &routes)).await;
    assert!(site.report().is_clean(), "{:#}", site.report().to_value());
    for _ in 0..3 {
        let first = send(at, "GET", "http://a.example/", &[]).await;
        let session = first.header("x-session").unwrap();
        for _ in 0..4 {
            let next = send(at, "GET", "http://a.example/", &[("x-session", session)]).await;
            assert_eq!((by(&next), next.header("x-session")), (by(&first), Some(session)));
        }
    }
}

#[tokio::test]
async fn a_session_survives_a_reload_and_ends_with_its_endpoint() {
    let (_pods, [a, b, c]) = three().await;
    let route = http_route("it", "[]", &rule("cookie: {name: keep}"));
    let (site, at) = serve(&(service("it", &[a, b]) + &route)).await;
    let first = send(at, "GET", "http://a.example/", &[]).await;
    let kept = cookie(&first);
    let more = service("it", &[c, b, a]) + &route + &http_route("more", "[more.example]", &rule("cookie: {}"));
    site.write_until("objects.yaml", &more, |report| report.is_clean()).await;
    for _ in 0..6 {
        assert_eq!(by(&send(at, "GET", "http://a.example/", &[("cookie", &kept)]).await), by(&first));
    }
    let own = if by(&first) == "a" { a } else { b };
    let left: Vec<_> = [a, b, c].into_iter().filter(|address| *address != own).collect();
    let fewer = service("it", &left) + &route;
    let shrunk = |report: &lychgate_gateway::standalone::Report| report.is_clean() && report.snapshot.routes.len() == 1;
    site.write_until("objects.yaml", &fewer, shrunk).await;
    eventually("the endpoint is gone", async || {
        let next = send(at, "GET", "http://a.example/", &[("cookie", &kept)]).await;
        by(&next) != by(&first) && next.header("set-cookie").is_some()
    })
    .await;
}

#[tokio::test]
async fn a_session_ends_at_its_absolute_timeout_and_a_permanent_cookie_says_when() {
    let (_pods, addresses) = three().await;
    let persistence = "absoluteTimeout: 1s, cookie: {name: keep, lifetimeType: Permanent}";
    let (site, at) = serve(&(service("it", &addresses) + &http_route("it", "[]", &rule(persistence)))).await;
    assert!(site.report().is_clean(), "{:#}", site.report().to_value());
    let first = send(at, "GET", "http://a.example/", &[]).await;
    let set = first.header("set-cookie").unwrap();
    assert!(set.contains("Max-Age=1") && set.contains("; Path=/;"), "{set}");
    let kept = cookie(&first);
    // Sessions begin at whole seconds: this one may be over already, and is at the latest a second later.
    eventually("the session is over", async || {
        let next = send(at, "GET", "http://a.example/", &[("cookie", &kept)]).await;
        next.header("set-cookie").is_some_and(|set| !set.starts_with(&kept))
    })
    .await;
}

#[tokio::test]
async fn a_session_keeps_its_backend_of_a_weighted_split() {
    let (_one, one) = echo("one").await;
    let (_two, two) = echo("two").await;
    let services = service("one", &[one]) + &service("two", &[two]);
    let rule = "    - sessionPersistence: {cookie: {name: keep}}\n      backendRefs: [{name: one, port: 80, weight: 1}, {name: two, \
                port: 80, weight: 1}]\n";
    let (_site, at) = serve(&(services + &http_route("it", "[]", rule))).await;
    for _ in 0..3 {
        let first = send(at, "GET", "http://a.example/", &[]).await;
        let kept = cookie(&first);
        for _ in 0..10 {
            assert_eq!(by(&send(at, "GET", "http://a.example/", &[("cookie", &kept)]).await), by(&first));
        }
    }
}

#[tokio::test]
async fn what_is_no_session_is_a_new_client() {
    let (_pods, addresses) = three().await;
    let (_site, at) =
        serve(&(service("it", &addresses) + &http_route("it", "[]", &rule("cookie: {name: keep}")))).await;
    for forged in ["keep=", "keep=nonsense", "keep=0000000000000000-0", "keep=zz-zz", "keep=ffffffffffffffff-ffffffff"]
    {
        let reply = send(at, "GET", "http://a.example/", &[("cookie", forged)]).await;
        assert!(reply.status == 200 && reply.header("set-cookie").is_some(), "{forged}");
    }
}

#[tokio::test]
async fn a_retry_leaves_an_endpoint_that_fails_and_takes_the_session_along() {
    let (dead, x) = echo("dead").await;
    let (_alive, y) = echo("alive").await;
    let (_site, at) = serve(&(service("it", &[x, y]) + &http_route("it", "[]", &rule("cookie: {name: keep}")))).await;
    let mut kept = String::new();
    eventually("the session is with the pod that will die", async || {
        let reply = send(at, "GET", "http://a.example/", &[]).await;
        kept = cookie(&reply);
        by(&reply) == "dead"
    })
    .await;
    dead.kill().await;
    let next = send(at, "GET", "http://a.example/", &[("cookie", &kept)]).await;
    assert_eq!(by(&next), "alive");
    let kept = cookie(&next);
    assert_eq!(by(&send(at, "GET", "http://a.example/", &[("cookie", &kept)]).await), "alive");
}
