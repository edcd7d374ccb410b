//! What is wrong with the rules of a route.

use crate::status::condition::{Problem, sentences};
use crate::status::reason;
use std::collections::BTreeSet;

/// Gathers what is found while the rules are read, in order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Findings {
    rule: usize,
    rules_invalid: BTreeSet<usize>,
    rules_partly_invalid: BTreeSet<usize>,
    /// Values that make no sense: the reason of the first, and all messages.
    invalid: Option<(&'static str, Vec<String>)>,
    /// References that lead nowhere, in the same way.
    unresolved: Option<(&'static str, Vec<String>)>,
    /// What cannot be where a route leads out, though it can elsewhere.
    inside_only: Vec<String>,
    notes: Vec<String>,
    /// The same where a route leads out.
    outside_notes: Vec<String>,
}

impl Findings {
    /// Nothing is wrong.
    pub(super) const fn none() -> Self {
        Self {
            rule: 0,
            rules_invalid: BTreeSet::new(),
            rules_partly_invalid: BTreeSet::new(),
            invalid: None,
            unresolved: None,
            inside_only: Vec::new(),
            notes: Vec::new(),
            outside_notes: Vec::new(),
        }
    }

    /// Whether nothing was found.
    pub(super) fn is_empty(&self) -> bool {
        let Self {
            rule: _,
            rules_invalid,
            rules_partly_invalid,
            invalid,
            unresolved,
            inside_only,
            notes,
            outside_notes,
        } = self;
        rules_invalid.is_empty()
            && rules_partly_invalid.is_empty()
            && invalid.is_none()
            && unresolved.is_none()
            && [inside_only, notes, outside_notes].into_iter().all(Vec::is_empty)
    }

    /// What follows is about this rule.
    pub(crate) fn enter(&mut self, rule: usize) {
        self.rule = rule;
    }

    /// The rule cannot be done as written.
    pub(crate) fn invalid(&mut self, reason: &'static str, message: String) {
        self.rules_invalid.insert(self.rule);
        self.invalid.get_or_insert((reason, Vec::new())).1.push(message);
    }

    /// The share of one backend of the rule cannot be done as written.
    pub(crate) fn partly_invalid(&mut self, reason: &'static str, message: String) {
        self.rules_partly_invalid.insert(self.rule);
        self.invalid.get_or_insert((reason, Vec::new())).1.push(message);
    }

    /// A reference of the rule leads nowhere.
    pub(crate) fn unresolved(&mut self, reason: &'static str, message: String) {
        self.unresolved.get_or_insert((reason, Vec::new())).1.push(message);
    }

    /// A backend that what leaves cannot be sent to.
    pub(crate) fn inside_only(&mut self, message: String) {
        self.inside_only.push(message);
    }

    /// Worth knowing, though it changes nothing.
    pub(crate) fn note(&mut self, message: String) {
        if !self.notes.contains(&message) {
            self.notes.push(message);
        }
    }

    /// Worth knowing where a route leads out.
    pub(crate) fn outside_note(&mut self, message: String) {
        if !self.outside_notes.contains(&message) {
            self.outside_notes.push(message);
        }
    }

    /// Whether no rule out of so many can be done as written.
    pub(crate) fn all_invalid(&self, rules: usize) -> bool {
        rules > 0 && self.rules_invalid.len() == rules
    }

    /// Why rules cannot be done as written, if some cannot.
    pub(super) fn invalid_problem(&self) -> Option<Problem> {
        self.invalid.as_ref().map(|(reason, messages)| Problem::new(reason, sentences(messages)))
    }

    /// Why references are not resolved, if some are not.
    pub(crate) fn unresolved_problem(&self) -> Option<Problem> {
        self.unresolved.as_ref().map(|(reason, messages)| Problem::new(reason, sentences(messages)))
    }

    /// The same for a parent by which things leave.
    pub(crate) fn unresolved_outside(&self) -> Option<Problem> {
        let inside_only = || (reason::UNSUPPORTED_VALUE, Vec::new());
        match (&self.unresolved, self.inside_only.as_slice()) {
            (unresolved, []) => unresolved.clone(),
            (unresolved, more) => {
                let (reason, mut messages) = unresolved.clone().unwrap_or_else(inside_only);
                messages.extend_from_slice(more);
                Some((reason, messages))
            }
        }
        .map(|(reason, messages)| Problem::new(reason, sentences(&messages)))
    }

    /// The positions of rules that cannot be done as written, for people.
    pub(super) fn invalid_rules(&self) -> String {
        let whole = self.rules_invalid.iter().map(|rule| format!("rules[{rule}]"));
        let partly = self.rules_partly_invalid.difference(&self.rules_invalid);
        let rules: Vec<_> = whole.chain(partly.map(|rule| format!("rules[{rule}] in part"))).collect();
        rules.join(", ")
    }

    pub(crate) fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Those for a parent by which things leave.
    pub(crate) fn notes_outside(&self) -> Vec<String> {
        self.notes.iter().chain(&self.outside_notes).cloned().collect()
    }
}
