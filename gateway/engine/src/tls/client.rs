//! What is asked of backends: verified as the policy says, never less.

use super::names::{Names, covers};
use super::verifier::{Certificates, Verifier};
use super::{TlsError, chain_and_key, provider, roots};
use lychgate_ir::{Certificate, Roots, SubjectAltName, UpstreamProtocol, UpstreamTls};
use rustls::client::danger::{ServerCertVerified, ServerCertVerifier};
use rustls::client::{Resumption, WebPkiServerVerifier, verify_server_cert_signed_by_trust_anchor};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, ClientConfig, RootCertStore};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// How one backend is reached over TLS with one client identity. Kept for as long as nothing in it changes, because it
/// holds the sessions to resume.
#[derive(Debug)]
pub(crate) struct ClientTls {
    pub(crate) config: Arc<ClientConfig>,
    /// The same, but offering HTTP/1.1 alone. Sessions are shared.
    pub(crate) http1: Arc<ClientConfig>,
    /// The same, but offering HTTP/2 alone.
    pub(crate) http2: Arc<ClientConfig>,
    /// The same without ALPN, for what is not HTTP.
    pub(crate) raw: Arc<ClientConfig>,
    pub(crate) server_name: ServerName<'static>,
    /// Unlike that of any other policy: pooled connections are found by it, so that a changed policy finds none.
    pub(crate) key: u64,
}

impl ClientTls {
    pub(crate) fn new(
        tls: &UpstreamTls,
        protocol: UpstreamProtocol,
        identity: Option<&Certificate>,
    ) -> Result<Self, TlsError> {
        static NEXT_KEY: AtomicU64 = AtomicU64::new(1);
        let UpstreamTls { hostname, subject_alt_names, roots, identity: _ } = tls;
        let anchors = match roots {
            Roots::System => roots::of_the_host()?,
            Roots::Pem(bundles) => roots::from_pem(bundles)?,
        };
        let server_name =
            ServerName::try_from(hostname.to_string()).map_err(|_| TlsError::Name(hostname.to_string()))?;
        let standard = WebPkiServerVerifier::builder_with_provider(anchors.clone(), provider())
            .build()
            .map_err(|error| TlsError::Certificate(error.to_string()))?;
        let verifier: Arc<dyn ServerCertVerifier> = if subject_alt_names.is_empty() {
            standard
        } else {
            let certificates = ByAltName { anchors, wanted: subject_alt_names.clone() };
            Arc::new(Verifier { standard, certificates })
        };
        // `dangerous` because the verifier is ours; it only changes which names count.
        let builder = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()?
            .dangerous()
            .with_custom_certificate_verifier(verifier);
        let mut config = match identity {
            None => builder.with_no_client_auth(),
            Some(certificate) => {
                let (chain, key) = chain_and_key(certificate)?;
                builder.with_client_auth_cert(chain, key)?
            }
        };
        config.resumption = Resumption::in_memory_sessions(32);
        let raw = Arc::new(config.clone());
        config.alpn_protocols = match protocol {
            UpstreamProtocol::Auto => vec![b"h2".to_vec(), b"http/1.1".to_vec()],
            UpstreamProtocol::Http1 | UpstreamProtocol::WebSocket => vec![b"http/1.1".to_vec()],
            UpstreamProtocol::Http2 => vec![b"h2".to_vec()],
        };
        // Sessions of one are not those of the other: they were agreed with another protocol.
        config.resumption = Resumption::in_memory_sessions(32);
        let config = Arc::new(config);
        let only = |version: &[u8]| match protocol {
            UpstreamProtocol::Auto => {
                let mut only = ClientConfig::clone(&config);
                only.alpn_protocols = vec![version.to_vec()];
                Arc::new(only)
            }
            UpstreamProtocol::Http1 | UpstreamProtocol::WebSocket | UpstreamProtocol::Http2 => config.clone(),
        };
        let (http1, http2) = (only(b"http/1.1"), only(b"h2"));
        Ok(Self { config, http1, http2, raw, server_name, key: NEXT_KEY.fetch_add(1, Ordering::Relaxed) })
    }
}

/// The chain must lead to an anchor as always; of the names, one of those listed must be there (GEP-3155).
#[derive(Debug)]
struct ByAltName {
    anchors: Arc<RootCertStore>,
    wanted: Vec<SubjectAltName>,
}

impl Certificates for ByAltName {
    fn verify(
        &self,
        _standard: &WebPkiServerVerifier,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let parsed = ParsedCertificate::try_from(leaf)?;
        let algorithms = provider().signature_verification_algorithms.all;
        verify_server_cert_signed_by_trust_anchor(&parsed, &self.anchors, intermediates, now, algorithms)?;
        let names = Names::of(leaf).map_err(|_| rustls::Error::InvalidCertificate(CertificateError::BadEncoding))?;
        let found = self.wanted.iter().any(|wanted| match wanted {
            SubjectAltName::Dns(host) => names.dns.iter().any(|name| covers(name, host) || covers(host, name)),
            SubjectAltName::Uri(uri) => names.uri.iter().any(|name| **name == **uri),
        });
        if found {
            Ok(ServerCertVerified::assertion())
        } else {
            Err(rustls::Error::InvalidCertificate(CertificateError::NotValidForName))
        }
    }
}
