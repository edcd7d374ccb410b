//! RequestRedirect: status, scheme, host, port, path.

use super::bed::{send, serve};
use crate::support::http_route;
use std::net::SocketAddr;

/// A rule for `/<name>` that redirects so.
fn rule(name: &str, redirect: &str) -> String {
    format!(
        "    - matches: [{{path: {{value: /{name}}}}}]\n      filters: [{{type: RequestRedirect, requestRedirect: \
         {{{redirect}}}}}]\n"
    )
}

/// Status and location of the answer.
async fn answer(at: SocketAddr, url: &str) -> (u16, String) {
    let reply = send(at, "GET", url, &[]).await;
    assert!(reply.body.is_empty(), "{}", reply.text());
    (reply.status.as_u16(), reply.header("location").unwrap_or_default().to_owned())
}

#[tokio::test]
async fn every_status_and_part_of_the_location_can_be_given() {
    let rules = [
        ("host", "hostname: b.example"),
        ("301", "hostname: b.example, statusCode: 301"),
        ("302", "hostname: b.example, statusCode: 302"),
        ("303", "hostname: b.example, statusCode: 303"),
        ("307", "hostname: b.example, statusCode: 307"),
        ("308", "hostname: b.example, statusCode: 308"),
        ("https", "scheme: https"),
        ("http", "scheme: http"),
        ("port", "port: 8443"),
        ("https-port", "scheme: https, port: 8443"),
        ("https-443", "scheme: https, port: 443"),
        ("http-443", "scheme: http, port: 443"),
        ("full", "path: {type: ReplaceFullPath, replaceFullPath: /new}"),
        ("prefix", "path: {type: ReplacePrefixMatch, replacePrefixMatch: /new}"),
        ("root", "path: {type: ReplacePrefixMatch, replacePrefixMatch: /}"),
        (
            "all",
            "scheme: https, hostname: b.example, port: 444, statusCode: 308, path: {type: ReplaceFullPath, \
                 replaceFullPath: /x}",
        ),
    ];
    let rules: String = rules.iter().map(|(name, redirect)| rule(name, redirect)).collect();
    let (site, at) = serve(&http_route("it", "[]", &rules)).await;
    assert!(site.report().is_clean(), "{:#}", site.report().to_value());
    let port = at.port();
    let here = |rest: &str| format!("http://a.example:{port}{rest}");
    let there = |rest: &str| format!("http://b.example:{port}{rest}");
    for (target, status, location) in [
        ("/host", 302, there("/host")),
        ("/host/more?x=1&y", 302, there("/host/more?x=1&y")),
        ("/301", 301, there("/301")),
        ("/302", 302, there("/302")),
        ("/303", 303, there("/303")),
        ("/307", 307, there("/307")),
        ("/308", 308, there("/308")),
        ("/https/a", 302, "https://a.example/https/a".to_owned()),
        ("/http", 302, "http://a.example/http".to_owned()),
        ("/port", 302, "http://a.example:8443/port".to_owned()),
        ("/https-port", 302, "https://a.example:8443/https-port".to_owned()),
        ("/https-443", 302, "https://a.example/https-443".to_owned()),
        ("/http-443", 302, "http://a.example:443/http-443".to_owned()),
        ("/full/a/b?x", 302, here("/new?x")),
        ("/prefix/a/b?x", 302, here("/new/a/b?x")),
        ("/prefix", 302, here("/new")),
        ("/prefix/", 302, here("/new/")),
        ("/root/a", 302, here("/a")),
        ("/root", 302, here("/")),
        ("/all/a?x", 308, "https://b.example:444/x?x".to_owned()),
    ] {
        // The port that the client writes is never that of the location.
        assert_eq!(answer(at, &format!("http://a.example:1234{target}")).await, (status, location), "{target}");
    }
}

#[tokio::test]
async fn a_redirect_answers_every_method_and_passes_response_headers() {
    let rule = "    - filters:\n        - {type: RequestRedirect, requestRedirect: {scheme: https, statusCode: 308}}\n        \
                - {type: ResponseHeaderModifier, responseHeaderModifier: {set: [{name: Strict-Transport-Security, value: \
                max-age=1}]}}\n";
    let (_site, at) = serve(&http_route("it", "[]", rule)).await;
    for method in ["GET", "HEAD", "POST", "DELETE", "OPTIONS"] {
        let reply = send(at, method, "http://a.example/x", &[]).await;
        assert_eq!(reply.status, 308, "{method}");
        assert_eq!(reply.header("location"), Some("https://a.example/x"), "{method}");
        assert_eq!(reply.header("strict-transport-security"), Some("max-age=1"), "{method}");
    }
}
