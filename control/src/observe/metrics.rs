//! Metrics, in the form that Prometheus reads.

mod docs;

pub use docs::MetricDoc;

use docs::Kind as Shape;
use lychgate_api::{Kind, Objects};
use prometheus::core::Collector;
use prometheus::{
    Encoder, Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry, TextEncoder,
};
use std::sync::Arc;
use std::time::Duration;

/// From a millisecond to a minute.
const SECONDS: [f64; 15] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0];

type Registered<T> = Result<T, prometheus::Error>;

/// All metrics of one control plane.
pub struct Metrics {
    registry: Registry,
    watch_lag: Histogram,
    watch_failures: IntCounterVec,
    kind_served: IntGaugeVec,
    kinds_missing: IntGauge,
    objects: IntGaugeVec,
    objects_broken: IntGauge,
    translations: IntCounterVec,
    translation_duration: Histogram,
    propagation: Histogram,
    status_writes: IntCounterVec,
    status_backlog: IntGauge,
    feed_clients: IntGauge,
    feed_groups: IntGauge,
    relayed_clients: IntGauge,
    relay_reports: IntCounter,
    relay_failures: IntCounter,
    rejected_rules: IntGauge,
    leader: IntGauge,
    resident: IntGauge,
}

impl Metrics {
    /// Registers every family.
    ///
    /// # Errors
    /// None that we know of: names are fixed and different.
    pub fn new() -> Registered<Arc<Self>> {
        let registry = Registry::new();
        Ok(Arc::new(Self {
            watch_lag: histogram(&registry, "lychgate_control_watch_lag_seconds")?,
            watch_failures: counters(&registry, "lychgate_control_watch_failures_total")?,
            kind_served: gauges(&registry, "lychgate_control_kind_served")?,
            kinds_missing: gauge(&registry, "lychgate_control_kinds_missing")?,
            objects: gauges(&registry, "lychgate_control_objects")?,
            objects_broken: gauge(&registry, "lychgate_control_objects_broken")?,
            translations: counters(&registry, "lychgate_control_translations_total")?,
            translation_duration: histogram(&registry, "lychgate_control_translation_duration_seconds")?,
            propagation: histogram(&registry, "lychgate_control_propagation_duration_seconds")?,
            status_writes: counters(&registry, "lychgate_control_status_writes_total")?,
            status_backlog: gauge(&registry, "lychgate_control_status_backlog")?,
            feed_clients: gauge(&registry, "lychgate_control_feed_clients")?,
            feed_groups: gauge(&registry, "lychgate_control_feed_groups")?,
            relayed_clients: gauge(&registry, "lychgate_control_relayed_clients")?,
            relay_reports: counter(&registry, "lychgate_control_relay_reports_total")?,
            relay_failures: counter(&registry, "lychgate_control_relay_failures_total")?,
            rejected_rules: gauge(&registry, "lychgate_control_rejected_rules")?,
            leader: gauge(&registry, "lychgate_control_leader")?,
            resident: gauge(&registry, "lychgate_control_resident_memory_bytes")?,
            registry,
        }))
    }

    /// Every metric, in the order of the reference.
    pub fn docs() -> impl Iterator<Item = MetricDoc> {
        docs::all()
    }

    /// From the last write of an object to its arrival.
    pub fn watch_lag(&self, lag: Duration) {
        self.watch_lag.observe(lag.as_secs_f64());
    }

    /// A list or a watch ended with an error.
    pub fn watch_failed(&self, kind: Kind) {
        self.watch_failures.with_label_values(&[kind.as_str()]).inc();
    }

    /// Whether a kind is served in the newest version, in an older one, or not at all; None where nobody knows.
    pub fn kind_served(&self, kind: Kind, newest: Option<Option<bool>>) {
        if let Some(newest) = newest {
            self.kind_served.with_label_values(&[kind.as_str()]).set(i64::from(newest == Some(true)));
        }
    }

    /// Kinds of which nothing is known yet.
    pub fn missing_kinds(&self, kinds: usize) {
        self.kinds_missing.set(number(kinds));
    }

    /// Objects that can be read, by kind, and those that cannot.
    pub fn objects(&self, objects: &Objects, broken: usize) {
        for kind in Kind::ALL {
            self.objects.with_label_values(&[kind.as_str()]).set(number(objects.count(*kind)));
        }
        self.objects_broken.set(number(broken));
    }

    /// A translation was made, or ended in a panic.
    pub fn translated(&self, result: Result<Duration, ()>) {
        match result {
            Ok(took) => {
                self.translations.with_label_values(&["ok"]).inc();
                self.translation_duration.observe(took.as_secs_f64());
            }
            Err(()) => self.translations.with_label_values(&["failed"]).inc(),
        }
    }

    /// A change was acknowledged by all data planes that it concerns, so long after it arrived.
    pub fn propagated(&self, took: Duration) {
        self.propagation.observe(took.as_secs_f64());
    }

    /// What became of a status write.
    pub fn status_written(&self, kind: Kind, result: &str) {
        self.status_writes.with_label_values(&[kind.as_str(), result]).inc();
    }

    /// Objects whose status has to be looked at.
    pub fn status_backlog(&self, objects: usize) {
        self.status_backlog.set(number(objects));
    }

    /// Data planes that are connected, and those that others report; groups that are served, and rules that one of them
    /// rejects.
    pub fn feed(&self, clients: usize, relayed: usize, groups: usize, rejected: usize) {
        self.feed_clients.set(number(clients));
        self.relayed_clients.set(number(relayed));
        self.feed_groups.set(number(groups));
        self.rejected_rules.set(number(rejected));
    }

    /// So many reports went to the replica that leads.
    pub fn relayed(&self, reports: usize) {
        self.relay_reports.inc_by(u64::try_from(reports).unwrap_or(u64::MAX));
    }

    /// Reporting to the replica that leads ended with an error.
    pub fn relay_failed(&self) {
        self.relay_failures.inc();
    }

    /// Whether this replica leads.
    pub fn leads(&self, leads: bool) {
        self.leader.set(leads.into());
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

fn number(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn keep<T: Collector + Clone + 'static>(registry: &Registry, collector: Registered<T>) -> Registered<T> {
    let collector = collector?;
    registry.register(Box::new(collector.clone()))?;
    Ok(collector)
}

fn counters(registry: &Registry, name: &'static str) -> Registered<IntCounterVec> {
    let doc = docs::of(name, Shape::Counter);
    keep(registry, IntCounterVec::new(Opts::new(doc.name, doc.help), doc.labels))
}

fn counter(registry: &Registry, name: &'static str) -> Registered<IntCounter> {
    let doc = docs::of(name, Shape::Counter);
    keep(registry, IntCounter::new(doc.name, doc.help))
}

fn gauges(registry: &Registry, name: &'static str) -> Registered<IntGaugeVec> {
    let doc = docs::of(name, Shape::Gauge);
    keep(registry, IntGaugeVec::new(Opts::new(doc.name, doc.help), doc.labels))
}

fn gauge(registry: &Registry, name: &'static str) -> Registered<IntGauge> {
    let doc = docs::of(name, Shape::Gauge);
    keep(registry, IntGauge::new(doc.name, doc.help))
}

fn histogram(registry: &Registry, name: &'static str) -> Registered<Histogram> {
    let doc = docs::of(name, Shape::Histogram);
    keep(registry, Histogram::with_opts(HistogramOpts::new(doc.name, doc.help).buckets(SECONDS.into())))
}

/// Resident memory in bytes; 0 where the system does not tell.
fn resident() -> i64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.trim().parse::<i64>().ok());
    kib.map_or(0, |kib| kib.saturating_mul(1024))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_is_documented_is_served_and_nothing_else() {
        let metrics = Metrics::new().unwrap();
        metrics.watch_failed(Kind::Gateway);
        metrics.kind_served(Kind::Gateway, Some(None));
        metrics.objects(&Objects::default(), 0);
        metrics.translated(Err(()));
        metrics.status_written(Kind::Gateway, "written");
        let text = metrics.render();
        let served: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")).collect();
        let mut documented: Vec<String> = Metrics::docs().map(|doc| format!("{} {}", doc.name, doc.kind)).collect();
        documented.sort();
        assert_eq!(served, documented);
    }

    #[test]
    fn memory_is_known() {
        assert!(resident() > 1 << 20);
    }
}
