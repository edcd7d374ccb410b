//! Policies, compiled, and what they say.

mod group;
mod tally;

use crate::ask::{Ask, Called, Reached, Source, Spoken};
use crate::decision::{Because, Decision, Screening, Shadow};
use crate::rule::{Facts, Holds, Rule};
use crate::{Explanation, Miss};
use group::Group;
use ipnet::IpNet;
use lychgate_ir::ObjectName;
use lychgate_ir::egress::{
    EgressConfig, EgressMode, EgressPolicy, EgressRuleId, EgressSubject, SubjectLevel, Workload,
};
use std::collections::{BTreeMap, HashMap};
use std::ops::ControlFlow;
use std::sync::Arc;
use tally::Tallies;

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
        Egress { policies: self, groups, source_is_known: !matches!(source, Source::Unknown) }
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

/// A group that is about the source.
#[derive(Debug)]
struct Selected<'p> {
    level: SubjectLevel,
    /// It is about the source only because it is about everyone.
    is_for_everyone: bool,
    group: &'p Group,
}

/// What the policies say to one source.
#[derive(Debug)]
pub struct Egress<'p> {
    policies: &'p Policies,
    groups: Vec<Selected<'p>>,
    source_is_known: bool,
}

/// A rule that was tried, and what came of it.
#[derive(Clone, Copy)]
pub(crate) struct Tried<'p> {
    pub(crate) rule: &'p Rule,
    pub(crate) level: SubjectLevel,
    pub(crate) outcome: Result<Holds, Miss>,
}

impl<'p> Egress<'p> {
    /// Decides, with all that there is to know. What is still not known then is held against the source.
    pub fn decide(&self, ask: &Ask<'_>, reached: &Reached<'_>) -> Decision {
        let facts = self.facts(ask, Some(*reached));
        let mut tallies = Tallies::new(ask.draw);
        self.walk(&facts, |tried| tallies.count(&tried, false));
        self.settle(tallies, ask.draw)
    }

    /// Before the name is resolved, and before all is known of what is spoken: refuses what can never be allowed.
    pub fn screen(&self, ask: &Ask<'_>) -> Screening {
        let facts = self.facts(ask, None);
        let mut tallies = Tallies::new(ask.draw);
        self.walk(&facts, |tried| tallies.count(&tried, true));
        // A name that comes later may be one that is allowed.
        let may_be_named = matches!((ask.called, ask.spoken), (Called::Address(_), Spoken::NotYet));
        if may_be_named
            && tallies.enforced.may_go_on()
            && self.groups.iter().any(|selected| selected.group.allows_names())
        {
            return Screening::Open;
        }
        let decision = self.settle(tallies, ask.draw);
        match decision.verdict {
            crate::Verdict::Allow => Screening::Open,
            crate::Verdict::Deny => Screening::Refused(decision),
        }
    }

    /// Whether it matters where DNS leads from a name that is only claimed for an address: where a rule would allow by that
    /// name, or where nothing is enforced and logs tell. Else nothing is asked: a question is something that leaves, too. For
    /// what [`Egress::screen`] lets go on.
    pub fn wants_answer(&self, ask: &Ask<'_>) -> bool {
        let facts = self.facts(ask, None).foreseen();
        let (mut tallies, mut is_wanted) = (Tallies::new(ask.draw), false);
        self.walk(&facts, |tried| {
            let counts = match tried.rule.mode {
                EgressMode::Enforce => true,
                EgressMode::Shadow(share) => share.takes(ask.draw),
            };
            is_wanted |= counts && tried.outcome.is_ok() && tried.rule.allows_by_name();
            tallies.count(&tried, true)
        });
        is_wanted || self.settle(tallies, ask.draw).because == Because::NotEnforced
    }

    /// What it comes to if all that is not known yet speaks for the source: which address is dialled (without `reached`), what
    /// is spoken, and for rules that look into TLS what is inside of it. For who has to act before all is known; an
    /// allowance is none until it was decided.
    pub fn foresee(&self, ask: &Ask<'_>, reached: Option<&Reached<'_>>) -> Decision {
        let facts = self.facts(ask, reached.copied()).foreseen();
        let mut tallies = Tallies::new(ask.draw);
        self.walk(&facts, |tried| tallies.count(&tried, true));
        self.settle(tallies, ask.draw)
    }

    /// Decides where a proxy beyond chooses the address, so that nobody here ever knows it.
    pub fn decide_beyond(&self, ask: &Ask<'_>) -> Decision {
        let facts = self.facts(ask, None);
        let mut tallies = Tallies::new(ask.draw);
        self.walk(&facts, |tried| tallies.count(&tried, true));
        self.settle(tallies, ask.draw)
    }

    /// What was considered on the way to a decision. Without `reached`, as in [`Egress::screen`].
    pub fn explain(&self, ask: &Ask<'_>, reached: Option<&Reached<'_>>) -> Explanation {
        let decision = match reached {
            Some(reached) => Some(self.decide(ask, reached)),
            None => match self.screen(ask) {
                Screening::Open => None,
                Screening::Refused(decision) => Some(decision),
            },
        };
        let mut tried = Vec::new();
        self.walk(&self.facts(ask, reached.copied()), |one| {
            tried.push(one);
            ControlFlow::Continue(())
        });
        Explanation::new(decision, tried)
    }

    fn facts<'a>(&self, ask: &Ask<'a>, reached: Option<Reached<'a>>) -> Facts<'a> {
        Facts::new(*ask, reached, &self.policies.cluster, self.source_is_known)
    }

    /// Tries each rule that the index knows for what is asked, the closest first.
    fn walk(&self, facts: &Facts<'_>, mut visit: impl FnMut(Tried<'p>) -> ControlFlow<()>) {
        for Selected { level, is_for_everyone, group } in &self.groups {
            let done = group.candidates(facts, &mut |rule| {
                visit(Tried { rule, level: *level, outcome: rule.holds(facts, *is_for_everyone) })
            });
            if done.is_break() {
                return;
            }
        }
    }

    fn settle(&self, tallies: Tallies<'p>, draw: u8) -> Decision {
        let Tallies { draw: _, enforced, all } = tallies;
        let has_list = self.groups.iter().any(|selected| selected.group.has_list());
        let (default, default_in_shadow) = match self.policies.default {
            EgressMode::Enforce => (true, false),
            EgressMode::Shadow(share) => (has_list, share.takes(draw)),
        };
        let is_in_shadow = default_in_shadow || self.groups.iter().any(|selected| selected.group.is_in_shadow(draw));
        let has_list_in_shadow = self.groups.iter().any(|selected| selected.group.has_list_in_shadow(draw));
        let shadow = is_in_shadow.then(|| {
            let (verdict, because) = all.settle(default || default_in_shadow || has_list_in_shadow);
            Shadow { verdict, because }
        });
        let (verdict, because) = enforced.settle(default);
        Decision { verdict, because, shadow }
    }
}
