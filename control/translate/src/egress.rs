//! What may leave: egress Gateways, the policies that hold for them, and who is behind which address.
//!
//! ```text
//! Gateway + GatewayParameters ─ settings ─> EgressGateway
//! EgressPolicy ─ policy (subject, rule, handling) ─> EgressPolicy   (attach: for which Gateways)
//! Pod ─ workloads ─> Workload by address
//! ```
//!
//! **Fails closed.** What cannot be read of a rule that allows makes it allow nothing; of a rule that denies, it makes it
//! deny whatever stands there. A policy of which nobody can say whom it is about denies everything to its namespace.

mod attach;
mod handling;
pub(crate) mod policy;
mod rule;
pub(crate) mod settings;
mod status;
mod subject;
pub(crate) mod workloads;

pub(crate) use attach::Attachments;
pub(crate) use policy::{Memory, Policies};
pub(crate) use settings::Settings;
pub(crate) use status::statuses;

use crate::gateway::GatewayPlan;
use crate::keep::keep;
use crate::world::World;
use lychgate_ir::egress::{EgressGateway, EgressPolicy, EgressPolicyId};
use lychgate_ir::{CertificateId, GatewayId, Secret, SecretId, Snapshot};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The part of a snapshot that says what may leave.
#[derive(Default)]
pub(crate) struct Emitted {
    pub(crate) gateways: BTreeMap<GatewayId, Arc<EgressGateway>>,
    pub(crate) policies: BTreeMap<EgressPolicyId, Arc<EgressPolicy>>,
    pub(crate) secrets: BTreeMap<SecretId, Arc<Secret>>,
    /// Certificates that they use.
    pub(crate) certificates: Vec<CertificateId>,
}

/// What is attached, and what that uses.
pub(crate) fn emit(
    plans: &[GatewayPlan<'_>],
    policies: &Policies,
    attachments: &Attachments,
    old: Option<&Snapshot>,
) -> Emitted {
    let mut emitted = Emitted::default();
    let secret = |emitted: &mut BTreeMap<SecretId, Arc<Secret>>, new: &Arc<Secret>| {
        let before = old.and_then(|old| old.secrets.get(&new.id)).filter(|before| *before == new);
        emitted.entry(new.id.clone()).or_insert_with(|| before.unwrap_or(new).clone());
    };
    for plan in plans.iter().filter(|plan| plan.refused.is_none()) {
        let Some(settings) = &plan.egress else { continue };
        let gateway = settings.emit(attachments.of(&plan.id));
        let authority = gateway.inspection.as_ref().map(|inspection| &inspection.authority);
        emitted.certificates.extend(authority.into_iter().flatten().cloned());
        settings.secrets.iter().for_each(|new| secret(&mut emitted.secrets, new));
        let before = old.and_then(|old| old.egress.get(&plan.id));
        emitted.gateways.insert(plan.id.clone(), keep(gateway, before));
    }
    for id in attachments.policies() {
        let Some(read) = policies.get(id) else { continue };
        read.secrets.iter().for_each(|new| secret(&mut emitted.secrets, new));
        emitted.certificates.extend(read.certificates.iter().cloned());
        let before = old.and_then(|old| old.egress_policies.get(id)).filter(|before| **before == read.policy);
        emitted.policies.insert(id.clone(), before.unwrap_or(&read.policy).clone());
    }
    emitted
}

/// Whether anything leaves through one of these Gateways, so that it matters who asks.
pub(crate) fn is_needed(plans: &[GatewayPlan<'_>]) -> bool {
    plans.iter().any(|plan| plan.refused.is_none() && plan.egress.is_some())
}

/// The text of a Secret, in a form that a snapshot carries.
fn text(
    world: &World<'_>,
    from: crate::reference_grant::Referrer<'_>,
    reference: &lychgate_api::lychgate::SecretKeyReference,
) -> Result<Arc<Secret>, crate::world::BadRef> {
    let lychgate_api::lychgate::SecretKeyReference { name, key, namespace } = reference;
    world.secret_text(from, namespace.as_deref(), name, key).map(Arc::new)
}
