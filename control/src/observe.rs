//! What an operator sees: the admin port and the metrics.

mod admin;
mod metrics;

pub use admin::{Admin, Source};
pub use metrics::{MetricDoc, Metrics};
