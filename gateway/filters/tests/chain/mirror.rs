use crate::support::{Asked, chain, modifier};
use lychgate_filters::{Verdict, sampled};
use lychgate_ir::filter::{Filter, Fraction, Mirror};
use lychgate_ir::{BackendId, BackendKind, ObjectName, Refusal, RefusalReason, Target, Transport};

fn target(name: &str) -> Target {
    let transport = Transport::Tcp;
    Target::Backend(BackendId { kind: BackendKind::Service, name: ObjectName::new("ns", name), port: 80, transport })
}

fn mirror(name: &str, share: Fraction) -> Mirror {
    Mirror { target: target(name), share }
}

#[test]
fn a_mirror_leaves_the_request_alone() {
    let chain = chain([Filter::Mirror(mirror("a", Fraction::ALL))]);
    let outcome = Asked::get("/", "/").through(&chain);
    assert_eq!(outcome.verdict, Verdict::Continue);
    assert_eq!(outcome.head.headers.len(), 1);
    assert!(!chain.is_empty() && !chain.may_reply() && chain.is_idle_on_response());
}

#[test]
fn all_that_can_be_reached_are_told_in_the_order_written() {
    let broken = Target::Broken(Refusal::internal(RefusalReason::BackendNotFound, "Service ns/gone does not exist"));
    let half = Fraction { numerator: 1, denominator: 2 };
    let chain = chain([
        Filter::Mirror(mirror("b", half)),
        Filter::Mirror(Mirror { target: broken, share: Fraction::ALL }),
        Filter::RequestHeaders(modifier(&[("x", "y")], &[], &[])),
        Filter::Mirror(mirror("never", Fraction { numerator: 0, denominator: 100 })),
        Filter::Mirror(mirror("a", Fraction::ALL)),
    ]);
    let told: Vec<_> = chain.mirrors().cloned().collect();
    assert_eq!(told, [mirror("b", half), mirror("a", Fraction::ALL)]);
    // A broken mirror is no fault of the request.
    assert_eq!(Asked::get("/", "/").through(&chain).verdict, Verdict::Continue);
}

#[test]
fn shares_are_even() {
    // Evenly spread draws stand for random ones.
    const DRAWS: u64 = 100_000;
    let drawn = |share| (0..DRAWS).filter(|at| sampled(share, at * (u64::MAX / DRAWS))).count() as u64;
    for (numerator, denominator) in [(0, 1), (1, 100), (25, 100), (1, 3), (50, 100), (999, 1000), (1, 1), (100, 100)] {
        let expected = DRAWS * u64::from(numerator) / u64::from(denominator);
        let count = drawn(Fraction { numerator, denominator });
        assert!(count.abs_diff(expected) <= 1, "{numerator}/{denominator}: {count}, not {expected}");
    }
}

#[test]
fn the_ends_are_exact() {
    let none = Fraction { numerator: 0, denominator: u32::MAX };
    let all = Fraction { numerator: u32::MAX, denominator: u32::MAX };
    for random in [0, 1, u64::MAX / 2, u64::MAX - 1, u64::MAX] {
        assert!(!sampled(none, random));
        assert!(sampled(all, random));
        assert!(sampled(Fraction::ALL, random));
    }
}
