//! The trace of a request: its context in headers, both ways, and what is recorded of it and of its attempts. Of a request
//! that is not recorded there is nothing here but its context.

use super::RequestContext;
use super::head::authority;
use http::{HeaderName, HeaderValue, Method, Version};
use lychgate_ir::BackendId;
use lychgate_telemetry::{AttemptTrace, Decided, Purpose, RequestTrace, TraceContext, Tracer};
use pingora_error::Error;
use pingora_http::{RequestHeader, ResponseHeader};
use std::net::SocketAddr;
use std::time::SystemTime;

/// The trace of one request.
#[derive(Default)]
pub(super) struct Trace {
    /// None if requests are not traced.
    context: Option<TraceContext>,
    record: Option<Box<Record>>,
}

/// What is known of a recorded request before it is over.
struct Record {
    started: SystemTime,
    method: Method,
    host: String,
    path: String,
    protocol: &'static str,
    user_agent: Option<String>,
    failure: Option<(&'static str, String)>,
    attempts: Vec<AttemptTrace>,
}

impl Trace {
    pub(super) fn context(&self) -> Option<&TraceContext> {
        self.context.as_ref()
    }

    /// Reads the caller's context, and writes ours where it stood. Filters come after it, and may change or remove it. The
    /// request may be a stream of HTTP/2 that is served as a connection.
    pub(super) fn begin(&mut self, tracer: &Tracer, request: &mut RequestHeader, is_stream: bool) {
        let context = tracer.begin(&request.headers);
        if context.is_sampled() {
            let agent =
                request.headers.get(http::header::USER_AGENT).map(|agent| String::from_utf8_lossy(agent.as_bytes()));
            self.record = Some(Box::new(Record {
                started: SystemTime::now(),
                method: request.method.clone(),
                host: RequestTrace::text(authority(request).unwrap_or_default()),
                path: RequestTrace::text(request.uri.path()),
                protocol: if is_stream { "2" } else { version(request.version) },
                user_agent: agent.map(|agent| RequestTrace::text(&agent)),
                failure: None,
                attempts: Vec::new(),
            }));
        }
        tracer.headers(&context, |name, value| write(request, &name, value));
        self.context = Some(context);
    }

    /// An attempt begins; the one before is over.
    pub(super) fn attempt(&mut self, backend: &BackendId, endpoint: SocketAddr, is_tls: bool, request: &RequestHeader) {
        self.begin_one(Purpose::Attempt, backend, endpoint, is_tls, request);
    }

    /// An authorization service is asked about the request.
    pub(super) fn question(
        &mut self,
        service: &BackendId,
        endpoint: SocketAddr,
        is_tls: bool,
        request: &RequestHeader,
    ) {
        self.begin_one(Purpose::Question, service, endpoint, is_tls, request);
    }

    fn begin_one(
        &mut self,
        purpose: Purpose,
        backend: &BackendId,
        endpoint: SocketAddr,
        is_tls: bool,
        request: &RequestHeader,
    ) {
        let (Some(context), Some(record)) = (&self.context, &mut self.record) else { return };
        if let Some(before) = record.attempts.last_mut() {
            end(before);
        }
        if !RequestTrace::has_room(&record.attempts) {
            return;
        }
        record.attempts.push(AttemptTrace {
            purpose,
            context: context.child(),
            started: SystemTime::now(),
            ended: None,
            backend: backend.to_string(),
            endpoint,
            method: request.method.clone(),
            scheme: if is_tls { "https" } else { "http" },
            host: RequestTrace::text(authority(request).unwrap_or_default()),
            path: RequestTrace::text(request.uri.path()),
            reused: None,
            protocol: None,
            status: None,
            failure: None,
        });
    }

    /// The endpoint is told of its own span. A filter that has changed or removed our header has the last word.
    pub(super) fn tell(&mut self, tracer: &Tracer, request: &mut RequestHeader) {
        let Some(attempt) = self.running().map(|attempt| attempt.context.clone()) else { return };
        let Some(context) = &self.context else { return };
        let mut ours = Vec::new();
        tracer.headers(context, |name, value| ours.push((name, value)));
        let mut ours = ours.into_iter();
        tracer.headers(&attempt, |name, value| {
            if ours.next().is_some_and(|(_, written)| request.headers.get(&name) == written.as_ref()) {
                write(request, &name, value);
            }
        });
    }

    /// A service that is asked about the request is told of its own span, whatever the client has said.
    pub(super) fn introduce(&mut self, tracer: &Tracer, request: &mut RequestHeader) {
        let own = self.running().map(|attempt| attempt.context.clone());
        if let Some(context) = own.or_else(|| self.context.clone()) {
            tracer.headers(&context, |name, value| write(request, &name, value));
        }
    }

    /// What the endpoint is asked for, after all filters.
    pub(super) fn asked(&mut self, request: &RequestHeader) {
        if let Some(attempt) = self.running() {
            attempt.method = request.method.clone();
            attempt.host = RequestTrace::text(authority(request).unwrap_or_default());
            attempt.path = RequestTrace::text(request.uri.path());
        }
    }

    pub(super) fn connected(&mut self, reused: bool) {
        if let Some(attempt) = self.running() {
            attempt.reused = Some(reused);
        }
    }

    pub(super) fn answered(&mut self, response: &ResponseHeader) {
        if let Some(attempt) = self.running() {
            attempt.protocol = Some(version(response.version));
            attempt.status = Some(response.status.as_u16());
        }
    }

    /// The attempt failed. Without a reason, its status says enough.
    pub(super) fn broke_off(&mut self, reason: Option<&'static str>, error: &Error) {
        let Some(attempt) = self.running() else { return };
        end(attempt);
        attempt.failure = reason.map(|reason| (reason, RequestTrace::text(&error.to_string())));
    }

    /// The attempt has come to its end.
    pub(super) fn over(&mut self) {
        if let Some(attempt) = self.running() {
            end(attempt);
        }
    }

    /// The request was refused, or failed.
    pub(super) fn failed(&mut self, reason: &'static str, detail: &str) {
        if let Some(record) = &mut self.record {
            record.failure = Some((reason, RequestTrace::text(detail)));
        }
    }

    /// The attempt that is running, if it is recorded.
    fn running(&mut self) -> Option<&mut AttemptTrace> {
        self.record.as_mut()?.attempts.last_mut().filter(|attempt| attempt.ended.is_none())
    }
}

impl RequestContext {
    /// The request is over: hands over what was recorded of it.
    pub(super) fn traced(&mut self, status: Option<u16>, received: u64, sent: u64) {
        let Trace { context: Some(context), record: Some(record) } = std::mem::take(&mut self.observation.trace) else {
            return;
        };
        let Some(tracer) = self.observation.tracer() else { return };
        let Record { started, method, host, path, protocol, user_agent, failure, attempts } = *record;
        tracer.export(RequestTrace {
            context,
            started,
            ended: SystemTime::now(),
            method,
            scheme: self.scheme().as_str(),
            host,
            path,
            protocol,
            client: self.connection.as_ref().map(|connection| connection.ends.source),
            user_agent,
            request_id: self.id.as_ref().and_then(|id| id.to_str().ok()).map(str::to_owned),
            status,
            failure,
            decided: self.routed.as_ref().map(|routed| Decided {
                listener: routed.listener.spec.id.to_string(),
                route: routed.rule.id().route.to_string(),
                rule: routed.rule.id().to_string(),
                backend: self.forward.as_ref().map(|forward| forward.backend.id.to_string()),
            }),
            received,
            sent,
            tries: self.attempts.count(),
            attempts,
        });
    }
}

/// Ends an attempt, unless it has ended.
fn end(attempt: &mut AttemptTrace) {
    attempt.ended.get_or_insert_with(SystemTime::now);
}

/// The version of HTTP, as OpenTelemetry writes it.
fn version(version: Version) -> &'static str {
    match version {
        Version::HTTP_10 => "1.0",
        Version::HTTP_2 => "2",
        _ => "1.1",
    }
}

/// Writes a header, or sees to it that it is not there.
fn write(request: &mut RequestHeader, name: &HeaderName, value: Option<HeaderValue>) {
    match value {
        Some(value) => {
            // Fails only for names and values that do not parse; these have.
            let _ = request.insert_header(name.clone(), value);
        }
        None => {
            request.remove_header(name);
        }
    }
}
