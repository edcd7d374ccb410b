//! A root: a key, and the certificate by which others believe what it signs.

use lychgate_ir::Redacted;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose, SerialNumber};
use std::time::{Duration, SystemTime};
use x509_parser::prelude::{FromDer, X509Certificate};

/// How long a root is valid.
pub(super) const ROOT_LIFE: Duration = Duration::from_secs(365 * 24 * 60 * 60);
/// Clocks differ: certificates are valid from a little before they are made.
pub(super) const SKEW: Duration = Duration::from_secs(10 * 60);

/// A root of trust. Its key prints as `[redacted]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Root {
    certificate: String,
    key: Redacted,
    not_before: SystemTime,
    not_after: SystemTime,
}

/// Why a root is of no use.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadRoot {
    /// Certificate or key is not what it should be.
    #[error("{0}")]
    Unreadable(String),
    /// They do not belong together.
    #[error("the key is not that of the certificate")]
    Mismatch,
}

fn unreadable(error: impl std::fmt::Display) -> BadRoot {
    BadRoot::Unreadable(error.to_string())
}

impl Root {
    /// A new one, valid from now on.
    ///
    /// # Errors
    /// If there is no randomness.
    pub fn generate(now: SystemTime) -> Result<Self, BadRoot> {
        let key = KeyPair::generate().map_err(unreadable)?;
        let mut params = CertificateParams::default();
        let seconds = now.duration_since(SystemTime::UNIX_EPOCH).map_err(unreadable)?.as_secs();
        params.distinguished_name.push(DnType::CommonName, format!("Lychgate feed {seconds}"));
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.serial_number = Some(serial()?);
        params.not_before = (now - SKEW).into();
        params.not_after = (now + ROOT_LIFE).into();
        let certificate = params.self_signed(&key).map_err(unreadable)?.pem();
        Self::read(&certificate, &Redacted::new(key.serialize_pem()))
    }

    /// Out of PEM.
    ///
    /// # Errors
    /// If one of them cannot be read, or they do not belong together.
    pub fn read(certificate: &str, key: &Redacted) -> Result<Self, BadRoot> {
        let (_, pem) = x509_parser::pem::parse_x509_pem(certificate.as_bytes()).map_err(unreadable)?;
        let (_, parsed) = X509Certificate::from_der(&pem.contents).map_err(unreadable)?;
        let pair =
            KeyPair::from_pem(key.expose()).map_err(|_| BadRoot::Unreadable("the key cannot be read".to_owned()))?;
        if *parsed.public_key().subject_public_key.data != *pair.public_key_raw() {
            return Err(BadRoot::Mismatch);
        }
        if !parsed.is_ca() {
            return Err(BadRoot::Unreadable("the certificate is not that of an authority".to_owned()));
        }
        Ok(Self {
            certificate: certificate.to_owned(),
            key: key.clone(),
            not_before: time(parsed.validity().not_before.timestamp()),
            not_after: time(parsed.validity().not_after.timestamp()),
        })
    }

    /// The certificate, PEM.
    #[must_use]
    pub fn certificate(&self) -> &str {
        &self.certificate
    }

    /// The key, PEM.
    #[must_use]
    pub fn key(&self) -> &Redacted {
        &self.key
    }

    /// When it was made.
    pub(super) fn made(&self) -> SystemTime {
        self.not_before + SKEW
    }

    /// When it ends.
    #[must_use]
    pub fn not_after(&self) -> SystemTime {
        self.not_after
    }

    pub(super) fn issuer(&self) -> Result<Issuer<'static, KeyPair>, BadRoot> {
        let key = KeyPair::from_pem(self.key.expose())
            .map_err(|_| BadRoot::Unreadable("the key cannot be read".to_owned()))?;
        Issuer::from_ca_cert_pem(&self.certificate, key).map_err(unreadable)
    }
}

/// When a certificate without its key ends.
pub(super) fn end(certificate: &str) -> Option<SystemTime> {
    let (_, pem) = x509_parser::pem::parse_x509_pem(certificate.as_bytes()).ok()?;
    let (_, parsed) = X509Certificate::from_der(&pem.contents).ok()?;
    Some(time(parsed.validity().not_after.timestamp()))
}

/// Random, as certificates of public authorities have them (CA/Browser Forum, 7.1).
pub(super) fn serial() -> Result<SerialNumber, BadRoot> {
    let mut bytes = [0; 16];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| BadRoot::Unreadable("the system has no randomness".to_owned()))?;
    // A positive number.
    bytes[0] = bytes[0] & 0x7f | 0x40;
    Ok(SerialNumber::from_slice(&bytes))
}

fn time(seconds: i64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(u64::try_from(seconds).unwrap_or_default())
}
