//! The certificate of a data plane: asked for with the token of its ServiceAccount, for a key that never leaves memory.

use super::dial::{DialError, dial};
use super::options::Options;
use crate::tls::{self, TlsError};
use crate::wire::{self, EnrollReply, EnrollRequest};
use http::uri::PathAndQuery;
use lychgate_ir::Redacted;
use rcgen::{CertificateParams, KeyPair};
use rustls::RootCertStore;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::time::{Duration, SystemTime};
use tokio::time::Instant;
use tonic::client::Grpc;
use tonic_prost::ProstCodec;

/// What we present, and whom we believe besides the trust bundle.
pub(super) struct Certificate {
    pub(super) chain: Vec<CertificateDer<'static>>,
    pub(super) key: PrivateKeyDer<'static>,
    pub(super) roots: RootCertStore,
    pub(super) not_after: SystemTime,
    /// When to ask for the next one: at two thirds of its life.
    pub(super) renew: Instant,
}

impl Certificate {
    pub(super) fn has_expired(&self) -> bool {
        self.not_after <= SystemTime::now()
    }
}

/// Asks for a certificate.
pub(super) async fn enroll(options: &Options) -> Result<Certificate, DialError> {
    let patience = options.pace.patience;
    let enrolled = tokio::time::timeout(patience, ask(options)).await;
    enrolled.unwrap_or_else(|_| Err(DialError::Silent(options.control.clone(), patience)))
}

async fn ask(options: &Options) -> Result<Certificate, DialError> {
    let Options { control, token_file, .. } = options;
    let token = std::fs::read_to_string(token_file);
    let token = token.map_err(|error| DialError::File { path: token_file.clone(), error })?;
    let token = Redacted::new(token.trim().to_owned());
    let unusable = |error: rcgen::Error| TlsError::Rustls(error.to_string());
    let key = KeyPair::generate().map_err(unusable)?;
    // Who we are is not ours to say: the token proves it.
    let csr = CertificateParams::default().serialize_request(&key).map_err(unusable)?;
    let channel = dial(options, None).await?;
    let mut grpc = Grpc::with_origin(channel, origin(control));
    grpc.ready().await.map_err(|error| DialError::Broken { control: control.clone(), error })?;
    let request = EnrollRequest { token: token.expose().to_owned(), csr: csr.der().to_vec().into() };
    let path = PathAndQuery::from_static(wire::ENROLL);
    let reply = grpc.unary(tonic::Request::new(request), path, ProstCodec::default()).await?;
    let EnrollReply { chain, roots, not_after } = reply.into_inner();
    let not_after = SystemTime::UNIX_EPOCH + Duration::from_secs(u64::try_from(not_after).unwrap_or_default());
    let life = not_after.duration_since(SystemTime::now()).unwrap_or_default();
    if life.is_zero() {
        return Err(DialError::Nonsense("a certificate that has expired; do the clocks differ?".to_owned()));
    }
    Ok(Certificate {
        chain: tls::certificates(&chain, "the certificate that was issued")?,
        key: PrivateKeyDer::try_from(key.serialize_der()).map_err(|error| TlsError::Rustls(error.to_owned()))?,
        roots: tls::roots(&roots, "the authorities that came with the certificate")?,
        not_after,
        renew: Instant::now() + life * 2 / 3,
    })
}

/// What requests are addressed to.
pub(super) fn origin(control: &super::Control) -> http::Uri {
    // A control plane was read from a URI, so it is one.
    control.to_string().parse().unwrap_or_default()
}
