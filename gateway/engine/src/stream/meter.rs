//! Where the bytes of one stream are counted.

use super::relay::Counts;
use lychgate_telemetry::{BackendMetrics, Direction, StreamMetrics};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The meter of one connection or flow: its listener's, its rule's and its backend's counters, and its own.
pub(crate) struct Meter {
    listener: Arc<StreamMetrics>,
    rule: Arc<StreamMetrics>,
    backend: Arc<BackendMetrics>,
    up: AtomicU64,
    down: AtomicU64,
}

impl Meter {
    pub(super) fn new(listener: Arc<StreamMetrics>, rule: Arc<StreamMetrics>, backend: Arc<BackendMetrics>) -> Self {
        Self { listener, rule, backend, up: AtomicU64::new(0), down: AtomicU64::new(0) }
    }

    /// So far.
    pub(super) fn total(&self, direction: Direction) -> u64 {
        match direction {
            Direction::Up => self.up.load(Ordering::Relaxed),
            Direction::Down => self.down.load(Ordering::Relaxed),
        }
    }
}

impl Counts for Meter {
    fn carried(&self, direction: Direction, bytes: u64) {
        self.listener.carried(direction, bytes);
        self.rule.carried(direction, bytes);
        self.backend.carried(direction, bytes);
        match direction {
            Direction::Up => self.up.fetch_add(bytes, Ordering::Relaxed),
            Direction::Down => self.down.fetch_add(bytes, Ordering::Relaxed),
        };
    }
}
