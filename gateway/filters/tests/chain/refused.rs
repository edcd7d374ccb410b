use crate::cors::cors;
use crate::redirect;
use crate::rewrite::{full, prefix};
use crate::support::{Asked, chain, modifier};
use lychgate_filters::Verdict;
use lychgate_ir::filter::{CorsOrigin, Filter};
use lychgate_ir::{Refusal, RefusalReason};

fn broken() -> Refusal {
    Refusal::internal(RefusalReason::UnsupportedFilter, "extensionRef Foo/bar: this kind of filter is not known")
}

#[test]
fn a_broken_filter_refuses_before_anything_else_is_done() {
    let others = [
        Filter::Cors(cors([CorsOrigin::Any])),
        Filter::Redirect(redirect::AS_ASKED),
        Filter::RequestHeaders(modifier(&[("x", "y")], &[], &[])),
    ];
    for other in others {
        let chain = chain([other, Filter::Broken(broken())]);
        let asked = Asked::get("/", "/")
            .method("OPTIONS")
            .header("origin", "https://a.example")
            .header("access-control-request-method", "GET");
        let outcome = asked.through(&chain);
        assert_eq!(outcome.verdict, Verdict::Refuse(broken()));
        assert!(!outcome.head.headers.contains_key("x"));
        assert_eq!(chain.refusal(), Some(&broken()));
        assert!(chain.may_reply());
    }
}

#[test]
fn filters_that_cannot_stand_together_are_refused() {
    let conflicts = [
        vec![Filter::Cors(cors([])), Filter::Cors(cors([]))],
        vec![Filter::Redirect(redirect::AS_ASKED), Filter::Redirect(redirect::AS_ASKED)],
        vec![prefix("/a"), full("/a")],
        vec![Filter::Redirect(redirect::AS_ASKED), full("/a")],
    ];
    for filters in conflicts {
        let outcome = Asked::get("/", "/").via(filters);
        assert_eq!(outcome.refusal().reason, RefusalReason::UnsupportedFilter);
        assert_eq!(outcome.refusal().status, 500);
    }
}

#[test]
fn a_chain_that_can_be_done_refuses_nothing() {
    let chain = chain([Filter::Redirect(redirect::AS_ASKED), Filter::Cors(cors([]))]);
    assert_eq!(chain.refusal(), None);
}
