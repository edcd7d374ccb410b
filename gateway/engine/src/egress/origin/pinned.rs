//! Keys of which one has to be in the chain: that of the destination, of an authority that signed for it, or of the anchor
//! that is believed.

use crate::tls;
use crate::tls::verifier::Certificates;
use aws_lc_rs::digest::{SHA256, digest};
use lychgate_ir::egress::SpkiPin;
use rustls::client::danger::{ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_cert_signed_by_trust_anchor};
use rustls::pki_types::{CertificateDer, ServerName, TrustAnchor, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, RootCertStore};
use std::borrow::Cow;
use x509_parser::asn1_rs::{Sequence, ToDer};
use x509_parser::prelude::{FromDer, X509Certificate};

/// The chain has to lead to an anchor as always, and to one of the keys: a certificate with such a key that is only sent
/// along vouches for nothing.
#[derive(Debug)]
pub(super) struct Pinned {
    pins: Vec<SpkiPin>,
    /// Anchors that have one of the keys.
    anchors: Vec<TrustAnchor<'static>>,
}

impl Pinned {
    /// What is asked beside these anchors; nothing where no key is pinned.
    pub(super) fn among(anchors: &RootCertStore, pins: &[SpkiPin]) -> Option<Self> {
        if pins.is_empty() {
            return None;
        }
        let is_pinned = |anchor: &&TrustAnchor<'_>| key(anchor).is_some_and(|key| is_among(pins, &key));
        let anchors = anchors.roots.iter().filter(is_pinned).cloned().collect();
        Some(Self { pins: pins.to_vec(), anchors })
    }

    fn is_pinned(&self, certificate: &CertificateDer<'_>) -> bool {
        X509Certificate::from_der(certificate).is_ok_and(|(_, parsed)| is_among(&self.pins, parsed.public_key().raw))
    }
}

fn is_among(pins: &[SpkiPin], key: &[u8]) -> bool {
    let hash = digest(&SHA256, key);
    pins.iter().any(|SpkiPin(pin)| hash.as_ref() == pin)
}

/// The key of an anchor, as certificates have it: anchors have what is inside of it alone.
fn key(anchor: &TrustAnchor<'_>) -> Option<Vec<u8>> {
    Sequence::new(Cow::Borrowed(&anchor.subject_public_key_info)).to_der_vec().ok()
}

impl Certificates for Pinned {
    fn verify(
        &self,
        standard: &WebPkiServerVerifier,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        standard.verify_server_cert(leaf, intermediates, server_name, ocsp_response, now)?;
        if self.is_pinned(leaf) {
            return Ok(ServerCertVerified::assertion());
        }
        let mut pinned = RootCertStore { roots: self.anchors.clone() };
        for certificate in intermediates.iter().filter(|certificate| self.is_pinned(certificate)) {
            // One that cannot be an anchor is none.
            let _ = pinned.add(certificate.clone().into_owned());
        }
        let parsed = ParsedCertificate::try_from(leaf)?;
        let algorithms = tls::provider().signature_verification_algorithms.all;
        verify_server_cert_signed_by_trust_anchor(&parsed, &pinned, intermediates, now, algorithms)
            .map(|()| ServerCertVerified::assertion())
            .map_err(|_| rustls::Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests;
