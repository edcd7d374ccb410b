//! Names of egress policies and of their rules.

use crate::{NotAName, ObjectName};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// An EgressPolicy object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EgressPolicyId(pub ObjectName);

impl fmt::Display for EgressPolicyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EgressPolicy/{}", self.0)
    }
}

/// One rule of one generation of an EgressPolicy, in the form of [`crate::RuleId`].
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EgressRuleId {
    /// The policy it is written in.
    pub policy: EgressPolicyId,
    /// `metadata.generation` of the policy when it was read.
    pub generation: i64,
    /// Position in `spec.rules`, from 0.
    pub index: u32,
    /// `rules[].name`, if named.
    pub name: Option<Arc<str>>,
}

impl fmt::Display for EgressRuleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { policy, generation, index, name } = self;
        write!(f, "{policy}#{index}")?;
        if let Some(name) = name {
            write!(f, "({name})")?;
        }
        write!(f, "@{generation}")
    }
}

impl FromStr for EgressPolicyId {
    type Err = NotAName;

    fn from_str(text: &str) -> Result<Self, NotAName> {
        let name = text.strip_prefix("EgressPolicy/").ok_or_else(|| NotAName::of(text))?;
        name.parse().map(Self).map_err(|_| NotAName::of(text))
    }
}

impl FromStr for EgressRuleId {
    type Err = NotAName;

    fn from_str(text: &str) -> Result<Self, NotAName> {
        let (policy, place) = crate::id::place(text).ok_or_else(|| NotAName::of(text))?;
        let crate::id::Place { generation, index, name } = place;
        Ok(Self { policy: policy.parse().map_err(|_| NotAName::of(text))?, generation, index, name })
    }
}

crate::id::serialize_as_text!(EgressPolicyId, EgressRuleId);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_can_be_read() {
        for text in ["EgressPolicy/ns/a#0@3", "EgressPolicy/ns/a.b#12(packages)@1"] {
            assert_eq!(text.parse::<EgressRuleId>().map(|id| id.to_string()), Ok(text.to_owned()));
        }
        for text in ["", "EgressPolicy/ns/a", "HTTPRoute/ns/a#0@1", "EgressPolicy/a#0@1", "EgressPolicy/ns/a#x@1"] {
            assert!(text.parse::<EgressRuleId>().is_err(), "{text}");
        }
    }
}
