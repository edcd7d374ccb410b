//! Contexts: what is read, what is written, what is not believed.
#![allow(clippy::unwrap_used)]

use super::context::{Caller, Decision};
use super::*;
use opentelemetry::trace::{SpanId, TraceId};
use proptest::prelude::*;

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const SPAN: &str = "b7ad6b7169203331";
const ALL: [Propagation; 3] = [Propagation::W3c, Propagation::B3, Propagation::B3Multi];

fn map(lines: &[(&str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in lines {
        headers.append(HeaderName::try_from(*name).unwrap(), HeaderValue::from_str(value).unwrap());
    }
    headers
}

fn read(lines: &[(&str, &str)]) -> Option<Caller> {
    Caller::of(&map(lines), &ALL)
}

fn ids() -> Option<(TraceId, SpanId)> {
    Some((TraceId::from_hex(TRACE).unwrap(), SpanId::from_hex(SPAN).unwrap()))
}

#[test]
fn w3c_is_read() {
    let caller =
        read(&[("traceparent", &format!("00-{TRACE}-{SPAN}-01")), ("tracestate", "a=1, b@c=2"), ("tracestate", "d=3")]);
    let caller = caller.unwrap();
    assert_eq!((caller.ids, caller.decision), (ids(), Some(Decision::Sample)));
    assert_eq!(caller.state.unwrap(), "a=1, b@c=2,d=3");
    let unsampled = read(&[("traceparent", &format!("00-{TRACE}-{SPAN}-02"))]).unwrap();
    assert_eq!((unsampled.decision, unsampled.state), (Some(Decision::Drop), None));
    let later = read(&[("traceparent", &format!("cc-{TRACE}-{SPAN}-01-what-comes-later"))]).unwrap();
    assert_eq!(later.ids, ids());
}

#[test]
fn broken_w3c_counts_as_none() {
    let zero = "0".repeat(32);
    for broken in [
        String::new(),
        format!("00-{TRACE}-{SPAN}"),
        format!("00-{TRACE}-{SPAN}-01-more"),
        format!("00-{TRACE}-{SPAN}-01-"),
        format!("cc-{TRACE}-{SPAN}-01more"),
        format!("ff-{TRACE}-{SPAN}-01"),
        format!("00-{zero}-{SPAN}-01"),
        format!("00-{TRACE}-0000000000000000-01"),
        format!("00-{}-{SPAN}-01", TRACE.to_uppercase()),
        format!("00-{TRACE}-{SPAN}-0x"),
        format!("00_{TRACE}_{SPAN}_01"),
        format!("cc-{TRACE}-{SPAN}-01-{}", "x".repeat(600)),
    ] {
        assert_eq!(read(&[("traceparent", &broken)]), None, "{broken}");
    }
    let twice = format!("00-{TRACE}-{SPAN}-01");
    assert_eq!(read(&[("traceparent", &twice), ("traceparent", &twice)]), None);
}

#[test]
fn a_broken_state_is_lost_alone() {
    let many = (0..33).map(|number| format!("k{number}=v")).collect::<Vec<_>>().join(",");
    let long = format!("a={}", "x".repeat(257));
    let longer = (0..3).map(|number| format!("k{number}={}", "x".repeat(200))).collect::<Vec<_>>().join(",");
    for broken in ["a", "=1", "A=1", "a=1,b", "a=b=c", "a=", &many, &long, &longer] {
        let caller = read(&[("traceparent", &format!("00-{TRACE}-{SPAN}-01")), ("tracestate", broken)]).unwrap();
        assert_eq!((caller.ids, caller.state), (ids(), None), "{broken}");
    }
    assert_eq!(read(&[("tracestate", "a=1")]), None, "of no trace");
}

#[test]
fn b3_is_read() {
    let of = |lines: &[(&str, &str)]| read(lines).map(|caller| (caller.ids, caller.decision));
    assert_eq!(of(&[("b3", &format!("{TRACE}-{SPAN}-1"))]), Some((ids(), Some(Decision::Sample))));
    assert_eq!(of(&[("b3", &format!("{TRACE}-{SPAN}-d-{SPAN}"))]), Some((ids(), Some(Decision::Debug))));
    assert_eq!(of(&[("b3", &format!("{TRACE}-{SPAN}"))]), Some((ids(), None)));
    assert_eq!(of(&[("b3", "0")]), Some((None, Some(Decision::Drop))));
    let multi = [("X-B3-TraceId", TRACE), ("X-B3-SpanId", SPAN), ("X-B3-Sampled", "0")];
    assert_eq!(of(&multi), Some((ids(), Some(Decision::Drop))));
    assert_eq!(of(&[("x-b3-flags", "1")]), Some((None, Some(Decision::Debug))));
    assert_eq!(of(&[("x-b3-sampled", "true")]), Some((None, Some(Decision::Sample))));
    let short = of(&[("b3", &format!("{SPAN}-{SPAN}-1"))]).unwrap().0.unwrap().0;
    assert_eq!(short.to_string(), format!("0000000000000000{SPAN}"));
}

#[test]
fn broken_b3_counts_as_none() {
    for broken in [
        "",
        "2",
        "x",
        TRACE,
        &format!("{TRACE}-{SPAN}-2"),
        &format!("{TRACE}-{SPAN}-1-{SPAN}-1"),
        &format!("{TRACE}-{TRACE}-1"),
    ] {
        assert_eq!(read(&[("b3", broken)]), None, "{broken}");
    }
    assert_eq!(read(&[("x-b3-traceid", TRACE), ("x-b3-spanid", "0000000000000000"), ("x-b3-sampled", "1")]), None);
    assert_eq!(read(&[("x-b3-traceid", &"a".repeat(1000))]), None);
}

#[test]
fn the_first_format_that_says_something_counts() {
    let other = format!("{SPAN}-{SPAN}-0");
    let headers = map(&[("traceparent", &format!("00-{TRACE}-{SPAN}-01")), ("b3", &other)]);
    let of = |formats: &[Propagation]| Caller::of(&headers, formats).unwrap().decision;
    assert_eq!(of(&[Propagation::W3c, Propagation::B3]), Some(Decision::Sample));
    assert_eq!(of(&[Propagation::B3, Propagation::W3c]), Some(Decision::Drop));
    assert_eq!(read(&[("traceparent", "nonsense"), ("b3", &other)]).unwrap().decision, Some(Decision::Drop));
    assert_eq!(Caller::of(&map(&[("b3", &other)]), &[Propagation::W3c]), None, "nobody asked for it");
}

fn tracer(sample: f64, believe: bool) -> Tracer {
    let metrics = Metrics::new(crate::MetricsLimits::default()).unwrap();
    let sample = SampleRate::new(sample).unwrap();
    Tracer { sample, propagation: ALL.to_vec(), believe, queues: Vec::new(), metrics }
}

#[test]
fn a_caller_decides_and_else_the_rate() {
    let sampled = map(&[("traceparent", &format!("00-{TRACE}-{SPAN}-01"))]);
    let dropped = map(&[("traceparent", &format!("00-{TRACE}-{SPAN}-00"))]);
    let undecided = map(&[("b3", &format!("{TRACE}-{SPAN}"))]);
    let (none, all) = (tracer(0.0, true), tracer(1.0, true));
    assert!(none.begin(&sampled).is_sampled() && !all.begin(&dropped).is_sampled());
    assert!(!none.begin(&undecided).is_sampled() && all.begin(&undecided).is_sampled());
    assert!(!none.begin(&HeaderMap::new()).is_sampled() && all.begin(&HeaderMap::new()).is_sampled());
    let context = all.begin(&sampled);
    assert_eq!((context.trace_id, context.parent), (ids().unwrap().0, Some(ids().unwrap().1)));
    assert_ne!(context.span_id, ids().unwrap().1);
    let context = all.begin(&dropped);
    assert_eq!((context.trace_id, context.span_id, context.parent), (ids().unwrap().0, ids().unwrap().1, None));
    let context = tracer(0.0, false).begin(&sampled);
    assert!(!context.is_sampled() && context.trace_id != ids().unwrap().0, "clients are not believed");
}

#[test]
fn a_rate_is_a_share_of_traces() {
    let tracer = tracer(0.25, true);
    let sampled = (0..10_000).filter(|_| tracer.begin(&HeaderMap::new()).is_sampled()).count();
    // Ten standard deviations to either side.
    assert!((2067..=2933).contains(&sampled), "{sampled}");
    for text in ["", "x", "-0.1", "1.1", "NaN", "inf"] {
        assert_eq!(text.parse::<SampleRate>(), Err(NoRate), "{text}");
    }
}

fn written(context: &TraceContext, formats: &[Propagation]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    context.headers(formats, |name, value| {
        if let Some(value) = value {
            headers.insert(name, value);
        }
    });
    headers
}

fn any_context() -> impl Strategy<Value = TraceContext> {
    let decision = prop_oneof![Just(Decision::Drop), Just(Decision::Sample), Just(Decision::Debug)];
    (1..=u128::MAX, 1..=u64::MAX, proptest::option::of(1..=u64::MAX), decision).prop_map(
        |(trace, span, parent, decision)| TraceContext {
            trace_id: TraceId::from_bytes(trace.to_be_bytes()),
            span_id: SpanId::from_bytes(span.to_be_bytes()),
            parent: parent.map(|parent| SpanId::from_bytes(parent.to_be_bytes())),
            decision,
            state: Some(HeaderValue::from_static("a=1")),
        },
    )
}

proptest! {
    #[test]
    fn what_is_written_is_read_again(context in any_context()) {
        for format in ALL {
            let caller = Caller::of(&written(&context, &[format]), &[format]).unwrap();
            prop_assert_eq!(caller.ids, Some((context.trace_id, context.span_id)));
            match format {
                // It has no word for debug.
                Propagation::W3c => {
                    prop_assert_eq!(caller.decision.map(Decision::is_sampled), Some(context.is_sampled()));
                    prop_assert_eq!(caller.state, context.state.clone());
                }
                Propagation::B3 | Propagation::B3Multi => prop_assert_eq!(caller.decision, Some(context.decision)),
            }
        }
    }

    #[test]
    fn no_value_panics(
        names in proptest::collection::vec(0..6_usize, 1..6),
        values in proptest::collection::vec(
            prop_oneof![
                proptest::collection::vec(any::<u8>(), 0..200),
                "[0-9a-f]{32}-[0-9a-f]{16}(-[01d](-[0-9a-f]{16})?)?".prop_map(String::into_bytes),
                "[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}(-.{0,10})?".prop_map(String::into_bytes),
            ],
            6,
        ),
    ) {
        let known = ["traceparent", "tracestate", "b3", "x-b3-traceid", "x-b3-spanid", "x-b3-sampled"];
        let mut headers = HeaderMap::new();
        for (name, value) in names.iter().zip(&values) {
            if let Ok(value) = HeaderValue::from_bytes(value) {
                headers.append(known[*name], value);
            }
        }
        if let Some(Caller { ids: Some((trace, span)), .. }) = Caller::of(&headers, &ALL) {
            prop_assert!(trace != TraceId::INVALID && span != SpanId::INVALID);
        }
        // What comes of it is always good, whatever came in.
        let context = tracer(0.5, true).begin(&headers);
        prop_assert!(Caller::of(&written(&context, &ALL), &ALL).is_some_and(|caller| caller.ids.is_some()));
    }
}

#[test]
fn a_text_is_cut_between_characters() {
    assert_eq!(RequestTrace::text("/short"), "/short");
    assert_eq!(RequestTrace::text(&"ä".repeat(1000)).len(), 1024);
    assert_eq!(RequestTrace::text(&format!("a{}", "ä".repeat(1000))).len(), 1023);
}
