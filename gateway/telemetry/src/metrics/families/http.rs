//! Requests, as listeners see them.

use super::{ByWord, CLASSES, Registered, counters, gauges, histograms, remove_words};
use crate::metrics::scopes::{Families, Lease};
use http::StatusCode;
use prometheus::{Histogram, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Registry};
use std::time::Duration;

/// Families of listeners.
#[derive(Clone)]
pub(in crate::metrics) struct ListenerFamilies {
    requests: IntCounterVec,
    duration: HistogramVec,
    in_flight: IntGaugeVec,
    received: IntCounterVec,
    sent: IntCounterVec,
}

impl ListenerFamilies {
    pub(in crate::metrics) fn register(registry: &Registry) -> Registered<Self> {
        Ok(Self {
            requests: counters(registry, "lychgate_listener_requests_total")?,
            duration: histograms(registry, "lychgate_listener_request_duration_seconds")?,
            in_flight: gauges(registry, "lychgate_listener_requests_in_flight")?,
            received: counters(registry, "lychgate_listener_received_bytes_total")?,
            sent: counters(registry, "lychgate_listener_sent_bytes_total")?,
        })
    }
}

impl Families for ListenerFamilies {
    type Key = [String; 2];
    type Handle = ListenerMetrics;

    fn handle(&self, labels: &[&str], lease: Lease<Self>) -> ListenerMetrics {
        ListenerMetrics {
            requests: ByWord::new(&self.requests, labels, CLASSES),
            duration: self.duration.with_label_values(labels),
            in_flight: self.in_flight.with_label_values(labels),
            received: self.received.with_label_values(labels),
            sent: self.sent.with_label_values(labels),
            _lease: lease,
        }
    }

    fn remove(&self, labels: &[&str]) {
        remove_words(&self.requests, labels, CLASSES);
        for family in [&self.received, &self.sent] {
            let _ = family.remove_label_values(labels);
        }
        let _ = self.duration.remove_label_values(labels);
        let _ = self.in_flight.remove_label_values(labels);
    }
}

/// What is counted at a listener that reads requests.
pub struct ListenerMetrics {
    requests: ByWord,
    duration: Histogram,
    in_flight: IntGauge,
    received: IntCounter,
    sent: IntCounter,
    _lease: Lease<ListenerFamilies>,
}

impl ListenerMetrics {
    /// A request has begun.
    pub fn begun(&self) {
        self.in_flight.inc();
    }

    /// A request that had begun is over.
    pub fn ended(&self, status: Option<StatusCode>, took: Duration, received: u64, sent: u64) {
        self.in_flight.dec();
        self.requests.count_status(status);
        self.duration.observe(took.as_secs_f64());
        self.received.inc_by(received);
        self.sent.inc_by(sent);
    }

    /// A request was answered.
    #[cfg(test)]
    pub(crate) fn done(&self, status: StatusCode, took: Duration) {
        self.begun();
        self.ended(Some(status), took, 1, 1);
    }
}
