//! BackendTLSPolicies (GEP-1897): TLS towards the ports of a Service.

use super::precedence::{TargetKey, Winners};
use super::{MAX_ANCESTORS, ancestor};
use crate::backend::validation::{self, Checked, Good};
use crate::gateway_class::controller_of;
use crate::listener::is_ours;
use crate::names::{CONTROLLER_NAME, name_of};
use crate::route::usage::Usage;
use crate::status::condition::{self, Problem, Writer, list};
use crate::status::{ObjectStatus, reason};
use crate::world::World;
use lychgate_api::gateway::{
    BackendTlsPolicy, LocalPolicyTargetReferenceWithSectionName, ParentReference, PolicyAncestorStatus, PolicyStatus,
};
use lychgate_api::{GATEWAY_X_GROUP, Kind, ObjectKey, ObjectRef};
use lychgate_ir::{BackendKind, BackendTls, ClientIdentity, GatewayId, Refusal, RefusalReason, UpstreamTls};
use std::collections::{BTreeMap, BTreeSet};

/// All policies, which of them hold, and what they say.
pub(crate) struct TlsPolicies<'a> {
    winners: Winners<'a>,
    checked: BTreeMap<&'a ObjectKey, Checked>,
}

impl<'a> TlsPolicies<'a> {
    pub(crate) fn new(world: &World<'a>) -> Self {
        let policies = world.objects.backend_tls_policies();
        let winners = Winners::new(policies.map(|(key, policy)| {
            (key, &policy.metadata, policy.spec.target_refs.iter().map(|target| target_key(&key.namespace, target)))
        }));
        let policies = world.objects.backend_tls_policies();
        let checked = policies.map(|(key, policy)| (key, check(world, key, policy))).collect();
        Self { winners, checked }
    }

    /// Whether a policy holds for this port of a Service.
    pub(crate) fn covers(&self, service: &ObjectKey, port: &str) -> bool {
        self.winner(service, port).is_some()
    }

    /// How a port of a Service is protected, if a policy holds for it.
    pub(crate) fn tls(&self, service: &ObjectKey, port: &str) -> Option<BackendTls> {
        let key = self.winner(service, port)?;
        Some(match &self.checked.get(key)?.result {
            Ok(Good { hostname, subject_alt_names, roots }) => BackendTls::Tls(UpstreamTls {
                hostname: hostname.clone(),
                subject_alt_names: subject_alt_names.clone(),
                roots: roots.clone(),
                identity: ClientIdentity::Gateway,
            }),
            Err(problem) => BackendTls::Broken(Refusal::internal(
                RefusalReason::InvalidPolicy,
                format!("BackendTLSPolicy {key}: {}", problem.message),
            )),
        })
    }

    /// The policy for the port goes before the one for the Service.
    fn winner<'s>(&'s self, service: &'s ObjectKey, port: &'s str) -> Option<&'s ObjectKey> {
        let kind = Kind::Service;
        let target = |section| TargetKey {
            group: kind.group(),
            kind: kind.as_str(),
            namespace: &service.namespace,
            name: &service.name,
            section,
        };
        self.winners.of(&target(Some(port))).or_else(|| self.winners.of(&target(None)))
    }

    /// The status of every policy, with one entry a Gateway that sends requests to a target.
    pub(crate) fn statuses(&self, world: &World<'_>, usage: &Usage) -> Vec<(ObjectRef, ObjectStatus)> {
        let policies = world.objects.backend_tls_policies();
        let written = policies.map(|(key, policy)| {
            let status = self.status(world, usage, key, policy);
            (ObjectRef { kind: Kind::BackendTlsPolicy, key: key.clone() }, ObjectStatus::Policy(status))
        });
        written.collect()
    }

    fn status(&self, world: &World<'_>, usage: &Usage, key: &ObjectKey, policy: &BackendTlsPolicy) -> PolicyStatus {
        let mut by_gateway: BTreeMap<&GatewayId, Vec<&LocalPolicyTargetReferenceWithSectionName>> = BTreeMap::new();
        let mut lost: Vec<&LocalPolicyTargetReferenceWithSectionName> = Vec::new();
        for target in &policy.spec.target_refs {
            match users(usage, &key.namespace, target) {
                Some(gateways) => gateways.iter().for_each(|id| by_gateway.entry(id).or_default().push(target)),
                // Without a cluster, nobody else could know the target.
                None if world.options.standalone && !exists(world, &key.namespace, target) => lost.push(target),
                None => {}
            }
        }
        let controller = |id| controller_of(world.objects, id);
        let ancestors = by_gateway.into_iter().map(|(id, targets)| (ancestor(id), controller(id), targets));
        let lost =
            lost.into_iter().map(|target| (target_ancestor(&key.namespace, target), CONTROLLER_NAME, vec![target]));
        let ancestors = ancestors.chain(lost).take(MAX_ANCESTORS);
        let ancestors = ancestors.map(|(ancestor_ref, controller, targets)| PolicyAncestorStatus {
            ancestor_ref,
            controller_name: controller.to_owned(),
            conditions: self.conditions(world, key, policy, &targets),
        });
        PolicyStatus { ancestors: ancestors.collect() }
    }

    fn conditions(
        &self,
        world: &World<'_>,
        key: &ObjectKey,
        policy: &BackendTlsPolicy,
        targets: &[&LocalPolicyTargetReferenceWithSectionName],
    ) -> Vec<lychgate_api::meta::Condition> {
        let writer = Writer::new(policy.metadata.generation);
        let checked = self.checked.get(key);
        let refused = targets.iter().find_map(|target| self.target_problem(world, key, target));
        let refused = refused.or_else(|| checked.and_then(|checked| checked.result.as_ref().err()).cloned());
        let unresolved = checked.and_then(|checked| checked.unresolved.as_ref());
        let foreign: Vec<_> = policy.spec.options.keys().filter(|option| !is_ours(option)).cloned().collect();
        let message = if foreign.is_empty() {
            "connections to the target are verified".to_owned()
        } else {
            format!(
                "connections to the target are verified; options that are not ours have no effect: {}",
                list(&foreign)
            )
        };
        vec![
            writer.verdict(condition::ACCEPTED, refused.as_ref(), reason::ACCEPTED, &message),
            writer.verdict(condition::RESOLVED_REFS, unresolved, reason::RESOLVED_REFS, "all references are resolved"),
        ]
    }

    /// Why the policy does not hold for a target.
    fn target_problem(
        &self,
        world: &World<'_>,
        key: &ObjectKey,
        target: &LocalPolicyTargetReferenceWithSectionName,
    ) -> Option<Problem> {
        let what = &target.target;
        let named = match &target.section_name {
            Some(section) => format!("{} {}, port {section}", what.kind, what.name),
            None => format!("{} {}", what.kind, what.name),
        };
        if backend_kind(target) == Some(BackendKind::XBackend) {
            let message = format!("{named} has TLS settings of its own; write them in its spec.tls");
            return Some(Problem::new(reason::INVALID, message));
        }
        if !exists(world, &key.namespace, target) {
            let message = format!("{named} does not exist in namespace {}; correct spec.targetRefs", key.namespace);
            return Some(Problem::new(reason::TARGET_NOT_FOUND, message));
        }
        match self.winners.of(&target_key(&key.namespace, target)) {
            Some(winner) if winner != key => {
                let message =
                    format!("BackendTLSPolicy {winner} is for {named} too, and comes first; keep one of them");
                Some(Problem::new(reason::CONFLICTED, message))
            }
            Some(_) | None => None,
        }
    }
}

fn check(world: &World<'_>, key: &ObjectKey, policy: &BackendTlsPolicy) -> Checked {
    let mut checked = validation::check(world, &key.namespace, "spec.validation", &policy.spec.validation);
    // One of ours that we do not know is a wish that we would not grant.
    if let Some(option) = policy.spec.options.keys().find(|option| is_ours(option)) {
        checked.result = Err(Problem::new(reason::INVALID, format!("spec.options: {option} is unknown; remove it")));
    }
    checked
}

fn target_key<'a>(namespace: &'a str, target: &'a LocalPolicyTargetReferenceWithSectionName) -> TargetKey<'a> {
    let LocalPolicyTargetReferenceWithSectionName { target, section_name } = target;
    TargetKey {
        group: &target.group,
        kind: &target.kind,
        namespace,
        name: &target.name,
        section: section_name.as_deref().filter(|name| !name.is_empty()),
    }
}

fn backend_kind(target: &LocalPolicyTargetReferenceWithSectionName) -> Option<BackendKind> {
    match (target.target.group.as_str(), target.target.kind.as_str()) {
        ("", "Service") => Some(BackendKind::Service),
        (GATEWAY_X_GROUP, "XBackend") => Some(BackendKind::XBackend),
        _ => None,
    }
}

/// The Gateways that send requests to a target.
fn users<'u>(
    usage: &'u Usage,
    namespace: &str,
    target: &LocalPolicyTargetReferenceWithSectionName,
) -> Option<&'u BTreeSet<GatewayId>> {
    let name = name_of(&ObjectKey::new(namespace, target.target.name.as_str()));
    usage.objects.get(&(backend_kind(target)?, name))
}

/// Whether the target is there, with its section.
fn exists(world: &World<'_>, namespace: &str, target: &LocalPolicyTargetReferenceWithSectionName) -> bool {
    let key = ObjectKey::new(namespace, target.target.name.as_str());
    match backend_kind(target) {
        None => false,
        Some(BackendKind::XBackend) => world.objects.get_xbackend(&key).is_some(),
        Some(BackendKind::Service) => world.objects.get_service(&key).is_some_and(|service| {
            let section = target.section_name.as_deref().filter(|name| !name.is_empty());
            section.is_none_or(|section| service.spec.ports.iter().any(|port| port.name == section))
        }),
    }
}

fn target_ancestor(namespace: &str, target: &LocalPolicyTargetReferenceWithSectionName) -> ParentReference {
    let LocalPolicyTargetReferenceWithSectionName { target, section_name } = target;
    ParentReference {
        group: target.group.clone(),
        kind: target.kind.clone(),
        namespace: Some(namespace.to_owned()),
        name: target.name.clone(),
        section_name: section_name.clone(),
        port: None,
    }
}
