//! Connections to endpoints that are open, counted for as long as they are: in use, or idle in a pool.

use lychgate_telemetry::BackendMetrics;
use pingora_core::upstreams::peer::{Tracer, Tracing};
use std::fmt;
use std::sync::Arc;

/// Counts one connection as open until dropped.
pub(crate) struct Open(Arc<BackendMetrics>);

impl Open {
    pub(crate) fn new(metrics: &Arc<BackendMetrics>) -> Self {
        metrics.opened();
        Self(metrics.clone())
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.closed();
    }
}

/// Has Pingora tell when connections that it makes are opened and closed.
pub(super) fn tracer(metrics: &Arc<BackendMetrics>) -> Tracer {
    Tracer(Box::new(Told(metrics.clone())))
}

#[derive(Clone)]
struct Told(Arc<BackendMetrics>);

impl fmt::Debug for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Told").finish()
    }
}

impl Tracing for Told {
    fn on_connected(&self) {
        self.0.opened();
    }

    fn on_disconnected(&self) {
        self.0.closed();
    }

    fn boxed_clone(&self) -> Box<dyn Tracing> {
        Box::new(self.clone())
    }
}
