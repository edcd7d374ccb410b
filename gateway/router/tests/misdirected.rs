//! Listeners on one port: isolation in clear text, and misdirected requests over TLS.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use common::{Request, host, listener, prefix, route_id, rule};
use lychgate_ir::{Attachment, HostPattern, ListenerId, Route};
use lychgate_router::{Listeners, RouteTable, Selected, Selection, WhyNot};
use std::sync::Arc;

/// The listeners that the conformance suite's `HTTPRouteHTTPSListenerDetectMisdirectedRequests` runs against.
const LISTENERS: [(&str, &str); 4] = [
    ("https", ""),
    ("https-with-hostname", "second-example.org"),
    ("https-with-wildcard-hostname", "*.wildcard.org"),
    ("https-with-hostname-matching-wildcard", "fourth-example.wildcard.org"),
];

fn listeners(of: &[(&str, &str)]) -> Listeners<ListenerId> {
    let (listeners, repeated) =
        Listeners::new(of.iter().map(|(section, hostname)| (host(hostname), listener(section))));
    assert_eq!(repeated, []);
    listeners
}

fn route(name: &str, section: &str, hostname: &str) -> Arc<Route> {
    let id = route_id(name);
    let attachments = [Attachment { listener: listener(section), hostnames: vec![host(hostname)] }].into();
    let rules = vec![rule(&id, 0, vec![prefix("/detect-misdirected-requests")])];
    Arc::new(Route { id, created: None, attachments, rules })
}

#[test]
fn misdirected_requests_are_told_from_unknown_ones() {
    let listeners = listeners(&LISTENERS);
    let routes = [
        route("v1", "https", "example.org"),
        route("v2", "https-with-hostname", ""),
        route("v3", "https-with-wildcard-hostname", ""),
        route("v4", "https-with-hostname-matching-wildcard", ""),
    ];
    let answer = |server_name: &str, host: &str| {
        let (current, _) = listeners.for_server_name(Some(server_name)).unwrap();
        match listeners.select(current, host) {
            Selection::Misdirected(_) => "421".to_owned(),
            Selection::NotFound => "404".to_owned(),
            Selection::Serve(listener) => {
                let (table, _) = RouteTable::build(listener, &routes, &mut |_| ());
                let request = Request::get(host, "/detect-misdirected-requests");
                let hit = table.find(&request.line());
                hit.map_or_else(|| "404".to_owned(), |hit| hit.rule.route.name.name.to_string())
            }
        }
    };
    for (server_name, host, expected) in [
        ("example.org", "example.org", "v1"),
        ("example.org", "second-example.org", "421"),
        ("example.org", "unknown-example.org", "404"),
        ("second-example.org", "second-example.org", "v2"),
        ("second-example.org", "example.org", "421"),
        ("second-example.org", "unknown-example.org", "421"),
        ("third-example.wildcard.org", "third-example.wildcard.org", "v3"),
        ("third-example.wildcard.org", "fith-example.wildcard.org", "v3"),
        ("third-example.wildcard.org", "fourth-example.wildcard.org", "421"),
        ("third-example.wildcard.org", "second-example.org", "421"),
        ("third-example.wildcard.org", "unknown-example.org", "421"),
        ("fourth-example.wildcard.org", "fourth-example.wildcard.org", "v4"),
        ("fourth-example.wildcard.org", "fith-example.wildcard.org", "421"),
        ("unknown-example.org", "example.org", "v1"),
        ("unknown-example.org", "unknown-example.org", "404"),
    ] {
        assert_eq!(answer(server_name, host), expected, "SNI {server_name}, host {host}");
    }
}

#[test]
fn without_a_listener_for_every_host_the_unknown_is_not_found() {
    let listeners = listeners(&LISTENERS[1..]);
    assert_eq!(listeners.for_server_name(Some("unknown.org")), None);
    assert_eq!(listeners.for_server_name(None), None);
    let (current, _) = listeners.for_server_name(Some("second-example.org")).unwrap();
    assert_eq!(listeners.select(current, "unknown.org"), Selection::NotFound);
    let misdirected = listener("https-with-wildcard-hostname");
    assert_eq!(listeners.select(current, "a.wildcard.org"), Selection::Misdirected(&misdirected));
    // A listener that is gone since the connection was made serves nothing.
    assert_eq!(listeners.select(&host("gone.org"), "gone.org"), Selection::NotFound);
    assert_eq!(listeners.select(&HostPattern::Any, "a.wildcard.org"), Selection::Misdirected(&misdirected));
}

/// The rules of `Listener.hostname` word by word, on every set of these listeners.
#[test]
fn a_selection_is_what_the_specification_spells_out() {
    const HOSTNAMES: [&str; 6] = ["", "*.org", "*.a.org", "a.org", "b.a.org", "*.net"];
    for set in 0..1 << HOSTNAMES.len() {
        let chosen: Vec<_> =
            (0..HOSTNAMES.len()).filter(|bit| set & (1 << bit) != 0).map(|bit| HOSTNAMES[bit]).collect();
        let listeners = listeners(&chosen.iter().map(|hostname| (*hostname, *hostname)).collect::<Vec<_>>());
        for current in chosen.iter().map(|hostname| common::host(hostname)) {
            for host in ["a.org", "b.a.org", "c.b.a.org", "org", "x.net", "com", ""] {
                let others = chosen.iter().map(|hostname| common::host(hostname)).filter(|other| *other != current);
                let mut matching = others.filter(|other| other.matches(host));
                let expected = if current.matches(host) {
                    if matching.any(|other| other > current) { "421" } else { "serve" }
                } else if matching.next().is_some() {
                    "421"
                } else {
                    "404"
                };
                let code = |selection| match selection {
                    Selection::Serve(_) => "serve",
                    Selection::Misdirected(_) => "421",
                    Selection::NotFound => "404",
                };
                assert_eq!(code(listeners.select(&current, host)), expected, "{chosen:?}: {current}, {host}");
                let section = if current == HostPattern::Any { String::new() } else { current.to_string() };
                let by_id = listeners.select_by(host, |listener| *listener.section == *section);
                assert_eq!(code(by_id), expected, "{chosen:?}: {current}, {host}");
            }
        }
    }
}

#[test]
fn in_clear_text_the_most_specific_listener_serves_alone() {
    let listeners = listeners(&[
        ("empty", ""),
        ("wild", "*.example.com"),
        ("wild-foo", "*.foo.example.com"),
        ("exact", "abc.foo.example.com"),
    ]);
    let serves = |host: &str| listeners.for_host(host).map(|listener| listener.section.to_string()).unwrap();
    assert_eq!(serves("bar.com"), "empty");
    assert_eq!(serves("example.com"), "empty");
    assert_eq!(serves("bar.example.com"), "wild");
    assert_eq!(serves("foo.example.com"), "wild");
    assert_eq!(serves("bar.foo.example.com"), "wild-foo");
    assert_eq!(serves("abc.foo.example.com"), "exact");
}

#[test]
fn a_repeated_host_name_is_handed_back() {
    let (listeners, repeated) = Listeners::new([(host("a.com"), 1), (host("b.com"), 2), (host("A.com"), 3)]);
    assert_eq!(repeated, [(host("a.com"), 3)]);
    assert_eq!(listeners.for_host("a.com"), Some(&1));
}

#[test]
fn a_selection_explains_itself() {
    let listeners = listeners(&LISTENERS);
    let explained = listeners.explain_https(Some("a.wildcard.org"), "fourth-example.wildcard.org", &ListenerId::clone);
    assert_eq!(
        explained.to_string(),
        "421 Misdirected Request: the connection was made to Gateway/infra/gate/https-with-wildcard-hostname, and host \
         `fourth-example.wildcard.org` belongs to Gateway/infra/gate/https-with-hostname-matching-wildcard; connect with \
         that server name.\n\
         - Gateway/infra/gate/https: its host name (none: every host) matches, but is less specific.\n\
         - Gateway/infra/gate/https-with-hostname: its host name `second-example.org` does not match.\n"
    );
    let explained = listeners.explain_http("b.wildcard.org", &ListenerId::clone);
    let served = listener("https-with-wildcard-hostname");
    assert_eq!(explained.selected, Selected::Serve { listener: served, hostname: host("*.wildcard.org") });
    let why: Vec<_> = explained.others.iter().map(|other| other.why).collect();
    assert_eq!(why, [WhyNot::LessSpecific, WhyNot::DoesNotMatch, WhyNot::DoesNotMatch]);
}
