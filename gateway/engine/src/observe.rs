//! Where everything that is counted and logged goes.

use lychgate_telemetry::{AccessLog, Metrics, Notices};
use std::sync::Arc;

/// The metrics, and the access log if there is one.
pub struct Observe {
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// What is logged of each request.
    pub access_log: Option<AccessLog>,
    /// What is logged of limits that act.
    pub notices: Notices,
}

impl Observe {
    /// Counts, and logs nothing.
    pub fn metrics(metrics: Arc<Metrics>) -> Arc<Self> {
        Arc::new(Self { metrics, access_log: None, notices: Notices::default() })
    }
}
