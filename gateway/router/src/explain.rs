//! Why a rule answers a request, and why the others do not.

mod text;
mod walk;

pub use text::Asks;

use crate::Unusable;
use crate::precedence::Criterion;
use lychgate_ir::{HostPattern, MatchedPath, PathMatch, RuleId, ValueMatch};
use serde::Serialize;
use std::sync::Arc;

/// Why a rule answers a request, and why the others do not. Prints as plain sentences.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// The rule that answers; exactly what [`crate::RouteTable::find`] finds.
    pub winner: Option<Winner>,
    /// The winner, then those that lost by precedence, then those that did not match, the nearest miss first. Other
    /// matches of the rule that answers are left out. Hosts that do not match appear only if nothing answers.
    pub considered: Vec<Considered>,
    /// How many more were left out to keep the list short.
    pub more: usize,
}

/// The rule that answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Winner {
    /// The rule.
    pub rule: RuleId,
    /// Which of its matches holds, from 0.
    pub match_index: usize,
    /// The route's host name that was matched.
    pub host: HostPattern,
    /// The path that the match asks for.
    pub path: PathMatch,
    /// How the path was matched.
    pub matched: MatchedPath,
}

/// One match of a rule, under one host name of its route.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Considered {
    /// The rule.
    pub rule: RuleId,
    /// Which of its matches, from 0.
    pub match_index: usize,
    /// The route's host name.
    pub host: HostPattern,
    /// The path that it asks for.
    pub path: PathMatch,
    /// What became of it.
    pub outcome: Outcome,
}

/// What became of a match.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Outcome {
    /// It answers.
    Won,
    /// It holds, but another one goes first.
    LostPrecedence {
        /// Why the other one goes first.
        because: Criterion,
        /// The rule that answers.
        to: RuleId,
    },
    /// It does not hold.
    DidNotMatch {
        /// The conditions that do not; at least one.
        failed: Vec<Condition>,
    },
    /// It can never hold.
    Unusable(Unusable),
}

/// A condition that does not hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Condition {
    /// The host.
    Host {
        /// The route's host name.
        wanted: HostPattern,
        /// The request's host.
        got: String,
    },
    /// The path.
    Path {
        /// What the match asks for.
        wanted: PathMatch,
        /// The request's path.
        got: String,
    },
    /// The method.
    Method {
        /// What the match asks for.
        wanted: Arc<str>,
        /// The request's method.
        got: String,
    },
    /// A header.
    Header {
        /// Its name.
        name: Arc<str>,
        /// What the match asks for.
        wanted: ValueMatch,
        /// Its value in the request, if it is there.
        got: Option<String>,
    },
    /// A query parameter.
    Query {
        /// Its name.
        name: Arc<str>,
        /// What the match asks for.
        wanted: ValueMatch,
        /// Its first value in the request, if it is there.
        got: Option<String>,
    },
}
