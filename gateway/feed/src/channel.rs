//! A connection to a replica of the control plane: TLS, HTTP/2, and nothing else on it.

mod race;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use race::race;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::net::{TcpStream, lookup_host};
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;
use tonic::body::Body;
use tonic::client::GrpcService;

/// How often a silent connection is asked whether it is still there, and how long the answer may take.
const KEEPALIVE: Duration = Duration::from_secs(10);

/// How long a connection may take before another one is tried beside it.
const AGAIN: Duration = Duration::from_secs(1);

/// Why there is no connection.
#[derive(Debug)]
pub(crate) enum ConnectError {
    /// No name, no address, no connection.
    Unreachable(io::Error),
    /// The TLS handshake.
    Handshake(io::Error),
    /// HTTP/2.
    Broken(hyper::Error),
}

/// A connection. It ends when this is dropped.
pub(crate) struct Channel {
    send: SendRequest<Body>,
    _driver: JoinSet<()>,
}

impl GrpcService<Body> for Channel {
    type ResponseBody = Incoming;
    type Error = hyper::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Incoming>, hyper::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), hyper::Error>> {
        self.send.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        Box::pin(self.send.send_request(request))
    }
}

/// Connects. The other side has to prove that it has the name. Where nobody answers, it is tried again meanwhile, with
/// the addresses that the name has by then.
pub(crate) async fn connect(host: &str, port: u16, name: &str, config: ClientConfig) -> Result<Channel, ConnectError> {
    let name =
        ServerName::try_from(name.to_owned()).map_err(|error| ConnectError::Handshake(io::Error::other(error)))?;
    let tls = TlsConnector::from(Arc::new(config));
    race(AGAIN, |number| open(host, port, number, name.clone(), tls.clone())).await
}

async fn open(
    host: &str,
    port: u16,
    number: usize,
    name: ServerName<'static>,
    tls: TlsConnector,
) -> Result<Channel, ConnectError> {
    let tcp = dial(host, port, number).await.map_err(ConnectError::Unreachable)?;
    // Small messages go at once.
    let _ = tcp.set_nodelay(true);
    let tls = tls.connect(name, tcp).await.map_err(ConnectError::Handshake)?;
    let mut http = http2::Builder::new(TokioExecutor::new());
    http.timer(TokioTimer::new())
        .keep_alive_interval(KEEPALIVE)
        .keep_alive_timeout(KEEPALIVE)
        .keep_alive_while_idle(true)
        .initial_stream_window_size(4 << 20)
        .initial_connection_window_size(8 << 20);
    let (send, connection) = http.handshake(TokioIo::new(tls)).await.map_err(ConnectError::Broken)?;
    let mut driver = JoinSet::new();
    driver.spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "the connection to the control plane broke");
        }
    });
    Ok(Channel { send, _driver: driver })
}

/// Each attempt begins with another address: the one before may be silent.
async fn dial(host: &str, port: u16, number: usize) -> io::Result<TcpStream> {
    let mut addresses: Vec<SocketAddr> = lookup_host((host, port)).await?.collect();
    if !addresses.is_empty() {
        let first = number % addresses.len();
        addresses.rotate_left(first);
    }
    TcpStream::connect(&*addresses).await
}
