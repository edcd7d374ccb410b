//! RequestMirror: who gets copies, of what, and how many.

use super::bed::{pods, send, serve};
use crate::support::{echo, http_route, service, service_speaking};
use bytes::Bytes;
use http::Request;
use lychgate_echo::{EchoServer, pattern};
use lychgate_testkit::{Dial, Payload};

/// A rule that mirrors so, to backend `main`.
fn rule(mirrors: &[&str]) -> String {
    let mirrors: String = mirrors
        .iter()
        .map(|mirror| format!("        - {{type: RequestMirror, requestMirror: {{{mirror}}}}}\n"))
        .collect();
    format!("    - filters:\n{mirrors}      backendRefs: [{{name: main, port: 80}}]\n")
}

fn to(name: &str) -> String {
    format!("backendRef: {{name: {name}, port: 80}}")
}

/// The `n`th request of a server, with its body read.
pub(super) async fn whole(server: &EchoServer, n: u64) -> (lychgate_echo::EchoReport, lychgate_echo::BodySeen) {
    server.wait_for(|counts| counts.bodies >= n).await;
    let recorded = server.nth_request(n).await.unwrap();
    (recorded.report.clone(), recorded.body().unwrap().clone())
}

#[tokio::test]
async fn several_mirrors_get_each_request_as_the_rule_made_it() {
    let ([main, one, two], services) = pods(["main", "one", "two"]).await;
    let rule = rule(&[&to("one"), &to("two")]).replace(
        "      backendRefs",
        "        - {type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: X-Set, value: ours}]}}\n        - {type: \
         URLRewrite, urlRewrite: {path: {type: ReplaceFullPath, replaceFullPath: /new}}}\n      backendRefs",
    );
    let (site, at) = serve(&(services + &http_route("it", "[]", &rule))).await;
    assert!(site.report().is_clean(), "{:#}", site.report().to_value());
    let reply = send(at, "DELETE", "http://a.example/old?x=1", &[("connection", "x-hop"), ("x-hop", "1")]).await;
    assert_eq!(reply.header("x-echo-pod"), Some("main"));
    for server in [&main, &one, &two] {
        let (report, body) = whole(server, 1).await;
        assert_eq!((report.method.as_str(), report.path.as_str()), ("DELETE", "/new?x=1"));
        assert_eq!(report.host, "a.example");
        assert_eq!(report.header("x-set"), ["ours"]);
        assert_eq!(report.header("x-hop"), [""; 0], "{}", report.identity.pod);
        assert_eq!(report.header("x-forwarded-for"), ["127.0.0.1"]);
        assert_eq!(body.size, 0);
    }
    assert_eq!((main.counts().requests, one.counts().requests, two.counts().requests), (1, 1, 1));
}

#[tokio::test]
async fn a_body_of_a_mebibyte_is_mirrored_intact_declared_chunked_and_over_http2() {
    let ([main, one, two], services) = pods(["main", "one", "two"]).await;
    let (_site, at) = serve(&(services + &http_route("it", "[]", &rule(&[&to("one"), &to("two")])))).await;
    let body = Bytes::from(pattern(1 << 20));
    let mut n = 0;
    for dial in [Dial::http1(at), Dial::h2c(at)] {
        for declared in [true, false] {
            n += 1;
            let payload = if declared {
                Payload::Whole(body.clone())
            } else {
                let (feed, payload) = Payload::fed();
                let body = body.clone();
                tokio::spawn(async move {
                    for piece in body.chunks(50_000) {
                        assert!(feed.data(Bytes::copy_from_slice(piece)).await);
                    }
                });
                payload
            };
            let request = Request::post("http://a.example/?echo=body").body(payload).unwrap();
            let reply = dial.send(request).await.unwrap();
            assert!(reply.body == body, "{} bytes came back", reply.body.len());
            for server in [&main, &one, &two] {
                let (_, seen) = whole(server, n).await;
                assert_eq!(seen.size, 1 << 20);
                assert!(body.starts_with(&seen.start));
            }
        }
    }
}

#[tokio::test]
async fn a_share_is_mirrored_by_percent_or_fraction() {
    let ([_main, none, half, third, all], services) = pods(["main", "none", "half", "third", "all"]).await;
    let mirrors = [
        format!("{}, percent: 0", to("none")),
        format!("{}, percent: 50", to("half")),
        format!("{}, fraction: {{numerator: 1, denominator: 3}}", to("third")),
        format!("{}, percent: 100", to("all")),
    ];
    let (site, at) = serve(&(services + &http_route("it", "[]", &rule(&mirrors.each_ref().map(String::as_str))))).await;
    assert!(site.report().is_clean(), "{:#}", site.report().to_value());
    let mut connection = Dial::http1(at).connect("a.example").await.unwrap();
    for _ in 0..600 {
        assert_eq!(connection.get("http://a.example/").await.unwrap().status, 200);
    }
    all.wait_for(|counts| counts.requests >= 600).await;
    // Copies are under way when their requests are answered; those of the others were sent before the last of `all`'s.
    assert_eq!(site.stop().await, 0);
    assert_eq!(none.counts().requests, 0);
    // Six standard deviations of 600 tosses.
    let (half, third) = (half.counts().requests, third.counts().requests);
    assert!((226..=374).contains(&half), "{half}");
    assert!((130..=270).contains(&third), "{third}");
}

#[tokio::test]
async fn a_mirror_may_speak_h2c() {
    let (_main, main) = echo("main").await;
    let (mirror, address) = echo("mirror").await;
    let services = service("main", &[main]) + &service_speaking("mirror", Some("kubernetes.io/h2c"), &[address]);
    let (_site, at) = serve(&(services + &http_route("it", "[]", &rule(&[&to("mirror")])))).await;
    let request = Request::post("http://a.example/x?y=z").body(Payload::from("body")).unwrap();
    assert_eq!(Dial::http1(at).send(request).await.unwrap().header("x-echo-pod"), Some("main"));
    let (report, body) = whole(&mirror, 1).await;
    assert_eq!(
        (report.proto.as_str(), report.path.as_str(), report.host.as_str()),
        ("HTTP/2.0", "/x?y=z", "a.example")
    );
    assert_eq!(body.start, "body");
    assert_eq!(send(at, "GET", "http://a.example/", &[]).await.status, 200);
    let (report, body) = whole(&mirror, 2).await;
    assert_eq!((report.method.as_str(), body.size), ("GET", 0));
}

#[tokio::test]
async fn a_mirror_of_a_backend_gets_the_requests_of_its_share() {
    let ([main, other, mirror], services) = pods(["main", "other", "mirror"]).await;
    let rule = "    - backendRefs:\n        - {name: main, port: 80, filters: [{type: RequestMirror, requestMirror: \
                {backendRef: {name: mirror, port: 80}}}]}\n        - {name: other, port: 80}\n";
    let (_site, at) = serve(&(services + &http_route("it", "[]", rule))).await;
    while main.counts().requests < 3 || other.counts().requests < 3 {
        assert_eq!(send(at, "GET", "http://a.example/", &[]).await.status, 200);
    }
    let expected = main.counts().requests;
    mirror.wait_for(|counts| counts.requests >= expected).await;
    assert_eq!(mirror.counts().requests, expected);
}

#[tokio::test]
async fn a_retried_request_is_mirrored_once_with_its_whole_body() {
    let ([main, mirror], services) = pods(["main", "mirror"]).await;
    let rule = rule(&[&to("mirror")])
        .replace("80}]\n", "80, filters: [{type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: x-echo-status, value: '503'}, {name: x-echo-fail, value: '2'}]}}]}]\n      retry: {attempts: 2, codes: [503], backoff: 1ms}\n");
    let (site, at) = serve(&(services + &http_route("it", "[]", &rule))).await;
    assert!(site.report().is_clean(), "{:#}", site.report().to_value());
    let body = Bytes::from(pattern(50_000));
    let request = Request::post("http://a.example/").body(body.clone()).unwrap();
    assert_eq!(Dial::http1(at).send(request).await.unwrap().status, 200);
    let (_, seen) = whole(&mirror, 1).await;
    assert_eq!(seen.size, 50_000);
    assert!(body.starts_with(&seen.start));
    assert_eq!((main.counts().requests, mirror.counts().requests), (3, 1));
}
