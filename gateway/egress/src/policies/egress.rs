//! What policies say to one source.

use super::Policies;
use super::group::Group;
use super::tally::Tallies;
use crate::ask::{Ask, Called, Reached, Spoken};
use crate::decision::{Because, Decision, Screening, Shadow, Verdict};
use crate::rule::{Facts, Holds, Rule};
use crate::{Explanation, Miss};
use lychgate_ir::egress::{EgressMode, SubjectLevel};
use std::ops::ControlFlow;

/// A group that is about the source.
#[derive(Debug)]
pub(super) struct Selected<'p> {
    pub(super) level: SubjectLevel,
    /// It is about the source only because it is about everyone.
    pub(super) is_for_everyone: bool,
    pub(super) group: &'p Group,
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
    pub(super) fn new(policies: &'p Policies, groups: Vec<Selected<'p>>, source_is_known: bool) -> Self {
        Self { policies, groups, source_is_known }
    }

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
            Verdict::Allow => Screening::Open,
            Verdict::Deny => Screening::Refused(decision),
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
