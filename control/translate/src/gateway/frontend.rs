//! `spec.tls.frontend`: client certificates, by port (GEP-91).

use crate::reference_grant::{Referent, Referrer};
use crate::status::condition::{Problem, sentences};
use crate::status::reason;
use crate::world::{BadRef, World};
use lychgate_api::gateway::{FrontendTlsValidation, FrontendValidationModeType, Gateway};
use lychgate_api::{GATEWAY_GROUP, Kind, ObjectKey};
use lychgate_ir::{ClientValidation, Refusal, RefusalReason, ValidationMode};
use std::collections::BTreeMap;

/// What HTTPS listeners of a Gateway ask of their clients.
#[derive(Clone, Debug, Default)]
pub(crate) struct Frontend {
    default: Option<Validation>,
    per_port: BTreeMap<u16, Option<Validation>>,
}

/// How client certificates are validated, and what is wrong with that.
#[derive(Clone, Debug)]
pub(crate) struct Validation {
    /// An error refuses every handshake.
    pub(crate) checked: Result<ClientValidation, Refusal>,
    /// A reference leads nowhere.
    pub(crate) unresolved: Option<Problem>,
    insecure: bool,
}

impl Frontend {
    /// What holds for a port.
    pub(crate) fn for_port(&self, port: u16) -> Option<&Validation> {
        self.per_port.get(&port).unwrap_or(&self.default).as_ref()
    }

    /// Whether any port lets clients in without a valid certificate.
    pub(crate) fn is_insecure(&self) -> bool {
        self.per_port.values().chain([&self.default]).flatten().any(|validation| validation.insecure)
    }
}

pub(super) fn read(world: &World<'_>, key: &ObjectKey, gateway: &Gateway) -> Frontend {
    let Some(frontend) = gateway.spec.tls.as_ref().and_then(|tls| tls.frontend.as_ref()) else {
        return Frontend::default();
    };
    let default = frontend
        .default
        .validation
        .as_ref()
        .map(|wanted| validation(world, key, "spec.tls.frontend.default.validation", wanted));
    let per_port = frontend.per_port.iter().map(|port| {
        let path = format!("spec.tls.frontend.perPort[{}].tls.validation", port.port);
        (port.port, port.tls.validation.as_ref().map(|wanted| validation(world, key, &path, wanted)))
    });
    Frontend { default, per_port: per_port.collect() }
}

fn validation(world: &World<'_>, key: &ObjectKey, path: &str, wanted: &FrontendTlsValidation) -> Validation {
    let FrontendTlsValidation { ca_certificate_refs, mode } = wanted;
    let from = Referrer { group: GATEWAY_GROUP, kind: Kind::Gateway.as_str(), namespace: &key.namespace };
    let mut roots = BTreeMap::new();
    let mut bad = Vec::new();
    let mut first_reason = None;
    for (index, reference) in ca_certificate_refs.iter().enumerate() {
        let namespace = reference.namespace.as_deref().unwrap_or(&key.namespace);
        let to = Referent { group: &reference.group, kind: &reference.kind, namespace, name: &reference.name };
        match world.trust_anchors(from, to) {
            Ok(pem) => {
                roots.insert((namespace, reference.name.as_str()), pem);
            }
            Err(error) => {
                first_reason.get_or_insert(match error {
                    BadRef::Kind(_) => reason::INVALID_CA_CERTIFICATE_KIND,
                    BadRef::NotPermitted(_) => reason::REF_NOT_PERMITTED,
                    BadRef::Broken(_) => reason::INVALID_CA_CERTIFICATE_REF,
                });
                bad.push(format!("{path}.caCertificateRefs[{index}] of Gateway {key}: {}", error.into_message()));
            }
        }
    }
    let unresolved = first_reason.map(|reason| Problem::new(reason, sentences(&bad)));
    let checked = if roots.is_empty() {
        Err(Refusal::internal(RefusalReason::InvalidPolicy, sentences(&bad)))
    } else {
        let mode = match mode {
            FrontendValidationModeType::AllowValidOnly => ValidationMode::AllowValidOnly,
            FrontendValidationModeType::AllowInsecureFallback => ValidationMode::AllowInsecureFallback,
        };
        Ok(ClientValidation { roots_pem: roots.into_values().collect(), mode })
    };
    Validation { checked, unresolved, insecure: *mode == FrontendValidationModeType::AllowInsecureFallback }
}
