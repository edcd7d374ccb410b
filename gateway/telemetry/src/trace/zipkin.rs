//! Spans for Zipkin, as its second version of JSON (<https://zipkin.io/zipkin-api/>, `POST /api/v2/spans`).

use crate::export::{Client, Collector, CollectorError};
use http::header::CONTENT_TYPE;
use http::{Request, StatusCode, Uri};
use opentelemetry::trace::{SpanId, SpanKind, Status};
use opentelemetry::{KeyValue, Value as Attribute};
use opentelemetry_http::{Bytes, HttpClient};
use opentelemetry_sdk::trace::SpanData;
use serde_json::{Map, Value, json};
use std::time::{Duration, SystemTime};

/// Waits before the tries after the first.
const AGAIN: [Duration; 2] = [Duration::from_millis(200), Duration::from_secs(1)];

pub(super) struct Zipkin {
    client: Client,
    collector: Collector,
    url: Uri,
    service: String,
}

impl Zipkin {
    pub(super) fn new(collector: &Collector, service: &str) -> Result<Self, CollectorError> {
        Ok(Self {
            client: collector.client()?,
            url: collector.url("/api/v2/spans")?,
            collector: collector.clone(),
            service: service.to_owned(),
        })
    }

    pub(super) async fn send(&self, spans: Vec<SpanData>) -> Result<(), String> {
        let body: Vec<Value> = spans.iter().map(|span| zipkin(span, &self.service)).collect();
        let body = Bytes::from(Value::Array(body).to_string());
        let mut waits = AGAIN.into_iter();
        loop {
            let (error, again) = match self.post(body.clone()).await {
                Ok(status) if status.is_success() => return Ok(()),
                Ok(status) => {
                    let again = status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS;
                    (format!("Zipkin answered {status}"), again)
                }
                Err(error) => (error, true),
            };
            match waits.next().filter(|_| again) {
                Some(wait) => tokio::time::sleep(wait).await,
                None => return Err(error),
            }
        }
    }

    async fn post(&self, body: Bytes) -> Result<StatusCode, String> {
        let mut request = Request::post(self.url.clone()).body(body).map_err(|error| error.to_string())?;
        *request.headers_mut() = self.collector.headers().clone();
        request.headers_mut().insert(CONTENT_TYPE, http::HeaderValue::from_static("application/json"));
        let response = self.client.send_bytes(request).await;
        response.map(|response| response.status()).map_err(|error| error.to_string())
    }
}

fn zipkin(span: &SpanData, service: &str) -> Value {
    let mut json = json!({
        "traceId": span.span_context.trace_id().to_string(),
        "id": span.span_context.span_id().to_string(),
        "name": span.name,
        "timestamp": micros(span.start_time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()),
        // Zipkin takes zero for unknown.
        "duration": micros(span.end_time.duration_since(span.start_time).unwrap_or_default()).max(1),
        "localEndpoint": { "serviceName": service },
        "tags": tags(span),
    });
    let mut put = |key: &str, value: Value| json.as_object_mut().and_then(|json| json.insert(key.to_owned(), value));
    if span.parent_span_id != SpanId::INVALID {
        put("parentId", span.parent_span_id.to_string().into());
    }
    match span.span_kind {
        SpanKind::Server => put("kind", "SERVER".into()),
        SpanKind::Client => put("kind", "CLIENT".into()),
        SpanKind::Producer => put("kind", "PRODUCER".into()),
        SpanKind::Consumer => put("kind", "CONSUMER".into()),
        SpanKind::Internal => None,
    };
    if let Some(peer) = peer(&span.attributes) {
        put("remoteEndpoint", peer);
    }
    json
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// Attributes as texts. The tag `error` is what makes a span a failed one, whatever it says.
fn tags(span: &SpanData) -> Map<String, Value> {
    let text = |KeyValue { key, value, .. }: &KeyValue| (key.to_string(), Value::from(value.to_string()));
    let mut tags: Map<String, Value> = span.attributes.iter().map(text).collect();
    match &span.status {
        Status::Unset | Status::Ok => {}
        Status::Error { description } => {
            let kind = tags.get("error.type").and_then(Value::as_str).unwrap_or_default();
            let text = if description.is_empty() { kind.to_owned() } else { description.to_string() };
            tags.insert("error".to_owned(), text.into());
        }
    }
    tags
}

/// Who is at the other end.
fn peer(attributes: &[KeyValue]) -> Option<Value> {
    let find = |key: &str| attributes.iter().find(|attribute| attribute.key.as_str() == key);
    let address = find("network.peer.address")?.value.to_string();
    let family = if address.contains(':') { "ipv6" } else { "ipv4" };
    let port = find("network.peer.port").map(|port| match port.value {
        Attribute::I64(port) => port,
        _ => 0,
    });
    Some(json!({ family: address, "port": port }))
}
