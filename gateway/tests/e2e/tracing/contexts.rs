//! Contexts between caller and backend, and who decides what is recorded.

use super::collector::Collector;
use super::{SPAN, TRACE, get, otlp, serve, serve_with, told};
use crate::support::{echo, http_route, service};
use lychgate_gateway::{Propagation, SampleRate, TraceOptions};

const RULE: &str = "    - {backendRefs: [{name: it, port: 80}]}\n";

#[tokio::test]
async fn an_unsampled_caller_stays_unsampled() {
    let collector = Collector::start().await;
    let (it, address) = echo("it").await;
    let objects = service("it", &[address]) + &http_route("r", "[]", RULE);
    let (site, at) = serve(&objects, TraceOptions::otlp(otlp(&collector))).await;
    let unsampled = format!("00-{TRACE}-{SPAN}-00");
    get(at, "http://a.example/unsampled", &[("traceparent", &unsampled)]).await;
    get(at, "http://a.example/sampled", &[]).await;
    // Nothing overtakes in the queue, so that the first would be there if it had been recorded.
    let spans = collector.spans(2).await;
    assert!(spans.iter().all(|span| span.trace != TRACE), "{spans:#?}");
    assert_eq!(told(&it, 0, "Traceparent").unwrap(), unsampled);
    site.stop().await;
    assert_eq!(collector.got().spans.len(), 2);
}

#[tokio::test]
async fn without_a_share_only_callers_are_recorded() {
    let collector = Collector::start().await;
    let (it, address) = echo("it").await;
    let objects = service("it", &[address]) + &http_route("r", "[]", RULE);
    let sample = SampleRate::new(0.0).unwrap();
    let (site, at) = serve(&objects, TraceOptions { sample, ..TraceOptions::otlp(otlp(&collector)) }).await;
    get(at, "http://a.example/", &[]).await;
    get(at, "http://a.example/", &[("traceparent", &format!("00-{TRACE}-{SPAN}-01"))]).await;
    let spans = collector.spans(2).await;
    assert!(spans.iter().all(|span| span.trace == TRACE), "{spans:#?}");
    // Those behind us are told that nobody records.
    assert!(told(&it, 0, "Traceparent").unwrap().ends_with("-00"), "{:?}", told(&it, 0, "Traceparent"));
    site.stop().await;
}

#[tokio::test]
async fn clients_that_nobody_trusts_begin_a_new_trace() {
    let collector = Collector::start().await;
    let (it, address) = echo("it").await;
    let objects = service("it", &[address]) + &http_route("r", "[]", RULE);
    let (site, at) = serve(&objects, TraceOptions { believe: false, ..TraceOptions::otlp(otlp(&collector)) }).await;
    let theirs = [("traceparent", &*format!("00-{TRACE}-{SPAN}-00")), ("tracestate", "theirs=1")];
    get(at, "http://a.example/", &theirs).await;
    let spans = collector.spans(2).await;
    assert!(spans[0].trace != TRACE && spans[0].parent.is_empty(), "{spans:#?}");
    assert_eq!(told(&it, 0, "Traceparent").unwrap(), format!("00-{}-{}-01", spans[0].trace, spans[1].id));
    assert_eq!(told(&it, 0, "Tracestate"), None);
    site.stop().await;
}

#[tokio::test]
async fn broken_contexts_are_replaced() {
    let collector = Collector::start().await;
    let (it, address) = echo("it").await;
    let objects = service("it", &[address]) + &http_route("r", "[]", RULE);
    let (site, at) = serve(&objects, TraceOptions::otlp(otlp(&collector))).await;
    let long = format!("cc-{TRACE}-{SPAN}-01-{}", "x".repeat(2000));
    for (number, broken) in ["nonsense", &long].into_iter().enumerate() {
        get(at, "http://a.example/", &[("traceparent", broken), ("tracestate", "lost=1")]).await;
        let spans = collector.spans(2 * (number + 1)).await;
        assert_eq!(spans[2 * number].parent, "", "{spans:#?}");
        let parent = told(&it, number, "Traceparent").unwrap();
        assert_eq!(parent, format!("00-{}-{}-01", spans[2 * number].trace, spans[2 * number + 1].id));
        assert_eq!(told(&it, number, "Tracestate"), None);
    }
    site.stop().await;
}

#[tokio::test]
async fn formats_are_read_in_order_and_all_written() {
    let collector = Collector::start().await;
    let (it, address) = echo("it").await;
    let objects = service("it", &[address]) + &http_route("r", "[]", RULE);
    let propagation = vec![Propagation::B3, Propagation::B3Multi, Propagation::W3c];
    let (site, at) = serve(&objects, TraceOptions { propagation, ..TraceOptions::otlp(otlp(&collector)) }).await;
    let parent = format!("00-{}-{SPAN}-00", "1".repeat(32));
    let single = format!("{TRACE}-{SPAN}-1-{SPAN}");
    get(at, "http://a.example/", &[("traceparent", &parent), ("b3", &single)]).await;
    let multi = [("x-b3-traceid", SPAN), ("x-b3-spanid", SPAN), ("x-b3-sampled", "1"), ("x-b3-parentspanid", SPAN)];
    get(at, "http://a.example/", &multi).await;
    let spans = collector.spans(4).await;
    for (number, trace) in [TRACE.to_owned(), format!("{}{SPAN}", "0".repeat(16))].into_iter().enumerate() {
        let (request, attempt) = (&spans[2 * number], &spans[2 * number + 1]);
        assert_eq!((&request.trace, &*request.parent), (&trace, SPAN));
        for (name, value) in [
            ("B3", format!("{trace}-{}-1", attempt.id)),
            ("X-B3-Traceid", trace.clone()),
            ("X-B3-Spanid", attempt.id.clone()),
            ("X-B3-Sampled", "1".to_owned()),
            ("Traceparent", format!("00-{trace}-{}-01", attempt.id)),
        ] {
            assert_eq!(told(&it, number, name), Some(value), "{name}");
        }
        assert_eq!(told(&it, number, "X-B3-Parentspanid"), None, "the caller's parent is not ours");
    }
    site.stop().await;
}

#[tokio::test]
async fn without_tracing_headers_pass() {
    let (it, address) = echo("it").await;
    let objects = service("it", &[address]) + &http_route("r", "[]", RULE);
    let (site, at) = serve_with(&objects, |_| {}).await;
    let headers = [("traceparent", "whatever"), ("tracestate", "x"), ("b3", "0"), ("x-b3-sampled", "yes")];
    get(at, "http://a.example/", &headers).await;
    for (name, value) in [("Traceparent", "whatever"), ("Tracestate", "x"), ("B3", "0"), ("X-B3-Sampled", "yes")] {
        assert_eq!(told(&it, 0, name).as_deref(), Some(value), "{name}");
    }
    get(at, "http://a.example/", &[]).await;
    assert_eq!((told(&it, 1, "Traceparent"), told(&it, 1, "B3")), (None, None), "none is made up");
    site.stop().await;
}
