//! A Gateway through which things leave, compiled: its policies, and all that they refer to.

use super::inspect::Inspection;
use super::names::Names;
use super::origin::Origins;
use crate::limits::Limits;
use lychgate_egress::Policies;
use lychgate_ir::egress::{EgressConfig, EgressGateway, EgressPolicy, EgressPolicyId, EgressTls};
use lychgate_ir::{Certificate, CertificateId, GatewayId, Redacted, Secret, SecretId, Snapshot};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// One Gateway. The same for as long as nothing of it changes: whoever holds it can tell by that.
pub(crate) struct Gate {
    pub(crate) spec: Arc<EgressGateway>,
    pub(crate) policies: Policies,
    pub(crate) names: Arc<Names>,
    pub(crate) origins: Origins,
    pub(crate) inspection: Inspection,
    /// Whether any rule looks into TLS: where none does, nobody has to ask twice.
    pub(crate) looks_into_tls: bool,
    made_of: MadeOf,
}

/// What it was made of, so that the next snapshot shows whether it is still true.
#[derive(PartialEq)]
struct MadeOf {
    policies: BTreeMap<EgressPolicyId, Arc<EgressPolicy>>,
    secrets: BTreeMap<SecretId, Arc<Secret>>,
    certificates: BTreeMap<CertificateId, Arc<Certificate>>,
}

/// All Gateways of a snapshot. What did not change is that of before.
pub(crate) fn compile(
    snapshot: &Snapshot,
    previous: &HashMap<GatewayId, Arc<Gate>>,
    limits: &Limits,
) -> HashMap<GatewayId, Arc<Gate>> {
    let gate = |(id, spec): (&GatewayId, &Arc<EgressGateway>)| {
        let of = |id: &EgressPolicyId| Some((id.clone(), snapshot.egress_policies.get(id)?.clone()));
        let made_of = MadeOf {
            policies: spec.policies.iter().filter_map(of).collect(),
            secrets: snapshot.secrets.clone(),
            certificates: snapshot.certificates.clone(),
        };
        let before = previous.get(id);
        if let Some(same) = before.filter(|before| before.spec == *spec && before.made_of == made_of) {
            return (id.clone(), same.clone());
        }
        let names = before.filter(|before| before.spec.dns == spec.dns).map(|before| before.names.clone());
        let config =
            EgressConfig { default: spec.default, cluster: spec.cluster.clone(), policies: made_of.policies.clone() };
        let gate = Gate {
            spec: spec.clone(),
            policies: Policies::compile(&config),
            names: names.unwrap_or_else(|| Arc::new(Names::new(&spec.dns, limits.resolve))),
            origins: Origins::default(),
            inspection: Inspection::compile(
                spec.inspection.as_ref(),
                &made_of.certificates,
                before.map(|before| &before.inspection),
            ),
            looks_into_tls: made_of.policies.values().any(|policy| looks_into_tls(policy)),
            made_of,
        };
        (id.clone(), Arc::new(gate))
    };
    snapshot.egress.iter().map(gate).collect()
}

fn looks_into_tls(policy: &EgressPolicy) -> bool {
    policy.rules.iter().any(|rule| match rule.handling.tls {
        EgressTls::Inspect(_) => true,
        EgressTls::Pass | EgressTls::Originate(_) => false,
    })
}

impl Gate {
    /// The text of a secret, if the snapshot has it.
    pub(crate) fn secret(&self, id: &SecretId) -> Option<&Redacted> {
        self.made_of.secrets.get(id).map(|secret| &secret.text)
    }

    /// A certificate and its key, if the snapshot has them.
    pub(crate) fn certificate(&self, id: &CertificateId) -> Option<&Arc<Certificate>> {
        self.made_of.certificates.get(id)
    }
}
