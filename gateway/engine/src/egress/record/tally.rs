//! Bytes of one connection or request, counted wherever somebody wants to know.

use crate::stream::{Counts, Meter};
use lychgate_telemetry::{Direction, EgressMetrics};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

/// Bytes of one connection or request.
#[derive(Default)]
pub(crate) struct Tally {
    up: AtomicU64,
    down: AtomicU64,
    destination: OnceLock<Arc<EgressMetrics>>,
    /// That of the route, if one leads here.
    meter: Option<Arc<Meter>>,
}

impl Tally {
    /// Counted for the route as well, if one leads here.
    pub(super) fn metered(meter: Option<Arc<Meter>>) -> Self {
        Self { meter, ..Self::default() }
    }

    /// It is known where they go, which counts as one more that is open there; once.
    pub(super) fn opened(&self, destination: &Arc<EgressMetrics>) {
        if self.destination.set(destination.clone()).is_ok() {
            destination.opened();
        }
    }

    /// It is over.
    pub(super) fn closed(&self) {
        if let Some(destination) = self.destination.get() {
            destination.closed();
        }
    }

    /// What was carried.
    pub(super) fn bytes(&self, direction: Direction) -> u64 {
        match direction {
            Direction::Up => self.up.load(Ordering::Relaxed),
            Direction::Down => self.down.load(Ordering::Relaxed),
        }
    }

    /// Bytes that were carried to the destination.
    pub(crate) fn sent(&self) -> u64 {
        self.up.load(Ordering::Relaxed)
    }
}

impl Counts for Tally {
    fn carried(&self, direction: Direction, bytes: u64) {
        let total = match direction {
            Direction::Up => &self.up,
            Direction::Down => &self.down,
        };
        total.fetch_add(bytes, Ordering::Relaxed);
        if let Some(destination) = self.destination.get() {
            destination.carried(direction, bytes);
        }
        if let Some(meter) = &self.meter {
            meter.carried(direction, bytes);
        }
    }
}
