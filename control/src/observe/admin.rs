//! The admin port: health, the running config, statuses. For operators and probes, never for the internet.
//!
//! | path | answer |
//! |---|---|
//! | `/livez` | 200 as long as the process answers |
//! | `/readyz` | 200 once all that is watched was listed and translated, 503 before it and while the process ends |
//! | `/config` | the snapshot of now, secrets redacted |
//! | `/metrics` | everything that is counted, for Prometheus |
//! | `/status` | the status of every object, as it was translated |

use bytes::Bytes;
use http::header::{ALLOW, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response, StatusCode};
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
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// A client of the admin port has to be quick.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
/// The pause after an accept that failed.
const BREATH: Duration = Duration::from_millis(50);

/// What the admin port can ask.
pub trait Source: Send + Sync + 'static {
    /// Why the process is not ready, if it is not.
    fn not_ready(&self) -> Option<String>;
    /// The snapshot of now, secrets redacted.
    fn config(&self) -> Value;
    /// The status of every object.
    fn status(&self) -> Value;
    /// The metrics, as Prometheus reads them.
    fn metrics(&self) -> String;
}

/// A bound admin port, which answers until it is dropped.
pub struct Admin {
    address: SocketAddr,
    _accepting: JoinSet<()>,
}

impl Admin {
    /// Binds the port and answers.
    ///
    /// # Errors
    /// As the system has it.
    pub async fn bind(address: SocketAddr, source: Arc<dyn Source>) -> std::io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let mut accepting = JoinSet::new();
        accepting.spawn(accept(listener, source));
        Ok(Self { address, _accepting: accepting })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

async fn accept(listener: TcpListener, source: Arc<dyn Source>) {
    loop {
        match listener.accept().await {
            Ok((tcp, _)) => {
                tokio::spawn(serve(tcp, source.clone()));
            }
            Err(_) => tokio::time::sleep(BREATH).await,
        }
    }
}

async fn serve(tcp: TcpStream, source: Arc<dyn Source>) {
    let service = service_fn(move |request| {
        let answer = answer(&request, &*source);
        async move { Ok::<_, Infallible>(answer) }
    });
    let mut server = http1::Builder::new();
    server.timer(TokioTimer::new()).header_read_timeout(HEADER_TIMEOUT);
    // What went wrong is the business of whoever asked, who is gone.
    let _ = server.serve_connection(TokioIo::new(tcp), service).await;
}

fn answer(request: &Request<Incoming>, source: &dyn Source) -> Response<Full<Bytes>> {
    if request.method() != Method::GET && request.method() != Method::HEAD {
        let mut response = text(StatusCode::METHOD_NOT_ALLOWED, "only GET\n");
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return response;
    }
    match request.uri().path() {
        "/livez" => text(StatusCode::OK, "ok\n"),
        "/readyz" => match source.not_ready() {
            None => text(StatusCode::OK, "ok\n"),
            Some(why) => text(StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {why}\n")),
        },
        "/config" => json(&source.config()),
        "/metrics" => respond(StatusCode::OK, "text/plain; version=0.0.4", source.metrics().into()),
        "/status" => json(&source.status()),
        "/" => text(StatusCode::OK, "/livez\n/readyz\n/config\n/metrics\n/status\n"),
        _ => text(StatusCode::NOT_FOUND, "try /livez, /readyz, /config, /metrics or /status\n"),
    }
}

fn text(status: StatusCode, text: impl Into<Bytes>) -> Response<Full<Bytes>> {
    respond(status, "text/plain; charset=utf-8", text.into())
}

fn json(value: &Value) -> Response<Full<Bytes>> {
    respond(StatusCode::OK, "application/json", format!("{value:#}\n").into())
}

fn respond(status: StatusCode, media_type: &'static str, body: Bytes) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    response
}
