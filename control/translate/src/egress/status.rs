//! What is said to policies, for each Gateway that they name.

use super::attach::Attachments;
use super::policy::{Policies, Read};
use crate::gateway::GatewayPlan;
use crate::names::EGRESS_CONTROLLER_NAME;
use crate::policy::{MAX_ANCESTORS, ancestor};
use crate::status::condition::{self, Problem, Writer};
use crate::status::{ObjectStatus, reason};
use lychgate_api::gateway::{PolicyAncestorStatus, PolicyStatus};
use lychgate_api::meta::Condition;
use lychgate_api::{Kind, ObjectKey, ObjectRef};
use lychgate_ir::GatewayId;

/// The status of every policy.
pub(crate) fn statuses(
    plans: &[GatewayPlan<'_>],
    policies: &Policies,
    attachments: &Attachments,
) -> Vec<(ObjectRef, ObjectStatus)> {
    let written = policies.iter().map(|(id, read)| {
        let ancestors = attachments.targets(id).iter().take(MAX_ANCESTORS).map(|(gateway, problem)| {
            let plan = plans.iter().find(|plan| plan.id == *gateway);
            PolicyAncestorStatus {
                ancestor_ref: ancestor(gateway),
                controller_name: EGRESS_CONTROLLER_NAME.to_owned(),
                conditions: conditions(read, gateway, plan, problem.as_ref()),
            }
        });
        let key = ObjectKey::new(&*id.0.namespace, &*id.0.name);
        let status = ObjectStatus::Policy(PolicyStatus { ancestors: ancestors.collect() });
        (ObjectRef { kind: Kind::EgressPolicy, key }, status)
    });
    written.collect()
}

fn conditions(
    read: &Read,
    gateway: &GatewayId,
    plan: Option<&GatewayPlan<'_>>,
    problem: Option<&Problem>,
) -> Vec<Condition> {
    let writer = Writer::new(read.object.metadata.generation);
    let unreadable = read.subjects.as_ref().map(|Problem { reason, message }| {
        Problem::new(reason, format!("it denies everything to its namespace until it can be read: {message}"))
    });
    let refused = problem.or(unreadable.as_ref());
    let served = match plan.and_then(|plan| plan.refused.as_ref()) {
        Some(_) => format!("it holds for {gateway}, once that is accepted"),
        None => format!("it holds for {gateway}"),
    };
    let mut conditions = vec![
        writer.verdict(condition::ACCEPTED, refused, reason::ACCEPTED, &served),
        writer.verdict(
            condition::RESOLVED_REFS,
            unresolved(read, gateway, plan).as_ref(),
            reason::RESOLVED_REFS,
            "all references are resolved",
        ),
    ];
    if let (None, Some(Problem { reason, message })) = (refused, &read.rules) {
        conditions.push(writer.write(condition::PARTIALLY_INVALID, true, *reason, message.as_str()));
    }
    conditions
}

fn unresolved(read: &Read, gateway: &GatewayId, plan: Option<&GatewayPlan<'_>>) -> Option<Problem> {
    let cannot_inspect = || {
        let settings = plan?.egress.as_ref()?;
        (read.inspects && !settings.can_inspect()).then(|| {
            let message = format!(
                "{gateway} has no authority to look into TLS with, so rules with tls.mode Inspect deny; name one in \
                 spec.egress.inspection of its GatewayParameters"
            );
            Problem::new(reason::INVALID_SECRET_REF, message)
        })
    };
    read.unresolved.clone().or_else(cannot_inspect)
}
