//! What a rule can ask of a request: path, headers, query, method, alone and together.

use super::bed::{pods, serve, who, who_with};
use crate::support::http_route;

/// A rule for each pair: what it matches, and who answers.
fn rules(pairs: &[(&str, &str)]) -> String {
    let rule = |(matches, backend): &(&str, &str)| {
        format!("    - matches: [{matches}]\n      backendRefs: [{{name: {backend}, port: 80}}]\n")
    };
    http_route("it", "[]", &pairs.iter().map(rule).collect::<String>())
}

#[tokio::test]
async fn a_path_is_matched_exactly_by_segments_or_by_expression() {
    let (_pods, services) = pods(["exact", "prefix", "regex"]).await;
    let route = rules(&[
        ("{path: {type: Exact, value: /exact}}", "exact"),
        ("{path: {type: PathPrefix, value: /pre/fix}}", "prefix"),
        ("{path: {type: RegularExpression, value: '/v[0-9]+/.*'}}", "regex"),
    ]);
    let (site, at) = serve(&(services + &route)).await;
    for (path, answers) in [
        ("/exact", "exact"),
        ("/exact?x=1", "exact"),
        ("/exact/", "404"),
        ("/Exact", "404"),
        ("/exact/more", "404"),
        ("/pre/fix", "prefix"),
        ("/pre/fix/", "prefix"),
        ("/pre/fix/more", "prefix"),
        ("/pre/fixmore", "404"),
        ("/pre", "404"),
        ("/v1/x", "regex"),
        ("/v12/", "regex"),
        ("/v/x", "404"),
        ("/more/v1/x", "404"),
        ("/", "404"),
    ] {
        assert_eq!(who(at, &format!("http://a.example{path}")).await, answers, "{path}");
    }
    assert!(site.report().is_clean());
}

#[tokio::test]
async fn a_rule_without_matches_takes_every_path() {
    let (_pods, services) = pods(["all"]).await;
    let (_site, at) =
        serve(&(services + &http_route("it", "[]", "    - backendRefs: [{name: all, port: 80}]\n"))).await;
    for path in ["/", "/a/b", "/a?b=c"] {
        assert_eq!(who(at, &format!("http://a.example{path}")).await, "all", "{path}");
    }
}

#[tokio::test]
async fn headers_are_matched_exactly_or_by_expression_and_all_of_them() {
    let (_pods, services) = pods(["exact", "regex", "both"]).await;
    let route = rules(&[
        ("{headers: [{name: Version, value: one}]}", "exact"),
        ("{headers: [{name: version, type: RegularExpression, value: 'v[0-9]+'}]}", "regex"),
        ("{headers: [{name: Color, value: red}, {name: Shape, value: round}]}", "both"),
    ]);
    let (_site, at) = serve(&(services + &route)).await;
    let cases: [(&[(&str, &str)], &str); 9] = [
        (&[("version", "one")], "exact"),
        (&[("VERSION", "one")], "exact"),
        (&[("version", "One")], "404"),
        (&[("version", "v12")], "regex"),
        (&[("version", "v12x")], "404"),
        (&[("color", "red"), ("shape", "round")], "both"),
        (&[("color", "red")], "404"),
        (&[("shape", "round"), ("color", "blue")], "404"),
        (&[], "404"),
    ];
    for (headers, answers) in cases {
        assert_eq!(who_with(at, "GET", "http://a.example/", headers).await, answers, "{headers:?}");
    }
}

#[tokio::test]
async fn query_parameters_are_matched_by_their_first_value() {
    let (_pods, services) = pods(["whale", "regex", "both"]).await;
    let route = rules(&[
        ("{queryParams: [{name: animal, value: whale}]}", "whale"),
        ("{queryParams: [{name: number, type: RegularExpression, value: '[0-9]+'}]}", "regex"),
        ("{queryParams: [{name: a, value: '1'}, {name: b, value: '2'}]}", "both"),
    ]);
    let (_site, at) = serve(&(services + &route)).await;
    for (query, answers) in [
        ("animal=whale", "whale"),
        ("animal=wh%61le", "whale"),
        ("x=y&animal=whale", "whale"),
        ("animal=whale&animal=dolphin", "whale"),
        ("animal=dolphin&animal=whale", "404"),
        ("Animal=whale", "404"),
        ("animal=Whale", "404"),
        ("number=42", "regex"),
        ("number=42a", "404"),
        ("b=2&a=1", "both"),
        ("a=1", "404"),
        ("", "404"),
    ] {
        assert_eq!(who(at, &format!("http://a.example/?{query}")).await, answers, "{query}");
    }
}

#[tokio::test]
async fn methods_are_matched() {
    let (_pods, services) = pods(["get", "post", "any"]).await;
    let route = rules(&[
        ("{method: GET}", "get"),
        ("{method: POST}", "post"),
        ("{path: {value: /any}}", "any"),
        ("{path: {value: /any}, method: DELETE}", "post"),
    ]);
    let (_site, at) = serve(&(services + &route)).await;
    for (method, path, answers) in [
        ("GET", "/", "get"),
        ("POST", "/", "post"),
        ("PUT", "/", "404"),
        ("PATCH", "/any", "any"),
        ("DELETE", "/any", "post"),
    ] {
        assert_eq!(who_with(at, method, &format!("http://a.example{path}"), &[]).await, answers, "{method} {path}");
    }
}

#[tokio::test]
async fn alternatives_of_a_rule_are_ored_and_their_conditions_anded() {
    let (_pods, services) = pods(["it"]).await;
    let route = rules(&[(
        "{path: {value: /a}, method: POST, headers: [{name: h, value: x}], queryParams: [{name: q, value: q1}]}, \
         {path: {type: Exact, value: /b}}",
        "it",
    )]);
    let (_site, at) = serve(&(services + &route)).await;
    let h: &[(&str, &str)] = &[("h", "x")];
    for (method, target, headers, answers) in [
        ("POST", "/a?q=q1", h, "it"),
        ("GET", "/a?q=q1", h, "404"),
        ("POST", "/a?q=z", h, "404"),
        ("POST", "/a?q=q1", &[], "404"),
        ("POST", "/c?q=q1", h, "404"),
        ("GET", "/b", &[], "it"),
    ] {
        let url = format!("http://a.example{target}");
        assert_eq!(who_with(at, method, &url, headers).await, answers, "{method} {target} {headers:?}");
    }
}

#[tokio::test]
async fn a_path_is_matched_and_forwarded_in_one_form() {
    let ([a], services) = pods(["a"]).await;
    let (_site, at) = serve(&(services + &rules(&[("{path: {value: /a/b}}", "a")]))).await;
    for (written, forwarded) in [("/a/b/%7e", "/a/b/~"), ("/a/x/../b", "/a/b"), ("/%61/b/c%2fd", "/a/b/c%2Fd")] {
        assert_eq!(who(at, &format!("http://a.example{written}")).await, "a", "{written}");
        assert_eq!(a.requests().last().unwrap().report.path, forwarded);
    }
    assert_eq!(who(at, "http://a.example/a/b/../c").await, "404");
}
