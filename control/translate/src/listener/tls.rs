//! `tls` of HTTPS and TLS listeners: where it ends, certificates, options, and what the Gateway asks of clients.

use super::is_ours;
use crate::gateway::frontend::Validation;
use crate::names::MIN_TLS_VERSION;
use crate::reference_grant::Referrer;
use crate::status::condition::{Problem, sentences};
use crate::status::reason;
use crate::world::{BadRef, World};
use lychgate_api::gateway::{Listener, ListenerTlsConfig, TlsModeType};
use lychgate_api::meta::StringMap;
use lychgate_ir::{CertificateId, ClientValidation, ListenerTls, Protocol, Refusal, TlsVersion};

/// How a listener ends TLS. Without certificates it cannot be served.
#[derive(Clone, Debug)]
pub(crate) struct Terminate {
    pub(crate) certificates: Vec<CertificateId>,
    min_version: TlsVersion,
    client_validation: Option<Result<ClientValidation, Refusal>>,
}

impl Terminate {
    pub(super) fn emit(&self) -> ListenerTls {
        let Self { certificates, min_version, client_validation } = self.clone();
        ListenerTls { certificates, min_version, client_validation }
    }
}

/// What was read, and what is wrong with it.
pub(super) struct Read {
    /// `None` if TLS is passed through.
    pub(super) terminate: Option<Terminate>,
    pub(super) refused: Option<Problem>,
    pub(super) unresolved: Option<Problem>,
    pub(super) notes: Vec<String>,
}

/// Nothing is read for protocols without TLS, where admission lets nobody write any.
pub(super) fn read(
    world: &World<'_>,
    from: Referrer<'_>,
    listener: &Listener,
    protocol: Protocol,
    validation: Option<&Validation>,
) -> Option<Read> {
    let absent = ListenerTlsConfig::default();
    let tls = listener.tls.as_ref().unwrap_or(&absent);
    match (protocol, tls.mode) {
        (
            Protocol::Http
            | Protocol::Tcp
            | Protocol::Udp
            | Protocol::Transparent
            | Protocol::Dns
            | Protocol::DnsOverTcp,
            _,
        ) => None,
        // A proxy is spoken to over TLS if somebody says so.
        (Protocol::Proxy, _) if listener.tls.is_none() => None,
        (Protocol::Proxy, _) => Some(ended(world, from, tls, validation)),
        (Protocol::Tls, TlsModeType::Passthrough) => Some(passed(&tls.options)),
        (Protocol::Tls, TlsModeType::Terminate) => {
            let mut read = ended(world, from, tls, None);
            if validation.is_some() {
                read.notes.push("spec.tls.frontend of the Gateway is for HTTPS: clients are not asked here".to_owned());
            }
            Some(read)
        }
        (Protocol::Https, mode) => {
            let mut read = ended(world, from, tls, validation);
            if mode == TlsModeType::Passthrough {
                let message = "tls.mode Passthrough is not possible with protocol HTTPS; use mode Terminate";
                read.refused = Some(Problem::new(reason::UNSUPPORTED_VALUE, message));
            }
            Some(read)
        }
    }
}

/// Certificates are ignored, as the API says. A version cannot be asked for where nobody here agrees on one.
fn passed(options: &StringMap) -> Read {
    let mut notes = Vec::new();
    let refused = match min_version(options, &mut notes) {
        Ok(_) if options.contains_key(MIN_TLS_VERSION) => {
            let message = format!("tls.options: {MIN_TLS_VERSION} cannot hold with mode Passthrough; remove it");
            Some(Problem::new(reason::UNSUPPORTED_VALUE, message))
        }
        Ok(_) => None,
        Err(problem) => Some(problem),
    };
    Read { terminate: None, refused, unresolved: None, notes }
}

fn ended(world: &World<'_>, from: Referrer<'_>, tls: &ListenerTlsConfig, validation: Option<&Validation>) -> Read {
    let ListenerTlsConfig { mode: _, certificate_refs, options } = tls;
    let mut certificates: Vec<CertificateId> = Vec::new();
    let mut bad = Vec::new();
    let mut first_reason = None;
    for (index, reference) in certificate_refs.iter().enumerate() {
        match world.certificate(from, reference) {
            Ok(certificate) if !certificates.contains(&certificate.id) => certificates.push(certificate.id.clone()),
            Ok(_) => {}
            Err(error) => {
                first_reason.get_or_insert(match error {
                    BadRef::NotPermitted(_) => reason::REF_NOT_PERMITTED,
                    BadRef::Kind(_) | BadRef::Broken(_) => reason::INVALID_CERTIFICATE_REF,
                });
                bad.push(format!("tls.certificateRefs[{index}]: {}", error.into_message()));
            }
        }
    }
    if certificate_refs.is_empty() {
        first_reason = Some(reason::INVALID_CERTIFICATE_REF);
        bad.push("tls.certificateRefs is empty; refer to a Secret of type kubernetes.io/tls".to_owned());
    }
    let mut notes = Vec::new();
    let mut refused = None;
    let min_version = min_version(options, &mut notes).unwrap_or_else(|problem| {
        refused = Some(problem);
        TlsVersion::V1_3
    });
    let mut unresolved = first_reason.map(|reason| Problem::new(reason, sentences(&bad)));
    if let Some(validation) = validation {
        unresolved = unresolved.or_else(|| validation.unresolved.clone());
        if let (Err(refusal), None) = (&validation.checked, &refused) {
            refused = Some(Problem::new(reason::NO_VALID_CA_CERTIFICATE, refusal.message.to_string()));
        }
    }
    let client_validation = validation.map(|validation| validation.checked.clone());
    let terminate = Some(Terminate { certificates, min_version, client_validation });
    Read { terminate, refused, unresolved, notes }
}

/// Options of other implementations are theirs; one of ours that we do not know is a wish that we would not grant.
fn min_version(options: &StringMap, notes: &mut Vec<String>) -> Result<TlsVersion, Problem> {
    let mut version = TlsVersion::default();
    for (key, value) in options {
        let unknown = |message| Err(Problem::new(reason::UNSUPPORTED_VALUE, message));
        match (key.as_str(), value.as_str()) {
            (MIN_TLS_VERSION, "1.2") => version = TlsVersion::V1_2,
            (MIN_TLS_VERSION, "1.3") => version = TlsVersion::V1_3,
            (MIN_TLS_VERSION, _) => {
                return unknown(format!("tls.options: {MIN_TLS_VERSION} is `{value}`; write \"1.2\" or \"1.3\""));
            }
            (key, _) if is_ours(key) => {
                return unknown(format!("tls.options: {key} is unknown; known is {MIN_TLS_VERSION}"));
            }
            (key, _) => notes.push(format!("tls.options: {key} is not ours and has no effect")),
        }
    }
    Ok(version)
}
