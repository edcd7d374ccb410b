//! The authority of a Gateway, and what it signs.

use crate::tls::{self, TlsError};
use lychgate_egress::target::TargetHost;
use lychgate_ir::Certificate;
use rand::Rng;
use rcgen::string::Ia5String;
use rcgen::{
    CertificateParams, DistinguishedName, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256, SanType, SerialNumber,
};
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use rustls::sign::{CertifiedKey, SigningKey};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, SystemTime};
use time::OffsetDateTime;
use x509_parser::prelude::{FromDer, X509Certificate};

/// What is signed holds so long: nobody can take it back.
const LIFE: Duration = Duration::from_secs(24 * 60 * 60);

/// Clocks of clients may be behind by so much.
const BEHIND: Duration = Duration::from_secs(60 * 60);

/// One that signs. Holds the customer's key, and shows it to nobody.
pub(super) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    /// What is sent after a leaf: its own certificate and those above it, without the root, which clients have.
    chain: Vec<CertificateDer<'static>>,
    expires: OffsetDateTime,
}

/// A certificate for one host, ready to be presented.
#[derive(Debug)]
pub(super) struct Leaf {
    pub(super) key: Arc<CertifiedKey>,
    /// From when on another one is made.
    pub(super) stale: SystemTime,
}

/// The key of all leaves of this process: it proves nothing but that we hold it, and making one takes longer than signing.
struct LeafKey {
    pair: KeyPair,
    signer: Arc<dyn SigningKey>,
}

static LEAF_KEY: LazyLock<Result<LeafKey, String>> = LazyLock::new(|| {
    let pair = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(|error| error.to_string())?;
    let der = PrivatePkcs8KeyDer::from(pair.serialize_der());
    let signer = tls::provider().key_provider.load_private_key(der.into()).map_err(|error| error.to_string())?;
    Ok(LeafKey { pair, signer })
});

impl Authority {
    /// # Errors
    /// A certificate that may not sign others, or a key that cannot.
    pub(super) fn new(certificate: &Certificate) -> Result<Self, TlsError> {
        let (chain, key) = tls::chain_and_key(certificate)?;
        let own = chain.first().ok_or(TlsError::EmptyChain)?;
        let (_, parsed) = X509Certificate::from_der(own).map_err(|error| TlsError::Certificate(error.to_string()))?;
        let is_authority = parsed.basic_constraints().ok().flatten().is_some_and(|constraints| constraints.value.ca);
        // Without key usage, a key may be used for all (RFC 5280 section 4.2.1.3).
        let may_sign = parsed.key_usage().is_ok_and(|usage| usage.is_none_or(|usage| usage.value.key_cert_sign()));
        if !is_authority || !may_sign {
            return Err(TlsError::Certificate("it is no authority that may sign others".to_owned()));
        }
        let expires = OffsetDateTime::from_unix_timestamp(parsed.validity().not_after.timestamp());
        let expires = expires.map_err(|error| TlsError::Certificate(error.to_string()))?;
        // Its error could tell of the key.
        let pair = KeyPair::try_from(&key).map_err(|_| TlsError::Key)?;
        let issuer = Issuer::from_ca_cert_der(own, pair).map_err(|error| TlsError::Certificate(error.to_string()))?;
        let chain = chain.into_iter().filter(|certificate| !is_root(certificate)).collect();
        Ok(Self { issuer, chain, expires })
    }

    /// A certificate for a host.
    pub(super) fn sign(&self, host: &TargetHost, now: SystemTime) -> Result<Leaf, String> {
        let LeafKey { pair, signer } = LEAF_KEY.as_ref().map_err(Clone::clone)?;
        let begins = OffsetDateTime::from(now);
        let ends = (begins + LIFE).min(self.expires);
        let left = Duration::try_from(ends - begins).map_err(|_| "it has expired".to_owned())?;
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.subject_alt_names = vec![match host {
            TargetHost::Name(name) => {
                SanType::DnsName(Ia5String::try_from(name.as_str()).map_err(|error| error.to_string())?)
            }
            TargetHost::Address(address) => SanType::IpAddress(*address),
        }];
        params.not_before = begins - BEHIND;
        params.not_after = ends;
        params.is_ca = IsCa::ExplicitNoCa;
        params.use_authority_key_identifier_extension = true;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.serial_number = Some(serial());
        let signed = params.signed_by(pair, &self.issuer).map_err(|error| error.to_string())?;
        let chain = std::iter::once(signed.der().clone()).chain(self.chain.iter().cloned()).collect();
        Ok(Leaf { key: Arc::new(CertifiedKey::new(chain, signer.clone())), stale: now + left / 2 })
    }
}

/// Never twice the same: some clients refuse two certificates of one authority with one number.
fn serial() -> SerialNumber {
    let mut bytes = [0; 16];
    rand::rng().fill(&mut bytes);
    // Positive, and not shorter than the others (RFC 5280 section 4.1.2.2).
    bytes[0] = bytes[0] & 0x7f | 0x40;
    SerialNumber::from_slice(&bytes)
}

fn is_root(certificate: &CertificateDer<'_>) -> bool {
    X509Certificate::from_der(certificate)
        .is_ok_and(|(_, parsed)| parsed.subject().as_raw() == parsed.issuer().as_raw())
}
