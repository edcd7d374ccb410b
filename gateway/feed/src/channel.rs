//! A connection to a replica of the control plane: TLS, HTTP/2, and nothing else on it.

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;
use tonic::body::Body;
use tonic::client::GrpcService;

/// How often a silent connection is asked whether it is still there, and how long the answer may take.
const KEEPALIVE: Duration = Duration::from_secs(10);

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

/// Connects. The other side has to prove that it has the name.
pub(crate) async fn connect(host: &str, port: u16, name: &str, config: ClientConfig) -> Result<Channel, ConnectError> {
    let name =
        ServerName::try_from(name.to_owned()).map_err(|error| ConnectError::Handshake(io::Error::other(error)))?;
    let tcp = TcpStream::connect((host, port)).await.map_err(ConnectError::Unreachable)?;
    // Small messages go at once.
    let _ = tcp.set_nodelay(true);
    let tls = TlsConnector::from(Arc::new(config)).connect(name, tcp).await.map_err(ConnectError::Handshake)?;
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
