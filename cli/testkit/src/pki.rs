//! A public key infrastructure in memory.

use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::string::Ia5String;
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, CertificateSigningRequestParams, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, PKCS_RSA_SHA256,
    RsaKeySize, SanType, SerialNumber,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use time::{Duration, OffsetDateTime};

/// What kind of key a certificate has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KeyKind {
    /// ECDSA on P-256: made in no time.
    #[default]
    EcdsaP256,
    /// RSA, 2048 bit: takes a noticeable moment to make.
    Rsa2048,
}

impl KeyKind {
    fn generate(self) -> KeyPair {
        match self {
            Self::EcdsaP256 => KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256),
            Self::Rsa2048 => KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048),
        }
        .expect("a key can be made")
    }
}

/// A certificate authority: a root, or one below it.
#[derive(Debug)]
pub struct Authority {
    certificate: Certificate,
    issuer: Issuer<'static, KeyPair>,
    /// The certificates between this authority and the root, its own first; empty for a root.
    chain: Vec<CertificateDer<'static>>,
}

impl Authority {
    /// A new root. Two roots never share a key, even with the same name.
    pub fn new(name: &str) -> Self {
        Self::with_key(name, KeyKind::EcdsaP256)
    }

    /// A new root with a key of this kind.
    pub fn with_key(name: &str, key: KeyKind) -> Self {
        let key = key.generate();
        let params = authority_params(name);
        let certificate = params.self_signed(&key).expect("a root signs itself");
        Self { certificate, issuer: Issuer::new(params, key), chain: Vec::new() }
    }

    /// An authority below this one; its leaves carry the chain.
    pub fn intermediate(&self, name: &str) -> Self {
        let key = KeyKind::EcdsaP256.generate();
        let params = authority_params(name);
        let certificate = params.signed_by(&key, &self.issuer).expect("an authority signs another");
        let mut chain = vec![certificate.der().clone()];
        chain.extend(self.chain.iter().cloned());
        Self { certificate, issuer: Issuer::new(params, key), chain }
    }

    /// Begins a leaf: valid now, for servers and clients, ECDSA, without any name.
    pub fn leaf(&self) -> LeafBuilder<'_> {
        let mut params = CertificateParams::default();
        let now = OffsetDateTime::now_utc();
        params.not_before = now - Duration::HOUR;
        params.not_after = now + Duration::DAY;
        params.distinguished_name = common_name("leaf");
        params.is_ca = IsCa::ExplicitNoCa;
        params.serial_number = Some(next_serial());
        params.use_authority_key_identifier_extension = true;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        LeafBuilder { authority: self, params, key: KeyKind::default() }
    }

    /// A leaf for a server with these DNS names.
    pub fn server(&self, names: &[&str]) -> Leaf {
        names.iter().fold(self.leaf(), |leaf, name| leaf.dns(name)).issue()
    }

    /// A leaf for a client with this common name.
    pub fn client(&self, name: &str) -> Leaf {
        self.leaf().common_name(name).dns(name).issue()
    }

    /// Signs the key of a request (PKCS #10, DER) for a client that is this URI and nothing else, for so many seconds from
    /// now on. Gives the chain as PEM, or why it is no request.
    ///
    /// # Errors
    /// With a text.
    pub fn sign_request(&self, request: &[u8], uri: &str, seconds: u64) -> Result<String, String> {
        let mut request =
            CertificateSigningRequestParams::from_der(&request.into()).map_err(|error| error.to_string())?;
        let mut params = self.leaf().uri(uri).client_only().params;
        params.not_after = OffsetDateTime::now_utc() + std::time::Duration::from_secs(seconds);
        request.params = params;
        let certificate = request.signed_by(&self.issuer).map_err(|error| error.to_string())?;
        let own = std::iter::once(certificate.der()).chain(&self.chain);
        Ok(own.map(|der| pem("CERTIFICATE", der)).collect())
    }

    /// Its own certificate as PEM.
    pub fn pem(&self) -> String {
        self.certificate.pem()
    }

    /// Its own certificate as DER.
    pub fn der(&self) -> &CertificateDer<'static> {
        self.certificate.der()
    }

    /// What somebody else needs to sign as this authority: its certificate and those above it, without the root if it is below
    /// one, as `tls.crt` has them.
    pub fn chain_pem(&self) -> String {
        let own = self.chain.is_empty().then(|| self.certificate.der());
        own.into_iter().chain(&self.chain).map(|der| pem("CERTIFICATE", der)).collect()
    }

    /// Its key as PEM: what goes into `tls.key` of whoever signs as this authority.
    pub fn key_pem(&self) -> String {
        self.issuer.key().serialize_pem()
    }

    /// A Kubernetes Secret of type `kubernetes.io/tls` for whoever signs as this authority, as YAML.
    pub fn secret(&self, namespace: &str, name: &str) -> String {
        secret(namespace, name, &self.chain_pem(), &self.key_pem())
    }

    /// A Kubernetes ClusterTrustBundle with its certificate, as YAML.
    pub fn cluster_trust_bundle(&self, name: &str) -> String {
        let pem: String = self.pem().lines().map(|line| format!("    {line}\n")).collect();
        format!(
            "apiVersion: certificates.k8s.io/v1beta1\nkind: ClusterTrustBundle\nmetadata:\n  name: {name}\nspec:\n  \
             trustBundle: |\n{pem}"
        )
    }

    /// A Kubernetes ConfigMap with its certificate under `ca.crt`, as YAML.
    pub fn config_map(&self, namespace: &str, name: &str) -> String {
        let pem: String = self.pem().lines().map(|line| format!("    {line}\n")).collect();
        format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  namespace: {namespace}\n  name: {name}\ndata:\n  ca.crt: |\n{pem}"
        )
    }
}

fn authority_params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    let now = OffsetDateTime::now_utc();
    params.not_before = now - Duration::DAY;
    params.not_after = now + Duration::days(30);
    params.distinguished_name = common_name(name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.serial_number = Some(next_serial());
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

fn common_name(name: &str) -> DistinguishedName {
    let mut subject = DistinguishedName::new();
    subject.push(DnType::CommonName, name);
    subject
}

/// Serials differ within a test, so that whoever tells certificates apart by serial is right to.
fn next_serial() -> SerialNumber {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    SerialNumber::from(NEXT.fetch_add(1, Ordering::Relaxed))
}

/// A leaf in the making.
#[derive(Debug)]
pub struct LeafBuilder<'a> {
    authority: &'a Authority,
    params: CertificateParams,
    key: KeyKind,
}

impl LeafBuilder<'_> {
    /// Adds a DNS name (subjectAltName), possibly `*.example`.
    pub fn dns(mut self, name: &str) -> Self {
        self.params.subject_alt_names.push(SanType::DnsName(ascii(name)));
        self
    }

    /// Adds a URI (subjectAltName), such as a SPIFFE ID.
    pub fn uri(mut self, uri: &str) -> Self {
        self.params.subject_alt_names.push(SanType::URI(ascii(uri)));
        self
    }

    /// Adds an IP address (subjectAltName).
    pub fn ip(mut self, addr: IpAddr) -> Self {
        self.params.subject_alt_names.push(SanType::IpAddress(addr));
        self
    }

    /// Sets the subject's common name.
    pub fn common_name(mut self, name: &str) -> Self {
        self.params.distinguished_name = common_name(name);
        self
    }

    /// Sets the kind of key.
    pub fn key(mut self, kind: KeyKind) -> Self {
        self.key = kind;
        self
    }

    /// Was valid until an hour ago.
    pub fn expired(mut self) -> Self {
        let now = OffsetDateTime::now_utc();
        self.params.not_before = now - Duration::days(2);
        self.params.not_after = now - Duration::HOUR;
        self
    }

    /// Will be valid in an hour.
    pub fn not_yet_valid(mut self) -> Self {
        let now = OffsetDateTime::now_utc();
        self.params.not_before = now + Duration::HOUR;
        self.params.not_after = now + Duration::days(2);
        self
    }

    /// Good for servers only (extended key usage).
    pub fn server_only(mut self) -> Self {
        self.params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        self
    }

    /// Good for clients only (extended key usage).
    pub fn client_only(mut self) -> Self {
        self.params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self
    }

    /// Makes the key and signs the certificate.
    pub fn issue(self) -> Leaf {
        let Self { authority, params, key } = self;
        let key = key.generate();
        let certificate = params.signed_by(&key, &authority.issuer).expect("an authority signs a leaf");
        let mut chain = vec![certificate.der().clone()];
        chain.extend(authority.chain.iter().cloned());
        Leaf { chain, key }
    }
}

fn ascii(text: &str) -> Ia5String {
    Ia5String::try_from(text).expect("names in certificates are ASCII")
}

/// A certificate with its chain and key.
#[derive(Debug)]
pub struct Leaf {
    chain: Vec<CertificateDer<'static>>,
    key: KeyPair,
}

impl Leaf {
    /// Its certificate as DER.
    pub fn der(&self) -> &CertificateDer<'static> {
        self.chain.first().expect("a leaf's chain begins with itself")
    }

    /// Its certificate and those between it and the root, its own first.
    pub fn chain(&self) -> Vec<CertificateDer<'static>> {
        self.chain.clone()
    }

    /// The chain as PEM: what goes into `tls.crt`.
    pub fn chain_pem(&self) -> String {
        self.chain.iter().map(|der| pem("CERTIFICATE", der)).collect()
    }

    /// The key as PKCS #8.
    pub fn key(&self) -> PrivateKeyDer<'static> {
        PrivatePkcs8KeyDer::from(self.key.serialize_der()).into()
    }

    /// The key as PEM: what goes into `tls.key`.
    pub fn key_pem(&self) -> String {
        self.key.serialize_pem()
    }

    /// A Kubernetes Secret of type `kubernetes.io/tls` with the chain and the key, as YAML.
    pub fn secret(&self, namespace: &str, name: &str) -> String {
        secret(namespace, name, &self.chain_pem(), &self.key_pem())
    }
}

fn secret(namespace: &str, name: &str, chain_pem: &str, key_pem: &str) -> String {
    let (chain, key) = (STANDARD.encode(chain_pem), STANDARD.encode(key_pem));
    format!(
        "apiVersion: v1\nkind: Secret\nmetadata:\n  namespace: {namespace}\n  name: {name}\n\
         type: kubernetes.io/tls\ndata:\n  tls.crt: {chain}\n  tls.key: {key}\n"
    )
}

/// DER as PEM (RFC 7468).
fn pem(label: &str, der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let mut out = format!("-----BEGIN {label}-----\n");
    for (place, c) in text.chars().enumerate() {
        if place > 0 && place % 64 == 0 {
            out.push('\n');
        }
        out.push(c);
    }
    out.push_str(&format!("\n-----END {label}-----\n"));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kubernetes_objects_hold_what_was_made() {
        let ca = Authority::with_key("ca", KeyKind::Rsa2048);
        let leaf = ca.intermediate("below").leaf().ip(IpAddr::from([127, 0, 0, 1])).common_name("x").issue();

        let secret: serde_yaml::Value = serde_yaml::from_str(&leaf.secret("shop", "front")).expect("YAML");
        assert_eq!(secret["metadata"]["namespace"], "shop");
        assert_eq!(secret["metadata"]["name"], "front");
        let text = |field: &serde_yaml::Value| STANDARD.decode(field.as_str().unwrap_or_default()).unwrap_or_default();
        assert_eq!(text(&secret["data"]["tls.crt"]), leaf.chain_pem().as_bytes());
        assert_eq!(text(&secret["data"]["tls.key"]), leaf.key_pem().as_bytes());
        assert_eq!(
            leaf.chain_pem().matches("BEGIN CERTIFICATE").count(),
            2,
            "the leaf and the authority below the root"
        );

        let map: serde_yaml::Value = serde_yaml::from_str(&ca.config_map("shop", "roots")).expect("YAML");
        assert_eq!(map["data"]["ca.crt"], ca.pem().replace("\r\n", "\n"));
    }
}
