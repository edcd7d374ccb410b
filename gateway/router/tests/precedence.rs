//! What the Gateway API says about which match goes first, case by case.
#![allow(clippy::unwrap_used)]

mod common;

use common::{Request, With, exact, is, like, listener, prefix, rebuilt, regex, route, table};
use http::Method;
use lychgate_ir::{Match, Route};
use lychgate_router::{MatchedPath, RouteTable};
use std::sync::Arc;

fn answer(routes: &[Arc<Route>], request: &Request) -> String {
    table(routes).find(&request.line()).map_or("none".to_owned(), |hit| {
        assert_eq!(hit.payload, &hit.rule.to_string());
        format!("{}#{}", hit.rule.route.name.name, hit.rule.index)
    })
}

/// Each request with the rule of one route that answers it.
fn answers(rules: Vec<Vec<Match>>, requests: &[(Request, &str)]) {
    let routes = [route("r", None, &[], rules)];
    for (request, expected) in requests {
        assert_eq!(answer(&routes, request), *expected, "{request:?}");
    }
}

#[test]
fn a_prefix_stands_for_whole_segments() {
    answers(
        vec![vec![prefix("/foo")], vec![prefix("/foo/bar")]],
        &[
            (Request::get("a", "/foo"), "r#0"),
            (Request::get("a", "/foo/"), "r#0"),
            (Request::get("a", "/foo?x=1"), "r#0"),
            (Request::get("a", "/foo/barn"), "r#0"),
            (Request::get("a", "/foo//bar"), "r#0"),
            (Request::get("a", "/foo/bar"), "r#1"),
            (Request::get("a", "/foo/bar/baz"), "r#1"),
            (Request::get("a", "/foobar"), "none"),
            (Request::get("a", "/Foo"), "none"),
            (Request::get("a", "/"), "none"),
        ],
    );
}

#[test]
fn exact_goes_before_prefix_before_expression_before_everything() {
    let rules = vec![vec![prefix("/")], vec![regex("/v[0-9]+/.*")], vec![prefix("/v1")], vec![exact("/v1/a")]];
    answers(
        rules,
        &[
            (Request::get("a", "/v1/a"), "r#3"),
            (Request::get("a", "/v1/b"), "r#2"),
            (Request::get("a", "/v2/b"), "r#1"),
            (Request::get("a", "/v2"), "r#0"),
            (Request::get("a", "/x/v2/b"), "r#0"),
        ],
    );
}

#[test]
fn how_the_path_was_matched_is_told() {
    let table = table(&[route(
        "r",
        None,
        &["*.a.com"],
        vec![vec![prefix("/x"), exact("/e"), regex("/r.*")], vec![prefix("/")]],
    )]);
    for (path, matched, rule, match_index) in [
        ("/x/y", MatchedPath::Prefix(2), 0, 0),
        ("/e", MatchedPath::Exact, 0, 1),
        ("/rr", MatchedPath::Regex, 0, 2),
        ("/", MatchedPath::Prefix(0), 1, 0),
    ] {
        let request = Request::get("b.a.com", path);
        let hit = table.find(&request.line()).unwrap();
        assert_eq!((hit.matched, hit.rule.index, hit.match_index), (matched, rule, match_index), "{path}");
        assert_eq!(hit.host.to_string(), "*.a.com");
    }
}

#[test]
fn then_method_then_headers_then_queries() {
    let rules = vec![
        vec![prefix("/")],
        vec![prefix("/").query("q", is("1")).query("r", is("1"))],
        vec![prefix("/").header("h", is("1"))],
        vec![prefix("/").header("h", is("1")).header("i", is("1"))],
        vec![prefix("/").method("GET")],
    ];
    let post = |path: &str| Request::get("a", path).method(Method::POST);
    answers(
        rules,
        &[
            (Request::get("a", "/?q=1&r=1").header("h", "1").header("i", "1"), "r#4"),
            (post("/?q=1&r=1").header("h", "1").header("i", "1"), "r#3"),
            (post("/?q=1&r=1").header("h", "1"), "r#2"),
            (post("/?q=1&r=1"), "r#1"),
            (post("/?q=1"), "r#0"),
        ],
    );
}

#[test]
fn then_age_then_name_then_order() {
    let one = |name: &str, created| route(name, created, &[], vec![vec![prefix("/")], vec![prefix("/")]]);
    let request = Request::get("a", "/");
    assert_eq!(answer(&[one("a", Some(2)), one("b", Some(1))], &request), "b#0");
    assert_eq!(answer(&[one("a", None), one("b", Some(9))], &request), "b#0");
    assert_eq!(answer(&[one("b", None), one("a", None)], &request), "a#0");
    // By the text `namespace/name`: `-` sorts before `/`.
    assert_eq!(answer(&[one("n/first", Some(1)), one("n-o/second", Some(1))], &request), "second#0");
}

#[test]
fn the_host_of_the_route_goes_first_and_falls_through() {
    let routes = [
        route("exact", None, &["a.example.com"], vec![vec![prefix("/a")]]),
        route("wild", None, &["*.example.com"], vec![vec![prefix("/a")], vec![exact("/b")]]),
        route("wilder", None, &["*.com"], vec![vec![exact("/a")], vec![prefix("/c")]]),
        route("any", None, &[], vec![vec![prefix("/")]]),
    ];
    for (host, path, expected) in [
        ("a.example.com", "/a", "exact#0"),
        ("a.example.com", "/b", "wild#1"),
        ("a.example.com", "/c", "wilder#1"),
        ("a.example.com", "/d", "any#0"),
        ("b.a.example.com", "/a", "wild#0"),
        ("example.com", "/a", "wilder#0"),
        ("example.org", "/a", "any#0"),
        ("", "/a", "any#0"),
    ] {
        assert_eq!(answer(&routes, &Request::get(host, path)), expected, "{host}{path}");
    }
}

#[test]
fn values_are_whole_and_exact_or_wholly_matched() {
    answers(
        vec![
            vec![exact("/h").header("x-v", is("one"))],
            vec![exact("/h").header("x-v", like("t.*"))],
            vec![exact("/q").query("v", is("a b"))],
            vec![exact("/q").query("v", like("[0-9]+"))],
            vec![exact("/h").header("x-v", is("one,two"))],
        ],
        &[
            (Request::get("a", "/h").header("x-v", "one"), "r#0"),
            (Request::get("a", "/h").header("x-v", "One"), "none"),
            (Request::get("a", "/h").header("x-v", "two"), "r#1"),
            (Request::get("a", "/h").header("x-v", "not"), "none"),
            (Request::get("a", "/h").header("x-v", "one").header("x-v", "two"), "r#4"),
            (Request::get("a", "/h"), "none"),
            (Request::get("a", "/q?v=a+b"), "r#2"),
            (Request::get("a", "/q?v=a%20b&v=1"), "r#2"),
            (Request::get("a", "/q?v=12"), "r#3"),
            (Request::get("a", "/q?v=1x"), "none"),
            (Request::get("a", "/q?V=12"), "none"),
        ],
    );
}

#[test]
fn many_rules_that_differ_in_a_value_keep_their_order() {
    let tenant = |n: usize| prefix("/").header("x-env", is("prod")).header("x-tenant", is(&format!("t{n}")));
    let mut rules: Vec<_> = (0..500).map(|n| vec![tenant(n)]).collect();
    rules.push(vec![tenant(7).header("x-version", is("2"))]);
    rules.push(vec![prefix("/").header("x-env", is("prod")).header("x-tenant", like("t4.*"))]);
    rules.push(vec![tenant(7)]);
    rules.push(vec![prefix("/").header("x-env", is("prod"))]);
    let request = |tenant: &str| Request::get("a", "/").header("x-env", "prod").header("x-tenant", tenant);
    answers(
        rules,
        &[
            (request("t499"), "r#499"),
            (request("t42"), "r#42"),
            (request("t7"), "r#7"),
            (request("t7").header("x-version", "2"), "r#500"),
            (request("t4x"), "r#501"),
            (request("x"), "r#503"),
            (Request::get("a", "/").header("x-tenant", "t1"), "none"),
        ],
    );
}

#[test]
fn many_expressions_keep_their_order() {
    let mut rules: Vec<_> = (0..200).map(|n| vec![regex(&format!("/{n}/.*"))]).collect();
    rules.push(vec![regex("/[0-9]+/x")]);
    rules.push(vec![regex("/150/y").header("x-a", is("1"))]);
    answers(
        rules,
        &[
            (Request::get("a", "/0/x"), "r#0"),
            (Request::get("a", "/199/x"), "r#199"),
            (Request::get("a", "/200/x"), "r#200"),
            (Request::get("a", "/150/y"), "r#150"),
            (Request::get("a", "/150/y").header("x-a", "1"), "r#201"),
            (Request::get("a", "/200/y"), "none"),
        ],
    );
}

#[test]
fn what_cannot_be_compiled_matches_nothing_and_is_told() {
    let routes = [
        route("bad", None, &[], vec![vec![regex("/a("), exact("/b")], vec![prefix("/").header("x-a", like("*"))]]),
        route("good", None, &[], vec![vec![prefix("/a")]]),
    ];
    let (table, unusable) = RouteTable::build(&listener("http"), &routes, &mut |_| ());
    let told: Vec<_> = unusable.iter().map(|unusable| (unusable.rule.index, unusable.match_index)).collect();
    assert_eq!(told, [(0, 0), (1, 0)]);
    assert!(unusable[1].to_string().starts_with(
        "HTTPRoute/default/bad#1@1: match 0 matches nothing: expression `*` for header `x-a`: regex parse error"
    ));
    let find = |request: Request| table.find(&request.line()).map(|hit| hit.rule.route.name.name.to_string());
    assert_eq!(find(Request::get("a", "/a(")), None);
    assert_eq!(find(Request::get("a", "/b")).as_deref(), Some("bad"));
    assert_eq!(find(Request::get("a", "/c").header("x-a", "*")), None);
    // It goes when its route goes.
    let (table, unusable) = rebuilt(&listener("http"), &routes[1..], Some((&routes, &table)), &mut |_| ());
    assert_eq!((unusable.len(), table.unusable().len(), table.len()), (0, 0, 1));
}
