//! What was found on the way to a verdict, and which of it wins: the one place of precedence.

use super::Tried;
use crate::rule::Holds;
use crate::{Because, Miss, Verdict};
use lychgate_ir::egress::{EgressAction, EgressMode};
use std::ops::ControlFlow;

/// The first rule that denies, that allows, and that would allow if it were certain.
#[derive(Default)]
pub(super) struct Tally<'p> {
    deny: Option<Tried<'p>>,
    allow: Option<Tried<'p>>,
    uncertain: Option<(Tried<'p>, Miss)>,
}

/// What counts, and what would count if all were enforced.
pub(super) struct Tallies<'p> {
    pub(super) draw: u8,
    pub(super) enforced: Tally<'p>,
    pub(super) all: Tally<'p>,
}

impl<'p> Tallies<'p> {
    pub(super) fn new(draw: u8) -> Self {
        Self { draw, enforced: Tally::default(), all: Tally::default() }
    }

    /// Counts a rule. Ends where nothing that follows can change anything. What is not known yet speaks for a rule that
    /// allows if it may still become known, else for one that denies.
    pub(super) fn count(&mut self, tried: &Tried<'p>, may_become_known: bool) -> ControlFlow<()> {
        match tried.rule.mode {
            EgressMode::Enforce => {
                self.enforced.count(tried, may_become_known);
                self.all.count(tried, may_become_known);
            }
            EgressMode::Shadow(share) if share.takes(self.draw) => self.all.count(tried, may_become_known),
            EgressMode::Shadow(_) => {}
        }
        // What is enforced counts for both.
        if self.enforced.deny.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}

impl<'p> Tally<'p> {
    fn count(&mut self, tried: &Tried<'p>, may_become_known: bool) {
        let holds_if = |speaks_for: bool| match tried.outcome {
            Ok(Holds::Surely) => Ok(()),
            Ok(Holds::SoFar) if speaks_for => Ok(()),
            Ok(Holds::SoFar) => Err(Miss::NotYet),
            Err(miss) => Err(miss),
        };
        match tried.rule.action {
            EgressAction::Deny if holds_if(!may_become_known).is_ok() => drop(self.deny.get_or_insert(*tried)),
            EgressAction::Deny => {}
            EgressAction::Allow => match holds_if(may_become_known) {
                Ok(()) => drop(self.allow.get_or_insert(*tried)),
                Err(miss) if miss.is_of_certainty() => drop(self.uncertain.get_or_insert((*tried, miss))),
                Err(_) => {}
            },
        }
    }

    /// Whether nothing denies.
    pub(super) fn may_go_on(&self) -> bool {
        self.deny.is_none()
    }

    /// What denies wins over what allows, and what nothing allows is up to the default.
    pub(super) fn settle(self, default_denies: bool) -> (Verdict, Because) {
        let because = |tried: Tried<'p>| Because::Rule {
            rule: tried.rule.id.clone(),
            level: tried.level,
            reason: tried.rule.reason.clone(),
            handling: tried.rule.handling.clone(),
        };
        match (self.deny, self.allow, self.uncertain) {
            (Some(deny), _, _) => (Verdict::Deny, because(deny)),
            (None, Some(allow), _) => (Verdict::Allow, because(allow)),
            (None, None, _) if !default_denies => (Verdict::Allow, Because::NotEnforced),
            (None, None, Some((tried, miss))) => {
                (Verdict::Deny, Because::Uncertain { rule: tried.rule.id.clone(), miss })
            }
            (None, None, None) => (Verdict::Deny, Because::NoRule),
        }
    }
}
