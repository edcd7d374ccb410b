//! How a backend's certificate is verified, as BackendTLSPolicies and XBackends write it (GEP-1897).

use crate::reference_grant::{Referent, Referrer};
use crate::status::condition::{Problem, sentences};
use crate::status::reason;
use crate::world::{BadRef, World};
use lychgate_api::gateway::{BackendTlsPolicyValidation, SubjectAltNameType, WellKnownCaCertificates};
use lychgate_ir::{Roots, SubjectAltName};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What was found out.
pub(crate) struct Checked {
    /// Whom to believe, or why nobody can be verified.
    pub(crate) result: Result<Good, Problem>,
    /// A reference leads nowhere, even if others are good.
    pub(crate) unresolved: Option<Problem>,
}

/// A way to verify.
#[derive(Clone)]
pub(crate) struct Good {
    pub(crate) hostname: Arc<str>,
    pub(crate) subject_alt_names: Vec<SubjectAltName>,
    pub(crate) roots: Roots,
}

/// References stay within `namespace`.
pub(crate) fn check(world: &World<'_>, namespace: &str, path: &str, wanted: &BackendTlsPolicyValidation) -> Checked {
    let BackendTlsPolicyValidation { ca_certificate_refs, well_known_ca_certificates, hostname, subject_alt_names } =
        wanted;
    let mut unresolved = None;
    let roots = match (well_known_ca_certificates, ca_certificate_refs.is_empty()) {
        (Some(WellKnownCaCertificates::System), _) => Ok(Roots::System),
        (Some(WellKnownCaCertificates::Other(name)), _) => Err(Problem::new(
            reason::INVALID,
            format!("{path}.wellKnownCACertificates: `{name}` is unknown; use System or caCertificateRefs"),
        )),
        (None, true) => {
            Err(Problem::new(reason::INVALID, format!("{path} names no trust anchors; use caCertificateRefs")))
        }
        (None, false) => {
            let mut roots = BTreeMap::new();
            let mut bad = Vec::new();
            let mut first_reason = None;
            for (index, reference) in ca_certificate_refs.iter().enumerate() {
                let from = Referrer { group: "", kind: "", namespace };
                let to = Referent { group: &reference.group, kind: &reference.kind, namespace, name: &reference.name };
                match world.trust_anchors(from, to) {
                    Ok(pem) => {
                        roots.insert(reference.name.as_str(), pem);
                    }
                    Err(error) => {
                        first_reason.get_or_insert(match error {
                            BadRef::Kind(_) => reason::INVALID_KIND,
                            BadRef::NotPermitted(_) | BadRef::Broken(_) => reason::INVALID_CA_CERTIFICATE_REF,
                        });
                        bad.push(format!("{path}.caCertificateRefs[{index}]: {}", error.into_message()));
                    }
                }
            }
            unresolved = first_reason.map(|reason| Problem::new(reason, sentences(&bad)));
            if roots.is_empty() {
                Err(Problem::new(reason::NO_VALID_CA_CERTIFICATE, sentences(&bad)))
            } else {
                Ok(Roots::Pem(roots.into_values().collect()))
            }
        }
    };
    let mut names = Vec::with_capacity(subject_alt_names.len());
    for (index, name) in subject_alt_names.iter().enumerate() {
        let read = match name.r#type {
            SubjectAltNameType::Hostname => {
                name.hostname.as_deref().map(|name| SubjectAltName::Dns(name.to_ascii_lowercase().into()))
            }
            SubjectAltNameType::Uri => name.uri.as_deref().map(|uri| SubjectAltName::Uri(uri.into())),
        };
        match read {
            Some(name) => names.push(name),
            None => {
                let message = format!("{path}.subjectAltNames[{index}]: the name of type {} is missing", name.r#type);
                return Checked { result: Err(Problem::new(reason::INVALID, message)), unresolved };
            }
        }
    }
    // An empty name would turn verification off further down.
    let hostname = Some(hostname.to_ascii_lowercase()).filter(|name| !name.is_empty());
    let result = match hostname {
        None => Err(Problem::new(reason::INVALID, format!("{path}.hostname is empty"))),
        Some(hostname) => roots.map(|roots| Good { hostname: hostname.into(), subject_alt_names: names, roots }),
    };
    Checked { result, unresolved }
}
