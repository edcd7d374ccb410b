//! A snapshot as resources.

use super::{Kind, Name, Resource};
use lychgate_ir::{Certificate, CertificateId};
use serde::Serialize;
use std::fmt::Display;

/// A resource that is sent as dumps write it.
pub(super) fn plain(kind: &Kind, id: &impl Display, value: &impl Serialize) -> (Name, Resource) {
    // Plain data with text as keys always serializes; were it otherwise, the empty text is refused by who reads it.
    let payload = serde_json::to_vec(value).unwrap_or_default();
    (Name::new(kind.clone(), id), Resource::new(payload, Vec::new()))
}

/// A certificate with its key, which no dump has.
pub(super) fn certificate(kind: &Kind, id: &CertificateId, certificate: &Certificate) -> (Name, Resource) {
    let Certificate { id: _, chain_pem, key_pem } = certificate;
    plain(kind, id, &Plain { id, chain_pem, key_pem: key_pem.expose() })
}

/// What [`Certificate`] is read from.
#[derive(Serialize)]
struct Plain<'a> {
    id: &'a CertificateId,
    chain_pem: &'a str,
    key_pem: &'a str,
}
