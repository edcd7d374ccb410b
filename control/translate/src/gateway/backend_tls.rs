//! `spec.tls.backend`: the certificate that a Gateway shows to backends (GEP-3155).

use crate::reference_grant::Referrer;
use crate::status::condition::Problem;
use crate::status::reason;
use crate::world::{BadRef, World};
use lychgate_api::gateway::Gateway;
use lychgate_api::{GATEWAY_GROUP, Kind, ObjectKey};
use lychgate_ir::CertificateId;

/// The certificate, or why there is none. Backends that insist on one refuse us then.
pub(super) fn read(world: &World<'_>, key: &ObjectKey, gateway: &Gateway) -> Option<Result<CertificateId, Problem>> {
    let reference = gateway.spec.tls.as_ref()?.backend.as_ref()?.client_certificate_ref.as_ref()?;
    let from = Referrer { group: GATEWAY_GROUP, kind: Kind::Gateway.as_str(), namespace: &key.namespace };
    Some(world.certificate(from, reference).map(|certificate| certificate.id.clone()).map_err(|bad| {
        let reason = match bad {
            BadRef::NotPermitted(_) => reason::REF_NOT_PERMITTED,
            BadRef::Kind(_) | BadRef::Broken(_) => reason::INVALID_CLIENT_CERTIFICATE_REF,
        };
        Problem::new(reason, format!("spec.tls.backend.clientCertificateRef: {}", bad.into_message()))
    }))
}
