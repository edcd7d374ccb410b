//! One match of one attached route.

use super::Unusable;
use super::host::Place;
use crate::conditions::{Conditions, Uncompiled};
use crate::explain::Condition;
use crate::pattern::Patterns;
use crate::precedence::Standing;
use crate::request::RequestLine;
use lychgate_ir::{HostPattern, Match, Route, Rule, RuleId};
use std::sync::Arc;

/// A route of the table, compiled.
pub(crate) struct Attached<T> {
    pub(super) route: Arc<Route>,
    /// Which of its attachments is the one to this listener.
    attachment: usize,
    pub(super) rules: Box<[Arc<Compiled<T>>]>,
}

/// A rule, compiled. It outlives changes of the other rules of its route.
pub(super) struct Compiled<T> {
    pub(super) rule: Arc<Rule>,
    payload: T,
    /// One for each match of the rule.
    matches: Box<[Usable]>,
}

/// The conditions of a match. Most have none beyond their place in the table.
type Usable = Result<Option<Box<Conditions>>, Box<Unusable>>;

/// One match of an attached route: what a place of the table lists.
pub(crate) struct Candidate<T> {
    attached: Arc<Attached<T>>,
    compiled: Arc<Compiled<T>>,
    rule: u32,
    matched: u32,
}

impl<T> Clone for Candidate<T> {
    fn clone(&self) -> Self {
        let Self { attached, compiled, rule, matched } = self;
        Self { attached: attached.clone(), compiled: compiled.clone(), rule: *rule, matched: *matched }
    }
}

impl<T> Compiled<T> {
    pub(super) fn new(rule: &Arc<Rule>, payload: T, patterns: &mut Patterns) -> Self {
        let compile = |(match_index, source)| {
            let compiled = Conditions::compile(source, patterns).map_err(|Uncompiled { condition, error }| {
                Box::new(Unusable { rule: rule.id.clone(), match_index, condition, error })
            })?;
            Ok((!compiled.is_empty()).then(|| Box::new(compiled)))
        };
        let matches = rule.matches.iter().enumerate().map(compile).collect();
        Self { rule: rule.clone(), payload, matches }
    }

    pub(super) fn unusable(&self) -> impl Iterator<Item = &Unusable> {
        self.matches.iter().filter_map(|compiled| compiled.as_ref().err()).map(|unusable| &**unusable)
    }
}

impl<T> Attached<T> {
    pub(super) fn new(route: &Arc<Route>, attachment: usize, rules: Box<[Arc<Compiled<T>>]>) -> Self {
        Self { route: route.clone(), attachment, rules }
    }

    /// The host names under which the listener serves it, without repetitions.
    pub(super) fn hostnames(&self) -> impl Iterator<Item = &HostPattern> {
        let all = self.route.attachments.get(self.attachment).map(|to| &*to.hostnames).unwrap_or_default();
        // There are a few at most.
        all.iter()
            .enumerate()
            .filter(|(at, host)| !all.iter().take(*at).any(|other| other == *host))
            .map(|(_, host)| host)
    }

    /// Tells attached routes apart, as long as both live.
    pub(super) fn address(self: &Arc<Self>) -> usize {
        Arc::as_ptr(self).addr()
    }

    pub(super) fn rules(&self) -> impl Iterator<Item = (&Arc<Rule>, &T)> {
        self.rules.iter().map(|compiled| (&compiled.rule, &compiled.payload))
    }

    /// All of its matches, with the place that each belongs to under every host name.
    pub(super) fn candidates(self: &Arc<Self>) -> impl Iterator<Item = (Place, Candidate<T>)> {
        (0_u32..).zip(&self.rules).flat_map(move |(rule, compiled)| {
            (0_u32..).zip(&compiled.matches).zip(&compiled.rule.matches).map(move |((matched, usable), source)| {
                let place = if usable.is_ok() { Place::of(&source.path) } else { Place::Unusable };
                let candidate = Candidate { attached: self.clone(), compiled: compiled.clone(), rule, matched };
                (place, candidate)
            })
        })
    }
}

impl<T> Candidate<T> {
    pub(super) fn payload(&self) -> &T {
        &self.compiled.payload
    }

    pub(super) fn attached(&self) -> &Arc<Attached<T>> {
        &self.attached
    }

    pub(crate) fn rule(&self) -> &RuleId {
        &self.compiled.rule.id
    }

    pub(crate) fn match_index(&self) -> usize {
        self.matched as usize
    }

    /// What was compiled.
    pub(crate) fn source(&self) -> Option<&Match> {
        self.compiled.rule.matches.get(self.match_index())
    }

    pub(crate) fn standing(&self) -> Option<Standing<'_>> {
        let Route { id, created, .. } = &*self.attached.route;
        let position = (self.rule, self.matched);
        self.source().map(|matched| Standing { matched, created: *created, route: id, position })
    }

    fn conditions(&self) -> Result<Option<&Conditions>, Option<&Unusable>> {
        match self.compiled.matches.get(self.match_index()) {
            Some(Ok(conditions)) => Ok(conditions.as_deref()),
            Some(Err(unusable)) => Err(Some(unusable)),
            None => Err(None),
        }
    }

    /// Whether method, headers and query are as asked for.
    pub(crate) fn holds(&self, line: &RequestLine<'_>) -> bool {
        self.conditions().is_ok_and(|conditions| conditions.is_none_or(|conditions| conditions.hold(line)))
    }

    /// Whether the path is, if the match asks for it by regular expression.
    pub(crate) fn path_matches(&self, path: &str) -> bool {
        self.conditions().is_ok_and(|conditions| conditions.is_none_or(|conditions| conditions.path_matches(path)))
    }

    /// Which of method, headers and query are not as asked for.
    pub(crate) fn failed(&self, line: &RequestLine<'_>) -> Vec<Condition> {
        match (self.conditions(), self.source()) {
            (Ok(Some(conditions)), Some(source)) => conditions.failed(source, line),
            _ => Vec::new(),
        }
    }

    pub(crate) fn unusable(&self) -> Option<&Unusable> {
        self.conditions().err().flatten()
    }
}
