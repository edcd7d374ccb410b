//! URLRewrite on rules: host, full path, prefix.

use super::bed::{pod, send, serve};
use crate::support::http_route;

/// A rule for `/<name>` that rewrites so.
fn rule(name: &str, rewrite: &str) -> String {
    format!(
        "    - matches: [{{path: {{value: /{name}}}}}]\n      filters: [{{type: URLRewrite, urlRewrite: {{{rewrite}}}}}]\n      \
         backendRefs: [{{name: it, port: 80}}]\n"
    )
}

#[tokio::test]
async fn host_and_path_are_rewritten_and_the_query_stays() {
    let (it, services) = pod("it").await;
    let rules = [
        ("host", "hostname: b.example"),
        ("full", "path: {type: ReplaceFullPath, replaceFullPath: /new/path}"),
        ("prefix", "path: {type: ReplacePrefixMatch, replacePrefixMatch: /new}"),
        ("slash", "path: {type: ReplacePrefixMatch, replacePrefixMatch: /new/}"),
        ("strip", "path: {type: ReplacePrefixMatch, replacePrefixMatch: /}"),
        ("both", "hostname: b.example, path: {type: ReplacePrefixMatch, replacePrefixMatch: /new}"),
    ];
    let rules: String = rules.iter().map(|(name, rewrite)| rule(name, rewrite)).collect();
    let (site, at) = serve(&(services + &http_route("it", "[]", &rules))).await;
    assert!(site.report().is_clean(), "{:#}", site.report().to_value());
    for (target, host, path) in [
        ("/host/a?x=1", "b.example", "/host/a?x=1"),
        ("/full/a/b?x=1", "a.example", "/new/path?x=1"),
        ("/full", "a.example", "/new/path"),
        ("/prefix/a/b?x=1", "a.example", "/new/a/b?x=1"),
        ("/prefix", "a.example", "/new"),
        ("/prefix/", "a.example", "/new/"),
        ("/prefix?x", "a.example", "/new?x"),
        ("/slash/a", "a.example", "/new/a"),
        ("/strip/a/b", "a.example", "/a/b"),
        ("/strip", "a.example", "/"),
        ("/strip/", "a.example", "/"),
        // A prefix that is stripped must not make a host of what follows.
        ("/strip//evil.example/a", "a.example", "/evil.example/a"),
        ("/both/a", "b.example", "/new/a"),
    ] {
        assert_eq!(send(at, "GET", &format!("http://a.example{target}"), &[]).await.status, 200, "{target}");
        let report = it.requests().last().unwrap().report.clone();
        assert_eq!((report.host.as_str(), report.path.as_str()), (host, path), "{target}");
    }
}

#[tokio::test]
async fn a_rewritten_host_reaches_backends_over_http2_and_the_client_s_own_is_forwarded() {
    let (it, address) = crate::support::echo("it").await;
    let services = crate::support::service_speaking("it", Some("kubernetes.io/h2c"), &[address]);
    let (_site, at) = serve(&(services + &http_route("it", "[]", &rule("host", "hostname: b.example")))).await;
    for dial in [lychgate_testkit::Dial::http1(at), lychgate_testkit::Dial::h2c(at)] {
        assert_eq!(dial.get("http://a.example/host").await.unwrap().status, 200);
        let report = it.requests().last().unwrap().report.clone();
        assert_eq!((report.proto.as_str(), report.host.as_str()), ("HTTP/2.0", "b.example"));
        assert_eq!(report.header("x-forwarded-host"), ["a.example"]);
    }
}
