//! A Gateway through which things leave, compiled: its policies, and all that they refer to.

mod sources;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
mod used;

use super::dial::{Lately, Own};
use super::inspect::Inspection;
use super::limits::Lines;
use super::names::Names;
use super::origin::Origins;
use super::refused::Refused;
use crate::limits::Limits;
use http::HeaderValue;
use lychgate_egress::Policies;
use lychgate_egress::limits::Books;
use lychgate_ir::egress::{
    Destination, EgressAction, EgressConfig, EgressCredential, EgressExceptions, EgressGateway, EgressMode,
    EgressPolicy, EgressPolicyId, EgressRule, EgressSubject, EgressTls,
};
use lychgate_ir::{Certificate, CertificateId, GatewayId, Redacted, Secret, SecretId, Snapshot};
use sources::tell_absent;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use used::Used;

/// One Gateway. The same for as long as nothing of it changes: whoever holds it can tell by that.
pub(crate) struct Gate {
    pub(crate) spec: Arc<EgressGateway>,
    pub(crate) policies: Arc<Policies>,
    /// What has left by rules that have limits.
    pub(crate) books: Arc<Books>,
    /// Connections of routes that are counted.
    pub(crate) lines: Arc<Lines>,
    pub(crate) names: Arc<Names>,
    pub(crate) lately: Arc<Lately>,
    /// Addresses of this host, for rules that say where to leave from.
    pub(crate) own: Arc<Own>,
    pub(crate) origins: Origins,
    pub(crate) inspection: Inspection,
    /// Whether any rule looks into TLS: where none does, nobody has to ask twice.
    pub(crate) looks_into_tls: bool,
    /// Unlike that of any other: connections that wait are found by it, so that none outlives what allowed it.
    pub(crate) number: u64,
    made_of: MadeOf,
}

/// What it was made of, so that the next snapshot shows whether it is still true. Of secrets and certificates those that it
/// uses: what others do with theirs changes nothing.
#[derive(PartialEq)]
struct MadeOf {
    policies: BTreeMap<EgressPolicyId, Arc<EgressPolicy>>,
    secrets: BTreeMap<SecretId, Arc<Secret>>,
    certificates: BTreeMap<CertificateId, Arc<Certificate>>,
}

static NEXT: AtomicU64 = AtomicU64::new(1);

impl MadeOf {
    fn of(snapshot: &Snapshot, id: &GatewayId, spec: &EgressGateway) -> Self {
        let policy = |id: &EgressPolicyId| {
            let known = snapshot.egress_policies.get(id).cloned();
            (id.clone(), known.unwrap_or_else(|| Arc::new(nothing_leaves())))
        };
        let policies: BTreeMap<_, _> = spec.policies.iter().map(policy).collect();
        let of_gateway = snapshot.listeners.values().filter(|listener| listener.id.gateway == *id);
        let Used { secrets, certificates } = Used::by(spec, policies.values(), of_gateway);
        let secret = |id: SecretId| snapshot.secrets.get(&id).cloned().map(|secret| (id, secret));
        let certificate = |id: CertificateId| snapshot.certificates.get(&id).cloned().map(|known| (id, known));
        Self {
            policies,
            secrets: secrets.into_iter().filter_map(secret).collect(),
            certificates: certificates.into_iter().filter_map(certificate).collect(),
        }
    }
}

/// In the place of a policy that the snapshot does not have: nobody knows what it denies.
fn nothing_leaves() -> EgressPolicy {
    let deny = EgressRule {
        name: None,
        action: EgressAction::Deny,
        destination: Destination::Any,
        ports: Vec::new(),
        protocols: Vec::new(),
        windows: Vec::new(),
        exceptions: EgressExceptions::default(),
        reason: Some("the egress gateway does not have all of its policies".into()),
        handling: Arc::default(),
    };
    EgressPolicy {
        generation: 0,
        mode: EgressMode::Enforce,
        subjects: vec![EgressSubject::Everyone],
        rules: vec![deny],
    }
}

/// All Gateways of a snapshot. What did not change is that of before.
pub(crate) fn compile(
    snapshot: &Snapshot,
    previous: &HashMap<GatewayId, Arc<Gate>>,
    limits: &Limits,
) -> HashMap<GatewayId, Arc<Gate>> {
    let gate = |(id, spec): (&GatewayId, &Arc<EgressGateway>)| {
        let made_of = MadeOf::of(snapshot, id, spec);
        let before = previous.get(id);
        let same = before.filter(|before| before.spec == *spec && before.made_of == made_of);
        (id.clone(), same.cloned().unwrap_or_else(|| Arc::new(make(id, spec, made_of, before, limits))))
    };
    snapshot.egress.iter().map(gate).collect()
}

fn looks_into_tls(policy: &EgressPolicy) -> bool {
    policy.rules.iter().any(|rule| match rule.handling.tls {
        EgressTls::Inspect(_) => true,
        EgressTls::Pass | EgressTls::Originate(_) => false,
    })
}

fn make(
    id: &GatewayId,
    spec: &Arc<EgressGateway>,
    made_of: MadeOf,
    before: Option<&Arc<Gate>>,
    limits: &Limits,
) -> Gate {
    let own = before.map(|before| before.own.clone()).unwrap_or_default();
    for (policy, rules) in &made_of.policies {
        if before.and_then(|before| before.made_of.policies.get(policy)) != Some(rules) {
            tell_absent(id, policy, rules, &own);
        }
    }
    let names = before.filter(|before| before.spec.dns == spec.dns).map(|before| before.names.clone());
    let same = before.filter(|before| {
        let old = &before.spec;
        old.default == spec.default && old.cluster == spec.cluster && before.made_of.policies == made_of.policies
    });
    let (policies, books) = match same {
        Some(same) => (same.policies.clone(), same.books.clone()),
        None => {
            let config = EgressConfig {
                default: spec.default,
                cluster: spec.cluster.clone(),
                policies: made_of.policies.clone(),
            };
            let old = before.map(|before| before.books.clone()).unwrap_or_default();
            let books = Books::compile(&config.policies, &old);
            // What runs by a rule that has no limits any more goes on without.
            old.release(&books);
            (Arc::new(Policies::compile(&config)), Arc::new(books))
        }
    };
    Gate {
        spec: spec.clone(),
        policies,
        books,
        lines: before.map(|before| before.lines.clone()).unwrap_or_default(),
        names: names.unwrap_or_else(|| Arc::new(Names::new(&spec.dns, limits.resolve))),
        lately: before.map(|before| before.lately.clone()).unwrap_or_default(),
        own,
        origins: Origins::default(),
        inspection: Inspection::compile(
            spec.inspection.as_ref(),
            &made_of.certificates,
            before.map(|before| &before.inspection),
        ),
        looks_into_tls: made_of.policies.values().any(|policy| looks_into_tls(policy)),
        number: NEXT.fetch_add(1, Ordering::Relaxed),
        made_of,
    }
}

impl Gate {
    /// The text of a secret, if the snapshot has it.
    pub(crate) fn secret(&self, id: &SecretId) -> Option<&Redacted> {
        self.made_of.secrets.get(id).map(|secret| &secret.text)
    }

    /// What is added to a request: the gate knows it, and the workload need not.
    pub(crate) fn credential(&self, credential: &EgressCredential) -> Result<HeaderValue, Refused> {
        let EgressCredential { header: _, prefix, secret } = credential;
        let id = secret.as_ref().map_err(Refused::broken)?;
        let missing = || Refused::misconfigured(format!("{id} is not in the snapshot"));
        let text = Redacted::new(format!("{prefix}{}", self.secret(id).ok_or_else(missing)?.expose()));
        // The error would quote it.
        let value = HeaderValue::try_from(text.expose());
        let mut value = value.map_err(|_| Refused::misconfigured(format!("{id} is no value of a header")))?;
        value.set_sensitive(true);
        Ok(value)
    }

    /// A certificate and its key, if the snapshot has them.
    pub(crate) fn certificate(&self, id: &CertificateId) -> Option<&Arc<Certificate>> {
        self.made_of.certificates.get(id)
    }
}
