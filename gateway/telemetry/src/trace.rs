//! Traces: which trace a request belongs to, whether it is recorded, and how the record gets to a collector.
//!
//! A [`Tracer`] reads the caller's context and decides. Of a request that is not recorded nothing is kept but its
//! [`TraceContext`], which is told to backends. A [`RequestTrace`] is handed over when the request is over, and becomes
//! spans on the exporter's own task.

mod b3;
mod context;
mod record;
mod sampler;
mod spans;
mod w3c;
mod zipkin;

#[cfg(test)]
mod tests;

pub use context::TraceContext;
pub use record::{AttemptTrace, Decided, Purpose, RequestTrace};
pub use sampler::{NoRate, SampleRate};

use crate::export::{self, Collector, CollectorError, Destination, OtlpTarget, Outcome, Queue};
use crate::metrics::{Metrics, SpanOutcome};
use context::Caller;
use futures::future::join_all;
use http::{HeaderMap, HeaderName, HeaderValue};
use opentelemetry::InstrumentationScope;
use opentelemetry_otlp::SpanExporter;
use opentelemetry_sdk::trace::SpanExporter as _;
use std::sync::Arc;
use std::time::Duration;
use zipkin::Zipkin;

/// How a context travels in headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Propagation {
    /// `traceparent` and `tracestate`.
    W3c,
    /// `b3`.
    B3,
    /// `X-B3-TraceId` and its likes.
    B3Multi,
}

/// How requests are traced.
#[derive(Clone, Debug, PartialEq)]
pub struct TraceOptions {
    /// An OTLP collector.
    pub otlp: Option<OtlpTarget>,
    /// A Zipkin server.
    pub zipkin: Option<Collector>,
    /// The share of traces that begin here and are recorded.
    pub sample: SampleRate,
    /// Read in this order; all of them are written.
    pub propagation: Vec<Propagation>,
    /// Whether what clients say of their trace is believed.
    pub believe: bool,
    /// What we are called.
    pub service: String,
    /// Requests that may wait for export, for each collector. Default: 2048.
    pub queue: usize,
}

impl TraceOptions {
    /// The default of `queue`.
    pub const QUEUE: usize = 2048;

    /// Everything to an OTLP collector, with W3C's headers.
    pub fn otlp(target: OtlpTarget) -> Self {
        Self {
            otlp: Some(target),
            zipkin: None,
            sample: SampleRate::ALL,
            propagation: vec![Propagation::W3c],
            believe: true,
            service: "lychgate".to_owned(),
            queue: Self::QUEUE,
        }
    }
}

/// Traces requests.
pub struct Tracer {
    sample: SampleRate,
    propagation: Vec<Propagation>,
    believe: bool,
    queues: Vec<Queue<Arc<RequestTrace>>>,
    metrics: Arc<Metrics>,
}

impl Tracer {
    /// Starts the exporters; there must be a tokio runtime.
    ///
    /// # Errors
    /// A collector that cannot be one. One that is not there is no error: it may come.
    pub fn start(options: TraceOptions, metrics: Arc<Metrics>) -> Result<Self, CollectorError> {
        let TraceOptions { otlp, zipkin, sample, propagation, believe, service, queue } = options;
        let mut queues = Vec::new();
        if let Some(target) = otlp {
            let mut exporter = target.spans()?;
            exporter.set_resource(&export::resource(&service));
            queues.push(Queue::start(queue, Spans::new(Wire::Otlp(Box::new(exporter)), &metrics)));
        }
        if let Some(collector) = zipkin {
            let zipkin = Zipkin::new(&collector, &service)?;
            queues.push(Queue::start(queue, Spans::new(Wire::Zipkin(Box::new(zipkin)), &metrics)));
        }
        Ok(Self { sample, propagation, believe, queues, metrics })
    }

    /// Reads the caller's context and decides whether the request is recorded.
    pub fn begin(&self, headers: &HeaderMap) -> TraceContext {
        let caller = if self.believe { Caller::of(headers, &self.propagation) } else { None }.unwrap_or_default();
        let (trace_id, calling) = caller.ids.unzip();
        let trace_id = trace_id.unwrap_or_else(context::random_trace_id);
        let decision = caller.decision.unwrap_or_else(|| self.sample.decide(trace_id));
        let state = caller.state;
        match calling {
            // What is not recorded has no span of its own: the caller's stays the parent of what comes.
            Some(span_id) if !decision.is_sampled() => {
                TraceContext { trace_id, span_id, parent: None, decision, state }
            }
            parent => TraceContext { trace_id, span_id: context::random_span_id(), parent, decision, state },
        }
    }

    /// The headers that tell a context; those without a value must not be there.
    pub fn headers(&self, context: &TraceContext, each: impl FnMut(HeaderName, Option<HeaderValue>)) {
        context.headers(&self.propagation, each);
    }

    /// Hands over the record of a request that is over.
    pub fn export(&self, trace: RequestTrace) {
        let spans = trace.spans();
        let trace = Arc::new(trace);
        for queue in &self.queues {
            if !queue.push(trace.clone()) {
                self.metrics.spans(SpanOutcome::QueueFull, spans);
            }
        }
    }

    /// Waits until everything that was handed over is exported, but no longer than this.
    pub async fn flush(&self, within: Duration) {
        join_all(self.queues.iter().map(|queue| queue.flush(within))).await;
    }
}

/// How spans travel.
enum Wire {
    Otlp(Box<SpanExporter>),
    Zipkin(Box<Zipkin>),
}

/// Sends records as spans, and counts them.
struct Spans {
    wire: Wire,
    scope: InstrumentationScope,
    metrics: Arc<Metrics>,
}

impl Spans {
    fn new(wire: Wire, metrics: &Arc<Metrics>) -> Self {
        Self { wire, scope: export::scope(), metrics: metrics.clone() }
    }
}

impl Destination for Spans {
    type Item = Arc<RequestTrace>;

    async fn send(&mut self, traces: Vec<Arc<RequestTrace>>) -> Result<(), String> {
        let spans = traces.iter().flat_map(|trace| spans::of(trace, &self.scope)).collect();
        match &self.wire {
            Wire::Otlp(exporter) => exporter.export(spans).await.map_err(|error| error.to_string()),
            Wire::Zipkin(zipkin) => zipkin.send(spans).await,
        }
    }

    fn tally(&self, traces: &[Arc<RequestTrace>]) -> u64 {
        traces.iter().map(|trace| trace.spans()).sum()
    }

    fn count(&self, spans: u64, outcome: Outcome) {
        self.metrics.spans(
            match outcome {
                Outcome::Exported => SpanOutcome::Exported,
                Outcome::Failed => SpanOutcome::Failed,
            },
            spans,
        );
    }

    fn name(&self) -> &'static str {
        match &self.wire {
            Wire::Otlp(_) => "OTLP",
            Wire::Zipkin(_) => "Zipkin",
        }
    }
}
