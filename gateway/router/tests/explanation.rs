//! What `explain` tells, in words and as JSON.
#![allow(clippy::unwrap_used)]

mod common;

use common::{Request, With, exact, is, like, prefix, regex, route, table};
use http::Method;
use lychgate_ir::Route;
use lychgate_router::Explanation;
use std::sync::Arc;

fn routes() -> Vec<Arc<Route>> {
    vec![
        route(
            "api",
            Some(1),
            &["shop.example.com"],
            vec![vec![prefix("/api"), exact("/api/")], vec![prefix("/api/v2")]],
        ),
        route("old", Some(0), &["shop.example.com"], vec![vec![prefix("/api")], vec![prefix("/api").method("POST")]]),
        route(
            "canary",
            None,
            &["*.example.com"],
            vec![
                vec![prefix("/api/v2").header("x-canary", is("1")).query("v", like("[0-9]+"))],
                vec![exact("/api/V2/items")],
                vec![regex("/api/v[23]"), regex("(")],
            ],
        ),
        route("rest", None, &[], vec![vec![prefix("/")]]),
    ]
}

fn explain(request: &Request) -> Explanation {
    table(&routes()).explain(&request.line())
}

#[test]
fn a_winner_and_those_behind_it_are_told_in_sentences() {
    let explained = explain(&Request::get("shop.example.com", "/api/v2/items?v=x"));
    assert_eq!(
        explained.to_string(),
        "HTTPRoute/default/api#1@1 answers: its match 0 holds (host `shop.example.com`, path prefix \
         `/api/v2`).\n\
         - HTTPRoute/default/old#0@1, match 0 (host `shop.example.com`, path prefix `/api`): holds too, but \
         HTTPRoute/default/api#1@1 goes first, because its path prefix is longer.\n\
         - HTTPRoute/default/api#0@1, match 0 (host `shop.example.com`, path prefix `/api`): holds too, but \
         HTTPRoute/default/api#1@1 goes first, because its path prefix is longer.\n\
         - HTTPRoute/default/rest#0@1, match 0 (every host, every path): holds too, but HTTPRoute/default/api#1@1 goes \
         first, because its host name is more specific.\n\
         - HTTPRoute/default/old#1@1, match 0 (host `shop.example.com`, path prefix `/api`): does not hold: it asks for \
         method POST, and the request's is GET.\n\
         - HTTPRoute/default/canary#0@1, match 0 (host `*.example.com`, path prefix `/api/v2`): does not hold: it asks \
         for header `x-canary` with the value `1`, and the request has none; it asks for query parameter `v` with a \
         value that matches `[0-9]+`, and the request has `x`.\n\
         - HTTPRoute/default/canary#1@1, match 0 (host `*.example.com`, path `/api/V2/items`): does not hold: it asks \
         for path `/api/V2/items`, and the request's path is `/api/v2/items` (upper and lower case differ).\n\
         - HTTPRoute/default/canary#2@1, match 0 (host `*.example.com`, path expression `/api/v[23]`): does not hold: it \
         asks for path expression `/api/v[23]`, and the request's path is `/api/v2/items` (an expression must match the \
         whole path).\n\
         - HTTPRoute/default/api#0@1, match 1 (host `shop.example.com`, path `/api/`): does not hold: it asks for path \
         `/api/`, and the request's path is `/api/v2/items`.\n\
         - HTTPRoute/default/canary#2@1, match 1 (host `*.example.com`, path expression `(`): can never hold: path \
         expression `(`: regex parse error:\n    (\n    ^\nerror: unclosed group; correct it in the route.\n"
    );
}

#[test]
fn where_nothing_answers_the_nearest_hosts_are_told() {
    let all = routes();
    let table = table(&all[..3]);
    let explained = table.explain(&Request::get("example.com", "/apis").line());
    assert_eq!(explained.winner, None);
    assert_eq!(
        explained.to_string(),
        "No rule answers.\n\
         - HTTPRoute/default/api#0@1, match 0 (host `shop.example.com`, path prefix `/api`): does not hold: it is for \
         host `shop.example.com`, and the request's host is `example.com`.\n\
         - HTTPRoute/default/canary#0@1, match 0 (host `*.example.com`, path prefix `/api/v2`): does not hold: it is for \
         host `*.example.com`, and the request's host is `example.com` (a wildcard stands for one label or more).\n"
    );
    let explained = table.explain(&Request::get("shop.example.com", "/apis").method(Method::POST).line());
    let text = explained.to_string();
    assert!(text.contains("the request's path is `/apis` (a prefix stands for whole segments)"), "{text}");
}

#[test]
fn a_long_list_is_cut_and_says_so() {
    let many: Vec<_> = (0..50).map(|n| route(&format!("r{n:02}"), None, &[], vec![vec![prefix("/a")]])).collect();
    let explained = table(&many).explain(&Request::get("a.com", "/a").line());
    assert_eq!((explained.considered.len(), explained.more), (11, 39));
    assert!(explained.to_string().ends_with("- and 39 more, further off.\n"));
}

#[test]
fn an_explanation_is_plain_json() {
    let json = serde_json::to_value(explain(&Request::get("x.org", "/api"))).unwrap();
    assert_eq!(
        json["winner"],
        serde_json::json!({
            "rule": "HTTPRoute/default/rest#0@1", "matchIndex": 0, "host": "*", "path": { "Prefix": "" }, "matched": { "Prefix": 0 }
        })
    );
    assert_eq!(json["considered"][0]["outcome"], "won");
}
