//! The routes of one listener, arranged so that a request finds its rule.

mod build;
mod by_name;
mod candidate;
mod host;
mod leaf;
mod plan;
mod regexes;

use crate::HostMap;
use crate::request::RequestLine;
use by_name::ByName;
use candidate::Attached;
pub(crate) use candidate::Candidate;
pub(crate) use host::{HostTable, Spot};
use lychgate_ir::{HostPattern, ListenerId, MatchedPath, Rule, RuleId};
use lychgate_persistent::OrdMap;
use serde::Serialize;
use std::fmt;
use std::sync::Arc;

/// The routes attached to one listener, with a payload a rule.
///
/// Immutable; a changed set of routes is a new table that shares with the one before what did not change.
pub struct RouteTable<T> {
    listener: ListenerId,
    attached: OrdMap<ByName, Arc<Attached<T>>>,
    /// By the host names as the routes write them, see [`lychgate_ir::Attachment::hostnames`].
    pub(crate) hosts: HostMap<Arc<HostTable<T>>>,
    unusable: Vec<Unusable>,
}

/// The rule that answers.
#[derive(Debug)]
pub struct Hit<'t, T> {
    /// What was made of the rule.
    pub payload: &'t T,
    /// The rule.
    pub rule: &'t RuleId,
    /// Which of the rule's matches holds, from 0.
    pub match_index: usize,
    /// How the path was matched.
    pub matched: MatchedPath,
    /// The route's host name that was matched.
    pub host: &'t HostPattern,
}

/// A match that cannot be compiled. It matches nothing; other matches of its rule and its route do.
///
/// Translation refuses these with a condition, by the same test ([`crate::check_regex`]), so one comes this far only
/// where the two sides are of different versions. Matching nothing is the closed side: it sends no request to a backend
/// that the match would not have sent there. A request that the match was meant for goes to the rule that would have
/// been next, or is answered 404.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Unusable {
    /// The rule.
    pub rule: RuleId,
    /// Which of its matches, from 0.
    pub match_index: usize,
    /// The condition that cannot be compiled.
    pub condition: String,
    /// Why not.
    pub error: String,
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rule, match_index, condition, error } = self;
        write!(f, "{rule}: match {match_index} matches nothing: {condition}: {error}; correct it in the route")
    }
}

impl std::error::Error for Unusable {}

impl<T> RouteTable<T> {
    /// A table in which nothing is found.
    pub fn empty(listener: ListenerId) -> Self {
        Self { listener, attached: OrdMap::new(), hosts: HostMap::default(), unusable: Vec::new() }
    }

    /// The listener whose routes these are.
    pub fn listener(&self) -> &ListenerId {
        &self.listener
    }

    /// The rule that answers, if any does.
    pub fn find(&self, line: &RequestLine<'_>) -> Option<Hit<'_, T>> {
        self.hosts.candidates(line.host).find_map(|(host, table)| {
            let (candidate, matched) = table.find(line)?;
            Some(Hit {
                payload: candidate.payload(),
                rule: candidate.rule(),
                match_index: candidate.match_index(),
                matched,
                host,
            })
        })
    }

    /// All rules of all routes, with their payloads.
    pub fn rules(&self) -> impl Iterator<Item = (&Arc<Rule>, &T)> {
        self.attached.values().flat_map(|attached| attached.rules())
    }

    /// The matches that could not be compiled.
    pub fn unusable(&self) -> &[Unusable] {
        &self.unusable
    }

    /// How many routes there are.
    pub fn len(&self) -> usize {
        self.attached.len()
    }

    /// Whether there is no route.
    pub fn is_empty(&self) -> bool {
        self.attached.is_empty()
    }
}

impl<T> fmt::Debug for RouteTable<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RouteTable")
            .field("listener", &self.listener)
            .field("routes", &self.attached.len())
            .field("hosts", &self.hosts.len())
            .field("unusable", &self.unusable)
            .finish()
    }
}
