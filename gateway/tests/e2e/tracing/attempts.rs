//! One span for a request, one for each attempt under it, and what they say.

use super::collector::{Collector, Seen};
use super::{SPAN, TRACE, get, otlp, serve, told};
use crate::support::{echo, http_route, service};
use lychgate_gateway::TraceOptions;
use lychgate_testkit::free_addr;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;

const RETRY: &str =
    "    - {name: all, retry: {codes: [503], attempts: 2, backoff: 1ms}, backendRefs: [{name: it, port: 80}]}\n";

fn attribute<'a>(seen: &'a Seen, name: &str) -> &'a str {
    seen.attributes.get(name).map_or("-", String::as_str)
}

fn is_error(seen: &Seen) -> bool {
    seen.span.status.as_ref().is_some_and(|status| status.code() == StatusCode::Error)
}

#[tokio::test]
async fn a_request_is_a_span_and_each_attempt_one_under_it() {
    let collector = Collector::start().await;
    let (it, address) = echo("it").await;
    let objects = service("it", &[address]) + &http_route("r", "[a.example]", RETRY);
    let (site, at) = serve(&objects, TraceOptions::otlp(otlp(&collector))).await;
    let caller = format!("00-{TRACE}-{SPAN}-01");
    let headers = [("traceparent", &*caller), ("tracestate", "theirs=1"), ("x-request-id", "42"), ("user-agent", "me")];
    let reply = get(at, "http://a.example/x?status=503&fail=1&key=secret", &headers).await;
    assert_eq!(reply.status, 200);

    let spans = collector.spans(3).await;
    let [request, first, second] = &spans[..] else { panic!("{spans:#?}") };
    assert_eq!((&*request.trace, &*request.parent), (TRACE, SPAN));
    assert_eq!((&*first.trace, &first.parent), (TRACE, &request.id));
    assert_eq!((&*second.trace, &second.parent), (TRACE, &request.id));
    // Each endpoint was told of the span of its own attempt.
    for (number, attempt) in [first, second].into_iter().enumerate() {
        assert_eq!(told(&it, number, "Traceparent").unwrap(), format!("00-{TRACE}-{}-01", attempt.id));
        assert_eq!(told(&it, number, "Tracestate").unwrap(), "theirs=1");
    }

    assert_eq!((request.span.kind(), &*request.span.name), (SpanKind::Server, "GET HTTPRoute/default/r"));
    assert_eq!(request.span.trace_state, "theirs=1");
    for (name, value) in [
        ("http.request.method", "GET"),
        ("http.response.status_code", "200"),
        ("url.scheme", "http"),
        ("url.path", "/x"),
        ("server.address", "a.example"),
        ("network.protocol.version", "1.1"),
        ("client.address", "127.0.0.1"),
        ("user_agent.original", "me"),
        ("lychgate.request_id", "42"),
        ("lychgate.listener", "Gateway/default/gw/http"),
        ("lychgate.rule", "HTTPRoute/default/r#0(all)@1"),
        ("lychgate.backend", "Service/default/it:80"),
        ("lychgate.attempts", "2"),
        ("error.type", "-"),
    ] {
        assert_eq!(attribute(request, name), value, "{name}: {request:#?}");
    }
    assert!(!is_error(request));
    let port = address.port().to_string();
    for (name, value, other) in [
        ("http.response.status_code", "503", "200"),
        ("error.type", "503", "-"),
        ("http.request.resend_count", "-", "1"),
        ("url.full", "http://a.example/x", "http://a.example/x"),
        ("network.peer.address", "127.0.0.1", "127.0.0.1"),
        ("network.peer.port", &port, &port),
        ("lychgate.backend", "Service/default/it:80", "Service/default/it:80"),
        ("lychgate.connection", "new", "new"),
    ] {
        assert_eq!(attribute(first, name), value, "{name}: {first:#?}");
        assert_eq!(attribute(second, name), other, "{name}: {second:#?}");
    }
    assert_eq!(first.span.kind(), SpanKind::Client);
    assert_eq!((is_error(first), is_error(second)), (true, false));
    let (one, two) = (&first.span, &second.span);
    assert!(request.span.start_time_unix_nano <= one.start_time_unix_nano, "{spans:#?}");
    assert!(one.end_time_unix_nano <= two.start_time_unix_nano, "{spans:#?}");
    assert!(two.end_time_unix_nano <= request.span.end_time_unix_nano, "{spans:#?}");
    let all = format!("{spans:?}");
    assert!(!all.contains("secret") && !all.contains("fail=1"), "queries are not recorded: {all}");
    site.stop().await;
}

#[tokio::test]
async fn what_fails_says_why() {
    let collector = Collector::start().await;
    let rules = "    - {backendRefs: [{name: dead, port: 80}]}\n";
    let objects = service("dead", &[free_addr()]) + &http_route("r", "[a.example]", rules);
    let (site, at) = serve(&objects, TraceOptions::otlp(otlp(&collector))).await;
    assert_eq!(get(at, "http://a.example/", &[]).await.status, 502);
    // Nobody has seen it, so it was offered three times.
    let spans = collector.spans(4).await;
    assert!(is_error(&spans[0]) && spans[0].parent.is_empty(), "{:#?}", spans[0]);
    assert_eq!(
        (attribute(&spans[0], "error.type"), attribute(&spans[0], "lychgate.reason")),
        ("upstream_error", "upstream_error")
    );
    for attempt in &spans[1..] {
        assert!(is_error(attempt) && attempt.parent == spans[0].id, "{attempt:#?}");
        assert_eq!(attribute(attempt, "error.type"), "ConnectRefused", "{attempt:#?}");
    }

    assert_eq!(get(at, "http://b.example/", &[]).await.status, 404);
    let spans = collector.spans(5).await;
    let refused = &spans[4];
    // What the client got wrong is no failure of the server.
    assert!(!is_error(refused), "{refused:#?}");
    assert_eq!((attribute(refused, "lychgate.reason"), &*refused.span.name), ("no_route", "GET"));
    assert_eq!((attribute(refused, "error.type"), attribute(refused, "lychgate.rule")), ("-", "-"));
    site.stop().await;
}

#[tokio::test]
async fn a_mirror_is_told_the_span_of_the_request() {
    let collector = Collector::start().await;
    let ((_it, address), (copy, other)) = (echo("it").await, echo("copy").await);
    let rules = "    - {filters: [{type: RequestMirror, requestMirror: {backendRef: {name: copy, port: 80}}}], backendRefs: \
                 [{name: it, port: 80}]}\n";
    let objects = service("it", &[address]) + &service("copy", &[other]) + &http_route("r", "[]", rules);
    let (site, at) = serve(&objects, TraceOptions::otlp(otlp(&collector))).await;
    get(at, "http://a.example/", &[]).await;
    copy.nth_request(1).await.unwrap();
    let spans = collector.spans(2).await;
    assert_eq!(told(&copy, 0, "Traceparent").unwrap(), format!("00-{}-{}-01", spans[0].trace, spans[0].id));
    site.stop().await;
}

#[tokio::test]
async fn filters_have_the_last_word() {
    let collector = Collector::start().await;
    let (it, address) = echo("it").await;
    let rules = "    - {filters: [{type: RequestHeaderModifier, requestHeaderModifier: {remove: [traceparent]}}], \
                 backendRefs: [{name: it, port: 80}]}\n";
    let objects = service("it", &[address]) + &http_route("r", "[]", rules);
    let (site, at) = serve(&objects, TraceOptions::otlp(otlp(&collector))).await;
    get(at, "http://a.example/", &[]).await;
    collector.spans(2).await;
    assert_eq!(told(&it, 0, "Traceparent"), None);
    site.stop().await;
}

#[tokio::test]
async fn a_question_to_an_authorization_service_is_a_span_of_its_own_and_no_retry() {
    let collector = Collector::start().await;
    let (it, backend) = echo("it").await;
    let (auth, service_at) = echo("auth").await;
    let rule = "    - filters: [{type: ExternalAuth, externalAuth: {protocol: HTTP, http: {allowedHeaders: [x-echo-status]}, \
                backendRef: {name: auth, port: 80}}}]\n      backendRefs: [{name: it, port: 80}]\n";
    let objects = service("it", &[backend]) + &service("auth", &[service_at]) + &http_route("r", "[a.example]", rule);
    let (site, at) = serve(&objects, TraceOptions::otlp(otlp(&collector))).await;
    let caller = format!("00-{TRACE}-{SPAN}-01");
    assert_eq!(get(at, "http://a.example/x", &[("traceparent", &caller)]).await.status, 200);
    let denied = [("traceparent", &*caller), ("x-echo-status", "401")];
    assert_eq!(get(at, "http://a.example/x", &denied).await.status, 401);
    let spans = collector.spans(5).await;
    let [request, question, attempt, refused, no] = &spans[..] else { panic!("{spans:#?}") };
    assert_eq!((&question.parent, &attempt.parent, &no.parent), (&request.id, &request.id, &refused.id));
    assert_eq!(told(&auth, 0, "Traceparent").unwrap(), format!("00-{TRACE}-{}-01", question.id));
    assert_eq!(told(&it, 0, "Traceparent").unwrap(), format!("00-{TRACE}-{}-01", attempt.id));
    assert_eq!((attribute(question, "lychgate.question"), attribute(attempt, "lychgate.question")), ("true", "-"));
    assert_eq!(attribute(question, "lychgate.backend"), "Service/default/auth:80");
    assert_eq!(attribute(attempt, "http.request.resend_count"), "-");
    assert_eq!((attribute(request, "lychgate.attempts"), attribute(refused, "lychgate.attempts")), ("1", "0"));
    assert_eq!((attribute(no, "http.response.status_code"), is_error(no)), ("401", false));
    assert_eq!(attribute(refused, "lychgate.reason"), "auth_denied");
    site.stop().await;
}
