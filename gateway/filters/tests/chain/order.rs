use crate::cors::cors;
use crate::redirect;
use crate::rewrite::{full, prefix};
use crate::support::{Asked, chain, host, joined, modifier, target};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use lychgate_filters::{Chain, ChainState, RequestHead, RequestView, Scheme, TooLong, Verdict};
use lychgate_ir::MatchedPath;
use lychgate_ir::filter::{CorsOrigin, Filter, HeaderModifier, UrlRewrite};

fn permutations(filters: &[Filter]) -> Vec<Vec<Filter>> {
    match filters {
        [] => vec![Vec::new()],
        _ => (0..filters.len())
            .flat_map(|at| {
                let mut rest = filters.to_vec();
                let first = rest.remove(at);
                permutations(&rest).into_iter().map(move |rest| [vec![first.clone()], rest].concat())
            })
            .collect(),
    }
}

#[test]
fn a_redirect_sees_the_request_as_the_client_sent_it() {
    let filters = [
        Filter::Redirect(redirect::AS_ASKED),
        Filter::RequestHeaders(modifier(&[("Host", "edited.example"), ("x", "y")], &[], &[])),
        Filter::ResponseHeaders(modifier(&[("x", "y")], &[], &[])),
    ];
    for filters in permutations(&filters) {
        let outcome = Asked::get("/a?b", "/a").via(filters);
        assert_eq!(outcome.location(), (302, "http://client.example/a?b"));
        assert!(!outcome.head.headers.contains_key("x"), "nothing is edited in vain");
    }
}

#[test]
fn a_rewritten_host_wins_over_an_edited_one() {
    let filters = [
        Filter::Rewrite(UrlRewrite { hostname: Some("rewritten.example".into()), path: None }),
        Filter::RequestHeaders(modifier(&[("Host", "edited.example"), ("x", "y")], &[], &[])),
    ];
    for filters in permutations(&filters) {
        let head = Asked::get("/", "/").via(filters).forwarded();
        assert_eq!(host(&head), Some("rewritten.example"));
        assert_eq!(joined(&head.headers, "x").as_deref(), Some("y"));
    }
}

#[test]
fn the_order_written_does_not_matter() {
    let filters = [
        Filter::Cors(cors([CorsOrigin::Exact("https://a.example".into())])),
        prefix("/new"),
        Filter::RequestHeaders(modifier(&[("x", "request")], &[], &[])),
        Filter::ResponseHeaders(modifier(&[], &[("vary", "accept")], &["access-control-allow-origin"])),
    ];
    for filters in permutations(&filters) {
        let chain = chain(filters);
        let outcome = Asked::get("/old/a", "/old").header("origin", "https://a.example").through(&chain);
        let back = crate::support::returned(&chain, &outcome, &[]);
        assert_eq!(joined(&back.headers, "access-control-allow-origin").as_deref(), Some("https://a.example"));
        assert_eq!(joined(&back.headers, "vary").as_deref(), Some("accept,Origin"));
        let head = outcome.forwarded();
        assert_eq!(target(&head), "/new/a");
        assert_eq!(joined(&head.headers, "x").as_deref(), Some("request"));
    }
}

#[test]
fn a_chain_says_what_it_can_do() {
    let says = |filter: Filter| {
        let chain = chain([filter]);
        (chain.is_empty(), chain.may_reply(), chain.is_idle_on_response())
    };
    assert!(chain([]).is_empty() && !chain([]).may_reply() && chain([]).is_idle_on_response());
    assert_eq!(says(Filter::Cors(cors([]))), (false, true, false));
    assert_eq!(says(Filter::Redirect(redirect::AS_ASKED)), (false, true, true));
    assert_eq!(says(full("/")), (false, false, true));
    assert_eq!(says(Filter::RequestHeaders(HeaderModifier::default())), (false, false, true));
    assert_eq!(says(Filter::ResponseHeaders(HeaderModifier::default())), (false, false, false));
}

#[test]
fn chains_are_shared_between_threads() {
    fn shared<T: Send + Sync + 'static>() {}
    shared::<Chain>();
    fn kept<T: Send + Clone + Default + 'static>() {}
    kept::<ChainState>();
}

/// A head that must not be written to.
struct ReadOnly {
    method: Method,
    headers: HeaderMap,
}

impl RequestHead for ReadOnly {
    fn method(&self) -> &Method {
        &self.method
    }
    fn path(&self) -> &str {
        "/a"
    }
    fn query(&self) -> Option<&str> {
        None
    }
    fn set_path(&mut self, path: &str) -> Result<(), TooLong> {
        panic!("set_path {path}")
    }
    fn set_query(&mut self, query: Option<&str>) -> Result<(), TooLong> {
        panic!("set_query {query:?}")
    }
    fn host(&self) -> Option<&str> {
        Some("client.example")
    }
    fn set_host(&mut self, host: &HeaderValue) {
        panic!("set_host {host:?}")
    }
    fn headers(&self) -> &HeaderMap {
        &self.headers
    }
    fn insert(&mut self, name: &HeaderName, _: &HeaderValue) {
        panic!("insert {name}")
    }
    fn append(&mut self, name: &HeaderName, _: &HeaderValue) {
        panic!("append {name}")
    }
    fn remove(&mut self, name: &HeaderName) {
        panic!("remove {name}")
    }
}

#[test]
fn nothing_is_written_where_nothing_is_to_be_edited() {
    let chains = [
        chain([]),
        chain([Filter::ResponseHeaders(modifier(&[("x", "y")], &[], &[]))]),
        chain([Filter::Cors(cors([]))]),
        chain([prefix("/a")]),
        chain([Filter::Redirect(redirect::AS_ASKED)]),
    ];
    for chain in chains {
        let mut head = ReadOnly { method: Method::GET, headers: HeaderMap::new() };
        let matched = MatchedPath::Prefix(2);
        let mut view = RequestView { head: &mut head, scheme: Scheme::Http, listener_port: 80, matched };
        let verdict = chain.request(&mut view, &mut ChainState::default());
        assert!(matches!(verdict, Verdict::Continue | Verdict::Reply(_)));
    }
}
