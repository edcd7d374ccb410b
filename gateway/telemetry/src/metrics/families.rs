//! The families of metrics, scope by scope.

mod backend;
mod feed;
mod http;
mod process;
mod rule;
mod socket;
mod stream;

pub use backend::{BackendMetrics, ConnectFailure};
pub use feed::FeedFacts;
pub use http::ListenerMetrics;
pub use rule::RuleMetrics;
pub use socket::SocketMetrics;
pub use stream::{Direction, StreamMetrics};

pub(super) use backend::BackendFamilies;
pub(super) use feed::FeedFamilies;
pub(super) use http::ListenerFamilies;
pub(super) use process::ProcessFamilies;
pub(super) use rule::RuleFamilies;
pub(super) use socket::SocketFamilies;
pub(super) use stream::{StreamFamilies, StreamNames};

use super::docs::{self, Kind};
use ::http::StatusCode;
use prometheus::core::Collector;
use prometheus::{HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry};
use std::sync::OnceLock;

type Registered<T> = Result<T, prometheus::Error>;

/// From a millisecond to ten seconds.
const SECONDS: [f64; 13] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

fn keep<T: Collector + Clone + 'static>(registry: &Registry, collector: Registered<T>) -> Registered<T> {
    let collector = collector?;
    registry.register(Box::new(collector.clone()))?;
    Ok(collector)
}

fn counters(registry: &Registry, name: &'static str) -> Registered<IntCounterVec> {
    let doc = docs::of(name, Kind::Counter);
    keep(registry, IntCounterVec::new(Opts::new(doc.name, doc.help), &doc.labels))
}

fn counter(registry: &Registry, name: &'static str) -> Registered<IntCounter> {
    let doc = docs::of(name, Kind::Counter);
    keep(registry, IntCounter::new(doc.name, doc.help))
}

fn gauges(registry: &Registry, name: &'static str) -> Registered<IntGaugeVec> {
    let doc = docs::of(name, Kind::Gauge);
    keep(registry, IntGaugeVec::new(Opts::new(doc.name, doc.help), &doc.labels))
}

fn gauge(registry: &Registry, name: &'static str) -> Registered<IntGauge> {
    let doc = docs::of(name, Kind::Gauge);
    keep(registry, IntGauge::new(doc.name, doc.help))
}

fn histograms(registry: &Registry, name: &'static str) -> Registered<HistogramVec> {
    let doc = docs::of(name, Kind::Histogram);
    keep(registry, HistogramVec::new(HistogramOpts::new(doc.name, doc.help).buckets(SECONDS.into()), &doc.labels))
}

/// Counters by class of status. A class has no series before it has a request.
struct ByClass {
    family: IntCounterVec,
    labels: Vec<String>,
    classes: [OnceLock<IntCounter>; CLASSES.len()],
}

const CLASSES: [&str; 6] = ["1xx", "2xx", "3xx", "4xx", "5xx", "none"];

impl ByClass {
    fn new(family: &IntCounterVec, labels: &[&str]) -> Self {
        let labels = labels.iter().map(|label| (*label).to_owned()).collect();
        Self { family: family.clone(), labels, classes: Default::default() }
    }

    /// Counts a status; none is a request that got no answer at all.
    fn count(&self, status: Option<StatusCode>) {
        let class = status.map_or(5, |status| usize::from(status.as_u16() / 100).clamp(1, 5) - 1);
        let (Some(counter), Some(name)) = (self.classes.get(class), CLASSES.get(class)) else { return };
        let counter = counter.get_or_init(|| {
            let mut labels: Vec<&str> = self.labels.iter().map(String::as_str).collect();
            labels.push(name);
            self.family.with_label_values(&labels)
        });
        counter.inc();
    }
}

fn remove_classes(family: &IntCounterVec, labels: &[&str]) {
    for class in CLASSES {
        let mut labels = labels.to_vec();
        labels.push(class);
        // Not there: no request had it.
        let _ = family.remove_label_values(&labels);
    }
}
