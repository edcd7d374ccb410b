use crate::support::{Asked, chain, host, joined, modifier, returned};
use http::Request;
use lychgate_filters::{ChainState, RequestView, Scheme, Verdict};
use lychgate_ir::filter::Filter;
use lychgate_ir::{MatchedPath, RefusalReason};

type Pairs = &'static [(&'static str, &'static str)];

struct Case {
    set: Pairs,
    add: Pairs,
    remove: &'static [&'static str],
    before: Pairs,
    after: Pairs,
}

/// Conformance: HTTPRouteRequestHeaderModifier and HTTPRouteResponseHeaderModifier, which agree.
const CASES: &[Case] = &[
    Case {
        set: &[("X-Header-Set", "set-overwrites-values")],
        add: &[],
        remove: &[],
        before: &[("Some-Other-Header", "val")],
        after: &[("some-other-header", "val"), ("x-header-set", "set-overwrites-values")],
    },
    Case {
        set: &[("X-Header-Set", "set-overwrites-values")],
        add: &[],
        remove: &[],
        before: &[("Some-Other-Header", "val"), ("X-Header-Set", "some-other-value"), ("X-Header-Set", "and-another")],
        after: &[("some-other-header", "val"), ("x-header-set", "set-overwrites-values")],
    },
    Case {
        set: &[],
        add: &[("X-Header-Add", "add-appends-values")],
        remove: &[],
        before: &[("Some-Other-Header", "val")],
        after: &[("some-other-header", "val"), ("x-header-add", "add-appends-values")],
    },
    Case {
        set: &[],
        add: &[("X-Header-Add", "add-appends-values")],
        remove: &[],
        before: &[("X-Header-Add", "some-other-value")],
        after: &[("x-header-add", "some-other-value,add-appends-values")],
    },
    Case { set: &[], add: &[], remove: &["X-Header-Remove"], before: &[("X-Header-Remove", "val")], after: &[] },
    Case {
        set: &[("X-Header-Set-1", "header-set-1"), ("X-Header-Set-2", "header-set-2")],
        add: &[
            ("X-Header-Add-1", "header-add-1"),
            ("X-Header-Add-2", "header-add-2"),
            ("X-Header-Add-3", "header-add-3"),
        ],
        remove: &["X-Header-Remove-1", "X-Header-Remove-2"],
        before: &[
            ("X-Header-Set-2", "set-val-2"),
            ("X-Header-Add-2", "add-val-2"),
            ("X-Header-Remove-2", "remove-val-2"),
            ("Another-Header", "another-header-val"),
        ],
        after: &[
            ("x-header-set-1", "header-set-1"),
            ("x-header-set-2", "header-set-2"),
            ("x-header-add-1", "header-add-1"),
            ("x-header-add-2", "add-val-2,header-add-2"),
            ("x-header-add-3", "header-add-3"),
            ("another-header", "another-header-val"),
        ],
    },
    Case {
        set: &[("X-Header-Set", "header-set")],
        add: &[("X-Header-Add", "header-add"), ("x-lowercase-add", "lowercase-add"), ("X-mixeDcase-add", "mixed")],
        remove: &["X-Header-Remove"],
        before: &[
            ("x-header-set", "original-val-set"),
            ("x-header-add", "original-val-add"),
            ("x-header-remove", "original-val-remove"),
            ("Another-Header", "another-header-val"),
        ],
        after: &[
            ("x-header-set", "header-set"),
            ("x-header-add", "original-val-add,header-add"),
            ("x-lowercase-add", "lowercase-add"),
            ("x-mixedcase-add", "mixed"),
            ("another-header", "another-header-val"),
        ],
    },
    // What the suite leaves open.
    Case {
        set: &[("x", "first"), ("x", "second")],
        add: &[("y", "1"), ("y", "2")],
        remove: &[],
        before: &[],
        after: &[("x", "first"), ("y", "1,2")],
    },
    Case {
        set: &[("x", "set")],
        add: &[("x", "added"), ("y", "added")],
        remove: &["x"],
        before: &[("x", "was")],
        after: &[("y", "added")],
    },
    Case {
        set: &[("x", "set")],
        add: &[("x", "added")],
        remove: &[],
        before: &[("x", "was")],
        after: &[("x", "set,added")],
    },
];

fn all(headers: &http::HeaderMap) -> Vec<(String, String)> {
    let mut all: Vec<_> =
        headers.keys().map(|name| (name.to_string(), joined(headers, name.as_str()).unwrap())).collect();
    all.sort();
    all
}

fn expected(case: &Case, more: Pairs) -> Vec<(String, String)> {
    let mut all: Vec<_> = case.after.iter().chain(more).map(|(n, v)| ((*n).to_string(), (*v).to_string())).collect();
    all.sort();
    all
}

#[test]
fn requests() {
    for (at, case) in CASES.iter().enumerate() {
        let mut asked = Asked::get("/", "/");
        asked.headers = case.before.to_vec();
        let head = asked.via([Filter::RequestHeaders(modifier(case.set, case.add, case.remove))]).forwarded();
        assert_eq!(all(&head.headers), expected(case, &[("host", "client.example")]), "case {at}");
    }
}

#[test]
fn responses() {
    for (at, case) in CASES.iter().enumerate() {
        let chain = chain([Filter::ResponseHeaders(modifier(case.set, case.add, case.remove))]);
        let outcome = Asked::get("/", "/").through(&chain);
        assert_eq!(outcome.verdict, Verdict::Continue);
        assert_eq!(outcome.head.headers.len(), 1, "the request is left alone");
        assert_eq!(all(&returned(&chain, &outcome, case.before).headers), expected(case, &[]), "case {at}");
    }
}

#[test]
fn both_on_one_rule_keep_to_their_side() {
    let chain = chain([
        Filter::ResponseHeaders(modifier(&[("x-set", "response")], &[], &["x-response"])),
        Filter::RequestHeaders(modifier(&[("x-set", "request")], &[], &["x-request"])),
    ]);
    let outcome = Asked::get("/", "/").header("x-request", "1").header("x-response", "1").through(&chain);
    let back = returned(&chain, &outcome, &[("x-request", "1"), ("x-response", "1")]);
    assert_eq!(joined(&back.headers, "x-set").as_deref(), Some("response"));
    assert_eq!(joined(&back.headers, "x-request").as_deref(), Some("1"));
    assert_eq!(joined(&back.headers, "x-response"), None);
    let head = outcome.forwarded();
    assert_eq!(joined(&head.headers, "x-set").as_deref(), Some("request"));
    assert_eq!(joined(&head.headers, "x-request"), None);
    assert_eq!(joined(&head.headers, "x-response").as_deref(), Some("1"));
}

#[test]
fn several_of_a_kind_run_in_the_order_written() {
    let filters = ["1", "2"].map(|value| modifier(&[("x", value)], &[("y", value)], &[]));
    let chain = chain(
        filters.iter().cloned().map(Filter::RequestHeaders).chain(filters.iter().cloned().map(Filter::ResponseHeaders)),
    );
    let outcome = Asked::get("/", "/").through(&chain);
    let back = returned(&chain, &outcome, &[]);
    for headers in [back.headers, outcome.forwarded().headers] {
        assert_eq!(joined(&headers, "x").as_deref(), Some("2"));
        assert_eq!(joined(&headers, "y").as_deref(), Some("1,2"));
    }
}

#[test]
fn host_is_replaced_and_never_doubled() {
    for modifier in
        [modifier(&[("Host", "new.example:81")], &[], &[]), modifier(&[], &[("Host", "new.example:81")], &[])]
    {
        let head = Asked::get("/", "/").via([Filter::RequestHeaders(modifier)]).forwarded();
        assert_eq!(host(&head), Some("new.example:81"));
        assert_eq!(head.headers.get_all("host").iter().count(), 1);
    }
}

#[test]
fn host_is_replaced_in_an_authority_too() {
    let chain = chain([Filter::RequestHeaders(modifier(&[("Host", "new.example")], &[], &[]))]);
    let (mut head, ()) = Request::get("https://old.example/a?b").body(()).unwrap().into_parts();
    let mut view =
        RequestView { head: &mut head, scheme: Scheme::Https, listener_port: 443, matched: MatchedPath::Exact };
    assert_eq!(chain.request(&mut view, &mut ChainState::default()), Verdict::Continue);
    assert_eq!(head.uri, "https://new.example/a?b");
}

#[test]
fn what_frames_a_message_cannot_be_edited() {
    for name in ["Connection", "Content-Length", "Keep-Alive", "TE", "Trailer", "Transfer-Encoding", "Upgrade"] {
        for modifier in
            [modifier(&[(name, "1")], &[], &[]), modifier(&[], &[(name, "1")], &[]), modifier(&[], &[], &[name])]
        {
            for filter in [Filter::RequestHeaders(modifier.clone()), Filter::ResponseHeaders(modifier)] {
                let outcome = Asked::get("/", "/").via([filter]);
                assert_eq!(outcome.refusal().reason, RefusalReason::UnsupportedValue, "{name}");
                assert!(outcome.refusal().message.contains(&name.to_lowercase()));
            }
        }
    }
}

#[test]
fn a_host_that_is_none_is_refused() {
    for modifier in [
        modifier(&[("Host", "a b")], &[], &[]),
        modifier(&[("Host", "user@host")], &[], &[]),
        modifier(&[], &[], &["Host"]),
    ] {
        let outcome = Asked::get("/", "/").via([Filter::RequestHeaders(modifier)]);
        assert_eq!(outcome.refusal().reason, RefusalReason::UnsupportedValue);
    }
}
