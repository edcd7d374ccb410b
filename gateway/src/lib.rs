//! The data plane as a process: sockets, standalone mode, admin port.
//!
//! This crate owns which sockets are open and who takes them over, when a directory is read again, what is kept of it when it breaks, and what
//! the admin port says. It refuses to know how a request is served (that is the engine) and what an object means (that
//! is translation).
//!
//! ```text
//! directory ──Reader──> Store (last good objects) ──translate──> Engine ──> Sockets
//!      ^ watch and poll                                   └─────> Report ──> log, /status
//! ```

pub mod admin;
mod handover;
mod sockets;
pub mod standalone;
pub mod status;

// What the command has to name of the engine; it uses nothing else of it.
pub use handover::HandoverError;
pub use lychgate_engine::{Answer, Bind, Explainer, Limits, Question};
pub use lychgate_telemetry::{
    AboutReason, AccessFormat, AccessLine, AccessLogOptions, AccessTarget, Blame, Collector, CollectorHeaders,
    MetricDoc, Metrics, MetricsLimits, NoRate, OtlpProtocol, OtlpTarget, Propagation, Reason, SampleRate, TraceOptions,
};
pub use sockets::Sockets;
