//! Connections and flows that are carried without being read.

use super::{Registered, counters, gauges};
use crate::metrics::scopes::{Families, Lease};
use prometheus::{IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Registry};

/// Families of listeners, or of rules, that carry streams or datagrams.
#[derive(Clone)]
pub(in crate::metrics) struct StreamFamilies {
    streams: IntCounterVec,
    open: IntGaugeVec,
    refused: IntCounterVec,
    bytes: IntCounterVec,
}

/// What the families of one kind of scope are called.
pub(in crate::metrics) struct StreamNames {
    streams: &'static str,
    open: &'static str,
    refused: &'static str,
    bytes: &'static str,
}

impl StreamNames {
    pub(in crate::metrics) const LISTENER: Self = Self {
        streams: "lychgate_streams_total",
        open: "lychgate_streams_open",
        refused: "lychgate_streams_refused_total",
        bytes: "lychgate_stream_bytes_total",
    };

    pub(in crate::metrics) const RULE: Self = Self {
        streams: "lychgate_rule_streams_total",
        open: "lychgate_rule_streams_open",
        refused: "lychgate_rule_streams_refused_total",
        bytes: "lychgate_rule_stream_bytes_total",
    };
}

impl StreamFamilies {
    pub(in crate::metrics) fn register(registry: &Registry, names: &StreamNames) -> Registered<Self> {
        let StreamNames { streams, open, refused, bytes } = *names;
        Ok(Self {
            streams: counters(registry, streams)?,
            open: gauges(registry, open)?,
            refused: counters(registry, refused)?,
            bytes: counters(registry, bytes)?,
        })
    }
}

impl Families for StreamFamilies {
    type Key = [String; 2];
    type Handle = StreamMetrics;

    fn handle(&self, labels: &[&str], lease: Lease<Self>) -> StreamMetrics {
        let bytes = |direction: &str| {
            let mut labels = labels.to_vec();
            labels.push(direction);
            self.bytes.with_label_values(&labels)
        };
        StreamMetrics {
            streams: self.streams.with_label_values(labels),
            open: self.open.with_label_values(labels),
            refused: self.refused.with_label_values(labels),
            up: bytes("up"),
            down: bytes("down"),
            _lease: lease,
        }
    }

    fn remove(&self, labels: &[&str]) {
        for direction in ["up", "down"] {
            let mut labels = labels.to_vec();
            labels.push(direction);
            let _ = self.bytes.remove_label_values(&labels);
        }
        let _ = self.streams.remove_label_values(labels);
        let _ = self.open.remove_label_values(labels);
        let _ = self.refused.remove_label_values(labels);
    }
}

/// Which way bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the client.
    Up,
    /// To the client.
    Down,
}

/// What is counted for streams of a listener or a rule. A flow of datagrams counts as a stream.
pub struct StreamMetrics {
    streams: IntCounter,
    open: IntGauge,
    refused: IntCounter,
    up: IntCounter,
    down: IntCounter,
    _lease: Lease<StreamFamilies>,
}

impl StreamMetrics {
    /// A stream was opened.
    pub fn opened(&self) {
        self.streams.inc();
        self.open.inc();
    }

    /// A stream that had been opened is closed.
    pub fn closed(&self) {
        self.open.dec();
    }

    /// A stream could not be carried.
    pub fn refused(&self) {
        self.refused.inc();
    }

    /// Bytes were carried.
    pub fn carried(&self, direction: Direction, bytes: u64) {
        match direction {
            Direction::Up => self.up.inc_by(bytes),
            Direction::Down => self.down.inc_by(bytes),
        }
    }
}
