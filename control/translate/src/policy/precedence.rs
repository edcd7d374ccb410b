//! Which of several policies for one target wins: the older, then the first by namespace and name.

use crate::names::seniority;
use lychgate_api::ObjectKey;
use lychgate_api::meta::ObjectMeta;
use std::collections::BTreeMap;

/// What a policy is for: an object of its own namespace, or one section of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct TargetKey<'a> {
    pub(super) group: &'a str,
    pub(super) kind: &'a str,
    pub(super) namespace: &'a str,
    pub(super) name: &'a str,
    pub(super) section: Option<&'a str>,
}

/// The winner of every target.
#[derive(Debug, Default)]
pub(super) struct Winners<'a>(BTreeMap<TargetKey<'a>, &'a ObjectKey>);

impl<'a> Winners<'a> {
    /// Out of all policies of a kind, each with all of its targets.
    pub(super) fn new<T: IntoIterator<Item = TargetKey<'a>>>(
        policies: impl Iterator<Item = (&'a ObjectKey, &'a ObjectMeta, T)>,
    ) -> Self {
        let mut policies: Vec<_> = policies.collect();
        policies.sort_by(|(_, a, _), (_, b, _)| seniority(a).cmp(&seniority(b)));
        let mut winners = BTreeMap::new();
        for (key, _, targets) in policies {
            for target in targets {
                winners.entry(target).or_insert(key);
            }
        }
        Self(winners)
    }

    /// The policy that holds for a target.
    pub(super) fn of<'s>(&'s self, target: &TargetKey<'s>) -> Option<&'s ObjectKey> {
        self.0.get(target).copied()
    }
}
