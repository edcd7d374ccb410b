//! Metrics, in the form that Prometheus reads. The texts of `/metrics` and of the reference are the same.

use prometheus::{Encoder, IntGauge, Registry, TextEncoder};
use std::sync::Arc;

/// A metric, for the reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MetricDoc {
    /// Its name.
    pub name: &'static str,
    /// `counter`, `gauge` or `histogram`.
    pub kind: &'static str,
    /// Its labels.
    pub labels: &'static [&'static str],
    /// What it says.
    pub help: &'static str,
}

const RESIDENT: MetricDoc = MetricDoc {
    name: "lychgate_control_resident_memory_bytes",
    kind: "gauge",
    labels: &[],
    help: "Memory that the process holds, as the system counts it.",
};

/// All metrics of one control plane.
pub struct Metrics {
    registry: Registry,
    resident: IntGauge,
}

impl Metrics {
    /// Registers every family.
    ///
    /// # Errors
    /// None that we know of: names are fixed and different.
    pub fn new() -> Result<Arc<Self>, prometheus::Error> {
        let registry = Registry::new();
        let resident = IntGauge::new(RESIDENT.name, RESIDENT.help)?;
        registry.register(Box::new(resident.clone()))?;
        Ok(Arc::new(Self { registry, resident }))
    }

    /// Everything, as Prometheus reads it.
    #[must_use]
    pub fn render(&self) -> String {
        self.resident.set(resident());
        let mut text = Vec::new();
        // Writing to memory fails for nothing but families without a name.
        let _ = TextEncoder::new().encode(&self.registry.gather(), &mut text);
        String::from_utf8_lossy(&text).into_owned()
    }
}

/// Resident memory in bytes; 0 where the system does not tell.
fn resident() -> i64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.trim().parse::<i64>().ok());
    kib.map_or(0, |kib| kib.saturating_mul(1024))
}
