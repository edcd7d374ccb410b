//! Attempts and connections, as backends see them.

use super::stream::Direction;
use super::{ByClass, Registered, counters, gauges, histograms, remove_classes};
use crate::Reason;
use crate::metrics::scopes::{Families, Lease};
use http::StatusCode;
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
    type Handle = BackendMetrics;

    fn handle(&self, labels: &[&str], lease: Lease<Self>) -> BackendMetrics {
        let with = |family: &IntCounterVec, last: &str| {
            let mut labels = labels.to_vec();
            labels.push(last);
            family.with_label_values(&labels)
        };
        BackendMetrics {
            requests: ByClass::new(&self.requests, labels),
            duration: self.duration.with_label_values(labels),
            in_flight: self.in_flight.with_label_values(labels),
            failures: ConnectFailure::ALL.map(|kind| with(&self.failures, kind.as_str())),
            endpoints: self.endpoints.with_label_values(labels),
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
        let remove = |family: &IntCounterVec, last: &str| {
            let mut labels = labels.to_vec();
            labels.push(last);
            let _ = family.remove_label_values(&labels);
        };
        remove_classes(&self.requests, labels);
        ConnectFailure::ALL.iter().for_each(|kind| remove(&self.failures, kind.as_str()));
        ["new", "reused"].iter().for_each(|kind| remove(&self.connections, kind));
        for family in [&self.retries, &self.sent, &self.received] {
            let _ = family.remove_label_values(labels);
        }
        for family in [&self.in_flight, &self.endpoints, &self.open] {
            let _ = family.remove_label_values(labels);
        }
        let _ = self.duration.remove_label_values(labels);
    }
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
    const ALL: [Self; 4] = [Self::Connect, Self::Tls, Self::Timeout, Self::NoEndpoint];

    /// What is logged of a request or connection that ends with it.
    pub fn reason(self) -> Reason {
        match self {
            Self::Connect => Reason::UpstreamError,
            Self::Tls => Reason::UpstreamTls,
            Self::Timeout => Reason::ConnectTimeout,
            Self::NoEndpoint => Reason::NoEndpoint,
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::Timeout => "timeout",
            Self::NoEndpoint => "no_endpoint",
        }
    }
}

/// What is counted for a backend.
pub struct BackendMetrics {
    requests: ByClass,
    duration: Histogram,
    in_flight: IntGauge,
    failures: [IntCounter; 4],
    endpoints: IntGauge,
    new: IntCounter,
    reused: IntCounter,
    open: IntGauge,
    retries: IntCounter,
    sent: IntCounter,
    received: IntCounter,
    _lease: Lease<BackendFamilies>,
}

impl BackendMetrics {
    /// An attempt has begun.
    pub fn begun(&self) {
        self.in_flight.inc();
    }

    /// An attempt that had begun is over; without a status it broke off.
    pub fn ended(&self, status: Option<StatusCode>, took: Duration) {
        self.in_flight.dec();
        self.requests.count(status);
        self.duration.observe(took.as_secs_f64());
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
        if reused { self.reused.inc() } else { self.new.inc() }
    }

    /// No connection came about.
    pub fn not_connected(&self, why: ConnectFailure) {
        let at = ConnectFailure::ALL.iter().position(|kind| *kind == why);
        if let Some(counter) = at.and_then(|at| self.failures.get(at)) {
            counter.inc();
        }
    }

    /// A connection to an endpoint was made; the pool may keep it for later.
    pub fn opened(&self) {
        self.open.inc();
    }

    /// A connection that had been made is closed.
    pub fn closed(&self) {
        self.open.dec();
    }

    /// An endpoint is tried after another try has failed.
    pub fn retried(&self) {
        self.retries.inc();
    }

    /// Bytes were carried: up to the backend, down from it.
    pub fn carried(&self, direction: Direction, bytes: u64) {
        match direction {
            Direction::Up => self.sent.inc_by(bytes),
            Direction::Down => self.received.inc_by(bytes),
        }
    }

    /// So many endpoints take requests now.
    pub fn endpoints(&self, ready: usize) {
        self.endpoints.set(i64::try_from(ready).unwrap_or(i64::MAX));
    }
}
