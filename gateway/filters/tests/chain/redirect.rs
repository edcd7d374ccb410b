use crate::support::{Asked, chain, modifier, sent};
use http::StatusCode;
use lychgate_filters::Scheme;
use lychgate_ir::filter::{Filter, PathRewrite, Redirect, RedirectScheme};
use lychgate_ir::{MatchedPath, RefusalReason};

pub(crate) const AS_ASKED: Redirect = Redirect { scheme: None, hostname: None, path: None, port: None, status: 302 };

pub(crate) fn to(host: &str) -> Redirect {
    Redirect { hostname: Some(host.into()), ..AS_ASKED }
}

fn location(asked: &Asked, redirect: Redirect) -> String {
    asked.via([Filter::Redirect(redirect)]).location().1.into()
}

fn prefix(path: &str) -> Option<PathRewrite> {
    Some(PathRewrite::Prefix(path.into()))
}

fn full(path: &str) -> Option<PathRewrite> {
    Some(PathRewrite::Full(path.into()))
}

/// Conformance: HTTPRouteRedirectHostAndStatus and the suites of the extended codes.
#[test]
fn every_status() {
    for status in [301, 302, 303, 307, 308] {
        let asked = Asked::get("/host-and-status", "/host-and-status").method("POST");
        let outcome = asked.via([Filter::Redirect(Redirect { status, ..to("example.org") })]);
        assert_eq!(outcome.location(), (status, "http://example.org/host-and-status"));
    }
}

/// Conformance: HTTPRouteRedirectPath, HTTPRouteBackendRequestRedirect.
#[test]
fn paths() {
    let cases = [
        ("/original-prefix/lemon", "/original-prefix", prefix("/replacement-prefix"), "/replacement-prefix/lemon"),
        ("/full/path/original", "/full", full("/full-path-replacement"), "/full-path-replacement"),
        ("/path-and-host", "/path-and-host", prefix("/replacement-prefix"), "/replacement-prefix"),
        ("/full-path-and-host", "/full-path-and-host", full("/replacement-full"), "/replacement-full"),
        ("/prefix/original", "/prefix", prefix("/redirected-prefix"), "/redirected-prefix/original"),
        ("/kept/as/it/is/?a=b&c", "/kept", None, "/kept/as/it/is/?a=b&c"),
        ("/foo/bar?q=1", "/foo", prefix("/"), "/bar?q=1"),
        ("/foo?", "/foo", full("/x"), "/x?"),
    ];
    for (asked, matched, path, expected) in cases {
        for (redirect, host) in [(AS_ASKED, "client.example"), (to("example.org"), "example.org")] {
            let redirect = Redirect { path: path.clone(), ..redirect };
            assert_eq!(location(&Asked::get(asked, matched), redirect), format!("http://{host}{expected}"));
        }
    }
}

/// Conformance: HTTPRouteRedirectPort, HTTPRouteRedirectScheme, HTTPRouteRedirectPortAndScheme.
#[test]
fn ports_and_schemes() {
    use RedirectScheme::{Http, Https};
    let cases = [
        // The listener; scheme and port of the filter; what stands before the path.
        ((Scheme::Http, 80), None, None, "http://example.org"),
        ((Scheme::Http, 80), None, Some(80), "http://example.org"),
        ((Scheme::Http, 80), None, Some(8080), "http://example.org:8080"),
        ((Scheme::Http, 80), Some(Https), None, "https://example.org"),
        ((Scheme::Http, 80), Some(Https), Some(443), "https://example.org"),
        ((Scheme::Http, 80), Some(Https), Some(8443), "https://example.org:8443"),
        ((Scheme::Http, 8080), None, None, "http://example.org:8080"),
        ((Scheme::Http, 8080), None, Some(80), "http://example.org"),
        ((Scheme::Http, 8080), Some(Https), None, "https://example.org"),
        ((Scheme::Https, 443), None, None, "https://example.org"),
        ((Scheme::Https, 443), None, Some(443), "https://example.org"),
        ((Scheme::Https, 443), None, Some(8443), "https://example.org:8443"),
        ((Scheme::Https, 443), Some(Http), None, "http://example.org"),
        ((Scheme::Https, 443), Some(Http), Some(80), "http://example.org"),
        ((Scheme::Https, 443), Some(Http), Some(8080), "http://example.org:8080"),
        // A well-known port of the other scheme is no default.
        ((Scheme::Https, 8443), None, None, "https://example.org:8443"),
        ((Scheme::Http, 80), Some(Https), Some(80), "https://example.org:80"),
        ((Scheme::Https, 443), Some(Http), Some(443), "http://example.org:443"),
        ((Scheme::Http, 8080), Some(Http), None, "http://example.org"),
    ];
    for (at, ((scheme, listener), to_scheme, port, expected)) in cases.into_iter().enumerate() {
        let asked = Asked::get("/x", "/x").on(scheme, listener);
        let redirect = Redirect { scheme: to_scheme, port, ..to("example.org") };
        assert_eq!(location(&asked, redirect), format!("{expected}/x"), "case {at}");
    }
}

#[test]
fn the_port_that_the_client_wrote_is_not_used() {
    let asked = Asked::get("/x", "/x").host("client.example:31337");
    assert_eq!(location(&asked, AS_ASKED), "http://client.example/x");
    assert_eq!(location(&asked, Redirect { port: Some(8083), ..AS_ASKED }), "http://client.example:8083/x");
    let asked = Asked::get("/x", "/x").host("[2001:db8::1]:8080").on(Scheme::Http, 8080);
    assert_eq!(location(&asked, AS_ASKED), "http://[2001:db8::1]:8080/x");
}

#[test]
fn the_host_of_an_absolute_target_counts() {
    let asked = Asked::get("http://target.example:81/x?y", "/x").host("other.example");
    assert_eq!(location(&asked, AS_ASKED), "http://target.example/x?y");
}

#[test]
fn a_host_that_is_none_is_the_clients_error() {
    let bad = ["", "a b", "evil.example/", "a@evil.example", "a\\evil.example", "a:b", "%0d%0aset-cookie:x", "[::1"];
    let asked = Asked::get("/x", "/x");
    let every = bad.iter().map(|host| asked.clone().host(host)).chain([asked.clone().without_host()]);
    for asked in every {
        let outcome = asked.via([Filter::Redirect(AS_ASKED)]);
        assert_eq!(outcome.reply().status, StatusCode::BAD_REQUEST, "{:?}", asked.host);
        assert!(outcome.reply().headers.is_empty());
        // It does not matter where the host is not used.
        assert_eq!(location(&asked, to("example.org")), "http://example.org/x");
    }
}

#[test]
fn no_location_can_be_read_as_another_host() {
    let cases = [
        ("//evil.example", "/", None, "/evil.example"),
        ("///evil.example//a", "/", None, "/evil.example//a"),
        ("/foo//evil.example", "/foo", prefix(""), "/evil.example"),
        ("/foo//evil.example", "/foo", prefix("/"), "/evil.example"),
        ("/foo/", "/foo", full("//evil.example"), "/evil.example"),
        ("/foo/%5cevil.example", "/foo", prefix("/"), "/%5cevil.example"),
        ("/\\evil.example", "/", None, "/%5Cevil.example"),
        ("/a\"b{c}", "/", None, "/a%22b%7Bc%7D"),
        ("/100%/?{%", "/", None, "/100%25/?%7B%25"),
    ];
    for (asked, matched, path, expected) in cases {
        let redirect = Redirect { path, ..AS_ASKED };
        assert_eq!(location(&Asked::get(asked, matched), redirect), format!("http://client.example{expected}"));
    }
}

#[test]
fn requests_without_a_path_go_to_the_root() {
    let asked = Asked::get("*", "/").method("OPTIONS");
    assert_eq!(location(&asked, to("example.org")), "http://example.org/");
    assert_eq!(location(&asked, Redirect { path: prefix("/x"), ..to("example.org") }), "http://example.org/x");
}

#[test]
fn a_location_that_is_no_uri_is_not_sent() {
    let outcome = Asked::get(&format!("/{}", "\"".repeat(60_000)), "/").via([Filter::Redirect(AS_ASKED)]);
    assert_eq!(outcome.reply().status, StatusCode::URI_TOO_LONG);
}

#[test]
fn response_headers_are_for_redirects_too() {
    let chain = chain([
        Filter::Redirect(to("example.org")),
        Filter::ResponseHeaders(modifier(&[("strict-transport-security", "max-age=1")], &[], &[])),
    ]);
    let head = sent(&chain, &Asked::get("/", "/").through(&chain));
    assert_eq!(head.headers["strict-transport-security"], "max-age=1");
    assert_eq!(head.headers["location"], "http://example.org/");
}

#[test]
fn a_redirect_that_cannot_be_done_is_refused() {
    for redirect in [
        Redirect { status: 200, ..AS_ASKED },
        Redirect { status: 304, ..AS_ASKED },
        to("a b"),
        to("example.org:80"),
        to("example.org:"),
        to("example.org/\r\nx: y"),
    ] {
        let outcome = Asked::get("/", "/").via([Filter::Redirect(redirect)]);
        assert_eq!(outcome.refusal().reason, RefusalReason::UnsupportedValue);
    }
    let asked = Asked::get("/a", "/").matched(MatchedPath::Regex);
    let outcome = asked.via([Filter::Redirect(Redirect { path: prefix("/x"), ..AS_ASKED })]);
    assert_eq!(outcome.refusal().reason, RefusalReason::UnsupportedValue);
}
