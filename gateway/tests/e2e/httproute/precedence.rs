//! Which rule answers when several match: path, method, headers, query, age, name, order.

use super::bed::{pods, serve, who, who_with};
use crate::support::http_route;

fn rule(matches: &str, backend: &str) -> String {
    format!("    - matches: [{matches}]\n      backendRefs: [{{name: {backend}, port: 80}}]\n")
}

#[tokio::test]
async fn exact_wins_over_prefix_and_the_longer_prefix_over_the_shorter_whatever_the_order() {
    let (_pods, services) = pods(["root", "short", "long", "exact"]).await;
    let rules = rule("{path: {value: /}}", "root")
        + &rule("{path: {value: /a}}", "short")
        + &rule("{path: {value: /a/b}}", "long")
        + &rule("{path: {type: Exact, value: /a/b}}", "exact");
    let (_site, at) = serve(&(services + &http_route("it", "[]", &rules))).await;
    for (path, answers) in
        [("/", "root"), ("/x", "root"), ("/a", "short"), ("/a/x", "short"), ("/a/b", "exact"), ("/a/b/c", "long")]
    {
        assert_eq!(who(at, &format!("http://a.example{path}")).await, answers, "{path}");
    }
}

#[tokio::test]
async fn method_then_headers_then_query_decide_between_equal_paths() {
    let (_pods, services) = pods(["path", "method", "one", "two", "query"]).await;
    let rules = rule("{path: {value: /a}}", "path")
        + &rule("{path: {value: /a}, queryParams: [{name: q, value: '1'}, {name: r, value: '1'}]}", "query")
        + &rule("{path: {value: /a}, headers: [{name: h, value: x}]}", "one")
        + &rule("{path: {value: /a}, headers: [{name: h, value: x}, {name: i, value: z}]}", "two")
        + &rule("{path: {value: /a}, method: PUT}", "method");
    let (_site, at) = serve(&(services + &http_route("it", "[]", &rules))).await;
    let both: &[(&str, &str)] = &[("h", "x"), ("i", "z")];
    for (method, target, headers, answers) in [
        ("GET", "/a", &[][..], "path"),
        ("GET", "/a?q=1&r=1", &[], "query"),
        ("GET", "/a?q=1&r=1", &[("h", "x")], "one"),
        ("GET", "/a?q=1&r=1", both, "two"),
        ("PUT", "/a?q=1&r=1", both, "method"),
    ] {
        let url = format!("http://a.example{target}");
        assert_eq!(who_with(at, method, &url, headers).await, answers, "{method} {target} {headers:?}");
    }
}

#[tokio::test]
async fn a_match_of_one_route_wins_over_a_lesser_match_of_another() {
    let (_pods, services) = pods(["broad", "narrow"]).await;
    // By name, `a` would come first; the path decides before that.
    let routes = http_route("a", "[]", &rule("{path: {value: /}}", "broad"))
        + &http_route("b", "[]", &rule("{path: {value: /x}}", "narrow"));
    let (_site, at) = serve(&(services + &routes)).await;
    assert_eq!(who(at, "http://a.example/x/y").await, "narrow");
    assert_eq!(who(at, "http://a.example/y").await, "broad");
}

#[tokio::test]
async fn equal_matches_go_to_the_older_route_then_to_the_first_by_name() {
    let (_pods, services) = pods(["older", "newer", "alpha", "beta"]).await;
    let aged = |name: &str, created: &str, host: &str, backend: &str| {
        let route = http_route(name, host, &rule("{path: {value: /}}", backend));
        route.replacen("namespace: default", &format!("namespace: default, creationTimestamp: '{created}'"), 1)
    };
    let routes = aged("a-newer", "2026-02-01T00:00:00Z", "[age.example]", "newer")
        + &aged("z-older", "2026-01-01T00:00:00Z", "[age.example]", "older")
        + &http_route("beta", "[name.example]", &rule("{path: {value: /}}", "beta"))
        + &http_route("alpha", "[name.example]", &rule("{path: {value: /}}", "alpha"));
    let (_site, at) = serve(&(services + &routes)).await;
    assert_eq!(who(at, "http://age.example/").await, "older");
    assert_eq!(who(at, "http://name.example/").await, "alpha");
}

#[tokio::test]
async fn equal_matches_of_one_route_go_to_the_first_rule() {
    let (_pods, services) = pods(["first", "second"]).await;
    let rules = rule("{path: {value: /a}}", "first") + &rule("{path: {value: /a}}", "second");
    let (_site, at) = serve(&(services + &http_route("it", "[]", &rules))).await;
    assert_eq!(who(at, "http://a.example/a").await, "first");
}
