//! Connections to a control plane.

use super::identity::Certificate;
use super::options::{Control, Options};
use crate::tls::{self, ALPN, TlsError};
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;
use tonic::Status;
use tonic::body::Body;
use tonic::client::GrpcService;

/// How often a silent connection is asked whether it is still there, and how long the answer may take.
const KEEPALIVE: Duration = Duration::from_secs(10);

/// Why a control plane does not serve us.
#[derive(Debug, thiserror::Error)]
pub enum DialError {
    /// A file that is needed.
    #[error("{} cannot be read ({error}); it is mounted by the provisioner", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        #[source]
        error: io::Error,
    },
    /// What is in it.
    #[error("{}: {error}", .path.display())]
    Bundle {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        error: TlsError,
    },
    /// Our own certificate.
    #[error("our certificate cannot be used: {0}")]
    Certificate(#[from] TlsError),
    /// No name, no address, no connection.
    #[error("{control} cannot be reached ({error}); is the control plane running, and does a NetworkPolicy let us?")]
    Unreachable {
        /// Where.
        control: Control,
        /// What the system says.
        #[source]
        error: io::Error,
    },
    /// The TLS handshake.
    #[error("the TLS handshake with {control} failed ({error}); does the trust bundle belong to it?")]
    Handshake {
        /// Where.
        control: Control,
        /// Why.
        #[source]
        error: io::Error,
    },
    /// HTTP/2.
    #[error("the connection to {control} broke: {error}")]
    Broken {
        /// Where.
        control: Control,
        /// Why.
        #[source]
        error: hyper::Error,
    },
    /// What it said.
    #[error("the control plane says: {} ({:?})", .0.message(), .0.code())]
    Said(#[from] Status),
    /// Nothing.
    #[error("{0} did not answer for {1:?}")]
    Silent(Control, Duration),
    /// What it sent makes no sense.
    #[error("what the control plane sent cannot be applied: {0}")]
    Nonsense(String),
}

/// A connection. It ends when this is dropped.
pub(super) struct Channel {
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

/// Connects, as nobody or with a certificate.
pub(super) async fn dial(options: &Options, certificate: Option<&Certificate>) -> Result<Channel, DialError> {
    let Options { control, pace, .. } = options;
    let dialled = tokio::time::timeout(pace.patience, connect(options, certificate));
    dialled.await.unwrap_or_else(|_| Err(DialError::Silent(control.clone(), pace.patience)))
}

async fn connect(options: &Options, certificate: Option<&Certificate>) -> Result<Channel, DialError> {
    let Options { control, trust_bundle, .. } = options;
    let unreachable = |error| DialError::Unreachable { control: control.clone(), error };
    let handshake = |error| DialError::Handshake { control: control.clone(), error };
    let config = settings(&anchors(trust_bundle, certificate)?, certificate)?;
    let name = ServerName::try_from(control.host.clone()).map_err(|error| handshake(io::Error::other(error)))?;
    let tcp = TcpStream::connect((control.host.as_str(), control.port)).await.map_err(unreachable)?;
    // Small messages go at once.
    let _ = tcp.set_nodelay(true);
    let tls = TlsConnector::from(Arc::new(config)).connect(name, tcp).await.map_err(handshake)?;
    let mut http = http2::Builder::new(TokioExecutor::new());
    http.timer(TokioTimer::new())
        .keep_alive_interval(KEEPALIVE)
        .keep_alive_timeout(KEEPALIVE)
        .keep_alive_while_idle(true)
        .initial_stream_window_size(4 << 20)
        .initial_connection_window_size(8 << 20);
    let (send, connection) = http
        .handshake(TokioIo::new(tls))
        .await
        .map_err(|error| DialError::Broken { control: control.clone(), error })?;
    let mut driver = JoinSet::new();
    driver.spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "the connection to the control plane broke");
        }
    });
    Ok(Channel { send, _driver: driver })
}

/// The authorities in the file, and those that we were told of when we enrolled: the file may be older.
fn anchors(bundle: &Path, certificate: Option<&Certificate>) -> Result<RootCertStore, DialError> {
    // A few lines in memory: no reason for another thread.
    let read = std::fs::read_to_string(bundle);
    let pem = read.map_err(|error| DialError::File { path: bundle.to_owned(), error })?;
    let roots = tls::roots(&pem, "the trust bundle");
    let mut roots = roots.map_err(|error| DialError::Bundle { path: bundle.to_owned(), error })?;
    if let Some(certificate) = certificate {
        roots.roots.extend(certificate.roots.roots.iter().cloned());
    }
    Ok(roots)
}

fn settings(roots: &RootCertStore, certificate: Option<&Certificate>) -> Result<ClientConfig, TlsError> {
    let builder = ClientConfig::builder_with_provider(tls::provider())
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_root_certificates(roots.clone());
    let mut config = match certificate {
        Some(certificate) => builder.with_client_auth_cert(certificate.chain.clone(), certificate.key.clone_key())?,
        None => builder.with_no_client_auth(),
    };
    config.alpn_protocols = vec![ALPN.to_vec()];
    Ok(config)
}
