//! Requests, as rules see them.

use super::{ByClass, Registered, counters, gauges, histograms, remove_classes};
use crate::metrics::scopes::{Families, Lease, Scopes};
use http::StatusCode;
use prometheus::{Histogram, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Registry};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// Families of rules.
#[derive(Clone)]
pub(in crate::metrics) struct RuleFamilies {
    requests: IntCounterVec,
    duration: HistogramVec,
    in_flight: IntGaugeVec,
    received: IntCounterVec,
    sent: IntCounterVec,
    retries: IntCounterVec,
}

impl RuleFamilies {
    pub(in crate::metrics) fn register(registry: &Registry) -> Registered<Self> {
        Ok(Self {
            requests: counters(registry, "lychgate_rule_requests_total")?,
            duration: histograms(registry, "lychgate_rule_request_duration_seconds")?,
            in_flight: gauges(registry, "lychgate_rule_requests_in_flight")?,
            received: counters(registry, "lychgate_rule_received_bytes_total")?,
            sent: counters(registry, "lychgate_rule_sent_bytes_total")?,
            retries: counters(registry, "lychgate_rule_retries_total")?,
        })
    }
}

impl Families for RuleFamilies {
    type Handle = RuleSeries;

    fn handle(&self, labels: &[&str], lease: Lease<Self>) -> RuleSeries {
        RuleSeries {
            requests: ByClass::new(&self.requests, labels),
            duration: self.duration.with_label_values(labels),
            in_flight: self.in_flight.with_label_values(labels),
            received: self.received.with_label_values(labels),
            sent: self.sent.with_label_values(labels),
            retries: self.retries.with_label_values(labels),
            _lease: lease,
        }
    }

    fn remove(&self, labels: &[&str]) {
        remove_classes(&self.requests, labels);
        for family in [&self.received, &self.sent, &self.retries] {
            let _ = family.remove_label_values(labels);
        }
        let _ = self.duration.remove_label_values(labels);
        let _ = self.in_flight.remove_label_values(labels);
    }
}

/// The series of a rule.
pub(in crate::metrics) struct RuleSeries {
    requests: ByClass,
    duration: Histogram,
    in_flight: IntGauge,
    received: IntCounter,
    sent: IntCounter,
    retries: IntCounter,
    _lease: Lease<RuleFamilies>,
}

/// What is counted for a rule that answers requests.
///
/// Its series begin with its first request. Of thousands of rules few may ever have one, and those that have are the ones
/// that should get the series that there are.
pub struct RuleMetrics {
    labels: [String; 2],
    scopes: Scopes<RuleFamilies>,
    series: OnceLock<Arc<RuleSeries>>,
}

impl RuleMetrics {
    pub(in crate::metrics) fn new(labels: [String; 2], scopes: &Scopes<RuleFamilies>) -> Self {
        // Those of the generation before are kept alive from here on: counters go on.
        let series = scopes.existing(&labels).map_or_else(OnceLock::new, OnceLock::from);
        Self { labels, scopes: scopes.clone(), series }
    }

    fn series(&self) -> &RuleSeries {
        self.series.get_or_init(|| self.scopes.get(&self.labels))
    }

    /// The rule was found for a request.
    pub fn begun(&self) {
        self.series().in_flight.inc();
    }

    /// A request that had begun is over.
    pub fn ended(&self, status: Option<StatusCode>, took: Duration, received: u64, sent: u64) {
        let series = self.series();
        series.in_flight.dec();
        series.requests.count(status);
        series.duration.observe(took.as_secs_f64());
        series.received.inc_by(received);
        series.sent.inc_by(sent);
    }

    /// A request was answered.
    #[cfg(test)]
    pub(crate) fn done(&self, status: StatusCode, took: Duration) {
        self.begun();
        self.ended(Some(status), took, 1, 1);
    }

    /// A request is tried again.
    pub fn retried(&self) {
        self.series().retries.inc();
    }
}
