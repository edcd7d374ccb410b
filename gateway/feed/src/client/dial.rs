//! Connections to a control plane.

use super::identity::Certificate;
use super::options::{Control, Options};
use crate::channel::{Channel, ConnectError, connect};
use crate::tls::{self, TlsError};
use rustls::RootCertStore;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tonic::Status;

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

/// Connects, as nobody or with a certificate.
pub(super) async fn dial(options: &Options, certificate: Option<&Certificate>) -> Result<Channel, DialError> {
    let Options { control, pace, .. } = options;
    let dialled = tokio::time::timeout(pace.patience, open(options, certificate));
    dialled.await.unwrap_or_else(|_| Err(DialError::Silent(control.clone(), pace.patience)))
}

async fn open(options: &Options, certificate: Option<&Certificate>) -> Result<Channel, DialError> {
    let Options { control, trust_bundle, .. } = options;
    let own = certificate.map(|certificate| (certificate.chain.clone(), certificate.key.clone_key()));
    let config = tls::client(anchors(trust_bundle, certificate)?, own)?;
    connect(&control.host, control.port, &control.host, config).await.map_err(|error| match error {
        ConnectError::Unreachable(error) => DialError::Unreachable { control: control.clone(), error },
        ConnectError::Handshake(error) => DialError::Handshake { control: control.clone(), error },
        ConnectError::Broken(error) => DialError::Broken { control: control.clone(), error },
    })
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
