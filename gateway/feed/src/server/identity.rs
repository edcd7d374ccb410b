//! What the server presents, whom it believes, and who a client is.

use crate::tls::{self, ALPN, TlsError};
use crate::{GroupId, NotAnIdentity, relay};
use lychgate_ir::Redacted;
use rustls::ServerConfig;
use rustls::pki_types::CertificateDer;
use rustls::server::WebPkiClientVerifier;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

/// What the feed's server presents, and whose certificates it accepts. Another one is used from the next connection on.
#[derive(Clone)]
pub struct Identity {
    pub(super) config: Arc<ServerConfig>,
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Identity")
    }
}

impl Identity {
    /// From PEM: the chain (leaf first) and its key, and the authorities of data planes.
    ///
    /// # Errors
    /// If one of them cannot be used.
    pub fn new(chain_pem: &str, key_pem: &Redacted, client_roots_pem: &str) -> Result<Self, TlsError> {
        let chain = tls::certificates(chain_pem, "the feed's own certificate")?;
        let key = tls::key(key_pem.expose(), "the feed's own key")?;
        let roots = Arc::new(tls::roots(client_roots_pem, "the bundle of authorities for data planes")?);
        // Who has no certificate yet comes for one; only that is answered.
        let verifier = WebPkiClientVerifier::builder_with_provider(roots, tls::provider())
            .allow_unauthenticated()
            .build()
            .map_err(|error| TlsError::Rustls(error.to_string()))?;
        let mut config = ServerConfig::builder_with_provider(tls::provider())
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .with_client_cert_verifier(verifier)
            .with_single_cert(chain, key)?;
        config.alpn_protocols = vec![ALPN.to_vec()];
        // A ticket would outlive the certificate that it stands for.
        config.send_tls13_tickets = 0;
        Ok(Self { config: Arc::new(config) })
    }
}

/// Who is on the other end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Peer {
    /// Nobody known: may enrol, and nothing else.
    Anybody,
    /// A data plane, until then.
    Gateway(GroupId, SystemTime),
    /// A replica of the control plane, until then.
    Replica(SystemTime),
    /// A certificate of ours that is neither's.
    Stranger(String),
}

impl Peer {
    /// From the certificate that the handshake has verified.
    pub(super) fn of(chain: Option<&[CertificateDer<'_>]>, trust_domain: &str) -> Self {
        let Some(leaf) = chain.and_then(<[_]>::first) else { return Self::Anybody };
        read(leaf, trust_domain).unwrap_or_else(Self::Stranger)
    }
}

fn read(leaf: &CertificateDer<'_>, trust_domain: &str) -> Result<Peer, String> {
    let (_, certificate) = X509Certificate::from_der(leaf).map_err(|error| error.to_string())?;
    let names = certificate.subject_alternative_name().map_err(|error| error.to_string())?;
    let uris: Vec<&str> = names
        .iter()
        .flat_map(|names| &names.value.general_names)
        .filter_map(|name| if let GeneralName::URI(uri) = name { Some(*uri) } else { None })
        .collect();
    // One identity a certificate (X.509-SVID, section 2).
    let [uri] = uris.as_slice() else { return Err(format!("a certificate has one URI, this one has {}", uris.len())) };
    let seconds = u64::try_from(certificate.validity().not_after.timestamp()).unwrap_or_default();
    let not_after = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
    if *uri == relay::spiffe(trust_domain) {
        return Ok(Peer::Replica(not_after));
    }
    let group = GroupId::from_spiffe(uri, trust_domain).map_err(|error: NotAnIdentity| error.to_string())?;
    Ok(Peer::Gateway(group, not_after))
}
