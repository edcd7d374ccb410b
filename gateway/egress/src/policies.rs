//! Policies, compiled, and found by whom they are about.

mod egress;
mod group;
mod tally;

pub use egress::Egress;
pub(crate) use egress::Tried;

use crate::ask::Source;
use crate::rule::Rule;
use egress::Selected;
use group::Group;
use ipnet::IpNet;
use lychgate_ir::ObjectName;
use lychgate_ir::egress::{
    EgressConfig, EgressMode, EgressPolicy, EgressRuleId, EgressSubject, SubjectLevel, Workload,
};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// An [`EgressConfig`], compiled.
#[derive(Debug)]
pub struct Policies {
    default: EgressMode,
    cluster: Vec<IpNet>,
    /// One for each set of subjects.
    groups: Vec<Group>,
    /// The groups that are about a subject.
    about: HashMap<EgressSubject, Vec<usize>>,
    /// Those that are about workloads of a namespace with certain labels.
    about_labels: HashMap<Arc<str>, Vec<Selector>>,
}

/// Labels that a workload must have, and the group that is then about it.
#[derive(Debug)]
struct Selector {
    labels: BTreeMap<Arc<str>, Arc<str>>,
    group: usize,
}

impl Policies {
    /// Compiles them all; nothing in the vocabulary can fail to.
    pub fn compile(config: &EgressConfig) -> Self {
        let EgressConfig { default, cluster, policies } = config;
        let mut by_subjects: BTreeMap<Vec<EgressSubject>, Group> = BTreeMap::new();
        for (policy, value) in policies {
            let EgressPolicy { generation, mode, subjects, rules } = &**value;
            let mut subjects = subjects.clone();
            subjects.sort();
            subjects.dedup();
            let group = by_subjects.entry(subjects).or_default();
            for (index, rule) in (0..).zip(rules) {
                let name = rule.name.clone();
                let id = EgressRuleId { policy: policy.clone(), generation: *generation, index, name };
                group.add(Rule::compile(id, *mode, rule));
            }
            group.is_selected_by(*mode);
        }

        let mut compiled = Self {
            default: *default,
            cluster: cluster.iter().copied().map(crate::nets::canonical).collect(),
            groups: Vec::with_capacity(by_subjects.len()),
            about: HashMap::new(),
            about_labels: HashMap::new(),
        };
        for (subjects, mut group) in by_subjects {
            let index = compiled.groups.len();
            group.finish();
            compiled.groups.push(group);
            for subject in subjects {
                match subject {
                    EgressSubject::Labels { namespace, labels } => {
                        compiled.about_labels.entry(namespace).or_default().push(Selector { labels, group: index });
                    }
                    EgressSubject::Everyone
                    | EgressSubject::Unknown
                    | EgressSubject::Namespace(_)
                    | EgressSubject::ServiceAccount(_)
                    | EgressSubject::Identity(_) => compiled.about.entry(subject).or_default().push(index),
                }
            }
        }
        compiled
    }

    /// The policies that are about a source: looked up once a connection, asked for each of its requests.
    pub fn of(&self, source: &Source) -> Egress<'_> {
        let mut levels: BTreeMap<usize, (SubjectLevel, bool)> = BTreeMap::new();
        let mut add = |index: usize, level: SubjectLevel, is_for_everyone: bool| {
            let entry = levels.entry(index).or_insert((level, is_for_everyone));
            *entry = (entry.0.min(level), entry.1 && is_for_everyone);
        };
        for subject in subjects(source) {
            let is_for_everyone = subject == EgressSubject::Everyone;
            for index in self.about.get(&subject).into_iter().flatten() {
                add(*index, subject.level(), is_for_everyone);
            }
        }
        if let Source::Workload(workload) = source
            && let Workload { namespace: Some(namespace), labels, identity: _, service_account: _ } = &**workload
        {
            let has_all = |wanted: &BTreeMap<_, _>| wanted.iter().all(|(key, value)| labels.get(key) == Some(value));
            let selectors = self.about_labels.get(namespace).into_iter().flatten();
            for Selector { labels: _, group } in selectors.filter(|selector| has_all(&selector.labels)) {
                add(*group, SubjectLevel::Workload, false);
            }
        }
        let mut groups: Vec<_> = levels
            .into_iter()
            .filter_map(|(index, (level, is_for_everyone))| {
                self.groups.get(index).map(|group| Selected { level, is_for_everyone, group })
            })
            .collect();
        // By level, then by the name of the first rule: the order of subjects means nothing to who reads a decision.
        groups.sort_by(|a, b| (a.level, a.group.first()).cmp(&(b.level, b.group.first())));
        Egress::new(self, groups, !matches!(source, Source::Unknown))
    }
}

/// The subjects that a source is, but for labels.
fn subjects(source: &Source) -> Vec<EgressSubject> {
    let mut subjects = vec![EgressSubject::Everyone];
    match source {
        Source::Unknown => subjects.push(EgressSubject::Unknown),
        Source::Workload(workload) => {
            let Workload { identity, namespace, service_account, labels: _ } = &**workload;
            subjects.extend(identity.clone().map(EgressSubject::Identity));
            if let Some(namespace) = namespace {
                subjects.push(EgressSubject::Namespace(namespace.clone()));
                let account = service_account.clone().map(|name| ObjectName::new(namespace.clone(), name));
                subjects.extend(account.map(EgressSubject::ServiceAccount));
            }
        }
    }
    subjects
}
