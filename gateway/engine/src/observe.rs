//! Where everything that is counted and logged goes.

use lychgate_audit::Audit;
use lychgate_telemetry::{AccessLog, Events, Metrics, Notices, Tracer};
use std::sync::Arc;
use std::time::Duration;

/// The metrics, and the access log, the tracer and the audit log if there are such.
pub struct Observe {
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// What is logged of each request.
    pub access_log: Option<AccessLog>,
    /// What is logged of limits that act.
    pub notices: Notices,
    /// What is traced.
    pub tracer: Option<Tracer>,
    /// What is recorded of what leaves.
    pub audit: Option<Audit>,
    /// Where those records are sent besides.
    pub shipped: Option<Arc<Events>>,
}

impl Observe {
    /// Counts, and logs nothing.
    pub fn metrics(metrics: Arc<Metrics>) -> Arc<Self> {
        Arc::new(Self {
            metrics,
            access_log: None,
            notices: Notices::default(),
            tracer: None,
            audit: None,
            shipped: None,
        })
    }

    /// Waits until what was logged and traced has been written and sent, but no longer than this.
    pub async fn flush(&self, within: Duration) {
        let log = async {
            if let Some(log) = &self.access_log {
                log.finish(within).await;
            }
        };
        let traces = async {
            if let Some(tracer) = &self.tracer {
                tracer.flush(within).await;
            }
        };
        let records = async {
            if let (Some(audit), Some(events)) = (&self.audit, &self.shipped) {
                let (done, written) = tokio::sync::oneshot::channel();
                audit.settle(move || {
                    // Who asks may have stopped waiting.
                    let _ = done.send(());
                });
                // Nothing is left to send of a writer that does not answer.
                let _ = tokio::time::timeout(within, written).await;
                events.flush(within).await;
            }
        };
        tokio::join!(log, traces, records);
    }
}
