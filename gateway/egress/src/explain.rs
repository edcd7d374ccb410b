//! Every rule that was considered, and what became of it.

use crate::policies::Tried;
use crate::rule::Holds;
use crate::{Because, Decision, Miss};
use lychgate_ir::egress::{EgressAction, EgressMode, EgressRuleId, SubjectLevel};
use serde::Serialize;
use std::sync::Arc;

/// Every rule that was considered on the way to a decision, by the same walk that decides.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// What was decided; `None` if it is still open.
    pub decision: Option<Decision>,
    /// The rules that the index knows for what was asked, the closest first. Rules for other hosts and networks are not
    /// among them.
    pub considered: Vec<Considered>,
}

/// A rule that was considered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Considered {
    /// Which one.
    pub rule: Arc<EgressRuleId>,
    /// What follows when it holds.
    pub action: EgressAction,
    /// Whether it counts.
    pub mode: EgressMode,
    /// How closely its policy is about the source.
    pub level: SubjectLevel,
    /// What became of it.
    pub outcome: Outcome,
}

/// What became of a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Outcome {
    /// It decided.
    Decided,
    /// It holds, and another rule decided.
    Holds,
    /// Nothing is against it so far.
    HoldsSoFar,
    /// It does not hold.
    DoesNotHold(Miss),
}

impl Explanation {
    pub(crate) fn new(decision: Option<Decision>, tried: Vec<Tried<'_>>) -> Self {
        let decided = |rule: &EgressRuleId| match &decision {
            Some(Decision {
                because: Because::Rule { rule: winner, level: _, reason: _, handling: _ },
                verdict: _,
                shadow: _,
            }) => **winner == *rule,
            Some(_) | None => false,
        };
        let considered = tried.into_iter().map(|Tried { rule, level, outcome }| Considered {
            outcome: match outcome {
                Ok(_) if decided(&rule.id) => Outcome::Decided,
                Ok(Holds::Surely) => Outcome::Holds,
                Ok(Holds::SoFar) => Outcome::HoldsSoFar,
                Err(miss) => Outcome::DoesNotHold(miss),
            },
            rule: rule.id.clone(),
            action: rule.action,
            mode: rule.mode,
            level,
        });
        Self { considered: considered.collect(), decision }
    }
}
