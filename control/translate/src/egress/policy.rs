//! One policy: whom it is about, its rules, and what is wrong with it.

use super::{attach, rule, subject};
use crate::names::name_of;
use crate::reference_grant::Referrer;
use crate::status::condition::Problem;
use crate::world::World;
use lychgate_api::lychgate::{EgressPolicyMode, EgressPolicySpec, EgressShadow};
use lychgate_api::{Kind, LYCHGATE_GROUP, ObjectKey, Objects, lychgate};
use lychgate_ir::egress::{
    Destination, EgressAction, EgressExceptions, EgressMode, EgressPolicy, EgressPolicyId, EgressRule, EgressSubject,
    Percent,
};
use lychgate_ir::{CertificateId, Secret};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What a policy was read as.
#[derive(Debug)]
pub(crate) struct Read {
    pub(super) object: Arc<lychgate::EgressPolicy>,
    pub(super) policy: Arc<EgressPolicy>,
    /// Whether other objects had a say.
    refers: bool,
    /// What it uses.
    pub(super) secrets: Vec<Arc<Secret>>,
    pub(super) certificates: Vec<CertificateId>,
    /// Why nobody can say whom it is about.
    pub(super) subjects: Option<Problem>,
    /// Rules that cannot be read in full.
    pub(super) rules: Option<Problem>,
    /// References that lead nowhere.
    pub(super) unresolved: Option<Problem>,
    /// Whether a rule looks into TLS.
    pub(super) inspects: bool,
}

/// Policies by name, as they were read.
pub(crate) type Memory = BTreeMap<EgressPolicyId, Arc<Read>>;

/// All policies.
pub(crate) struct Policies(Memory);

/// What references of policies lead to.
const REFERENTS: [Kind; 4] = [Kind::Secret, Kind::ConfigMap, Kind::ClusterTrustBundle, Kind::ReferenceGrant];

impl Policies {
    /// Reads them; those that cannot be read otherwise than before are not read again.
    pub(crate) fn new(world: &World<'_>, before: Option<(&Objects, &Memory)>) -> Self {
        let same_referents =
            before.is_some_and(|(old, _)| REFERENTS.iter().all(|kind| old.shares(world.objects, *kind)));
        let read = world.objects.egress_policies().map(|(key, object)| {
            let id = EgressPolicyId(name_of(key));
            let before = before.and_then(|(_, memory)| memory.get(&id)).filter(|before| {
                (same_referents || !before.refers) && (Arc::ptr_eq(&before.object, object) || before.object == *object)
            });
            let read = before.cloned().unwrap_or_else(|| Arc::new(read(world, key, object)));
            (id, read)
        });
        Self(read.collect())
    }

    pub(super) fn get(&self, id: &EgressPolicyId) -> Option<&Read> {
        self.0.get(id).map(|read| &**read)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&EgressPolicyId, &Read)> {
        self.0.iter().map(|(id, read)| (id, &**read))
    }

    /// For the next translation.
    pub(crate) fn into_memory(self) -> Memory {
        self.0
    }
}

fn read(world: &World<'_>, key: &ObjectKey, object: &Arc<lychgate::EgressPolicy>) -> Read {
    let EgressPolicySpec { target_refs, subjects, mode, shadow, rules } = &object.spec;
    let from = Referrer { group: LYCHGATE_GROUP, kind: Kind::EgressPolicy.as_str(), namespace: &key.namespace };
    // Whoever may write policies beside the Gateway speaks for its owner.
    let is_owner =
        target_refs.iter().all(|target| *attach::gateway_of(&key.namespace, target).0.namespace == key.namespace);
    let mut reader = rule::Reader::new(world, from);
    let (subjects, unreadable) = match subject::read(&key.namespace, is_owner, subjects) {
        Ok(subjects) => (subjects, None),
        Err(problem) => (vec![EgressSubject::Namespace(key.namespace.as_str().into())], Some(problem)),
    };
    let rules: Vec<EgressRule> = match &unreadable {
        None => rules.iter().enumerate().map(|(index, rule)| reader.rule(index, rule)).collect(),
        Some(_) => vec![deny_all()],
    };
    let policy = EgressPolicy {
        generation: object.metadata.generation,
        mode: mode_of(*mode, shadow.map(|EgressShadow { percent }| percent)),
        subjects,
        rules,
    };
    let rule::Reader { world: _, from: _, problems, unresolved, refers, secrets, certificates, inspects } = reader;
    Read {
        object: object.clone(),
        policy: Arc::new(policy),
        refers,
        secrets,
        certificates,
        subjects: unreadable,
        rules: rule::problem(&problems),
        unresolved: rule::unresolved(&unresolved),
        inspects,
    }
}

fn deny_all() -> EgressRule {
    EgressRule {
        name: None,
        action: EgressAction::Deny,
        destination: Destination::Any,
        ports: Vec::new(),
        protocols: Vec::new(),
        windows: Vec::new(),
        exceptions: EgressExceptions::default(),
        // Who is refused need not know why: the status says it.
        reason: Some("a policy of the namespace cannot be read".into()),
        handling: Arc::default(),
    }
}

/// How seriously it is meant; shadow takes all decisions where no share is written.
pub(super) fn mode_of(mode: EgressPolicyMode, percent: Option<u8>) -> EgressMode {
    match mode {
        EgressPolicyMode::Enforce => EgressMode::Enforce,
        EgressPolicyMode::Shadow => EgressMode::Shadow(percent.and_then(Percent::new).unwrap_or(Percent::ALL)),
    }
}
