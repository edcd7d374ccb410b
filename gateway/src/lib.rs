//! The data plane as a process: sockets, where its config comes from (a directory or a control plane), admin port.
//!
//! This crate owns which sockets are open and who takes them over, when a directory is read again, what is kept of it when
//! it breaks, how a control plane is followed and answered, and what the admin port says. It refuses to know how a request
//! is served (that is the engine), what an object means (that is translation), and how snapshots travel (that is the feed).
//!
//! ```text
//! directory ──Reader──> Store (last good objects) ──translate──> Engine ──> Sockets       standalone
//!      ^ watch and poll                                   └─────> Report ──> log, /status
//!
//! control plane ──feed──> Config ──> Engine ──> Sockets                                   cluster
//!      ^                                           └──> Outcome
//!      └────────────────── acknowledged ────────────────┘
//! ```

pub mod admin;
pub mod args;
mod audit;
pub mod cluster;
mod handover;
pub mod process;
mod setup;
mod sockets;
pub mod standalone;
pub mod status;
mod workers;

// What the command has to name of the engine; it uses nothing else of it.
pub use audit::{AuditOptions, AuditStartError};
pub use handover::HandoverError;
pub use lychgate_engine::{Answer, Bind, Explainer, Limits, Question};
pub use lychgate_telemetry::{
    AboutReason, AccessFormat, AccessLine, AccessLogOptions, AccessTarget, Blame, Collector, CollectorHeaders,
    EventOptions, MetricDoc, Metrics, MetricsLimits, NoRate, OtlpProtocol, OtlpTarget, Propagation, Reason, SampleRate,
    TraceOptions,
};
pub use setup::SetupError;
pub use sockets::Sockets;
