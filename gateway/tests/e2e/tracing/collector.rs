//! A collector that keeps what it gets: OTLP over HTTP and gRPC, and Zipkin's JSON.

use crate::support::PATIENCE;
use bytes::{Bytes, BytesMut};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, combinators::BoxBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// What a collector has got.
#[derive(Clone, Default)]
pub(super) struct Got {
    pub(super) spans: Vec<Seen>,
    pub(super) zipkin: Vec<serde_json::Value>,
    pub(super) logs: Vec<LogRecord>,
    /// Attributes of who sent it.
    pub(super) resource: BTreeMap<String, String>,
    /// The headers of the last request.
    pub(super) headers: HeaderMap,
}

/// A span of OTLP, as text where that reads better.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) trace: String,
    pub(super) id: String,
    /// Empty for none.
    pub(super) parent: String,
    pub(super) attributes: BTreeMap<String, String>,
    pub(super) span: Span,
}

pub(super) struct Collector {
    address: SocketAddr,
    got: watch::Receiver<Got>,
    _task: JoinSet<()>,
}

impl Collector {
    pub(super) async fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (publish, got) = watch::channel(Got::default());
        let publish = Arc::new(publish);
        let mut task = JoinSet::new();
        task.spawn(async move {
            while let Ok((tcp, _)) = listener.accept().await {
                let publish = publish.clone();
                tokio::spawn(async move {
                    let service = service_fn(move |request| take(request, publish.clone()));
                    // The gateway is gone.
                    let _ = auto::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(tcp), service).await;
                });
            }
        });
        Self { address, got, _task: task }
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What it has got by now.
    pub(super) fn got(&self) -> Got {
        self.got.borrow().clone()
    }

    /// Waits until it has got enough.
    pub(super) async fn until(&self, enough: impl FnMut(&Got) -> bool) -> Got {
        let mut got = self.got.clone();
        match tokio::time::timeout(PATIENCE, got.wait_for(enough)).await {
            Ok(got) => got.unwrap().clone(),
            Err(_) => panic!("never enough: {:#?} {:#?}", self.got().spans, self.got().zipkin),
        }
    }

    /// Waits for so many spans of OTLP.
    pub(super) async fn spans(&self, count: usize) -> Vec<Seen> {
        self.until(|got| got.spans.len() >= count).await.spans
    }
}

async fn take(
    request: Request<Incoming>,
    publish: Arc<watch::Sender<Got>>,
) -> Result<Response<BoxBody<Bytes, Infallible>>, Infallible> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let is_call = head.headers.get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"application/grpc"));
    // One message, not compressed: a byte and four for the length.
    let message = if is_call { body.slice(5..) } else { body };
    let known = match head.uri.path() {
        "/v1/traces" | "/opentelemetry.proto.collector.trace.v1.TraceService/Export" => {
            let request = ExportTraceServiceRequest::decode(message).unwrap();
            publish.send_modify(|got| spans(request, got));
            true
        }
        "/v1/logs" | "/opentelemetry.proto.collector.logs.v1.LogsService/Export" => {
            let request = ExportLogsServiceRequest::decode(message).unwrap();
            let scopes = request.resource_logs.into_iter().flat_map(|resource| resource.scope_logs);
            let records: Vec<LogRecord> = scopes.flat_map(|scope| scope.log_records).collect();
            publish.send_modify(|got| got.logs.extend(records));
            true
        }
        "/api/v2/spans" => {
            let spans: Vec<serde_json::Value> = serde_json::from_slice(&message).unwrap();
            publish.send_modify(|got| got.zipkin.extend(spans));
            true
        }
        _ => false,
    };
    publish.send_modify(|got| got.headers = head.headers);
    Ok(answer(known, is_call))
}

fn answer(known: bool, is_call: bool) -> Response<BoxBody<Bytes, Infallible>> {
    let mut response = Response::builder();
    let body = if is_call {
        response = response.header(CONTENT_TYPE, "application/grpc");
        let mut trailers = HeaderMap::new();
        trailers.insert("grpc-status", http::HeaderValue::from_static("0"));
        // An empty message, then the status.
        let frames = [Frame::data(BytesMut::zeroed(5).freeze()), Frame::trailers(trailers)];
        let frames = futures::stream::iter(frames.map(Ok::<_, Infallible>));
        http_body_util::StreamBody::new(frames).boxed()
    } else {
        response = response.status(if known { StatusCode::OK } else { StatusCode::NOT_FOUND });
        Full::new(Bytes::new()).boxed()
    };
    response.body(body).unwrap()
}

fn spans(request: ExportTraceServiceRequest, got: &mut Got) {
    for resource in request.resource_spans {
        got.resource = texts(&resource.resource.unwrap().attributes);
        for span in resource.scope_spans.into_iter().flat_map(|scope| scope.spans) {
            got.spans.push(Seen {
                trace: hex(&span.trace_id),
                id: hex(&span.span_id),
                parent: hex(&span.parent_span_id),
                attributes: texts(&span.attributes),
                span,
            });
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn texts(attributes: &[KeyValue]) -> BTreeMap<String, String> {
    attributes.iter().map(|attribute| (attribute.key.clone(), text(attribute.value.as_ref()))).collect()
}

/// Any value as text.
pub(super) fn text(value: Option<&AnyValue>) -> String {
    match value.and_then(|value| value.value.as_ref()) {
        Some(Value::StringValue(text)) => text.clone(),
        Some(Value::IntValue(number)) => number.to_string(),
        Some(Value::DoubleValue(number)) => number.to_string(),
        Some(Value::BoolValue(flag)) => flag.to_string(),
        other => format!("{other:?}"),
    }
}
