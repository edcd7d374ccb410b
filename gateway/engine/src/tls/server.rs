//! What listeners present to clients, and what they ask of them.

use super::names::Names;
use super::{TlsError, chain, key, provider, roots};
use http::HeaderValue;
use lychgate_ir::{Certificate, ClientValidation, TlsVersion, ValidationMode};
use rustls::client::danger::HandshakeSignatureValid;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{ClientHello, ResolvesServerCert, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;
use rustls::{CipherSuite, DigitallySignedStruct, DistinguishedName, ServerConfig, SignatureScheme};
use std::sync::Arc;

/// A certificate ready to be presented.
#[derive(Debug)]
pub(crate) struct Presentable {
    key: Arc<CertifiedKey>,
    names: Names,
}

impl Presentable {
    pub(crate) fn new(certificate: &Certificate) -> Result<Self, TlsError> {
        let chain = chain(&certificate.chain_pem)?;
        let names = chain.first().map(Names::of).transpose()?.unwrap_or_default();
        let signer = provider().key_provider.load_private_key(key(certificate.key_pem.expose())?)?;
        let key = CertifiedKey::new(chain, signer);
        // rustls knows the public key of every key type it can load; one it cannot compare is for the handshake to tell.
        match key.keys_match() {
            Ok(()) | Err(rustls::Error::InconsistentKeys(rustls::InconsistentKeys::Unknown)) => {}
            Err(error) => return Err(error.into()),
        }
        Ok(Self { key: Arc::new(key), names })
    }
}

/// Chooses among the certificates of a listener: by name first, then by what the client can verify, in the order written.
#[derive(Debug)]
struct ByName(Vec<Arc<Presentable>>);

impl ResolvesServerCert for ByName {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let usable =
            |certificate: &&Arc<Presentable>| certificate.key.key.choose_scheme(hello.signature_schemes()).is_some();
        let named =
            |certificate: &&Arc<Presentable>| hello.server_name().is_some_and(|name| certificate.names.covers(name));
        self.0
            .iter()
            .filter(usable)
            .find(named)
            .or_else(|| self.0.iter().find(usable))
            .map(|certificate| certificate.key.clone())
    }
}

/// The settings of one listener.
#[derive(Debug)]
pub(crate) struct ServerTls {
    /// Whose ciphers come in our order.
    ours: Arc<ServerConfig>,
    /// Else the same, in the order of the client.
    theirs: Arc<ServerConfig>,
    /// Judges chains that no handshake has judged, and what follows for those that are not valid.
    verifier: Option<(Arc<dyn ClientCertVerifier>, ValidationMode)>,
}

/// The client has not shown the certificate that it would have to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the client has no valid certificate")]
pub(crate) struct Unverified;

impl ServerTls {
    pub(crate) fn new(
        certificates: Vec<Arc<Presentable>>,
        min_version: TlsVersion,
        validation: Option<&ClientValidation>,
        alpn: &[&[u8]],
    ) -> Result<Self, TlsError> {
        let builder =
            ServerConfig::builder_with_provider(provider()).with_protocol_versions(super::versions(min_version))?;
        let (builder, verifier) = match validation {
            None => (builder.with_no_client_auth(), None),
            Some(ClientValidation { roots_pem, mode }) => {
                let anchors = roots::from_pem(roots_pem)?;
                let strict = |anchors| WebPkiClientVerifier::builder_with_provider(anchors, provider());
                let verifier = strict(anchors).build().map_err(|error| TlsError::Certificate(error.to_string()))?;
                let asked: Arc<dyn ClientCertVerifier> = match mode {
                    ValidationMode::AllowValidOnly => verifier.clone(),
                    ValidationMode::AllowInsecureFallback => Arc::new(Lenient(verifier.clone())),
                };
                (builder.with_client_cert_verifier(asked), Some((verifier as Arc<dyn ClientCertVerifier>, *mode)))
            }
        };
        let mut config = builder.with_cert_resolver(Arc::new(ByName(certificates)));
        config.alpn_protocols = alpn.iter().map(|protocol| protocol.to_vec()).collect();
        // A ticketer of its own: tickets of a listener that asks for certificates must come from that listener.
        config.ticketer = rustls::crypto::aws_lc_rs::Ticketer::new()?;
        // One is enough for a client that comes back, which gets another one then; each costs its part of a handshake.
        config.send_tls13_tickets = 1;
        let theirs = Arc::new(config.clone());
        config.ignore_client_order = true;
        Ok(Self { ours: Arc::new(config), theirs, verifier })
    }

    /// The settings for this client. One that puts ChaCha20 first has no AES in its processor, and gets what it asks for.
    pub(crate) fn config(&self, hello: &ClientHello<'_>) -> Arc<ServerConfig> {
        let first = hello.cipher_suites().iter().find(|suite| !is_grease(**suite));
        let theirs = matches!(
            first,
            Some(
                CipherSuite::TLS13_CHACHA20_POLY1305_SHA256
                    | CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256
                    | CipherSuite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256
            )
        );
        if theirs { &self.theirs } else { &self.ours }.clone()
    }

    /// Who the client has proved to be, in the form of `X-Forwarded-Client-Cert`; nobody where that is allowed.
    pub(crate) fn judge(&self, presented: Option<&[CertificateDer<'_>]>) -> Result<Option<HeaderValue>, Unverified> {
        let Some((verifier, mode)) = &self.verifier else { return Ok(None) };
        let valid = presented
            .and_then(<[_]>::split_first)
            .filter(|(leaf, intermediates)| verifier.verify_client_cert(leaf, intermediates, UnixTime::now()).is_ok());
        match (valid, mode) {
            (Some((leaf, _)), _) => {
                Ok(Names::of(leaf).ok().and_then(|names| HeaderValue::try_from(names.describe()).ok()))
            }
            (None, ValidationMode::AllowInsecureFallback) => Ok(None),
            (None, ValidationMode::AllowValidOnly) => Err(Unverified),
        }
    }
}

/// What browsers put in front to see whether servers bear what they do not know (RFC 8701, 2).
fn is_grease(suite: CipherSuite) -> bool {
    u16::from(suite) & 0x0f0f == 0x0a0a
}

/// Takes any certificate or none, but still wants proof that the client holds the key of the one it shows.
#[derive(Debug)]
struct Lenient(Arc<dyn ClientCertVerifier>);

impl ClientCertVerifier for Lenient {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.0.root_hint_subjects()
    }

    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn verify_client_cert(
        &self,
        _leaf: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0.verify_tls12_signature(message, leaf, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0.verify_tls13_signature(message, leaf, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
