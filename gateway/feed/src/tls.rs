//! TLS of the feed: 1.3 alone, HTTP/2 alone.

use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use std::sync::Arc;

/// What both sides offer and ask for.
pub(crate) const ALPN: &[u8] = b"h2";

/// Why certificates or keys cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TlsError {
    /// No PEM, or not of what is wanted.
    #[error("{what} cannot be read: {why}")]
    Pem {
        /// What.
        what: &'static str,
        /// Why.
        why: String,
    },
    /// There is none.
    #[error("{0} has no certificate in it")]
    Empty(&'static str),
    /// rustls refuses it.
    #[error("TLS cannot be set up: {0}")]
    Rustls(String),
}

impl From<rustls::Error> for TlsError {
    fn from(error: rustls::Error) -> Self {
        Self::Rustls(error.to_string())
    }
}

pub(crate) fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

/// At least one.
pub(crate) fn certificates(pem: &str, what: &'static str) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    let all = all.map_err(|error| TlsError::Pem { what, why: error.to_string() })?;
    if all.is_empty() { Err(TlsError::Empty(what)) } else { Ok(all) }
}

pub(crate) fn key(pem: &str, what: &'static str) -> Result<PrivateKeyDer<'static>, TlsError> {
    PrivateKeyDer::from_pem_slice(pem.as_bytes()).map_err(|error| TlsError::Pem { what, why: error.to_string() })
}

/// Trust anchors. One that cannot be one spoils them all: who wrote it meant something by it.
pub(crate) fn roots(pem: &str, what: &'static str) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(pem, what)? {
        roots.add(certificate)?;
    }
    Ok(roots)
}

/// What who connects offers: whom it believes, and what it presents, if it has something.
pub(crate) fn client(
    roots: RootCertStore,
    own: Option<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)>,
) -> Result<ClientConfig, TlsError> {
    let builder = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_root_certificates(roots);
    let mut config = match own {
        Some((chain, key)) => builder.with_client_auth_cert(chain, key)?,
        None => builder.with_no_client_auth(),
    };
    config.alpn_protocols = vec![ALPN.to_vec()];
    Ok(config)
}
