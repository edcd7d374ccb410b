//! What was decided, and why.

use crate::Miss;
use lychgate_ir::egress::{EgressHandling, EgressRuleId, SubjectLevel};
use serde::Serialize;
use std::borrow::Cow;
use std::sync::Arc;

/// What becomes of something that wants to leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Verdict {
    /// It leaves.
    Allow,
    /// It does not.
    Deny,
}

/// What was decided, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Decision {
    /// What becomes of it.
    pub verdict: Verdict,
    /// Why.
    pub because: Because,
    /// What would become of it if everything were enforced; `None` where nothing is in shadow, or the draw left it out.
    pub shadow: Option<Shadow>,
}

impl Decision {
    /// Whether it leaves only because something is in shadow.
    pub fn would_deny(&self) -> bool {
        let denies = |shadow: &Shadow| shadow.verdict == Verdict::Deny;
        self.verdict == Verdict::Allow && self.shadow.as_ref().is_some_and(denies)
    }
}

/// What would be if everything were enforced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Shadow {
    /// What would become of it.
    pub verdict: Verdict,
    /// Why.
    pub because: Because,
}

/// Why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum Because {
    /// A rule says so.
    Rule {
        /// Which one: of several the one that fits most closely.
        rule: Arc<EgressRuleId>,
        /// How closely its policy is about the source.
        level: SubjectLevel,
        /// What it tells those whom it refuses.
        reason: Option<Arc<str>>,
        /// How what it allows is carried.
        handling: Arc<EgressHandling>,
    },
    /// A rule would allow it, if it were certain where it goes.
    Uncertain {
        /// The rule.
        rule: Arc<EgressRuleId>,
        /// What is not certain.
        miss: Miss,
    },
    /// No rule allows it.
    NoRule,
    /// No rule allows it, and the default is in shadow.
    NotEnforced,
}

impl Because {
    /// The rule that it is attributed to.
    pub fn rule(&self) -> Option<&EgressRuleId> {
        match self {
            Self::Rule { rule, level: _, reason: _, handling: _ } | Self::Uncertain { rule, miss: _ } => Some(rule),
            Self::NoRule | Self::NotEnforced => None,
        }
    }

    /// What a client that is refused is told. Names no policy: who asks need not know how the gate is configured.
    pub fn for_client(&self) -> Cow<'_, str> {
        match self {
            Self::Rule { reason: Some(reason), rule: _, level: _, handling: _ } => Cow::Borrowed(reason),
            Self::Rule { reason: None, rule: _, level: _, handling: _ } => {
                Cow::Borrowed("an egress policy denies this destination")
            }
            Self::Uncertain { rule: _, miss } => Cow::Owned(miss.to_string()),
            Self::NoRule => Cow::Borrowed("no egress policy allows this destination"),
            Self::NotEnforced => Cow::Borrowed("nothing is enforced for this destination"),
        }
    }
}

/// What can be said before it is known where a name leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Screening {
    /// It may still be allowed: find out more, then decide.
    Open,
    /// Whatever else were known, it would be denied.
    Refused(Decision),
}
