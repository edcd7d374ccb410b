//! Where everything that is counted and logged goes.

use lychgate_telemetry::{AccessLog, Metrics};
use std::sync::Arc;

/// The metrics, and the access log if there is one.
pub struct Observe {
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// What is logged.
    pub access_log: Option<AccessLog>,
}

impl Observe {
    /// Counts, and logs nothing.
    pub fn metrics(metrics: Arc<Metrics>) -> Arc<Self> {
        Arc::new(Self { metrics, access_log: None })
    }
}
