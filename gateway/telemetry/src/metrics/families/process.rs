//! What belongs to no listener, rule or backend.

use super::{Registered, counter, counters, gauge, gauges};
use prometheus::{IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Registry};

/// Families without scope.
pub(in crate::metrics) struct ProcessFamilies {
    pub(in crate::metrics) refused: IntCounterVec,
    pub(in crate::metrics) log_dropped: IntCounter,
    pub(in crate::metrics) spans: IntCounterVec,
    pub(in crate::metrics) reloads: IntCounterVec,
    pub(in crate::metrics) last_reload: IntGauge,
    pub(in crate::metrics) objects: IntGaugeVec,
    pub(in crate::metrics) certificates: IntGaugeVec,
}

impl ProcessFamilies {
    pub(in crate::metrics) fn register(registry: &Registry) -> Registered<Self> {
        Ok(Self {
            refused: counters(registry, "lychgate_refused_total")?,
            log_dropped: counter(registry, "lychgate_access_log_dropped_total")?,
            spans: counters(registry, "lychgate_trace_spans_total")?,
            reloads: counters(registry, "lychgate_config_reloads_total")?,
            last_reload: gauge(registry, "lychgate_config_last_applied_timestamp_seconds")?,
            objects: gauges(registry, "lychgate_config_objects")?,
            certificates: gauges(registry, "lychgate_certificate_expiry_timestamp_seconds")?,
        })
    }
}
