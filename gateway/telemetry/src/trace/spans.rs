//! From a record to spans, by OpenTelemetry's semantic conventions for HTTP
//! (<https://opentelemetry.io/docs/specs/semconv/http/http-spans/>). What is ours begins with `lychgate.`.

use super::context::TraceContext;
use super::record::{AttemptTrace, Decided, Purpose, RequestTrace};
use http::Method;
use http::uri::Authority;
use opentelemetry::trace::{SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceState};
use opentelemetry::{InstrumentationScope, KeyValue, Value};
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanLinks};
use std::borrow::Cow;
use std::net::SocketAddr;
use std::time::SystemTime;

/// The span of a request, then one for each attempt.
pub(super) fn of(trace: &RequestTrace, scope: &InstrumentationScope) -> Vec<SpanData> {
    let mut spans = vec![request(trace, scope)];
    let mut resent = 0..;
    spans.extend(trace.attempts.iter().map(|one| {
        let resent = match one.purpose {
            Purpose::Attempt => resent.next().unwrap_or_default(),
            Purpose::Question => 0,
        };
        attempt(one, resent, trace.ended, scope)
    }));
    spans
}

fn request(trace: &RequestTrace, scope: &InstrumentationScope) -> SpanData {
    let RequestTrace {
        context,
        started,
        ended,
        method,
        scheme,
        host,
        path,
        protocol,
        client,
        user_agent,
        request_id,
        status,
        failure,
        decided,
        received,
        sent,
        tries,
        attempts: _,
    } = trace;
    let mut attributes = Attributes::of(method);
    attributes.put("url.scheme", *scheme);
    attributes.put("url.path", path.clone());
    attributes.server(host);
    attributes.put("network.protocol.version", *protocol);
    if let Some(client) = client {
        attributes.put("client.address", client.ip().to_string());
        attributes.peer(*client);
    }
    attributes.maybe("user_agent.original", user_agent.clone());
    attributes.maybe("http.response.status_code", status.map(i64::from));
    attributes.put("http.request.body.size", signed(*received));
    attributes.put("http.response.body.size", signed(*sent));
    attributes.maybe("lychgate.request_id", request_id.clone());
    attributes.put("lychgate.attempts", i64::from(*tries));
    attributes.maybe("lychgate.reason", failure.as_ref().map(|(reason, _)| *reason));
    let mut name = name_of(method);
    if let Some(Decided { listener, route, rule, backend }) = decided {
        attributes.put("lychgate.listener", listener.clone());
        attributes.put("lychgate.rule", rule.clone());
        attributes.maybe("lychgate.backend", backend.clone());
        name = format!("{name} {route}").into();
    }
    // What is the client's own fault is none of the server (4xx); calls fail with 200 in HTTP.
    let failed = match status {
        Some(status) => *status >= 500 || (*status < 400 && failure.is_some()),
        None => true,
    };
    let status = attributes.outcome(failed, *status, failure.as_ref());
    span(context, SpanKind::Server, name, (*started, *ended), attributes, status, scope)
}

fn attempt(attempt: &AttemptTrace, resent: usize, end: SystemTime, scope: &InstrumentationScope) -> SpanData {
    let AttemptTrace {
        purpose,
        context,
        started,
        ended,
        backend,
        endpoint,
        method,
        scheme,
        host,
        path,
        reused,
        protocol,
        status,
        failure,
    } = attempt;
    let mut attributes = Attributes::of(method);
    attributes.put("url.full", format!("{scheme}://{host}{path}"));
    attributes.server(host);
    attributes.peer(*endpoint);
    attributes.maybe("network.protocol.version", *protocol);
    attributes.maybe("http.response.status_code", status.map(i64::from));
    if resent > 0 {
        attributes.put("http.request.resend_count", i64::try_from(resent).unwrap_or(i64::MAX));
    }
    attributes.put("lychgate.backend", backend.clone());
    attributes.put("lychgate.endpoint", endpoint.to_string());
    attributes.maybe("lychgate.connection", reused.map(|reused| if reused { "reused" } else { "new" }));
    // To say no is what a service is there for.
    let least = match purpose {
        Purpose::Attempt => 400,
        Purpose::Question => {
            attributes.put("lychgate.question", true);
            500
        }
    };
    let failed = status.is_none_or(|status| status >= least) || failure.is_some();
    let status = attributes.outcome(failed, *status, failure.as_ref());
    let times = (*started, ended.unwrap_or(end));
    span(context, SpanKind::Client, name_of(method), times, attributes, status, scope)
}

/// Methods that clients make up must not become names without number.
fn known(method: &Method) -> bool {
    const KNOWN: [Method; 9] = [
        Method::GET,
        Method::POST,
        Method::PUT,
        Method::DELETE,
        Method::HEAD,
        Method::OPTIONS,
        Method::PATCH,
        Method::CONNECT,
        Method::TRACE,
    ];
    KNOWN.contains(method)
}

fn name_of(method: &Method) -> Cow<'static, str> {
    if known(method) { method.to_string().into() } else { "HTTP".into() }
}

fn signed(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

struct Attributes(Vec<KeyValue>);

impl Attributes {
    fn of(method: &Method) -> Self {
        let mut attributes = Self(Vec::with_capacity(24));
        if known(method) {
            attributes.put("http.request.method", method.to_string());
        } else {
            attributes.put("http.request.method", "_OTHER");
            attributes.put("http.request.method_original", method.to_string());
        }
        attributes
    }

    fn put(&mut self, key: &'static str, value: impl Into<Value>) {
        self.0.push(KeyValue::new(key, value));
    }

    fn maybe(&mut self, key: &'static str, value: Option<impl Into<Value>>) {
        if let Some(value) = value {
            self.put(key, value);
        }
    }

    /// The host that was asked for, and its port if one was named.
    fn server(&mut self, host: &str) {
        let Ok(authority) = Authority::try_from(host) else { return };
        self.put("server.address", authority.host().to_owned());
        self.maybe("server.port", authority.port_u16().map(i64::from));
    }

    fn peer(&mut self, peer: SocketAddr) {
        self.put("network.peer.address", peer.ip().to_string());
        self.put("network.peer.port", i64::from(peer.port()));
    }

    /// What to say of how it went.
    fn outcome(&mut self, failed: bool, status: Option<u16>, failure: Option<&(&'static str, String)>) -> Status {
        if !failed {
            return Status::Unset;
        }
        let kind: Value = match (failure, status) {
            (Some((reason, _)), _) => (*reason).into(),
            (None, Some(status)) => status.to_string().into(),
            (None, None) => "aborted".into(),
        };
        self.put("error.type", kind);
        Status::error(failure.map(|(_, detail)| detail.clone()).unwrap_or_default())
    }
}

fn span(
    context: &TraceContext,
    span_kind: SpanKind,
    name: Cow<'static, str>,
    (start_time, end_time): (SystemTime, SystemTime),
    Attributes(attributes): Attributes,
    status: Status,
    instrumentation_scope: &InstrumentationScope,
) -> SpanData {
    let TraceContext { trace_id, span_id, parent, decision: _, state } = context;
    let state = state.as_ref().and_then(|state| state.to_str().ok()?.parse::<TraceState>().ok());
    SpanData {
        span_context: SpanContext::new(*trace_id, *span_id, TraceFlags::SAMPLED, false, state.unwrap_or_default()),
        parent_span_id: parent.unwrap_or(SpanId::INVALID),
        parent_span_is_remote: parent.is_some() && span_kind == SpanKind::Server,
        span_kind,
        name,
        start_time,
        // Clocks may be set back.
        end_time: end_time.max(start_time),
        attributes,
        dropped_attributes_count: 0,
        events: SpanEvents::default(),
        links: SpanLinks::default(),
        status,
        instrumentation_scope: instrumentation_scope.clone(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::trace::context::{Decision, random_span_id, random_trace_id};

    fn trace() -> RequestTrace {
        let context = TraceContext {
            trace_id: random_trace_id(),
            span_id: random_span_id(),
            parent: None,
            decision: Decision::Sample,
            state: None,
        };
        RequestTrace {
            context,
            started: SystemTime::UNIX_EPOCH,
            ended: SystemTime::UNIX_EPOCH,
            method: Method::GET,
            scheme: "https",
            host: "a.example:8443".to_owned(),
            path: "/".to_owned(),
            protocol: "2",
            client: Some("[2001:db8::1]:4000".parse().unwrap()),
            user_agent: None,
            request_id: None,
            status: Some(200),
            failure: None,
            decided: None,
            received: 0,
            sent: 0,
            tries: 0,
            attempts: Vec::new(),
        }
    }

    fn attribute(span: &SpanData, name: &str) -> Option<String> {
        let found = span.attributes.iter().find(|attribute| attribute.key.as_str() == name);
        found.map(|attribute| attribute.value.to_string())
    }

    fn only(trace: &RequestTrace) -> SpanData {
        let mut spans = of(trace, &InstrumentationScope::builder("test").build());
        assert_eq!(spans.len(), 1);
        spans.remove(0)
    }

    #[test]
    fn methods_that_clients_make_up_are_no_names() {
        let span = only(&RequestTrace { method: "BREW".parse().unwrap(), ..trace() });
        assert_eq!(span.name, "HTTP");
        assert_eq!(attribute(&span, "http.request.method").unwrap(), "_OTHER");
        assert_eq!(attribute(&span, "http.request.method_original").unwrap(), "BREW");
    }

    #[test]
    fn authorities_are_taken_apart() {
        let span = only(&trace());
        assert_eq!(attribute(&span, "server.address").unwrap(), "a.example");
        assert_eq!(attribute(&span, "server.port").unwrap(), "8443");
        assert_eq!(attribute(&span, "client.address").unwrap(), "2001:db8::1");
        let nonsense = only(&RequestTrace { host: "a b".to_owned(), ..trace() });
        assert_eq!(attribute(&nonsense, "server.address"), None);
    }

    #[test]
    fn whose_fault_it_is_shows() {
        let of = |status: Option<u16>, failure: Option<&'static str>| {
            let failure = failure.map(|reason| (reason, "why".to_owned()));
            let span = only(&RequestTrace { status, failure, ..trace() });
            (span.status != Status::Unset, attribute(&span, "error.type"))
        };
        assert_eq!(of(Some(200), None), (false, None));
        assert_eq!(of(Some(404), Some("no_route")), (false, None));
        assert_eq!(of(Some(503), None), (true, Some("503".to_owned())));
        assert_eq!(of(Some(503), Some("no_endpoint")), (true, Some("no_endpoint".to_owned())));
        // A call that failed, as HTTP sees it.
        assert_eq!(of(Some(200), Some("no_endpoint")), (true, Some("no_endpoint".to_owned())));
        assert_eq!(of(None, None), (true, Some("aborted".to_owned())));
    }

    #[test]
    fn a_clock_that_is_set_back_gives_no_negative_span() {
        let ended = SystemTime::UNIX_EPOCH - std::time::Duration::from_secs(1);
        let span = only(&RequestTrace { ended, ..trace() });
        assert_eq!(span.end_time, span.start_time);
    }
}
