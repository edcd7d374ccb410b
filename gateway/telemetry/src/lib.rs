//! What operators see of requests: metrics, access logs, and notices of limits that act.
//!
//! This crate owns the names and labels of metrics, how many series there may be, and how lines of access logs get to
//! where they are read. It refuses to know when something happens: the engine counts and logs by the handles that it is
//! given here, which are resolved when config is compiled, so that a request looks no label up.

mod access_log;
mod metrics;
mod notices;

pub use access_log::{AccessEntry, AccessFormat, AccessLog, AccessLogOptions, AccessTarget, Timing};
pub use metrics::{
    BackendMetrics, ConnectFailure, Direction, ListenerMetrics, MetricDoc, Metrics, MetricsError, MetricsLimits,
    RuleMetrics, SocketMetrics, StreamMetrics,
};
pub use notices::Notices;
