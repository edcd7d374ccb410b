//! Requests, as rules see them.

use super::{ByWord, CLASSES, Registered, counters, gauges, histograms, remove_words};
use crate::metrics::scopes::{Earned, Families, Lease, Moving, RuleKey, Scopes};
use http::StatusCode;
use prometheus::{Histogram, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Registry};
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
    type Key = RuleKey;
    type Handle = RuleSeries;

    fn handle(&self, labels: &[&str], lease: Lease<Self>) -> RuleSeries {
        RuleSeries {
            requests: ByWord::new(&self.requests, labels, CLASSES),
            duration: self.duration.with_label_values(labels),
            in_flight: self.in_flight.with_label_values(labels),
            received: self.received.with_label_values(labels),
            sent: self.sent.with_label_values(labels),
            retries: self.retries.with_label_values(labels),
            _lease: lease,
        }
    }

    fn remove(&self, labels: &[&str]) {
        remove_words(&self.requests, labels, CLASSES);
        for family in [&self.received, &self.sent, &self.retries] {
            let _ = family.remove_label_values(labels);
        }
        let _ = self.duration.remove_label_values(labels);
        let _ = self.in_flight.remove_label_values(labels);
    }
}

impl Moving for RuleFamilies {
    /// Requests in flight.
    type Standing = i64;

    fn moved(in_flight: &i64, from: Option<&RuleSeries>, to: &RuleSeries) {
        from.iter().for_each(|from| from.in_flight.sub(*in_flight));
        to.in_flight.add(*in_flight);
    }
}

/// The series of a rule.
pub(in crate::metrics) struct RuleSeries {
    requests: ByWord,
    duration: Histogram,
    in_flight: IntGauge,
    received: IntCounter,
    sent: IntCounter,
    retries: IntCounter,
    _lease: Lease<RuleFamilies>,
}

/// What is counted for a rule that answers requests. It has series of its own if it is among the first that are asked, or
/// asked often.
pub struct RuleMetrics(Earned<RuleFamilies>);

impl RuleMetrics {
    pub(in crate::metrics) fn new(key: RuleKey, scopes: &Scopes<RuleFamilies>) -> Self {
        Self(Earned::new(key, scopes))
    }

    /// The rule was found for a request.
    pub fn begun(&self) {
        self.0.asked_if(
            |_| true,
            |series, in_flight| {
                series.in_flight.inc();
                *in_flight += 1;
            },
        );
    }

    /// A request that had begun is over.
    pub fn ended(&self, status: Option<StatusCode>, took: Duration, received: u64, sent: u64) {
        self.0.count(|series, in_flight| {
            series.in_flight.dec();
            *in_flight -= 1;
            series.requests.count_status(status);
            series.duration.observe(took.as_secs_f64());
            series.received.inc_by(received);
            series.sent.inc_by(sent);
        });
    }

    /// A request was answered.
    #[cfg(test)]
    pub(crate) fn done(&self, status: StatusCode, took: Duration) {
        self.begun();
        self.ended(Some(status), took, 1, 1);
    }

    /// A request is tried again.
    pub fn retried(&self) {
        self.0.count(|series, _| series.retries.inc());
    }
}
