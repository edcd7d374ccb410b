//! What is counted for one request, and what it takes to carry its trace on.
#![allow(missing_docs, reason = "what the macros make")]
#![allow(clippy::unwrap_used, reason = "what is measured here was written here")]

use criterion::{Criterion, criterion_group, criterion_main};
use http::{HeaderMap, HeaderValue, StatusCode};
use lychgate_ir::{
    BackendId, BackendKind, GatewayId, ListenerId, ListenerOwner, ObjectName, RouteId, RouteKind, RuleId, Transport,
};
use lychgate_telemetry::{Direction, Metrics, MetricsLimits, Propagation, SampleRate, TraceOptions, Tracer};
use std::hint::black_box;
use std::time::Duration;

/// As the engine does it: a listener, a rule and a backend are told that it began and how it ended.
fn metrics(criterion: &mut Criterion) {
    let metrics = Metrics::new(MetricsLimits::default()).unwrap();
    let gateway = GatewayId(ObjectName::new("default", "gw"));
    let listener = metrics.listener(&ListenerId { gateway, owner: ListenerOwner::Gateway, section: "http".into() });
    let route = RouteId { kind: RouteKind::Http, name: ObjectName::new("default", "it") };
    let rule = metrics.rule(&RuleId { route, generation: 1, index: 0, name: None });
    let name = ObjectName::new("default", "it");
    let (kind, transport) = (BackendKind::Service, Transport::Tcp);
    let backend = metrics.backend(&BackendId { kind, name, port: 80, transport });
    let (ok, took) = (Some(StatusCode::OK), Duration::from_micros(150));
    criterion.bench_function("metrics of a request", |bencher| {
        bencher.iter(|| {
            listener.begun();
            rule.begun();
            backend.begun();
            backend.connected(true);
            backend.carried(Direction::Up, black_box(120));
            backend.carried(Direction::Down, black_box(290));
            backend.ended(ok, black_box(took));
            rule.ended(ok, black_box(took), 120, 290);
            listener.ended(ok, black_box(took), 120, 290);
        });
    });
}

/// The context of a caller is read, and written for the backend.
fn trace(criterion: &mut Criterion) {
    let options = TraceOptions {
        otlp: None,
        zipkin: None,
        sample: SampleRate::ALL,
        propagation: vec![Propagation::W3c],
        believe: true,
        service: "lychgate".to_owned(),
        queue: TraceOptions::QUEUE,
    };
    let tracer = Tracer::start(options, Metrics::new(MetricsLimits::default()).unwrap()).unwrap();
    let mut headers = HeaderMap::new();
    let parent = HeaderValue::from_static("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00");
    headers.insert("traceparent", parent);
    criterion.bench_function("trace of a request", |bencher| {
        bencher.iter(|| {
            let context = tracer.begin(black_box(&headers));
            let mut written = 0;
            tracer.headers(&context, |_, value| written += usize::from(black_box(value).is_some()));
            written
        });
    });
}

criterion_group!(benches, metrics, trace);
criterion_main!(benches);
