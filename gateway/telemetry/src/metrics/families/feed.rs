//! How a data plane of a cluster stands with its control plane.

use super::{Registered, counters, gauges};
use prometheus::{IntCounterVec, IntGaugeVec, Registry};

/// How it stands, counted from the start of the process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FeedFacts {
    /// Whether a stream is open.
    pub is_open: bool,
    /// Updates that were applied.
    pub updates: u64,
    /// Bytes of resources in them.
    pub bytes: u64,
    /// Streams that were opened.
    pub streams: u64,
    /// Certificates that were issued.
    pub certificates: u64,
    /// When the newest one expires, in seconds since 1970.
    pub expiry: Option<u64>,
}

/// Families without labels that have no series where there is no control plane.
pub(in crate::metrics) struct FeedFamilies {
    connected: IntGaugeVec,
    streams: IntCounterVec,
    updates: IntCounterVec,
    bytes: IntCounterVec,
    certificates: IntCounterVec,
    expiry: IntGaugeVec,
    rejected: IntGaugeVec,
}

impl FeedFamilies {
    pub(in crate::metrics) fn register(registry: &Registry) -> Registered<Self> {
        Ok(Self {
            connected: gauges(registry, "lychgate_feed_connected")?,
            streams: counters(registry, "lychgate_feed_streams_total")?,
            updates: counters(registry, "lychgate_feed_updates_total")?,
            bytes: counters(registry, "lychgate_feed_received_bytes_total")?,
            certificates: counters(registry, "lychgate_feed_certificates_total")?,
            expiry: gauges(registry, "lychgate_feed_certificate_expiry_timestamp_seconds")?,
            rejected: gauges(registry, "lychgate_config_rejected")?,
        })
    }

    pub(in crate::metrics) fn set(&self, facts: &FeedFacts) {
        let FeedFacts { is_open, updates, bytes, streams, certificates, expiry } = *facts;
        gauge(&self.connected, u64::from(is_open));
        counter(&self.streams, streams);
        counter(&self.updates, updates);
        counter(&self.bytes, bytes);
        counter(&self.certificates, certificates);
        if let Some(expiry) = expiry {
            gauge(&self.expiry, expiry);
        }
    }

    pub(in crate::metrics) fn rejected(&self, count: usize) {
        gauge(&self.rejected, count as u64);
    }
}

const NO_LABELS: [&str; 0] = [];

fn gauge(family: &IntGaugeVec, value: u64) {
    family.with_label_values(&NO_LABELS).set(i64::try_from(value).unwrap_or(i64::MAX));
}

/// Counters only grow, so what is new is added.
fn counter(family: &IntCounterVec, total: u64) {
    let counter = family.with_label_values(&NO_LABELS);
    counter.inc_by(total.saturating_sub(counter.get()));
}
