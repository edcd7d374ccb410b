//! Metrics, in the form that Prometheus reads.
//!
//! Each scope (a listener, a rule, a backend) has a handle with everything that is counted there. Handles are shared
//! between generations of config, and the series go when the last holder of a handle does. There are only so many scopes
//! of a kind with series of their own; the rest shares one, labelled `_other`. The first rules and backends that are asked
//! for anything get theirs at once, others when they have been asked often.

mod docs;
mod families;
mod scopes;

pub use docs::MetricDoc;
pub use families::{
    BackendMetrics, ConnectFailure, Direction, EgressMetrics, EgressVerdict, FeedFacts, ListenerMetrics, RuleMetrics,
    SocketMetrics, StreamMetrics,
};

use crate::Reason;
use families::{
    BackendFamilies, EgressFamilies, FeedFamilies, ListenerFamilies, ProcessFamilies, RuleFamilies, SocketFamilies,
    StreamFamilies, StreamNames,
};
use lychgate_ir::{BackendId, ListenerId, RuleId};
use prometheus::{Encoder, Registry, TextEncoder};
use scopes::{RuleKey, Scopes};
use std::fmt;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

/// The label of those that share series because there are too many.
const OTHER: &str = "_other";

/// How many scopes have series of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MetricsLimits {
    /// Listeners, sockets, and certificates. Default: 100.
    pub listeners: usize,
    /// Rules. Default: 100.
    pub rules: usize,
    /// Backends. Default: 100.
    pub backends: usize,
}

impl Default for MetricsLimits {
    fn default() -> Self {
        Self { listeners: 100, rules: 100, backends: 100 }
    }
}

/// Why metrics cannot be set up.
#[derive(Debug)]
pub struct MetricsError(prometheus::Error);

impl fmt::Display for MetricsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "metrics cannot be set up: {}", self.0)
    }
}

impl std::error::Error for MetricsError {}

impl From<prometheus::Error> for MetricsError {
    fn from(error: prometheus::Error) -> Self {
        Self(error)
    }
}

/// What became of a span.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpanOutcome {
    /// A collector has it.
    Exported,
    /// Too many were waiting for export.
    QueueFull,
    /// No collector took it in time.
    Failed,
}

/// All metrics of one data plane.
pub struct Metrics {
    registry: Registry,
    limits: MetricsLimits,
    sockets: Scopes<SocketFamilies>,
    listeners: Scopes<ListenerFamilies>,
    streams: Scopes<StreamFamilies>,
    rules: Scopes<RuleFamilies>,
    stream_rules: Scopes<StreamFamilies>,
    backends: Scopes<BackendFamilies>,
    process: ProcessFamilies,
    feed: FeedFamilies,
    egress: EgressFamilies,
}

impl Metrics {
    /// Registers every family.
    ///
    /// # Errors
    /// None that we know of: names are fixed and different.
    pub fn new(limits: MetricsLimits) -> Result<Arc<Self>, MetricsError> {
        let registry = Registry::new();
        Ok(Arc::new(Self {
            sockets: Scopes::new(SocketFamilies::register(&registry)?, limits.listeners),
            listeners: Scopes::new(ListenerFamilies::register(&registry)?, limits.listeners),
            streams: Scopes::new(StreamFamilies::register(&registry, &StreamNames::LISTENER)?, limits.listeners),
            rules: Scopes::new(RuleFamilies::register(&registry)?, limits.rules),
            stream_rules: Scopes::new(StreamFamilies::register(&registry, &StreamNames::RULE)?, limits.rules),
            backends: Scopes::new(BackendFamilies::register(&registry)?, limits.backends),
            process: ProcessFamilies::register(&registry)?,
            feed: FeedFamilies::register(&registry)?,
            egress: EgressFamilies::register(&registry, limits.backends)?,
            registry,
            limits,
        }))
    }

    /// The handle of a socket, by its address.
    pub fn socket(&self, address: &str) -> Arc<SocketMetrics> {
        self.sockets.get(&address.to_owned())
    }

    /// The handle of a listener.
    pub fn listener(&self, id: &ListenerId) -> Arc<ListenerMetrics> {
        self.listeners.get(&[id.gateway.0.to_string(), id.section.to_string()])
    }

    /// The handle of a listener that carries streams or datagrams.
    pub fn stream(&self, id: &ListenerId) -> Arc<StreamMetrics> {
        self.streams.get(&[id.gateway.0.to_string(), id.section.to_string()])
    }

    /// The handle of a rule. Its generation is no label: a change of a route does not start new series.
    pub fn rule(&self, id: &RuleId) -> Arc<RuleMetrics> {
        Arc::new(RuleMetrics::new(RuleKey::from(id), &self.rules))
    }

    /// The handle of a rule that carries streams or datagrams.
    pub fn stream_rule(&self, id: &RuleId) -> Arc<StreamMetrics> {
        self.stream_rules.get(&RuleKey::from(id).words())
    }

    /// The handle of a backend, for as long as it exists.
    pub fn backend(&self, id: &BackendId) -> Arc<BackendMetrics> {
        Arc::new(BackendMetrics::new(id.clone(), &self.backends))
    }

    /// Counts a decision about what wants to leave through a Gateway. The rules that decide most often have series of their
    /// own.
    pub fn egress_decided(&self, gateway: &str, rule: Option<&str>, verdict: EgressVerdict) {
        self.egress.decided(gateway, rule, verdict);
    }

    /// Counts something that met a limit of the rule that lets it leave through a Gateway.
    pub fn egress_limit(&self, gateway: &str, limit: &'static str, in_shadow: bool) {
        self.egress.limited(gateway, limit, in_shadow);
    }

    /// Counts what came of a question to DNS at a Gateway.
    pub fn egress_question(&self, gateway: &str, outcome: &'static str) {
        self.egress.question(gateway, outcome);
    }

    /// The handle of a destination. Those that are asked for most often have series of their own.
    pub fn egress_destination(&self, name: &str) -> Arc<EgressMetrics> {
        self.egress.destination(name)
    }

    /// Counts a request or connection that was refused, by the word that logs and clients have for it.
    pub fn refused(&self, reason: Reason) {
        self.process.refused(reason);
    }

    /// Sets how many bytes of responses wait for clients to take them.
    pub fn waiting(&self, bytes: usize) {
        self.process.waiting.set(i64::try_from(bytes).unwrap_or(i64::MAX));
    }

    /// Counts entries of the access log that nobody will read, because writing or sending was too slow or failed.
    pub fn access_log_dropped(&self, entries: u64) {
        self.process.log_dropped.inc_by(entries);
    }

    /// Says how many records of the audit log were written so far, and how many were not, and whether it fails now.
    pub fn audit(&self, written: u64, dropped: u64, is_failing: bool) {
        self.process.audit_failing.set(i64::from(is_failing));
        for (result, now) in [("written", written), ("dropped", dropped)] {
            let counter = self.process.audit.with_label_values(&[result]);
            counter.inc_by(now.saturating_sub(counter.get()));
        }
    }

    /// Counts records of the audit log that a collector did not get.
    pub fn audit_unshipped(&self, records: u64) {
        self.process.audit.with_label_values(&["unshipped"]).inc_by(records);
    }

    /// Counts spans by what became of them.
    pub fn spans(&self, outcome: SpanOutcome, spans: u64) {
        let label = match outcome {
            SpanOutcome::Exported => "exported",
            SpanOutcome::QueueFull => "queue_full",
            SpanOutcome::Failed => "failed",
        };
        self.process.spans.with_label_values(&[label]).inc_by(spans);
    }

    /// Counts a reading of the config, and remembers when the last one was applied.
    pub fn reloaded(&self, result: Result<(), ()>) {
        let label = if result.is_ok() { "applied" } else { "failed" };
        self.process.reloads.with_label_values(&[label]).inc();
        if result.is_ok() {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
            self.process.last_reload.set(i64::try_from(now).unwrap_or(i64::MAX));
        }
    }

    /// Sets how many objects are served as written, and how many are not.
    pub fn objects(&self, good: usize, bad: usize) {
        let count = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        self.process.objects.with_label_values(&["served"]).set(count(good));
        self.process.objects.with_label_values(&["problem"]).set(count(bad));
    }

    /// Sets how it stands with the control plane.
    pub fn feed(&self, facts: &FeedFacts) {
        self.feed.set(facts);
    }

    /// Sets how many parts of the config refuse, because they cannot be served as they were sent.
    pub fn rejected(&self, count: usize) {
        self.feed.rejected(count);
    }

    /// Sets when certificates expire, in seconds since 1970, and forgets those that are not used any more. Those that
    /// expire first have series of their own; the first to expire of the others stands for them all.
    pub fn certificates(&self, expiry: impl IntoIterator<Item = (String, i64)>) {
        let mut expiry: Vec<(String, i64)> = expiry.into_iter().collect();
        expiry.sort_unstable_by(|a, b| a.1.cmp(&b.1).then_with(|| a.0.cmp(&b.0)));
        self.process.certificates.reset();
        for (name, expiry) in expiry.iter().take(self.limits.listeners) {
            self.process.certificates.with_label_values(&[name.as_str()]).set(*expiry);
        }
        if let Some((_, first)) = expiry.get(self.limits.listeners) {
            self.process.certificates.with_label_values(&[OTHER]).set(*first);
        }
    }

    /// Everything as text (Prometheus exposition format 0.0.4).
    pub fn render(&self) -> String {
        let mut text = Vec::new();
        // Families are ours and well-formed, and a Vec takes everything.
        if let Err(error) = TextEncoder::new().encode(&self.registry.gather(), &mut text) {
            tracing::error!(%error, "metrics cannot be written");
        }
        String::from_utf8(text).unwrap_or_default()
    }

    /// What there is, for the reference.
    pub fn docs() -> Vec<MetricDoc> {
        docs::all()
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use http::StatusCode;
    use lychgate_ir::{ObjectName, RouteId, RouteKind};
    use std::time::Duration;

    fn rule(name: &str, generation: i64) -> RuleId {
        let route = RouteId { kind: RouteKind::Http, name: ObjectName::new("ns", name) };
        RuleId { route, generation, index: 0, name: None }
    }

    #[test]
    fn series_live_as_long_as_somebody_counts() {
        let metrics = Metrics::new(MetricsLimits::default()).unwrap();
        let old = metrics.rule(&rule("a", 1));
        old.done(StatusCode::OK, Duration::from_millis(3));
        let new = metrics.rule(&rule("a", 2));
        drop(old);
        new.done(StatusCode::NOT_FOUND, Duration::from_millis(3));
        let text = metrics.render();
        assert!(
            text.contains("lychgate_rule_requests_total{code=\"2xx\",route=\"HTTPRoute/ns/a\",rule=\"0\"} 1"),
            "{text}"
        );
        assert!(
            text.contains("lychgate_rule_requests_total{code=\"4xx\",route=\"HTTPRoute/ns/a\",rule=\"0\"} 1"),
            "{text}"
        );
        assert!(
            text.contains("lychgate_rule_request_duration_seconds_count{route=\"HTTPRoute/ns/a\",rule=\"0\"} 2"),
            "{text}"
        );
        drop(new);
        assert!(!metrics.render().contains("HTTPRoute/ns/a"), "{}", metrics.render());
    }

    fn backend(name: &str) -> BackendId {
        format!("Service/ns/{name}:80").parse().unwrap()
    }

    /// The value of a series of the text.
    fn value(metrics: &Metrics, series: &str) -> Option<f64> {
        let text = metrics.render();
        let line = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        line.and_then(|value| value.parse().ok())
    }

    #[test]
    fn too_many_share() {
        let metrics = Metrics::new(MetricsLimits { rules: 2, ..MetricsLimits::default() }).unwrap();
        let handles: Vec<_> = ["a", "b", "c", "d"].map(|name| metrics.rule(&rule(name, 1))).into();
        for handle in &handles {
            handle.done(StatusCode::OK, Duration::ZERO);
        }
        let text = metrics.render();
        assert!(
            text.contains("lychgate_rule_requests_total{code=\"2xx\",route=\"HTTPRoute/ns/b\",rule=\"0\"} 1"),
            "{text}"
        );
        assert!(
            text.contains("lychgate_rule_requests_total{code=\"2xx\",route=\"_other\",rule=\"_other\"} 2"),
            "{text}"
        );
        assert!(!text.contains("ns/c"), "{text}");
    }

    #[test]
    fn what_is_never_asked_has_no_series_and_takes_no_place() {
        let metrics = Metrics::new(MetricsLimits { rules: 1, backends: 1, ..MetricsLimits::default() }).unwrap();
        let _silent: Vec<_> = ["a", "b", "c"].map(|name| metrics.rule(&rule(name, 1))).into();
        let silent: Vec<_> = ["a", "b", "c"].map(|name| metrics.backend(&backend(name))).into();
        silent.iter().for_each(|backend| backend.endpoints(3));
        let text = metrics.render();
        assert!(!text.contains("lychgate_rule_") && !text.contains("lychgate_backend_"), "{text}");
        let (rule, backend) = (metrics.rule(&rule("d", 1)), metrics.backend(&backend("d")));
        backend.endpoints(2);
        rule.done(StatusCode::OK, Duration::ZERO);
        backend.begun();
        assert_eq!(value(&metrics, "lychgate_backend_endpoints{backend=\"Service/ns/d:80\"}"), Some(2.0));
        let text = metrics.render();
        assert!(text.contains("route=\"HTTPRoute/ns/d\"") && !text.contains(&format!("\"{OTHER}\"")), "{text}");
    }

    #[test]
    fn the_busy_ones_get_series_whoever_came_first() {
        let metrics = Metrics::new(MetricsLimits::default()).unwrap();
        let rare: Vec<_> = (0..1000).map(|number| metrics.rule(&rule(&format!("rare-{number}"), 1))).collect();
        rare.iter().for_each(|rule| rule.done(StatusCode::OK, Duration::ZERO));
        let busy = metrics.rule(&rule("busy", 1));
        let of_busy = "lychgate_rule_requests_in_flight{route=\"HTTPRoute/ns/busy\",rule=\"0\"}";
        let of_others = "lychgate_rule_requests_in_flight{route=\"_other\",rule=\"_other\"}";
        busy.begun();
        for _ in 0..998 {
            busy.done(StatusCode::OK, Duration::ZERO);
        }
        assert_eq!((value(&metrics, of_busy), value(&metrics, of_others)), (None, Some(1.0)));
        busy.begun();
        assert_eq!((value(&metrics, of_busy), value(&metrics, of_others)), (Some(2.0), Some(0.0)), "they come along");
        busy.ended(Some(StatusCode::OK), Duration::ZERO, 0, 0);
        busy.ended(Some(StatusCode::OK), Duration::ZERO, 0, 0);
        assert_eq!((value(&metrics, of_busy), value(&metrics, of_others)), (Some(0.0), Some(0.0)));
        assert!(
            value(&metrics, "lychgate_rule_requests_total{code=\"2xx\",route=\"HTTPRoute/ns/busy\",rule=\"0\"}")
                == Some(2.0)
        );
        // And goes on in the next generation of its route.
        let next = metrics.rule(&rule("busy", 2));
        drop(busy);
        next.done(StatusCode::OK, Duration::ZERO);
        assert!(
            value(&metrics, "lychgate_rule_requests_total{code=\"2xx\",route=\"HTTPRoute/ns/busy\",rule=\"0\"}")
                == Some(3.0)
        );
    }

    #[test]
    fn connections_of_a_backend_come_along_with_it() {
        let metrics = Metrics::new(MetricsLimits::default()).unwrap();
        let first: Vec<_> = (0..10).map(|number| metrics.backend(&backend(&format!("first-{number}")))).collect();
        first.iter().for_each(|backend| backend.done(StatusCode::OK, Duration::ZERO));
        let streams = metrics.backend(&backend("streams"));
        streams.endpoints(2);
        streams.opened();
        for _ in 0..999 {
            streams.connected(false);
        }
        let own = "lychgate_backend_connections_open{backend=\"Service/ns/streams:80\"}";
        let shared = "lychgate_backend_connections_open{backend=\"_other\"}";
        assert_eq!((value(&metrics, own), value(&metrics, shared)), (None, Some(1.0)));
        streams.connected(false);
        assert_eq!((value(&metrics, own), value(&metrics, shared)), (Some(1.0), Some(0.0)));
        assert_eq!(value(&metrics, "lychgate_backend_endpoints{backend=\"Service/ns/streams:80\"}"), Some(2.0));
        assert_eq!(value(&metrics, "lychgate_backend_endpoints{backend=\"_other\"}"), None);
    }

    #[test]
    fn thousands_that_are_asked_once_have_few_series() {
        let metrics = Metrics::new(MetricsLimits::default()).unwrap();
        let all: Vec<_> = (0..5000)
            .map(|number| {
                let name = format!("r{number}");
                (metrics.rule(&rule(&name, 1)), metrics.backend(&backend(&name)))
            })
            .collect();
        for (rule, backend) in &all {
            rule.done(StatusCode::OK, Duration::ZERO);
            backend.done(StatusCode::OK, Duration::ZERO);
        }
        let series = metrics.render().lines().filter(|line| !line.starts_with('#')).count();
        assert!(series < 500, "{series}: what listeners, sockets and the feed have comes to it, and 560 is the goal");
    }

    #[test]
    fn a_place_that_is_given_up_is_free_again() {
        let metrics = Metrics::new(MetricsLimits { rules: 1, ..MetricsLimits::default() }).unwrap();
        metrics.rule(&rule("a", 1)).done(StatusCode::OK, Duration::ZERO);
        metrics.rule(&rule("b", 1)).done(StatusCode::OK, Duration::ZERO);
        let _held = metrics.rule(&rule("b", 1));
        assert!(!metrics.render().contains(&format!("\"{OTHER}\"")), "{}", metrics.render());
    }

    #[test]
    fn the_certificates_that_expire_first_are_named() {
        let metrics = Metrics::new(MetricsLimits { listeners: 1, ..MetricsLimits::default() }).unwrap();
        let certificates = [("Secret/ns/late", 30), ("Secret/ns/soon", 10), ("Secret/ns/later", 20)];
        metrics.certificates(certificates.map(|(name, expiry)| (name.to_owned(), expiry)));
        let text = metrics.render();
        let series = |secret: &str, expiry: i64| {
            text.contains(&format!("lychgate_certificate_expiry_timestamp_seconds{{secret=\"{secret}\"}} {expiry}\n"))
        };
        assert!(series("Secret/ns/soon", 10) && series(OTHER, 20) && !text.contains("late"), "{text}");
    }

    #[test]
    fn every_metric_is_documented() {
        let metrics = Metrics::new(MetricsLimits::default()).unwrap();
        let id = lychgate_ir::ListenerId {
            gateway: lychgate_ir::GatewayId(ObjectName::new("ns", "gw")),
            owner: lychgate_ir::ListenerOwner::Gateway,
            section: "http".into(),
        };
        let (listener, stream) = (metrics.listener(&id), metrics.stream(&id));
        let socket = metrics.socket("127.0.0.1:80");
        socket.connected();
        let carried = metrics.stream_rule(&rule("s", 1));
        carried.opened();
        let (rule, backend) = (
            metrics.rule(&rule("a", 1)),
            metrics.backend(&lychgate_ir::BackendId {
                kind: lychgate_ir::BackendKind::Service,
                name: ObjectName::new("ns", "svc"),
                port: 80,
                transport: lychgate_ir::Transport::Tcp,
            }),
        );
        listener.done(StatusCode::OK, Duration::ZERO);
        rule.done(StatusCode::OK, Duration::ZERO);
        rule.retried();
        backend.done(StatusCode::OK, Duration::ZERO);
        backend.not_connected(ConnectFailure::Tls);
        stream.refused();
        metrics.refused(Reason::NoRoute);
        let verdict = EgressVerdict { allowed: true, would_deny: false, because: "rule" };
        metrics.egress_decided("ns/out", Some("EgressPolicy/ns/a#0"), verdict);
        metrics.egress_destination("api.example.com").opened();
        metrics.egress_question("ns/out", "answered");
        metrics.audit(1, 0, false);
        metrics.egress_limit("ns/out", "connections", false);
        metrics.spans(SpanOutcome::Exported, 1);
        metrics.reloaded(Ok(()));
        metrics.objects(1, 0);
        metrics.feed(&FeedFacts { expiry: Some(1), ..FeedFacts::default() });
        metrics.rejected(1);
        metrics.certificates([("Secret/ns/a".to_owned(), 1)]);
        let documented: std::collections::BTreeSet<String> = Metrics::docs().into_iter().map(|doc| doc.name).collect();
        let registered: std::collections::BTreeSet<String> =
            metrics.registry.gather().iter().map(|family| family.name().to_owned()).collect();
        assert_eq!(registered, documented);
    }
}
