//! What is counted and logged of a request, whatever becomes of it: also of one that is dropped at its deadline.

use super::RequestContext;
use super::context::Routed;
use super::head::authority;
use super::trace::Trace;
use crate::connection::Connection;
use crate::observe::Observe;
use crate::runtime::ListenerState;
use bytes::Bytes;
use http::{StatusCode, Version};
use lychgate_telemetry::{AccessEntry, BackendMetrics, Direction, Reason, RuleMetrics, Timing, Tracer};
use pingora_http::RequestHeader;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

/// What has been seen of a request so far.
pub(super) struct Observation {
    observe: Arc<Observe>,
    listener: Option<Arc<ListenerState>>,
    rule: Option<Arc<RuleMetrics>>,
    attempt: Option<Running>,
    tls: Option<Duration>,
    queued: Option<Instant>,
    connected: Option<Instant>,
    first_byte: Option<Instant>,
    /// As the client sent it, if there is a log to write it to.
    asked: Option<Box<Asked>>,
    failed: Option<Reason>,
    detail: Option<String>,
    pub(super) trace: Trace,
    done: bool,
}

/// A request before anything was changed.
struct Asked {
    time: SystemTime,
    method: String,
    host: String,
    path: String,
    protocol: &'static str,
    user_agent: Option<String>,
}

/// An attempt that is counted as running until this is dropped.
pub(super) struct Running {
    metrics: Arc<BackendMetrics>,
    since: Instant,
    pub(super) status: Option<StatusCode>,
    /// Bytes of bodies. They are added up here: to count every piece where all threads count would cost more than it
    /// tells.
    carried: Carried,
}

#[derive(Clone, Copy, Default)]
struct Carried {
    up: u64,
    down: u64,
}

impl Running {
    pub(super) fn new(metrics: &Arc<BackendMetrics>) -> Self {
        metrics.begun();
        Self { metrics: metrics.clone(), since: Instant::now(), status: None, carried: Carried::default() }
    }

    pub(super) fn carried(&mut self, direction: Direction, bytes: usize) {
        match direction {
            Direction::Up => self.carried.up += bytes as u64,
            Direction::Down => self.carried.down += bytes as u64,
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let Self { metrics, since, status, carried: Carried { up, down } } = self;
        metrics.carried(Direction::Up, *up);
        metrics.carried(Direction::Down, *down);
        metrics.ended(*status, since.elapsed());
    }
}

impl Observation {
    pub(super) fn new(observe: Arc<Observe>) -> Self {
        Self {
            observe,
            listener: None,
            rule: None,
            attempt: None,
            tls: None,
            queued: None,
            connected: None,
            first_byte: None,
            asked: None,
            failed: None,
            trace: Trace::default(),
            detail: None,
            done: false,
        }
    }

    /// A request, before anything is changed in it; it may be a stream of HTTP/2 that is served as a connection.
    pub(super) fn asked(&mut self, request: &RequestHeader, connection: Option<&Connection>) {
        if self.observe.access_log.is_none() {
            return;
        }
        self.tls = connection.and_then(|connection| connection.tls.as_ref()?.handshake());
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        self.asked = Some(Box::new(Asked {
            time: SystemTime::now(),
            method: request.method.to_string(),
            host: authority(request).unwrap_or_default().to_owned(),
            path: text(request.raw_path()),
            protocol: match request.version {
                _ if connection.is_some_and(|connection| connection.is_stream) => "HTTP/2.0",
                Version::HTTP_10 => "HTTP/1.0",
                Version::HTTP_2 => "HTTP/2.0",
                _ => "HTTP/1.1",
            },
            user_agent: request.headers.get(http::header::USER_AGENT).map(|agent| text(agent.as_bytes())),
        }));
    }

    /// What traces requests, if something does.
    pub(super) fn tracer(&self) -> Option<&Tracer> {
        self.observe.tracer.as_ref()
    }

    /// Its trace begins, or goes on here.
    pub(super) fn begin_trace(&mut self, request: &mut RequestHeader, is_stream: bool) {
        if let Some(tracer) = &self.observe.tracer {
            self.trace.begin(tracer, request, is_stream);
        }
    }

    /// A service is asked about it.
    pub(super) fn tell_service(&mut self, question: &mut RequestHeader) {
        if let Some(tracer) = &self.observe.tracer {
            self.trace.introduce(tracer, question);
        }
    }

    /// A listener takes it.
    pub(super) fn taken(&mut self, listener: &Arc<ListenerState>) {
        listener.metrics.begun();
        self.listener = Some(listener.clone());
    }

    /// A rule answers it.
    pub(super) fn routed(&mut self, routed: Option<&Routed>) {
        let Some(routed) = routed else { return };
        routed.rule.metrics.begun();
        self.rule = Some(routed.rule.metrics.clone());
    }

    /// An attempt begins; the one before is over.
    pub(super) fn attempt(&mut self, metrics: &Arc<BackendMetrics>) {
        // In this order, so that one request never counts as two that are running.
        self.attempt = None;
        self.attempt = Some(Running::new(metrics));
        // What is logged is said of the last attempt.
        (self.queued, self.connected, self.first_byte) = (Some(Instant::now()), None, None);
    }

    /// The attempt carries a piece of a body.
    pub(super) fn carried(&mut self, direction: Direction, piece: Option<&Bytes>) {
        if let (Some(attempt), Some(piece)) = (&mut self.attempt, piece) {
            attempt.carried(direction, piece.len());
        }
    }

    /// The attempt has a connection.
    pub(super) fn connected(&mut self, reused: bool) {
        self.connected = Some(Instant::now());
        self.trace.connected(reused);
        if let Some(attempt) = &self.attempt {
            attempt.metrics.connected(reused);
        }
    }

    /// The attempt has an answer.
    pub(super) fn answered(&mut self, status: StatusCode) {
        self.first_byte = Some(Instant::now());
        if let Some(attempt) = &mut self.attempt {
            attempt.status = Some(status);
        }
    }

    /// It came up against a limit.
    pub(super) fn limited(&self, reason: Reason, client: IpAddr, detail: &str) {
        self.observe.notices.acted(reason, client, detail);
    }

    /// How it failed, if it did.
    pub(super) fn failure(&self) -> Option<(Reason, &str)> {
        self.failed.map(|reason| (reason, self.detail.as_deref().unwrap_or_default()))
    }

    /// It was refused, or failed.
    pub(super) fn failed(&mut self, reason: Reason, detail: &str) {
        self.observe.metrics.refused(reason);
        self.trace.failed(reason.as_str(), detail);
        self.failed = Some(reason);
        self.detail = self.asked.is_some().then(|| detail.to_owned());
    }
}

impl RequestContext {
    /// It is over: counts and logs it, once.
    pub(super) fn observed(&mut self, status: Option<StatusCode>, received: u64, sent: u64) {
        if std::mem::replace(&mut self.observation.done, true) {
            return;
        }
        let total = self.started.elapsed();
        self.observation.attempt = None;
        if status.is_none() && self.observation.failed.is_none() {
            self.observation.failed(Reason::Aborted, "nobody was left to answer");
        }
        if let Some(listener) = &self.observation.listener {
            listener.metrics.ended(status, total, received, sent);
        }
        if let Some(rule) = self.observation.rule.take() {
            rule.ended(status, total, received, sent);
        }
        if let Some(entry) = self.entry(status, received, sent)
            && let Some(log) = &self.observation.observe.access_log
        {
            log.write(entry);
        }
        self.traced(status.map(|status| status.as_u16()), received, sent);
    }

    fn entry(&mut self, status: Option<StatusCode>, received: u64, sent: u64) -> Option<Box<AccessEntry>> {
        let Asked { time, method, host, path, protocol, user_agent } = *self.observation.asked.take()?;
        let connection = self.connection.as_ref()?;
        let since = |moment: Instant| moment.saturating_duration_since(self.started);
        Some(Box::new(AccessEntry {
            time,
            request_id: self.id.as_ref().and_then(|id| id.to_str().ok()).unwrap_or_default().to_owned(),
            client: connection.ends.source,
            method: Some(method),
            scheme: self.scheme().as_str(),
            host: Some(host),
            path: Some(path),
            protocol,
            status: status.map(|status| status.as_u16()),
            reason: self.observation.failed,
            detail: self.observation.detail.take(),
            listener: self.observation.listener.as_ref().map(|listener| listener.spec.id.to_string()),
            rule: self.routed.as_ref().map(|routed| routed.rule.id().to_string()),
            backend: self.forward.as_ref().map(|forward| forward.backend.id.to_string()),
            endpoint: self.attempts.last_endpoint(),
            attempts: self.attempts.count(),
            received,
            sent,
            user_agent,
            trace: self.observation.trace.context().cloned(),
            timing: Timing {
                tls: self.observation.tls,
                queue: self.observation.queued.map(since),
                connect: self.observation.connected.map(since),
                first_byte: self.observation.first_byte.map(since),
                total: self.started.elapsed(),
            },
        }))
    }
}

/// Dropped before its end: at its deadline, or because the client went away.
impl Drop for RequestContext {
    fn drop(&mut self) {
        if self.observation.done {
            return;
        }
        if self.awaited.is_some_and(|awaited| awaited <= Instant::now()) {
            let detail = "the client did not go on with its request in time";
            self.observation.failed(Reason::SlowRequest, detail);
            if let Some(connection) = &self.connection {
                self.observation.limited(Reason::SlowRequest, connection.ends.source.ip(), detail);
            }
        }
        let unanswered_in_time = self.is_late() && !self.attempts.response_begun();
        if unanswered_in_time {
            self.observation.failed(Reason::Timeout, "the rule's timeout has passed");
        }
        // The session is gone; what the last attempt carried is known.
        let Carried { up, down } = self.observation.attempt.as_ref().map(|attempt| attempt.carried).unwrap_or_default();
        self.observed(unanswered_in_time.then_some(StatusCode::GATEWAY_TIMEOUT), up, down);
    }
}
