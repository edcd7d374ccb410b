//! Connections, as sockets see them: which listener a request belongs to shows only later.

use super::{Registered, counters, gauges};
use crate::metrics::scopes::{Families, Lease};
use prometheus::{IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Registry};

/// Families of sockets.
#[derive(Clone)]
pub(in crate::metrics) struct SocketFamilies {
    connections: IntCounterVec,
    open: IntGaugeVec,
    handshakes_failed: IntCounterVec,
}

impl SocketFamilies {
    pub(in crate::metrics) fn register(registry: &Registry) -> Registered<Self> {
        Ok(Self {
            connections: counters(registry, "lychgate_connections_total")?,
            open: gauges(registry, "lychgate_connections_open")?,
            handshakes_failed: counters(registry, "lychgate_tls_handshakes_failed_total")?,
        })
    }
}

impl Families for SocketFamilies {
    type Key = String;
    type Handle = SocketMetrics;

    fn handle(&self, labels: &[&str], lease: Lease<Self>) -> SocketMetrics {
        SocketMetrics {
            connections: self.connections.with_label_values(labels),
            open: self.open.with_label_values(labels),
            handshakes_failed: self.handshakes_failed.with_label_values(labels),
            _lease: lease,
        }
    }

    fn remove(&self, labels: &[&str]) {
        let _ = self.connections.remove_label_values(labels);
        let _ = self.open.remove_label_values(labels);
        let _ = self.handshakes_failed.remove_label_values(labels);
    }
}

/// What is counted at a socket.
pub struct SocketMetrics {
    connections: IntCounter,
    open: IntGauge,
    handshakes_failed: IntCounter,
    _lease: Lease<SocketFamilies>,
}

impl SocketMetrics {
    /// A connection was accepted.
    pub fn connected(&self) {
        self.connections.inc();
        self.open.inc();
    }

    /// A connection that had been accepted is closed.
    pub fn disconnected(&self) {
        self.open.dec();
    }

    /// A client and the listener could not agree on TLS.
    pub fn handshake_failed(&self) {
        self.handshakes_failed.inc();
    }
}
