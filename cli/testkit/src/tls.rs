//! TLS settings for test servers and test clients.

use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::{ResolvesServerCertUsingSni, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;
use rustls::{
    ClientConfig, DigitallySignedStruct, RootCertStore, ServerConfig, SignatureScheme, SupportedProtocolVersion,
};

use crate::pki::{Authority, KeyKind, Leaf};

fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

fn roots(authority: &Authority) -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add(authority.der().clone()).expect("an authority can be a root");
    roots
}

fn serving() -> rustls::ConfigBuilder<ServerConfig, rustls::WantsVerifier> {
    ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .expect("the provider has TLS 1.2 and 1.3")
}

/// A server that shows `leaf` to everybody, and asks nobody for a certificate. It offers no ALPN protocols.
pub fn server_tls(leaf: &Leaf) -> ServerConfig {
    serving()
        .with_no_client_auth()
        .with_single_cert(leaf.chain(), leaf.key())
        .expect("certificate and key belong together")
}

/// A server that shows `leaf`, and wants clients to have a certificate by `clients`; `required` or only if they like.
pub fn server_tls_asking_clients(leaf: &Leaf, clients: &Authority, required: bool) -> ServerConfig {
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots(clients)), provider());
    let verifier = if required { verifier } else { verifier.allow_unauthenticated() };
    serving()
        .with_client_cert_verifier(verifier.build().expect("an authority can verify clients"))
        .with_single_cert(leaf.chain(), leaf.key())
        .expect("certificate and key belong together")
}

/// A server that shows each leaf to those who ask for its name, and refuses all others.
pub fn server_tls_by_name(leaves: &[(&str, &Leaf)]) -> ServerConfig {
    let mut by_name = ResolvesServerCertUsingSni::new();
    for (name, leaf) in leaves {
        let key = CertifiedKey::from_der(leaf.chain(), leaf.key(), &provider());
        let key = key.expect("certificate and key belong together");
        by_name.add(name, key).expect("the certificate has the name");
    }
    serving().with_no_client_auth().with_cert_resolver(Arc::new(by_name))
}

/// What a test client trusts, shows and offers.
#[derive(Clone, Debug)]
pub struct ClientTls {
    config: ClientConfig,
}

impl ClientTls {
    /// Trusts certificates by `authority` alone; offers `h2` and `http/1.1`, TLS 1.2 and 1.3.
    pub fn trusting(authority: &Authority) -> Self {
        Self::new(roots(authority), None, rustls::ALL_VERSIONS)
    }

    /// Trusts anybody: to look at the certificate that a server shows.
    pub fn trusting_anybody() -> Self {
        let mut this = Self::new(RootCertStore::empty(), None, rustls::ALL_VERSIONS);
        this.config.dangerous().set_certificate_verifier(Arc::new(Anybody(provider())));
        this
    }

    /// Trusts `authority`, and shows `leaf` to servers that ask.
    pub fn with_identity(authority: &Authority, leaf: &Leaf) -> Self {
        Self::new(roots(authority), Some(leaf), rustls::ALL_VERSIONS)
    }

    /// Trusts `authority`, and speaks only this version.
    pub fn only(authority: &Authority, version: &'static SupportedProtocolVersion) -> Self {
        Self::new(roots(authority), None, &[version])
    }

    /// Trusts `authority`, and understands certificates with this kind of key only.
    pub fn only_key(authority: &Authority, key: KeyKind) -> Self {
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots(authority)), provider());
        let verifier = verifier.build().expect("an authority can verify servers");
        let mut this = Self::new(RootCertStore::empty(), None, rustls::ALL_VERSIONS);
        this.config.dangerous().set_certificate_verifier(Arc::new(OnlyKey(verifier, key)));
        this
    }

    fn new(roots: RootCertStore, identity: Option<&Leaf>, versions: &[&'static SupportedProtocolVersion]) -> Self {
        let builder = ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(versions)
            .expect("the provider has these versions")
            .with_root_certificates(roots);
        let mut config = match identity {
            None => builder.with_no_client_auth(),
            Some(leaf) => {
                builder.with_client_auth_cert(leaf.chain(), leaf.key()).expect("certificate and key belong together")
            }
        };
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Self { config }
    }

    /// Offers these protocols (ALPN) and no others; none at all if empty.
    pub fn alpn(mut self, protocols: &[&str]) -> Self {
        self.config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
        self
    }

    /// Sends no server name, whatever the dial says.
    pub fn without_sni(mut self) -> Self {
        self.config.enable_sni = false;
        self
    }

    /// The settings as rustls has them. Clones share sessions, and resume them.
    pub fn config(&self) -> Arc<ClientConfig> {
        Arc::new(self.config.clone())
    }
}

/// Checks that the server has the key of its certificate, and nothing else.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// Checks all that is to be checked, and says that it understands one kind of key.
#[derive(Debug)]
struct OnlyKey(Arc<WebPkiServerVerifier>, KeyKind);

impl ServerCertVerifier for OnlyKey {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        self.0.verify_server_cert(leaf, intermediates, name, ocsp, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let prefix = match self.1 {
            KeyKind::EcdsaP256 => "ECDSA",
            KeyKind::Rsa2048 => "RSA",
        };
        let schemes = self.0.supported_verify_schemes().into_iter();
        schemes.filter(|scheme| scheme.as_str().is_some_and(|name| name.starts_with(prefix))).collect()
    }
}
