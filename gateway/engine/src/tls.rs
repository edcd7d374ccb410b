//! TLS, both ways: what is presented to clients, and what is asked of backends.

pub(crate) mod client;
pub(crate) mod names;
mod roots;
pub(crate) mod server;
pub(crate) mod verifier;

use lychgate_ir::{Certificate, TlsVersion};
use rustls::crypto::CryptoProvider;
use rustls::crypto::aws_lc_rs::{self, cipher_suite};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{SupportedCipherSuite, SupportedProtocolVersion};
use std::sync::{Arc, LazyLock};
use x509_parser::prelude::{FromDer, X509Certificate};

/// What is spoken, the first the dearest: AES with 128 bits and SHA-256 costs a third less in each handshake than with 256 and
/// SHA-384, and nobody breaks either (docs/decisions/0030-cipher-order.md).
const CIPHER_SUITES: [SupportedCipherSuite; 9] = [
    cipher_suite::TLS13_AES_128_GCM_SHA256,
    cipher_suite::TLS13_AES_256_GCM_SHA384,
    cipher_suite::TLS13_CHACHA20_POLY1305_SHA256,
    cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    cipher_suite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
    cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
    cipher_suite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
    cipher_suite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
    cipher_suite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
];

/// Our crypto provider: aws-lc-rs, with the post-quantum key exchange X25519MLKEM768 in front. Never that of the
/// process, because Pingora makes that one ring, which has no such key exchange, wherever nobody was faster.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: LazyLock<Arc<CryptoProvider>> = LazyLock::new(|| {
        let cipher_suites = CIPHER_SUITES.to_vec();
        Arc::new(CryptoProvider { cipher_suites, ..aws_lc_rs::default_provider() })
    });
    PROVIDER.clone()
}

/// Why something in TLS settings cannot be used. Never holds key material.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TlsError {
    #[error("the certificate chain is not PEM: {0}")]
    Chain(rustls::pki_types::pem::Error),
    #[error("the certificate chain is empty")]
    EmptyChain,
    #[error("the private key is not PEM (PKCS#8, PKCS#1 or SEC1)")]
    Key,
    #[error("the certificate cannot be parsed: {0}")]
    Certificate(String),
    #[error("{0}")]
    Rustls(#[from] rustls::Error),
    #[error("no trust anchor could be read from {0}")]
    NoRoots(&'static str),
    #[error("`{0}` is no name that a certificate can carry")]
    Name(String),
}

pub(crate) use roots::{from_pem as roots_from_pem, of_the_host as roots_of_the_host};

/// The versions from this one on.
pub(crate) fn versions(min: TlsVersion) -> &'static [&'static SupportedProtocolVersion] {
    const BOTH: &[&SupportedProtocolVersion] = &[&rustls::version::TLS13, &rustls::version::TLS12];
    const NEW: &[&SupportedProtocolVersion] = &[&rustls::version::TLS13];
    match min {
        TlsVersion::V1_2 => BOTH,
        TlsVersion::V1_3 => NEW,
    }
}

/// A certificate's chain and key, as rustls has them.
pub(crate) fn chain_and_key(
    certificate: &Certificate,
) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), TlsError> {
    Ok((chain(&certificate.chain_pem)?, key(certificate.key_pem.expose())?))
}

/// When a certificate expires, in seconds since 1970; `None` if it cannot be read.
pub(crate) fn expiry(certificate: &Certificate) -> Option<i64> {
    let chain = chain(&certificate.chain_pem).ok()?;
    let (_, leaf) = X509Certificate::from_der(chain.first()?).ok()?;
    Some(leaf.validity().not_after.timestamp())
}

fn chain(pem: &str) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let chain =
        CertificateDer::pem_slice_iter(pem.as_bytes()).collect::<Result<Vec<_>, _>>().map_err(TlsError::Chain)?;
    if chain.is_empty() { Err(TlsError::EmptyChain) } else { Ok(chain) }
}

fn key(pem: &str) -> Result<PrivateKeyDer<'static>, TlsError> {
    // The parser's own error could quote its input, which is the key.
    PrivateKeyDer::from_pem_slice(pem.as_bytes()).map_err(|_| TlsError::Key)
}
