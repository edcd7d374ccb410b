//! URLRewrite and RequestRedirect on a backendRef: for the share of that backend, and for nobody else.

use super::bed::{pods, send, serve};
use crate::support::http_route;

fn split(filter: &str) -> String {
    let rule = format!(
        "    - matches: [{{path: {{value: /p}}}}]\n      backendRefs:\n        - {{name: plain, port: 80}}\n        - name: \
         special\n          port: 80\n          filters: [{filter}]\n"
    );
    http_route("it", "[]", &rule)
}

#[tokio::test]
async fn a_rewrite_on_a_backend_changes_the_requests_of_its_share() {
    let ([plain, special], services) = pods(["plain", "special"]).await;
    let filter = "{type: URLRewrite, urlRewrite: {hostname: special.example, path: {type: ReplacePrefixMatch, \
                  replacePrefixMatch: /new}}}";
    let (site, at) = serve(&(services + &split(filter))).await;
    assert!(site.report().is_clean(), "{:#}", site.report().to_value());
    while plain.counts().requests == 0 || special.counts().requests == 0 {
        assert_eq!(send(at, "GET", "http://a.example/p/a?x=1", &[]).await.status, 200);
    }
    let seen = |server: &lychgate_echo::EchoServer| {
        let report = server.requests()[0].report.clone();
        (report.host, report.path)
    };
    assert_eq!(seen(&plain), ("a.example".to_owned(), "/p/a?x=1".to_owned()));
    assert_eq!(seen(&special), ("special.example".to_owned(), "/new/a?x=1".to_owned()));
}

#[tokio::test]
async fn a_rewrite_on_a_backend_starts_from_what_the_rule_made_of_the_path() {
    let ([it], services) = pods(["it"]).await;
    let rewrite = |to: &str| {
        format!("[{{type: URLRewrite, urlRewrite: {{path: {{type: ReplacePrefixMatch, replacePrefixMatch: {to}}}}}}}]")
    };
    let rule = format!(
        "    - matches: [{{path: {{value: /a}}}}]\n      filters: {}\n      backendRefs: [{{name: it, port: 80, filters: {}}}]\n",
        rewrite("/b/c"),
        rewrite("/d")
    );
    let (_site, at) = serve(&(services + &http_route("it", "[]", &rule))).await;
    assert_eq!(send(at, "GET", "http://a.example/a/x", &[]).await.status, 200);
    assert_eq!(it.requests()[0].report.path, "/d/x");
}

#[tokio::test]
async fn a_redirect_on_a_backend_answers_its_share_and_reaches_nobody() {
    let ([plain, special], services) = pods(["plain", "special"]).await;
    let filter = "{type: RequestRedirect, requestRedirect: {hostname: b.example, scheme: https, statusCode: 301}}";
    let (site, at) = serve(&(services + &split(filter))).await;
    assert!(site.report().is_clean(), "{:#}", site.report().to_value());
    let mut redirected = 0;
    while plain.counts().requests == 0 || redirected == 0 {
        let reply = send(at, "GET", "http://a.example/p/a?x=1", &[]).await;
        if reply.status == 301 {
            redirected += 1;
            assert_eq!(reply.header("location"), Some("https://b.example/p/a?x=1"));
        } else {
            assert_eq!(reply.header("x-echo-pod"), Some("plain"));
        }
    }
    assert_eq!(special.counts().requests, 0);
}

#[tokio::test]
async fn cors_on_a_backend_answers_preflights_of_its_share() {
    let ([it], services) = pods(["it"]).await;
    let rule = "    - backendRefs: [{name: it, port: 80, filters: [{type: CORS, cors: {allowOrigins: ['https://a.example']}}]}]\n";
    let (_site, at) = serve(&(services + &http_route("it", "[]", rule))).await;
    let headers = [("origin", "https://a.example"), ("access-control-request-method", "GET")];
    let reply = send(at, "OPTIONS", "http://a.example/", &headers).await;
    assert_eq!(reply.header("access-control-allow-origin"), Some("https://a.example"));
    assert_eq!(it.counts().requests, 0);
    let reply = send(at, "GET", "http://a.example/", &headers[..1]).await;
    assert_eq!(reply.header("access-control-allow-origin"), Some("https://a.example"));
    assert_eq!(it.counts().requests, 1);
}
