//! What operators see of requests: metrics, access logs, traces, and notices of limits that act.
//!
//! This crate owns the names and labels of metrics, how many series there may be, how lines of access logs and spans get
//! to where they are read, and how contexts of traces are read and written. It refuses to know when something happens:
//! the engine counts and logs by the handles that it is given here, which are resolved when config is compiled, so that a
//! request looks no label up.

mod access_log;
mod events;
mod export;
mod metrics;
mod notices;
mod reason;
mod trace;

pub use access_log::{AccessEntry, AccessFormat, AccessLine, AccessLog, AccessLogOptions, AccessTarget, Timing};
pub use events::{Event, EventOptions, Events};
pub use export::{Collector, CollectorError, CollectorHeaders, OtlpProtocol, OtlpTarget};
pub use metrics::{
    BackendMetrics, ConnectFailure, Direction, EgressMetrics, EgressVerdict, FeedFacts, ListenerMetrics, MetricDoc,
    Metrics, MetricsError, MetricsLimits, RuleMetrics, SocketMetrics, SpanOutcome, StreamMetrics,
};
pub use notices::Notices;
pub use reason::{AboutReason, Blame, Reason};
pub use trace::{
    AttemptTrace, Decided, NoRate, Propagation, Purpose, RequestTrace, SampleRate, TraceContext, TraceOptions, Tracer,
};
