//! The families of metrics, scope by scope.

mod backend;
mod egress;
mod feed;
mod http;
mod process;
mod rule;
mod socket;
mod stream;

pub use backend::{BackendMetrics, ConnectFailure};
pub use egress::{EgressMetrics, EgressVerdict};
pub use feed::FeedFacts;
pub use http::ListenerMetrics;
pub use rule::RuleMetrics;
pub use socket::SocketMetrics;
pub use stream::{Direction, StreamMetrics};

pub(super) use backend::BackendFamilies;
pub(super) use egress::EgressFamilies;
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

/// From a millisecond to five seconds. Each bound is a series of every rule and backend that has its own.
const SECONDS: [f64; 8] = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0];

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

/// Counters by one more label. A word of it has no series before it is counted.
struct ByWord {
    family: IntCounterVec,
    labels: Vec<String>,
    words: &'static [&'static str],
    counters: Box<[OnceLock<IntCounter>]>,
}

/// The words of [`ByWord`] for statuses.
const CLASSES: &[&str] = &["1xx", "2xx", "3xx", "4xx", "5xx", "none"];

impl ByWord {
    fn new(family: &IntCounterVec, labels: &[&str], words: &'static [&'static str]) -> Self {
        let labels = labels.iter().map(|label| (*label).to_owned()).collect();
        let counters = words.iter().map(|_| OnceLock::new()).collect();
        Self { family: family.clone(), labels, words, counters }
    }

    /// Counts a status; none is a request that got no answer at all.
    fn count_status(&self, status: Option<StatusCode>) {
        self.count(status.map_or(5, |status| usize::from(status.as_u16() / 100).clamp(1, 5) - 1));
    }

    /// Counts the word at this place.
    fn count(&self, at: usize) {
        let (Some(counter), Some(word)) = (self.counters.get(at), self.words.get(at)) else { return };
        let counter = counter.get_or_init(|| {
            let mut labels: Vec<&str> = self.labels.iter().map(String::as_str).collect();
            labels.push(word);
            self.family.with_label_values(&labels)
        });
        counter.inc();
    }
}

fn remove_words(family: &IntCounterVec, labels: &[&str], words: &[&str]) {
    for word in words {
        let mut labels = labels.to_vec();
        labels.push(word);
        // Not there: it was never counted.
        let _ = family.remove_label_values(&labels);
    }
}
