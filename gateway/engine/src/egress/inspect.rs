//! TLS that is looked into: ended here with a certificate that the Gateway's own authority signs, and begun anew towards the
//! destination. Only where a rule says so, and never for hosts that the Gateway leaves out.
//!
//! ```text
//! ClientHello ── a rule with Inspect would allow it, and its name is not excluded
//!   └ Leaves: a certificate for the name, kept ── Authority: signs one
//!       └ requests inside, each decided by itself ── TLS with the destination, verified
//! ```

mod authority;
mod leaves;

use super::refused::Refused;
use crate::tls::TlsError;
use authority::Authority;
use leaves::Leaves;
use lychgate_egress::target::TargetHost;
use lychgate_ir::egress::{DnsName, EgressInspection};
use lychgate_ir::{Certificate, CertificateId, Refusal};
use rustls::ServerConfig;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::SystemTime;

/// How one Gateway looks into TLS.
pub(crate) struct Inspection {
    spec: Option<EgressInspection>,
    signer: Result<Signer, Refused>,
}

/// Who signs, and what was signed.
#[derive(Clone)]
struct Signer {
    certificate: Arc<Certificate>,
    leaves: Arc<Leaves>,
}

impl Inspection {
    /// What was signed by the same authority is taken over.
    pub(super) fn compile(
        spec: Option<&EgressInspection>,
        certificates: &BTreeMap<CertificateId, Arc<Certificate>>,
        before: Option<&Self>,
    ) -> Self {
        let nobody = || Refused::misconfigured("the Gateway has no authority to look into TLS: spec.egress.inspection");
        let before = before.and_then(|before| before.signer.as_ref().ok());
        let signer = match spec {
            None => Err(nobody()),
            Some(EgressInspection { authority, exclude: _ }) => signer(authority, certificates, before),
        };
        Self { spec: spec.cloned(), signer }
    }

    /// Whether what goes by this name, and is there, is carried as it is, whatever rules say.
    pub(crate) fn excludes(&self, name: &DnsName) -> bool {
        self.spec.as_ref().is_some_and(|spec| spec.excludes(name))
    }

    /// TLS with a client that wants this host.
    pub(crate) fn server(&self, host: &TargetHost) -> Result<Arc<ServerConfig>, Refused> {
        let Signer { certificate, leaves } = self.signer.as_ref().map_err(Clone::clone)?;
        let id = &certificate.id;
        leaves
            .server(host, SystemTime::now())
            .map_err(|why| Refused::misconfigured(format!("{id} signs nothing: {why}")))
    }
}

fn signer(
    authority: &Result<CertificateId, Refusal>,
    certificates: &BTreeMap<CertificateId, Arc<Certificate>>,
    before: Option<&Signer>,
) -> Result<Signer, Refused> {
    let id = authority.as_ref().map_err(Refused::broken)?;
    let certificate = certificates.get(id);
    let certificate = certificate.ok_or_else(|| Refused::misconfigured(format!("{id} is not in the snapshot")))?;
    if let Some(same) = before.filter(|before| before.certificate == *certificate) {
        return Ok(same.clone());
    }
    let cannot = |error: TlsError| Refused::misconfigured(format!("{id} cannot sign for hosts: {error}"));
    let leaves = Authority::new(certificate).and_then(Leaves::new).map_err(cannot)?;
    Ok(Signer { certificate: certificate.clone(), leaves: Arc::new(leaves) })
}
