//! TLS with a destination, as the rule that allows it wants it: verified for the name that was asked for, at least of a
//! version, with a key that is known.

mod pinned;

use super::gate::Gate;
use super::refused::Refused;
use super::wire::{Begun, Wire};
use crate::limits::Limits;
use crate::tls::verifier::Verifier;
use crate::tls::{self, TlsError};
use lychgate_egress::target::TargetHost;
use lychgate_ir::egress::OriginTls;
use lychgate_ir::{CertificateId, ClientIdentity, Roots};
use lychgate_telemetry::Reason;
use pinned::Pinned;
use rustls::client::danger::ServerCertVerifier;
use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::pki_types::ServerName;
use rustls::{AlertDescription, CertificateError, ClientConfig};
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::time::timeout;
use tokio_rustls::{TlsConnector, TlsStream};

/// Settings that were made, for as long as the Gateway does not change: they hold sessions to resume.
#[derive(Default)]
pub(crate) struct Origins(Mutex<Vec<Made>>);

struct Made {
    spec: OriginTls,
    gateway: Option<CertificateId>,
    config: Arc<ClientConfig>,
}

/// Settings of so many rules are kept at a time.
const KEPT: usize = 1024;

impl Origins {
    fn config(
        &self,
        gate: &Gate,
        spec: &OriginTls,
        gateway: Option<&CertificateId>,
    ) -> Result<Arc<ClientConfig>, Refused> {
        let mut made = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(made) = made.iter().find(|made| made.spec == *spec && made.gateway.as_ref() == gateway) {
            return Ok(made.config.clone());
        }
        let identity = match &spec.identity {
            ClientIdentity::None => None,
            ClientIdentity::Gateway => gateway,
            ClientIdentity::Certificate(id) => Some(id),
        };
        let config = make(gate, spec, identity).map_err(|error| Refused::misconfigured(error.to_string()))?;
        let config = Arc::new(config);
        if made.len() >= KEPT {
            made.clear();
        }
        made.push(Made { spec: spec.clone(), gateway: gateway.cloned(), config: config.clone() });
        Ok(config)
    }
}

/// What is done over a connection.
pub(crate) struct Handshake<'a> {
    pub(crate) gate: &'a Gate,
    pub(crate) spec: &'a OriginTls,
    /// The certificate that the Gateway presents, if it has one.
    pub(crate) gateway: Option<&'a CertificateId>,
    /// Whom the certificate has to be for.
    pub(crate) server: &'a TargetHost,
    /// What is offered to be spoken.
    pub(crate) alpn: Vec<Vec<u8>>,
}

impl Handshake<'_> {
    /// Begins TLS over a connection.
    pub(crate) async fn over(self, io: Begun, limits: &Limits) -> Result<Begun, Refused> {
        let Self { gate, spec, gateway, server, alpn } = self;
        let mut config = gate.origins.config(gate, spec, gateway)?;
        if !alpn.is_empty() {
            let mut with_alpn = ClientConfig::clone(&config);
            with_alpn.alpn_protocols = alpn;
            config = Arc::new(with_alpn);
        }
        let name = match server {
            TargetHost::Name(name) => ServerName::try_from(name.as_str().to_owned())
                .map_err(|_| Refused::misconfigured(format!("no certificate can be for {name}")))?,
            TargetHost::Address(address) => ServerName::IpAddress((*address).into()),
        };
        let connecting = TlsConnector::from(config).connect(name, io);
        let late = |_| io::Error::new(io::ErrorKind::TimedOut, "the TLS handshake took too long");
        let connected = timeout(limits.connect, connecting).await.map_err(late).flatten();
        let stream = connected.map_err(|error| {
            Refused::new(Reason::UpstreamTls, said(&error)).because(format!("TLS with {server}: {error}"))
        })?;
        Ok(Begun::new(Wire::Tls(Box::new(TlsStream::Client(stream)))))
    }
}

/// What a client is told of a handshake that came to nothing: what is wrong with the destination, and nothing of us.
fn said(error: &io::Error) -> &'static str {
    match error.get_ref().and_then(|error| error.downcast_ref::<rustls::Error>()) {
        Some(rustls::Error::InvalidCertificate(why)) => match why {
            CertificateError::UnknownIssuer => "the destination's certificate is by nobody who is believed",
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                "the destination's certificate is for another name"
            }
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                "the destination's certificate has expired"
            }
            CertificateError::ApplicationVerificationFailure => "the destination has none of the keys that are pinned",
            _ => "the destination's certificate cannot be verified",
        },
        Some(rustls::Error::PeerIncompatible(_) | rustls::Error::AlertReceived(AlertDescription::ProtocolVersion)) => {
            "the destination speaks no version of TLS that is wanted"
        }
        Some(rustls::Error::AlertReceived(_)) => "the destination refused the TLS handshake",
        _ => "the destination's TLS cannot be verified",
    }
}

fn make(gate: &Gate, spec: &OriginTls, identity: Option<&CertificateId>) -> Result<ClientConfig, TlsError> {
    let OriginTls { min_version, roots, pins, identity: _ } = spec;
    let anchors = match roots {
        Roots::System => tls::roots_of_the_host()?,
        Roots::Pem(bundles) => tls::roots_from_pem(bundles)?,
    };
    let pinned = Pinned::among(&anchors, pins);
    let standard = WebPkiServerVerifier::builder_with_provider(anchors, tls::provider())
        .build()
        .map_err(|error| TlsError::Certificate(error.to_string()))?;
    let verifier: Arc<dyn ServerCertVerifier> = match pinned {
        None => standard,
        Some(certificates) => Arc::new(Verifier { standard, certificates }),
    };
    let versions = tls::versions(*min_version);
    // `dangerous` because the verifier is ours; it only asks for more.
    let builder = ClientConfig::builder_with_provider(tls::provider())
        .with_protocol_versions(versions)?
        .dangerous()
        .with_custom_certificate_verifier(verifier);
    let mut config = match identity {
        None => builder.with_no_client_auth(),
        Some(id) => {
            let certificate = gate.certificate(id);
            let certificate =
                certificate.ok_or_else(|| TlsError::Certificate(format!("{id} is not in the snapshot")))?;
            let (chain, key) = tls::chain_and_key(certificate)?;
            builder.with_client_auth_cert(chain, key)?
        }
    };
    config.resumption = Resumption::in_memory_sessions(256);
    Ok(config)
}
