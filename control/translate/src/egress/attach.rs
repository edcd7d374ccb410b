//! Which policies hold for which Gateways.

use super::policy::Policies;
use crate::gateway::GatewayPlan;
use crate::names::name_of;
use crate::status::condition::Problem;
use crate::status::reason;
use crate::world::World;
use lychgate_api::lychgate::EgressTargetReference;
use lychgate_api::{ObjectKey, Objects};
use lychgate_ir::GatewayId;
use lychgate_ir::egress::EgressPolicyId;
use std::collections::{BTreeMap, BTreeSet};

/// What became of the targets of all policies.
#[derive(Default)]
pub(crate) struct Attachments {
    by_gateway: BTreeMap<GatewayId, BTreeSet<EgressPolicyId>>,
    policies: BTreeSet<EgressPolicyId>,
    /// Every target of every policy, each once, and why it is not attached there.
    targets: BTreeMap<EgressPolicyId, Vec<(GatewayId, Option<Problem>)>>,
}

impl Attachments {
    pub(crate) fn new(world: &World<'_>, plans: &[GatewayPlan<'_>], policies: &Policies) -> Self {
        let plans: BTreeMap<&GatewayId, &GatewayPlan<'_>> = plans.iter().map(|plan| (&plan.id, plan)).collect();
        let mut all = Self::default();
        for (id, read) in policies.iter() {
            let mut targets: Vec<(GatewayId, Option<Problem>)> = Vec::new();
            for target in &read.object.spec.target_refs {
                let gateway = gateway_of(&id.0.namespace, target);
                if targets.iter().any(|(known, _)| *known == gateway) {
                    continue;
                }
                let problem = problem(world, plans.get(&gateway).copied(), &gateway, id);
                if problem.is_none() {
                    all.by_gateway.entry(gateway.clone()).or_default().insert(id.clone());
                    all.policies.insert(id.clone());
                }
                targets.push((gateway, problem));
            }
            all.targets.insert(id.clone(), targets);
        }
        all
    }

    /// The policies of a Gateway.
    pub(super) fn of(&self, gateway: &GatewayId) -> impl Iterator<Item = &EgressPolicyId> {
        self.by_gateway.get(gateway).into_iter().flatten()
    }

    /// All policies that are attached somewhere.
    pub(super) fn policies(&self) -> impl Iterator<Item = &EgressPolicyId> {
        self.policies.iter()
    }

    /// What became of the targets of a policy.
    pub(super) fn targets(&self, id: &EgressPolicyId) -> &[(GatewayId, Option<Problem>)] {
        self.targets.get(id).map(Vec::as_slice).unwrap_or_default()
    }
}

/// The Gateway that a target names.
pub(super) fn gateway_of(own: &str, target: &EgressTargetReference) -> GatewayId {
    let EgressTargetReference { group: _, kind: _, name, namespace } = target;
    GatewayId(name_of(&ObjectKey::new(namespace.as_deref().unwrap_or(own), name.as_str())))
}

/// Why a policy does not hold for a Gateway.
fn problem(
    world: &World<'_>,
    plan: Option<&GatewayPlan<'_>>,
    gateway: &GatewayId,
    policy: &EgressPolicyId,
) -> Option<Problem> {
    let Some(plan) = plan else {
        return Some(if exists(world.objects, gateway) {
            Problem::new(reason::INVALID, format!("{gateway} is not served by Lychgate; correct spec.targetRefs"))
        } else {
            let message = format!("{gateway} does not exist; create it, or correct spec.targetRefs");
            Problem::new(reason::TARGET_NOT_FOUND, message)
        });
    };
    let Some(settings) = &plan.egress else {
        let message = format!("{gateway} is no egress Gateway; name one of class lychgate-egress");
        return Some(Problem::new(reason::INVALID, message));
    };
    (!settings.takes_policies_of(world, &plan.key.namespace, &policy.0.namespace)).then(|| {
        let message = format!(
            "{gateway} takes no policies of namespace {}; spec.egress.policies of its GatewayParameters would have to",
            policy.0.namespace
        );
        Problem::new(reason::NOT_ALLOWED, message)
    })
}

fn exists(objects: &Objects, gateway: &GatewayId) -> bool {
    objects.get_gateway(&ObjectKey::new(&*gateway.0.namespace, &*gateway.0.name)).is_some()
}
