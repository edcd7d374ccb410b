//! What each metric means: the texts of `/metrics` and of the reference are the same.

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

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Counter,
    Gauge,
    Histogram,
}

/// Name, kind, labels, meaning.
const ALL: &[(&str, Kind, &[&str], &str)] = {
    use Kind::{Counter, Gauge, Histogram};
    &[
        (
            "lychgate_control_watch_lag_seconds",
            Histogram,
            &[],
            "From the last write of an object, in whole seconds of the API server's clock, to its arrival here.",
        ),
        (
            "lychgate_control_watch_failures_total",
            Counter,
            &["kind"],
            "Lists and watches that failed; each is tried again.",
        ),
        (
            "lychgate_control_kind_served",
            Gauge,
            &["kind"],
            "1 where the cluster serves the kind in the newest version that is known here, 0 where in an older one or not \
             at all.",
        ),
        (
            "lychgate_control_kinds_missing",
            Gauge,
            &[],
            "Kinds that were not listed yet. Nothing is translated before this is 0.",
        ),
        ("lychgate_control_objects", Gauge, &["kind"], "Objects that are known."),
        (
            "lychgate_control_objects_broken",
            Gauge,
            &[],
            "Objects that cannot be read, and are served in their last good version if there is one.",
        ),
        (
            "lychgate_control_translations_total",
            Counter,
            &["result"],
            "Translations: ok, and failed for a bug in Lychgate, after which the one before stays.",
        ),
        ("lychgate_control_translation_duration_seconds", Histogram, &[], "How long a translation took."),
        (
            "lychgate_control_propagation_duration_seconds",
            Histogram,
            &[],
            "From the arrival of a change here to the acknowledgement of the last data plane that it concerns, of those that \
             follow this replica.",
        ),
        (
            "lychgate_control_status_writes_total",
            Counter,
            &["kind", "result"],
            "Status writes: written, conflict (made again from what is there now), gone (with its object), refused (by the \
             API server, for good) or failed (tried again).",
        ),
        ("lychgate_control_status_backlog", Gauge, &[], "Objects whose status is to be compared or written."),
        ("lychgate_control_feed_clients", Gauge, &[], "Data planes that are connected to this replica."),
        ("lychgate_control_feed_groups", Gauge, &[], "Groups of Gateways that have a config."),
        (
            "lychgate_control_relayed_clients",
            Gauge,
            &[],
            "Data planes that follow other replicas, as these report to this one. The replica that leads knows all.",
        ),
        (
            "lychgate_control_relay_reports_total",
            Counter,
            &[],
            "Reports of what data planes said here, and of their coming and going, to the replica that leads.",
        ),
        (
            "lychgate_control_relay_failures_total",
            Counter,
            &[],
            "Times that reporting to the replica that leads failed or broke off; each is tried again with all that there is.",
        ),
        (
            "lychgate_control_rejected_rules",
            Gauge,
            &[],
            "Rules that a data plane cannot serve as written, of those that are known here; they fail closed there.",
        ),
        ("lychgate_control_leader", Gauge, &[], "1 where this replica leads: it writes statuses and provisions."),
        (
            "lychgate_control_resident_memory_bytes",
            Gauge,
            &[],
            "Memory that the process holds, as the system counts it.",
        ),
    ]
};

pub(super) fn of(name: &'static str, kind: Kind) -> MetricDoc {
    let found = ALL.iter().find(|(known, ..)| *known == name);
    debug_assert!(found.is_some_and(|(_, known, ..)| *known == kind), "{name} is not documented");
    found.map_or(MetricDoc { name, kind: word(kind), labels: &[], help: name }, doc)
}

pub(super) fn all() -> impl Iterator<Item = MetricDoc> {
    ALL.iter().map(doc)
}

fn doc((name, kind, labels, help): &(&'static str, Kind, &'static [&'static str], &'static str)) -> MetricDoc {
    MetricDoc { name, kind: word(*kind), labels, help }
}

fn word(kind: Kind) -> &'static str {
    match kind {
        Kind::Counter => "counter",
        Kind::Gauge => "gauge",
        Kind::Histogram => "histogram",
    }
}
