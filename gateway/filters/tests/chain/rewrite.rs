use crate::support::{Asked, host, joined, modifier, target};
use http::StatusCode;
use lychgate_ir::filter::{Filter, PathRewrite, UrlRewrite};
use lychgate_ir::{MatchedPath, RefusalReason};

pub(crate) fn path(path: PathRewrite) -> Filter {
    Filter::Rewrite(UrlRewrite { hostname: None, path: Some(path) })
}

pub(crate) fn prefix(replacement: &str) -> Filter {
    path(PathRewrite::Prefix(replacement.into()))
}

pub(crate) fn full(replacement: &str) -> Filter {
    path(PathRewrite::Full(replacement.into()))
}

fn hostname(name: &str) -> Filter {
    Filter::Rewrite(UrlRewrite { hostname: Some(name.into()), path: None })
}

/// The table in the documentation of HTTPPathModifier, and what it leaves open.
#[test]
fn prefixes() {
    let cases = [
        ("/foo/bar", "/foo", "/xyz", "/xyz/bar"),
        ("/foo/bar", "/foo", "/xyz/", "/xyz/bar"),
        ("/foo/bar", "/foo/", "/xyz", "/xyz/bar"),
        ("/foo/bar", "/foo/", "/xyz/", "/xyz/bar"),
        ("/foo", "/foo", "/xyz", "/xyz"),
        ("/foo/", "/foo", "/xyz", "/xyz/"),
        ("/foo/bar", "/foo", "", "/bar"),
        ("/foo/", "/foo", "", "/"),
        ("/foo", "/foo", "", "/"),
        ("/foo/", "/foo", "/", "/"),
        ("/foo", "/foo", "/", "/"),
        // The root prefix: `/` is the prefix itself.
        ("/bar", "/", "/xyz", "/xyz/bar"),
        ("/", "/", "/xyz", "/xyz"),
        ("/", "/", "/", "/"),
        ("/bar/", "/", "", "/bar/"),
        // Slashes that are not the prefix's stay, but not at the start.
        ("/foo//bar", "/foo", "/xyz", "/xyz//bar"),
        ("/foo//bar", "/foo", "", "/bar"),
        ("/foo///", "/foo", "/", "/"),
        // What is written without care.
        ("/foo/bar", "/foo", "xyz", "/xyz/bar"),
        ("/foo/bar", "/foo", "/x z?q#f", "/x%20z%3Fq%23f/bar"),
        ("/foo/b%2Fr", "/foo", "/%41", "/%41/b%2Fr"),
    ];
    for (asked, matched, replacement, expected) in cases {
        for query in ["", "?", "?a=b&c=%20"] {
            let outcome = Asked::get(&format!("{asked}{query}"), matched).via([prefix(replacement)]);
            assert_eq!(
                target(&outcome.forwarded()),
                format!("{expected}{query}"),
                "{asked}{query} {matched} {replacement}"
            );
        }
    }
}

/// Conformance: HTTPRouteRewritePath, HTTPRouteBackendURLRewrite.
#[test]
fn paths() {
    let cases = [
        ("/prefix/one/two", "/prefix/one", prefix("/one"), "/one/two"),
        ("/strip-prefix/three", "/strip-prefix", prefix("/"), "/three"),
        ("/strip-prefix", "/strip-prefix", prefix("/"), "/"),
        ("/full/one/two", "/full/one", full("/one"), "/one"),
        ("/full/original", "/full", full("/rewritten-full"), "/rewritten-full"),
        ("/prefix/original", "/prefix", prefix("/rewritten-prefix"), "/rewritten-prefix/original"),
        ("/a?b=c", "/a", full("/d/"), "/d/?b=c"),
        ("/a", "/a", full(""), "/"),
    ];
    for (asked, matched, filter, expected) in cases {
        assert_eq!(target(&Asked::get(asked, matched).via([filter]).forwarded()), expected, "{asked}");
    }
}

/// Conformance: HTTPRouteRewriteHost, and the cases of HTTPRouteRewritePath with headers.
#[test]
fn hosts_and_headers() {
    let edits = || {
        Filter::RequestHeaders(modifier(
            &[("X-Header-Set", "set-overwrites-values")],
            &[("X-Header-Add", "header-val-1"), ("X-Header-Add-Append", "header-val-2")],
            &["X-Header-Remove"],
        ))
    };
    let asked = Asked::get("/prefix/rewrite-path-and-modify-headers/one", "/prefix/rewrite-path-and-modify-headers")
        .host("rewrite.example")
        .header("X-Header-Remove", "remove-val")
        .header("X-Header-Add-Append", "append-val-1")
        .header("X-Header-Set", "set-val");
    let rewrite = Filter::Rewrite(UrlRewrite {
        hostname: Some("test.example.org".into()),
        path: Some(PathRewrite::Prefix("/prefix".into())),
    });
    for filters in [[rewrite.clone(), edits()], [edits(), rewrite]] {
        let head = asked.via(filters).forwarded();
        assert_eq!((host(&head), target(&head)), (Some("test.example.org"), "/prefix/one"));
        assert_eq!(joined(&head.headers, "x-header-add").as_deref(), Some("header-val-1"));
        assert_eq!(joined(&head.headers, "x-header-add-append").as_deref(), Some("append-val-1,header-val-2"));
        assert_eq!(joined(&head.headers, "x-header-set").as_deref(), Some("set-overwrites-values"));
        assert_eq!(joined(&head.headers, "x-header-remove"), None);
    }
    let head = Asked::get("/one", "/one").via([hostname("one.example.org")]).forwarded();
    assert_eq!((host(&head), target(&head)), (Some("one.example.org"), "/one"));
}

#[test]
fn a_host_is_rewritten_where_none_was() {
    let head = Asked::get("/", "/").without_host().via([hostname("example.org")]).forwarded();
    assert_eq!(host(&head), Some("example.org"));
}

#[test]
fn the_match_is_kept_in_step_for_the_backends_filters() {
    let asked = Asked::get("/api/v1/users", "/api");
    let rule = asked.via([prefix("/internal/")]);
    assert_eq!(rule.matched, MatchedPath::Prefix("/internal".len()));
    let onward = Asked::get(target(&rule.head), "/").matched(rule.matched);
    assert_eq!(target(&onward.via([prefix("/b")]).forwarded()), "/b/v1/users");

    let rule = asked.via([full("/all")]);
    let onward = Asked::get(target(&rule.head), "/").matched(rule.matched);
    assert_eq!(target(&onward.via([prefix("/b")]).forwarded()), "/b");
}

#[test]
fn a_whole_match_is_all_prefix_and_a_regular_expression_has_none() {
    let asked = Asked::get("/a/b?c", "/");
    let head = asked.clone().matched(MatchedPath::Exact).via([prefix("/x")]).forwarded();
    assert_eq!(target(&head), "/x?c");
    let outcome = asked.clone().matched(MatchedPath::Regex).via([prefix("/x")]);
    assert_eq!(outcome.refusal().reason, RefusalReason::UnsupportedValue);
    assert_eq!(target(&outcome.head), "/a/b?c");
    assert_eq!(target(&asked.matched(MatchedPath::Regex).via([full("/x")]).forwarded()), "/x?c");
}

#[test]
fn a_match_beyond_the_path_does_no_harm() {
    for length in [1, 2, 3, 1000, usize::MAX] {
        let head = Asked::get("/ä", "/").matched(MatchedPath::Prefix(length)).via([prefix("/x")]).forwarded();
        assert!(target(&head).starts_with("/x"), "{}", target(&head));
    }
}

#[test]
fn a_path_that_no_request_can_carry_is_the_clients_error() {
    let asked = Asked::get(&format!("/a?{}", "q".repeat(65_000)), "/a");
    let outcome = asked.via([full(&"/x".repeat(500))]);
    assert_eq!(outcome.reply().status, StatusCode::URI_TOO_LONG);
}

#[test]
fn a_host_that_is_none_is_refused() {
    for name in ["", "a b", "a/b", "a:80", "a:", "a\r\nx: y"] {
        let outcome = Asked::get("/", "/").via([hostname(name)]);
        assert_eq!(outcome.refusal().reason, RefusalReason::UnsupportedValue, "{name}");
    }
}
