//! What each metric means: the texts of `/metrics` and of the reference are the same.

/// A metric, for the reference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetricDoc {
    /// Its name.
    pub name: String,
    /// `counter`, `gauge` or `histogram`.
    pub kind: &'static str,
    /// Its labels.
    pub labels: Vec<&'static str>,
    /// What it says.
    pub help: &'static str,
}

/// The kinds of metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Counter,
    Gauge,
    Histogram,
}

pub(super) struct Doc {
    pub(super) name: &'static str,
    pub(super) labels: Vec<&'static str>,
    pub(super) help: &'static str,
}

const LISTENER: &[&str] = &["gateway", "listener"];
const RULE: &[&str] = &["route", "rule"];
const BACKEND: &[&str] = &["backend"];

/// Name, kind, labels, meaning.
const ALL: &[(&str, Kind, &[&[&str]], &str)] = {
    use Kind::{Counter, Gauge, Histogram};
    &[
        (
            "lychgate_listener_requests_total",
            Counter,
            &[LISTENER, &["code"]],
            "Requests, by class of the status that the client got; `none` got no answer.",
        ),
        (
            "lychgate_listener_request_duration_seconds",
            Histogram,
            &[LISTENER],
            "From the end of the request's head to the end of the response.",
        ),
        ("lychgate_listener_requests_in_flight", Gauge, &[LISTENER], "Requests that are being served."),
        ("lychgate_connections_total", Counter, &[&["socket"]], "Connections that were accepted."),
        ("lychgate_connections_open", Gauge, &[&["socket"]], "Connections that are open."),
        ("lychgate_tls_handshakes_failed_total", Counter, &[&["socket"]], "TLS handshakes that failed."),
        (
            "lychgate_listener_received_bytes_total",
            Counter,
            &[LISTENER],
            "Bytes of request bodies, counted when a request is over.",
        ),
        (
            "lychgate_listener_sent_bytes_total",
            Counter,
            &[LISTENER],
            "Bytes of response bodies, counted when a request is over.",
        ),
        (
            "lychgate_rule_requests_total",
            Counter,
            &[RULE, &["code"]],
            "Requests that the rule answered, by class of the status that the client got.",
        ),
        (
            "lychgate_rule_request_duration_seconds",
            Histogram,
            &[RULE],
            "From the end of the request's head to the end of the response.",
        ),
        ("lychgate_rule_requests_in_flight", Gauge, &[RULE], "Requests that the rule is answering."),
        (
            "lychgate_rule_received_bytes_total",
            Counter,
            &[RULE],
            "Bytes of request bodies, counted when a request is over.",
        ),
        (
            "lychgate_rule_sent_bytes_total",
            Counter,
            &[RULE],
            "Bytes of response bodies, counted when a request is over.",
        ),
        ("lychgate_rule_retries_total", Counter, &[RULE], "Tries after the first."),
        (
            "lychgate_backend_requests_total",
            Counter,
            &[BACKEND, &["code"]],
            "Attempts, by class of the backend's status; `none` broke off.",
        ),
        (
            "lychgate_backend_request_duration_seconds",
            Histogram,
            &[BACKEND],
            "From picking an endpoint to the end of the attempt.",
        ),
        ("lychgate_backend_requests_in_flight", Gauge, &[BACKEND], "Attempts that are running."),
        (
            "lychgate_backend_connect_failures_total",
            Counter,
            &[BACKEND, &["kind"]],
            "Attempts and streams that did not get a connection: connect, tls, timeout or no_endpoint.",
        ),
        ("lychgate_backend_endpoints", Gauge, &[BACKEND], "Endpoints that take requests."),
        (
            "lychgate_backend_connections_total",
            Counter,
            &[BACKEND, &["kind"]],
            "Connections that attempts and streams used: new ones, and reused ones of the pool.",
        ),
        (
            "lychgate_backend_connections_open",
            Gauge,
            &[BACKEND],
            "Connections to endpoints that are open, in use or idle in the pool; flows of UDPRoutes count as one each.",
        ),
        (
            "lychgate_backend_retries_total",
            Counter,
            &[BACKEND],
            "Attempts and connections that came after a failed one.",
        ),
        (
            "lychgate_backend_sent_bytes_total",
            Counter,
            &[BACKEND],
            "Bytes of bodies and streams that went to the backend; those of a request are counted when it is over.",
        ),
        (
            "lychgate_backend_received_bytes_total",
            Counter,
            &[BACKEND],
            "Bytes of bodies and streams that came from the backend; those of a request are counted when it is over.",
        ),
        (
            "lychgate_streams_total",
            Counter,
            &[LISTENER],
            "Connections of TLSRoutes and TCPRoutes, and flows of UDPRoutes.",
        ),
        ("lychgate_streams_open", Gauge, &[LISTENER], "Those that are open."),
        (
            "lychgate_streams_refused_total",
            Counter,
            &[LISTENER],
            "Those that could not be carried: no route, no backend, no endpoint.",
        ),
        (
            "lychgate_stream_bytes_total",
            Counter,
            &[LISTENER, &["direction"]],
            "Bytes carried, up from clients and down to them.",
        ),
        ("lychgate_rule_streams_total", Counter, &[RULE], "Connections and flows that the route of this rule took."),
        ("lychgate_rule_streams_open", Gauge, &[RULE], "Those that are open."),
        (
            "lychgate_rule_streams_refused_total",
            Counter,
            &[RULE],
            "Those that could not be carried: no backend, no endpoint.",
        ),
        (
            "lychgate_rule_stream_bytes_total",
            Counter,
            &[RULE, &["direction"]],
            "Bytes carried, up from clients and down to them.",
        ),
        (
            "lychgate_refused_total",
            Counter,
            &[&["reason"]],
            "Requests and connections that were refused or failed, by reason.",
        ),
        (
            "lychgate_responses_waiting_bytes",
            Gauge,
            &[],
            "Bytes of responses that were read from backends and that clients have not taken yet.",
        ),
        (
            "lychgate_access_log_dropped_total",
            Counter,
            &[],
            "Entries of the access log that were dropped because writing or sending them was too slow, or failed.",
        ),
        (
            "lychgate_audit_records_total",
            Counter,
            &[&["result"]],
            "Records of the audit log: `written`; `dropped` because the disk was too slow, full or failed; `unshipped`, written \
             but not taken by the collector of `--audit-otlp`.",
        ),
        (
            "lychgate_audit_failing",
            Gauge,
            &[],
            "1 while the audit log cannot be written, and 0 as soon as it can; it is tried every second.",
        ),
        (
            "lychgate_trace_spans_total",
            Counter,
            &[&["result"]],
            "Spans, by what became of them at each collector: exported, queue_full (dropped, too many were waiting) or \
             failed (dropped, the collector did not take them).",
        ),
        (
            "lychgate_config_reloads_total",
            Counter,
            &[&["result"]],
            "Readings of the config that were applied, and that failed.",
        ),
        (
            "lychgate_config_last_applied_timestamp_seconds",
            Gauge,
            &[],
            "When config was applied last, in seconds since 1970.",
        ),
        (
            "lychgate_config_objects",
            Gauge,
            &[&["state"]],
            "Objects that are served as written, and those with a problem.",
        ),
        (
            "lychgate_config_rejected",
            Gauge,
            &[],
            "Rules and other parts of the config that cannot be served as the control plane sent them, and refuse.",
        ),
        ("lychgate_feed_connected", Gauge, &[], "Whether a stream to a control plane is open: 1 or 0."),
        ("lychgate_feed_streams_total", Counter, &[], "Streams to control planes that were opened."),
        ("lychgate_feed_updates_total", Counter, &[], "Updates of the config that the control plane sent."),
        ("lychgate_feed_received_bytes_total", Counter, &[], "Bytes of resources in these updates."),
        ("lychgate_feed_certificates_total", Counter, &[], "Certificates that were issued to this data plane."),
        (
            "lychgate_feed_certificate_expiry_timestamp_seconds",
            Gauge,
            &[],
            "When the certificate of this data plane expires, in seconds since 1970; it is renewed at two thirds of its life.",
        ),
        (
            "lychgate_egress_decisions_total",
            Counter,
            &[&["gateway", "verdict", "because"]],
            "Decisions about what wants to leave. verdict is allow, deny, or would_deny: it left because something is in shadow; because is rule, uncertain, no_rule or not_enforced.",
        ),
        (
            "lychgate_egress_questions_total",
            Counter,
            &[&["gateway", "outcome"]],
            "Questions to DNS. outcome is answered, nothing (no such name or records), denied (by a policy), refused (whatever policies say: the kind of records, too much said in names), unreadable, unanswered (no resolver answers) or unrecorded (nobody was asked, because the audit log is required and cannot be written).",
        ),
        (
            "lychgate_egress_rule_decisions_total",
            Counter,
            &[&["rule", "verdict"]],
            "The same by the rule that they are attributed to. The rules that decide most often have series of their own.",
        ),
        (
            "lychgate_egress_connections_total",
            Counter,
            &[&["destination"]],
            "Connections to destinations, by name or else address. Those that are asked for most often have series of their own.",
        ),
        ("lychgate_egress_connections_open", Gauge, &[&["destination"]], "Connections to destinations that are open."),
        (
            "lychgate_egress_bytes_total",
            Counter,
            &[&["destination"], &["direction"]],
            "Bytes that were carried: up leaves, down comes back.",
        ),
        (
            "lychgate_egress_limits_total",
            Counter,
            &[&["gateway", "limit", "mode"]],
            "Requests and connections that met a limit of the rule that lets them leave: they were refused, slowed down (bytes_per_second) or ended (bytes_per_day), or would have been with mode shadow. limit is connections, requests_per_second, bytes_per_second or bytes_per_day.",
        ),
        (
            "lychgate_certificate_expiry_timestamp_seconds",
            Gauge,
            &[&["secret"]],
            "When a certificate expires, in seconds since 1970.",
        ),
    ]
};

pub(super) fn of(name: &'static str, kind: Kind) -> Doc {
    let found = ALL.iter().find(|(known, ..)| *known == name);
    debug_assert!(found.is_some_and(|(_, known, ..)| *known == kind), "{name} is not documented");
    let (labels, help) = found.map_or((Vec::new(), name), |(_, _, labels, help)| (labels.concat(), *help));
    Doc { name, labels, help }
}

pub(super) fn all() -> Vec<MetricDoc> {
    let doc = |(name, kind, labels, help): &(&str, Kind, &[&[&'static str]], &'static str)| MetricDoc {
        name: (*name).to_owned(),
        kind: match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        },
        labels: labels.concat(),
        help,
    };
    ALL.iter().map(doc).collect()
}
