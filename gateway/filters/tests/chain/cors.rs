use crate::redirect;
use crate::support::{Asked, chain, joined, modifier, returned, sent};
use http::{HeaderMap, StatusCode};
use lychgate_filters::{Chain, Verdict};
use lychgate_ir::RefusalReason;
use lychgate_ir::filter::{Cors, CorsMethods, CorsNames, CorsOrigin, Filter};

fn exact(origin: &str) -> CorsOrigin {
    CorsOrigin::Exact(origin.into())
}

fn wildcard(scheme: &str, suffix: &str) -> CorsOrigin {
    CorsOrigin::Wildcard { scheme: scheme.into(), suffix: suffix.into() }
}

fn methods(names: &[&str]) -> CorsMethods {
    CorsMethods::Only(names.iter().map(|&name| name.into()).collect())
}

fn names(names: &[&str]) -> CorsNames {
    CorsNames::Only(names.iter().map(|name| name.parse().unwrap()).collect())
}

/// Only this origin, and nothing beyond what Fetch allows anyway.
pub(crate) fn cors(origins: impl IntoIterator<Item = CorsOrigin>) -> Cors {
    Cors {
        allow_origins: origins.into_iter().collect(),
        allow_credentials: false,
        allow_methods: methods(&[]),
        allow_headers: names(&[]),
        expose_headers: names(&[]),
        max_age: 5,
    }
}

/// The route of the conformance suite with lists.
fn listed() -> Chain {
    chain([Filter::Cors(Cors {
        allow_credentials: true,
        allow_methods: methods(&["GET", "OPTIONS"]),
        allow_headers: names(&["x-header-1", "x-header-2"]),
        expose_headers: names(&["x-header-3", "x-header-4"]),
        max_age: 3600,
        ..cors([exact("https://www.foo.com"), wildcard("https://", ".bar.com")])
    })])
}

/// The routes of the conformance suite with wildcards everywhere.
fn wild(credentials: bool) -> Chain {
    chain([Filter::Cors(Cors {
        allow_credentials: credentials,
        allow_methods: CorsMethods::Any,
        allow_headers: CorsNames::Any,
        expose_headers: CorsNames::Any,
        ..cors([CorsOrigin::Any])
    })])
}

fn preflight(origin: &'static str, method: &'static str) -> Asked {
    Asked::get("/cors", "/cors")
        .method("OPTIONS")
        .header("origin", origin)
        .header("access-control-request-method", method)
}

fn get(origin: &'static str) -> Asked {
    Asked::get("/cors", "/cors").header("origin", origin)
}

fn cors_headers(headers: &HeaderMap) -> Vec<(&str, String)> {
    let kept = headers.keys().map(|name| name.as_str()).filter(|name| name.starts_with("access-control-"));
    let mut all: Vec<_> = kept.map(|name| (&name["access-control-".len()..], joined(headers, name).unwrap())).collect();
    all.sort();
    all
}

/// Conformance: HTTPRouteCORS, preflights of the route with lists.
#[test]
fn preflights_of_listed_origins() {
    for origin in ["https://www.foo.com", "https://www.bar.com", "https://xpto.www.bar.com"] {
        let asked = preflight(origin, "GET").header("access-control-request-headers", "x-header-1, x-header-2");
        let outcome = asked.through(&listed());
        let head = sent(&listed(), &outcome);
        assert_eq!(head.status, StatusCode::NO_CONTENT);
        assert_eq!(
            cors_headers(&head.headers),
            [
                ("allow-credentials", "true".into()),
                ("allow-headers", "x-header-1, x-header-2".into()),
                ("allow-methods", "GET, OPTIONS".into()),
                ("allow-origin", origin.to_string()),
                ("expose-headers", "x-header-3, x-header-4".into()),
                ("max-age", "3600".into()),
            ]
        );
        assert_eq!(joined(&head.headers, "vary").as_deref(), Some("Origin"));
    }
}

#[test]
fn preflights_of_other_origins_are_denied() {
    for origin in ["https://foobar.com", "http://www.foo.com", "https://bar.com", "https://www.foo.com:8443", "null"] {
        let head = sent(&listed(), &preflight(origin, "GET").through(&listed()));
        assert_eq!(head.status, StatusCode::FORBIDDEN, "{origin}");
        assert_eq!(cors_headers(&head.headers), []);
        assert_eq!(joined(&head.headers, "vary").as_deref(), Some("Origin"));
    }
}

/// Conformance: HTTPRouteCORS, the route with wildcards and without credentials.
#[test]
fn wildcards_without_credentials() {
    for origin in ["https://foobar.com", "https://foobar.com:12345", "null"] {
        let asked = preflight(origin, "PUT").header("access-control-request-headers", "x-header-1, x-header-2");
        let head = sent(&wild(false), &asked.through(&wild(false)));
        assert_eq!(head.status, StatusCode::NO_CONTENT);
        let all = "*".to_string();
        assert_eq!(
            cors_headers(&head.headers),
            [
                ("allow-headers", all.clone()),
                ("allow-methods", all.clone()),
                ("allow-origin", all.clone()),
                ("expose-headers", all.clone()),
                ("max-age", "5".into()),
            ]
        );
        assert_eq!(joined(&head.headers, "vary"), None);
    }
    // The same for all, so that a cache need not know who asked.
    for asked in [get("https://foobar.com"), Asked::get("/cors", "/cors")] {
        let outcome = asked.through(&wild(false));
        let head = returned(&wild(false), &outcome, &[]);
        assert_eq!(cors_headers(&head.headers), [("allow-origin", "*".into()), ("expose-headers", "*".into())]);
        assert_eq!(joined(&head.headers, "vary"), None);
    }
}

/// Conformance: HTTPRouteCORS, the route with wildcards and credentials.
#[test]
fn wildcards_with_credentials_are_never_sent() {
    let asked =
        preflight("https://other.foo.com", "PUT").header("access-control-request-headers", "x-header-1, x-header-2");
    let head = sent(&wild(true), &asked.through(&wild(true)));
    assert_eq!(
        cors_headers(&head.headers),
        [
            ("allow-credentials", "true".into()),
            ("allow-headers", "x-header-1, x-header-2".into()),
            ("allow-methods", "PUT".into()),
            ("allow-origin", "https://other.foo.com".into()),
            ("max-age", "5".into()),
        ]
    );
    let vary = joined(&head.headers, "vary").unwrap();
    assert_eq!(vary, "Origin, Access-Control-Request-Method, Access-Control-Request-Headers");
    // What was not asked for is not granted.
    let head = sent(&wild(true), &preflight("https://other.foo.com", "PUT").through(&wild(true)));
    assert_eq!(joined(&head.headers, "access-control-allow-headers"), None);

    let outcome = get("https://other.foo.com").through(&wild(true));
    let backend = [("x-one", "1"), ("content-type", "text/plain"), ("set-cookie", "a=b")];
    let head = returned(&wild(true), &outcome, &backend);
    assert_eq!(joined(&head.headers, "access-control-allow-origin").as_deref(), Some("https://other.foo.com"));
    assert_eq!(joined(&head.headers, "access-control-allow-credentials").as_deref(), Some("true"));
    let exposed = joined(&head.headers, "access-control-expose-headers").unwrap();
    let mut exposed: Vec<_> = exposed.split(", ").collect();
    exposed.sort_unstable();
    assert_eq!(exposed, ["content-type", "vary", "x-one"]);
}

#[test]
fn an_echo_holds_nothing_but_names() {
    for odd in ["<script>", "x-a; y", "\"x\""] {
        let asked = preflight("https://a.example", "PUT").header("access-control-request-headers", odd);
        let head = sent(&wild(true), &asked.through(&wild(true)));
        assert_eq!(head.status, StatusCode::NO_CONTENT);
        assert_eq!(joined(&head.headers, "access-control-allow-headers"), None, "{odd}");
    }
}

/// Conformance: HTTPRouteCORS, simple requests of the route with lists.
#[test]
fn other_requests_go_on_and_only_allowed_origins_read_the_response() {
    let backend = [
        ("access-control-allow-origin", "*"),
        ("access-control-allow-credentials", "true"),
        ("access-control-allow-methods", "*"),
        ("access-control-allow-headers", "*"),
        ("access-control-expose-headers", "*"),
        ("access-control-max-age", "86400"),
        ("x-other", "kept"),
    ];
    for origin in ["https://www.foo.com", "https://www.bar.com"] {
        let asked = get(origin).header("access-control-request-method", "GET");
        let outcome = asked.through(&listed());
        assert_eq!(outcome.verdict, Verdict::Continue);
        let head = returned(&listed(), &outcome, &backend);
        assert_eq!(
            cors_headers(&head.headers),
            [
                ("allow-credentials", "true".into()),
                ("allow-origin", origin.to_string()),
                ("expose-headers", "x-header-3, x-header-4".into()),
            ]
        );
        assert_eq!(joined(&head.headers, "x-other").as_deref(), Some("kept"));
        assert_eq!(joined(&head.headers, "vary").as_deref(), Some("Origin"));
    }
    for asked in [get("https://foobar.com"), get("null"), Asked::get("/cors", "/cors")] {
        let outcome = asked.through(&listed());
        assert_eq!(outcome.verdict, Verdict::Continue);
        let head = returned(&listed(), &outcome, &backend);
        assert_eq!(cors_headers(&head.headers), []);
        // A cache must not hand this response to an origin that is allowed.
        assert_eq!(joined(&head.headers, "vary").as_deref(), Some("Origin"));
    }
}

#[test]
fn vary_is_completed_and_not_repeated() {
    let cases: [(&[(&str, &str)], &str); 5] = [
        (&[("vary", "Accept-Encoding")], "Accept-Encoding,Origin"),
        (&[("vary", "accept, origin")], "accept, origin"),
        (&[("vary", "accept"), ("vary", "ORIGIN")], "accept,ORIGIN"),
        (&[("vary", "*")], "*"),
        (&[("vary", "x-origin")], "x-origin,Origin"),
    ];
    let outcome = get("https://www.foo.com").through(&listed());
    for (backend, vary) in cases {
        assert_eq!(joined(&returned(&listed(), &outcome, backend).headers, "vary").as_deref(), Some(vary));
    }
}

#[test]
fn options_alone_is_no_preflight() {
    let bare = Asked::get("/cors", "/cors").method("OPTIONS");
    let no_origin = bare.clone().header("access-control-request-method", "GET");
    let no_method = bare.clone().header("origin", "https://foobar.com");
    for asked in [bare, no_origin, no_method] {
        assert_eq!(asked.through(&listed()).verdict, Verdict::Continue);
    }
}

#[test]
fn two_origins_are_none() {
    let asked = preflight("https://www.foo.com", "GET").header("origin", "https://www.foo.com");
    for chain in [listed(), wild(true)] {
        assert_eq!(sent(&chain, &asked.through(&chain)).status, StatusCode::FORBIDDEN);
    }
    let asked = get("https://www.foo.com").header("origin", "https://www.foo.com");
    assert_eq!(cors_headers(&returned(&listed(), &asked.through(&listed()), &[]).headers), []);
}

#[test]
fn origins() {
    let cases: [(CorsOrigin, &[&'static str], &[&'static str]); 8] = [
        (
            exact("https://a.example"),
            &["https://a.example", "https://A.Example", "https://a.example:443", "HTTPS://a.example"],
            &["http://a.example", "https://a.example:80", "https://xa.example", "https://a.example.evil", "https://"],
        ),
        (exact("http://a.example:80"), &["http://a.example"], &["http://a.example:8080"]),
        (exact("https://a.example:8443"), &["https://a.example:8443"], &["https://a.example", "http://a.example:8443"]),
        (exact("http://[::1]:3000"), &["http://[::1]:3000"], &["http://[::2]:3000"]),
        (
            wildcard("https://", ".a.example"),
            &["https://b.a.example", "https://c.b.a.example", "https://b.a.example:443"],
            &[
                "https://a.example",
                "https://.a.example:1",
                "https://.a.example",
                "https://ba.example",
                "http://b.a.example",
            ],
        ),
        (
            wildcard("https://", ".a.example:8443"),
            &["https://b.a.example:8443"],
            &["https://b.a.example", "https://b.a.example:18443"],
        ),
        (
            wildcard("https://", ""),
            &["https://a", "https://b.c"],
            &["http://a", "https://a:1", "null", "https://", "x://a"],
        ),
        (wildcard("http://", ":3000"), &["http://a:3000", "http://[::1]:3000"], &["http://a", "https://a:3000"]),
    ];
    for (pattern, allowed, denied) in cases {
        let chain = chain([Filter::Cors(cors([pattern.clone()]))]);
        let status = |origin| preflight(origin, "GET").through(&chain).reply().status;
        for origin in allowed {
            assert_eq!(status(origin), StatusCode::NO_CONTENT, "{origin} {pattern:?}");
        }
        for origin in denied {
            assert_eq!(status(origin), StatusCode::FORBIDDEN, "{origin} {pattern:?}");
        }
    }
    // Nobody is listed.
    let chain = chain([Filter::Cors(cors([]))]);
    assert_eq!(preflight("https://a.example", "GET").through(&chain).reply().status, StatusCode::FORBIDDEN);
}

#[test]
fn a_redirect_is_readable_and_a_preflight_is_never_redirected() {
    let chain = chain([
        Filter::ResponseHeaders(modifier(&[("access-control-allow-origin", "*"), ("x", "y")], &[], &["vary"])),
        Filter::Redirect(redirect::to("example.org")),
        Filter::Cors(cors([exact("https://a.example")])),
    ]);
    let head = sent(&chain, &get("https://a.example").through(&chain));
    assert_eq!(head.status, StatusCode::FOUND);
    assert_eq!(head.headers["access-control-allow-origin"], "https://a.example");
    assert_eq!(head.headers["x"], "y");
    // Edits grant nothing, and take nothing away from the answer to a preflight.
    let head = sent(&chain, &get("https://b.example").through(&chain));
    assert_eq!(cors_headers(&head.headers), []);
    let head = sent(&chain, &preflight("https://a.example", "GET").through(&chain));
    assert_eq!(head.status, StatusCode::NO_CONTENT);
    assert_eq!(head.headers["access-control-allow-origin"], "https://a.example");
    assert_eq!(head.headers["vary"], "Origin");
    assert!(!head.headers.contains_key("x"));
}

#[test]
fn a_filter_that_cannot_be_done_is_refused() {
    let refused = [
        cors([exact("a.example")]),
        cors([exact("ftp://a.example")]),
        cors([exact("https://a.example/path")]),
        cors([wildcard("https://", ".a b")]),
        Cors { allow_methods: methods(&["GET\r\nx: y"]), ..cors([CorsOrigin::Any]) },
    ];
    for cors in refused {
        let outcome = get("https://a.example").via([Filter::Cors(cors)]);
        assert_eq!(outcome.refusal().reason, RefusalReason::UnsupportedValue);
    }
}
