//! The admin port: health, the running config, statuses. It is for operators and probes, never for the internet: by
//! default it listens on loopback.
//!
//! | path | answer |
//! |---|---|
//! | `/livez` | 200 as long as the process answers |
//! | `/readyz` | 200 after the first complete config is served, 503 before it and while the process drains |
//! | `/config` | the running snapshot and the endpoints of now, secrets redacted; with egress Gateways, the host's addresses |
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
use lychgate_engine::Engine;
use serde_json::{Value, json};
use socket2::Socket;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

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

/// The running snapshot and the endpoints of now, and from which addresses of the host something could leave, as `/config` shows
/// them.
pub(crate) fn running(engine: &Engine) -> Value {
    let endpoints: BTreeMap<String, Vec<SocketAddr>> = engine.endpoints();
    let mut running = json!({ "snapshot": &*engine.snapshot(), "endpoints": endpoints });
    if let (Some(addresses), Value::Object(fields)) = (engine.own_addresses(), &mut running) {
        fields.insert("addresses".to_owned(), json!(&*addresses));
    }
    running
}

/// A bound admin port.
pub struct Admin {
    listener: Arc<TcpListener>,
    address: SocketAddr,
    source: Arc<dyn Source>,
    /// Accepting ends when the set is dropped.
    accepting: JoinSet<()>,
    /// Turns true when connections have to end.
    over: watch::Sender<bool>,
}

impl Admin {
    /// Binds the port. Nothing is answered yet.
    ///
    /// # Errors
    /// As the system has it.
    pub async fn bind(address: SocketAddr, source: Arc<dyn Source>) -> std::io::Result<Self> {
        Self::on(TcpListener::bind(address).await?, source)
    }

    /// Uses a socket that somebody else has bound.
    pub(crate) fn inherit(socket: Socket, source: Arc<dyn Source>) -> std::io::Result<Self> {
        Self::on(TcpListener::from_std(socket.into())?, source)
    }

    fn on(listener: TcpListener, source: Arc<dyn Source>) -> std::io::Result<Self> {
        let (address, over) = (listener.local_addr()?, watch::Sender::new(false));
        Ok(Self { listener: Arc::new(listener), address, source, accepting: JoinSet::new(), over })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers until held or dropped.
    pub fn go_on(&mut self) {
        if self.accepting.is_empty() {
            self.accepting.spawn(accept(self.listener.clone(), self.source.clone(), self.over.subscribe()));
        }
    }

    /// Lets who comes wait in the socket, for whoever goes on with it.
    pub(crate) async fn hold(&mut self) {
        self.accepting.shutdown().await;
    }

    /// Lets go of the socket, which somebody else serves now. What is being answered is answered.
    pub(crate) fn leave(self) {
        self.over.send_replace(true);
    }
}

impl AsFd for Admin {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.listener.as_fd()
    }
}

async fn accept(listener: Arc<TcpListener>, source: Arc<dyn Source>, over: watch::Receiver<bool>) {
    loop {
        let Ok((tcp, _)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        tokio::spawn(serve(tcp, source.clone(), over.clone()));
    }
}

async fn serve(tcp: TcpStream, source: Arc<dyn Source>, mut over: watch::Receiver<bool>) {
    let service = service_fn(move |request| {
        let answer = answer(&request, &*source);
        async move { Ok::<_, Infallible>(answer) }
    });
    let mut server = http1::Builder::new();
    server.timer(TokioTimer::new()).header_read_timeout(HEADER_TIMEOUT);
    let mut connection = pin!(server.serve_connection(TokioIo::new(tcp), service));
    // The guard must not live on.
    let is_over = async { over.wait_for(|over| *over).await.is_ok() };
    // What went wrong is the business of whoever asked, who is gone.
    tokio::select! {
        _ = connection.as_mut() => {}
        true = is_over => {
            connection.as_mut().graceful_shutdown();
            let _ = connection.await;
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
        "/config" => pretty(&source.config()),
        "/metrics" => respond(StatusCode::OK, "text/plain; version=0.0.4", source.metrics().into()),
        "/status" => pretty(&source.status()),
        "/" => text(StatusCode::OK, "/livez\n/readyz\n/config\n/metrics\n/status\n"),
        _ => text(StatusCode::NOT_FOUND, "try /livez, /readyz, /config or /status\n"),
    }
}

fn text(status: StatusCode, text: &'static str) -> Response<Full<Bytes>> {
    respond(status, "text/plain; charset=utf-8", Bytes::from_static(text.as_bytes()))
}

fn pretty(value: &Value) -> Response<Full<Bytes>> {
    respond(StatusCode::OK, "application/json", format!("{value:#}\n").into())
}

fn respond(status: StatusCode, media_type: &'static str, body: Bytes) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, http::HeaderValue::from_static(media_type));
    response
}
