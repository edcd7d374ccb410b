//! The admin port: health, the running config, statuses. It is for operators and probes, never for the internet: by
//! default it listens on loopback.
//!
//! | path | answer |
//! |---|---|
//! | `/livez` | 200 as long as the process answers |
//! | `/readyz` | 200 after the first complete config is served, 503 before it and while the process drains |
//! | `/config` | the running snapshot and the endpoints of now, secrets redacted |
//! | `/metrics` | everything that is counted, for Prometheus |
//! | `/status` | the status of every object, what was refused and why, what could not be bound |

use bytes::Bytes;
use http::header::{ALLOW, CONTENT_TYPE};
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::Value;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;

/// A client of the admin port has to be quick.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);

/// What the admin port can ask.
pub trait Source: Send + Sync + 'static {
    /// Whether the first complete config is served and the process does not drain.
    fn is_ready(&self) -> bool;
    /// The running snapshot, secrets redacted.
    fn config(&self) -> Value;
    /// The status of every object.
    fn status(&self) -> Value;
    /// The metrics, as Prometheus reads them.
    fn metrics(&self) -> String;
}

/// A bound admin port.
pub struct Admin {
    listener: TcpListener,
    address: SocketAddr,
}

impl Admin {
    /// Binds the port.
    pub async fn bind(address: SocketAddr) -> std::io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        Ok(Self { address: listener.local_addr()?, listener })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until dropped.
    pub async fn serve(self, source: Arc<dyn Source>) {
        loop {
            let Ok((tcp, _)) = self.listener.accept().await else {
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            };
            let source = source.clone();
            tokio::spawn(async move {
                let service = service_fn(move |request| {
                    let answer = answer(&request, &*source);
                    async move { Ok::<_, Infallible>(answer) }
                });
                let mut server = http1::Builder::new();
                server.timer(TokioTimer::new()).header_read_timeout(HEADER_TIMEOUT);
                // Whoever asked is gone.
                let _ = server.serve_connection(TokioIo::new(tcp), service).await;
            });
        }
    }
}

fn answer(request: &Request<Incoming>, source: &dyn Source) -> Response<Full<Bytes>> {
    if request.method() != Method::GET && request.method() != Method::HEAD {
        let mut response = text(StatusCode::METHOD_NOT_ALLOWED, "only GET\n");
        response.headers_mut().insert(ALLOW, http::HeaderValue::from_static("GET, HEAD"));
        return response;
    }
    match request.uri().path() {
        "/livez" => text(StatusCode::OK, "ok\n"),
        "/readyz" if source.is_ready() => text(StatusCode::OK, "ok\n"),
        "/readyz" => text(StatusCode::SERVICE_UNAVAILABLE, "not ready: no complete config is served\n"),
        "/config" => json(&source.config()),
        "/metrics" => respond(StatusCode::OK, "text/plain; version=0.0.4", source.metrics().into()),
        "/status" => json(&source.status()),
        "/" => text(StatusCode::OK, "/livez\n/readyz\n/config\n/metrics\n/status\n"),
        _ => text(StatusCode::NOT_FOUND, "try /livez, /readyz, /config or /status\n"),
    }
}

fn text(status: StatusCode, text: &'static str) -> Response<Full<Bytes>> {
    respond(status, "text/plain; charset=utf-8", Bytes::from_static(text.as_bytes()))
}

fn json(value: &Value) -> Response<Full<Bytes>> {
    respond(StatusCode::OK, "application/json", format!("{value:#}\n").into())
}

fn respond(status: StatusCode, media_type: &'static str, body: Bytes) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, http::HeaderValue::from_static(media_type));
    response
}
