//! Attempts and connections, as backends see them.

use super::stream::Direction;
use super::{ByWord, CLASSES, Registered, counters, gauges, histograms, remove_words};
use crate::Reason;
use crate::metrics::OTHER;
use crate::metrics::scopes::{Earned, Families, Lease, Moving, Scopes};
use http::StatusCode;
use lychgate_ir::BackendId;
use prometheus::{Histogram, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Registry};
use std::time::Duration;

/// Families of backends.
#[derive(Clone)]
pub(in crate::metrics) struct BackendFamilies {
    requests: IntCounterVec,
    duration: HistogramVec,
    in_flight: IntGaugeVec,
    failures: IntCounterVec,
    endpoints: IntGaugeVec,
    connections: IntCounterVec,
    open: IntGaugeVec,
    retries: IntCounterVec,
    sent: IntCounterVec,
    received: IntCounterVec,
}

impl BackendFamilies {
    pub(in crate::metrics) fn register(registry: &Registry) -> Registered<Self> {
        Ok(Self {
            requests: counters(registry, "lychgate_backend_requests_total")?,
            duration: histograms(registry, "lychgate_backend_request_duration_seconds")?,
            in_flight: gauges(registry, "lychgate_backend_requests_in_flight")?,
            failures: counters(registry, "lychgate_backend_connect_failures_total")?,
            endpoints: gauges(registry, "lychgate_backend_endpoints")?,
            connections: counters(registry, "lychgate_backend_connections_total")?,
            open: gauges(registry, "lychgate_backend_connections_open")?,
            retries: counters(registry, "lychgate_backend_retries_total")?,
            sent: counters(registry, "lychgate_backend_sent_bytes_total")?,
            received: counters(registry, "lychgate_backend_received_bytes_total")?,
        })
    }
}

impl Families for BackendFamilies {
    type Key = BackendId;
    type Handle = BackendSeries;

    fn handle(&self, labels: &[&str], lease: Lease<Self>) -> BackendSeries {
        let with = |family: &IntCounterVec, last: &str| {
            let mut labels = labels.to_vec();
            labels.push(last);
            family.with_label_values(&labels)
        };
        BackendSeries {
            requests: ByWord::new(&self.requests, labels, CLASSES),
            duration: self.duration.with_label_values(labels),
            in_flight: self.in_flight.with_label_values(labels),
            failures: ByWord::new(&self.failures, labels, ConnectFailure::WORDS),
            // Those of one backend would say nothing of all.
            endpoints: (labels != [OTHER]).then(|| self.endpoints.with_label_values(labels)),
            new: with(&self.connections, "new"),
            reused: with(&self.connections, "reused"),
            open: self.open.with_label_values(labels),
            retries: self.retries.with_label_values(labels),
            sent: self.sent.with_label_values(labels),
            received: self.received.with_label_values(labels),
            _lease: lease,
        }
    }

    fn remove(&self, labels: &[&str]) {
        remove_words(&self.requests, labels, CLASSES);
        remove_words(&self.failures, labels, ConnectFailure::WORDS);
        remove_words(&self.connections, labels, &["new", "reused"]);
        for family in [&self.retries, &self.sent, &self.received] {
            let _ = family.remove_label_values(labels);
        }
        for family in [&self.in_flight, &self.endpoints, &self.open] {
            let _ = family.remove_label_values(labels);
        }
        let _ = self.duration.remove_label_values(labels);
    }
}

impl Moving for BackendFamilies {
    type Standing = Standing;

    fn moved(standing: &Standing, from: Option<&BackendSeries>, to: &BackendSeries) {
        let Standing { in_flight, open, endpoints } = *standing;
        if let Some(from) = from {
            from.in_flight.sub(in_flight);
            from.open.sub(open);
        }
        to.in_flight.add(in_flight);
        to.open.add(open);
        to.endpoints.iter().for_each(|gauge| gauge.set(endpoints));
    }
}

/// What the gauges of one backend stand at while it has none of its own.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::metrics) struct Standing {
    in_flight: i64,
    open: i64,
    endpoints: i64,
}

/// Why an endpoint could not be connected to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectFailure {
    /// Refused, unreachable, reset.
    Connect,
    /// TLS was not agreed, or its certificate not believed.
    Tls,
    /// It took too long.
    Timeout,
    /// There was none to connect to.
    NoEndpoint,
}

impl ConnectFailure {
    const WORDS: &[&str] = &["connect", "tls", "timeout", "no_endpoint"];

    /// What is logged of a request or connection that ends with it.
    pub fn reason(self) -> Reason {
        match self {
            Self::Connect => Reason::UpstreamError,
            Self::Tls => Reason::UpstreamTls,
            Self::Timeout => Reason::ConnectTimeout,
            Self::NoEndpoint => Reason::NoEndpoint,
        }
    }

    /// Where its word is.
    fn place(self) -> usize {
        match self {
            Self::Connect => 0,
            Self::Tls => 1,
            Self::Timeout => 2,
            Self::NoEndpoint => 3,
        }
    }
}

/// The series of a backend.
pub(in crate::metrics) struct BackendSeries {
    requests: ByWord,
    duration: Histogram,
    in_flight: IntGauge,
    failures: ByWord,
    endpoints: Option<IntGauge>,
    new: IntCounter,
    reused: IntCounter,
    open: IntGauge,
    retries: IntCounter,
    sent: IntCounter,
    received: IntCounter,
    _lease: Lease<BackendFamilies>,
}

/// What is counted for a backend. It has series of its own if it is among the first that are asked, or asked often.
pub struct BackendMetrics(Earned<BackendFamilies>);

impl BackendMetrics {
    pub(in crate::metrics) fn new(id: BackendId, scopes: &Scopes<BackendFamilies>) -> Self {
        Self(Earned::new(id, scopes))
    }

    /// An attempt has begun.
    pub fn begun(&self) {
        self.0.asked_if(
            |_| true,
            |series, standing| {
                series.in_flight.inc();
                standing.in_flight += 1;
            },
        );
    }

    /// An attempt that had begun is over; without a status it broke off.
    pub fn ended(&self, status: Option<StatusCode>, took: Duration) {
        self.0.count(|series, standing| {
            series.in_flight.dec();
            standing.in_flight -= 1;
            series.requests.count_status(status);
            series.duration.observe(took.as_secs_f64());
        });
    }

    /// An attempt was answered.
    #[cfg(test)]
    pub(crate) fn done(&self, status: StatusCode, took: Duration) {
        self.begun();
        self.ended(Some(status), took);
        self.connected(true);
        self.connected(false);
        self.endpoints(1);
    }

    /// A connection was there, kept or new.
    pub fn connected(&self, reused: bool) {
        // Streams are asked for with their connection; attempts have begun before.
        self.0.asked_if(is_no_attempt, |series, _| if reused { series.reused.inc() } else { series.new.inc() });
    }

    /// No connection came about.
    pub fn not_connected(&self, why: ConnectFailure) {
        self.0.asked_if(is_no_attempt, |series, _| series.failures.count(why.place()));
    }

    /// A connection to an endpoint was made; the pool may keep it for later.
    pub fn opened(&self) {
        self.0.count(|series, standing| {
            series.open.inc();
            standing.open += 1;
        });
    }

    /// A connection that had been made is closed.
    pub fn closed(&self) {
        self.0.count(|series, standing| {
            series.open.dec();
            standing.open -= 1;
        });
    }

    /// An endpoint is tried after another try has failed.
    pub fn retried(&self) {
        self.0.count(|series, _| series.retries.inc());
    }

    /// Bytes were carried: up to the backend, down from it.
    pub fn carried(&self, direction: Direction, bytes: u64) {
        self.0.count(|series, _| match direction {
            Direction::Up => series.sent.inc_by(bytes),
            Direction::Down => series.received.inc_by(bytes),
        });
    }

    /// So many endpoints take requests now.
    pub fn endpoints(&self, ready: usize) {
        let ready = i64::try_from(ready).unwrap_or(i64::MAX);
        self.0.set(
            |series| series.endpoints.iter().for_each(|gauge| gauge.set(ready)),
            |standing| standing.endpoints = ready,
        );
    }
}

fn is_no_attempt(standing: &Standing) -> bool {
    standing.in_flight == 0
}
