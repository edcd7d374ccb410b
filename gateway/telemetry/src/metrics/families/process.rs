//! What belongs to no listener, rule or backend.

use super::{Registered, counter, counters, gauge, gauges};
use crate::Reason;
use prometheus::{IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Registry};
use std::collections::BTreeMap;

/// Families without scope.
pub(in crate::metrics) struct ProcessFamilies {
    /// All reasons have a counter from the start: an alert on one that has not happened yet shall find it.
    refused: BTreeMap<Reason, IntCounter>,
    pub(in crate::metrics) waiting: IntGauge,
    pub(in crate::metrics) log_dropped: IntCounter,
    pub(in crate::metrics) audit: IntCounterVec,
    pub(in crate::metrics) audit_failing: IntGauge,
    pub(in crate::metrics) spans: IntCounterVec,
    pub(in crate::metrics) reloads: IntCounterVec,
    pub(in crate::metrics) last_reload: IntGauge,
    pub(in crate::metrics) objects: IntGaugeVec,
    pub(in crate::metrics) certificates: IntGaugeVec,
}

impl ProcessFamilies {
    pub(in crate::metrics) fn register(registry: &Registry) -> Registered<Self> {
        let refused = counters(registry, "lychgate_refused_total")?;
        let of = |reason: &Reason| (*reason, refused.with_label_values(&[reason.as_str()]));
        Ok(Self {
            refused: Reason::ALL.iter().map(of).collect(),
            waiting: gauge(registry, "lychgate_responses_waiting_bytes")?,
            log_dropped: counter(registry, "lychgate_access_log_dropped_total")?,
            audit: counters(registry, "lychgate_audit_records_total")?,
            audit_failing: gauge(registry, "lychgate_audit_failing")?,
            spans: counters(registry, "lychgate_trace_spans_total")?,
            reloads: counters(registry, "lychgate_config_reloads_total")?,
            last_reload: gauge(registry, "lychgate_config_last_applied_timestamp_seconds")?,
            objects: gauges(registry, "lychgate_config_objects")?,
            certificates: gauges(registry, "lychgate_certificate_expiry_timestamp_seconds")?,
        })
    }

    pub(in crate::metrics) fn refused(&self, reason: Reason) {
        if let Some(counter) = self.refused.get(&reason) {
            counter.inc();
        }
    }
}
