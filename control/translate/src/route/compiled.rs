//! The rules of a route, compiled, with all that they depend on: they hold while that does.

use super::alike::Alike;
use super::finding::Findings;
use super::source::{Rules, Source, id_of};
use super::stream::Carried;
use crate::backend::resolve::{Lookup, Resolver};
use crate::keep::keep;
use lychgate_api::ObjectKey;
use lychgate_ir::{BackendId, BackendKind, ObjectName, RouteId, Rule};
use std::sync::Arc;

/// The rules of a route, and what they were made of. There may be thousands of these, and of what follows.
#[derive(Debug)]
pub(super) struct Compiled {
    /// Those that match something.
    pub(super) rules: CompiledRules,
    /// None of most.
    findings: Option<Box<Findings>>,
    pub(super) references: Arc<References>,
}

#[derive(Debug)]
pub(super) enum CompiledRules {
    Requests(Vec<Arc<Rule>>),
    Streams(Box<Carried>),
}

/// What the rules of a route refer to.
#[derive(Debug, PartialEq)]
pub(crate) struct References {
    pub(super) lookups: Box<[Lookup]>,
    /// Backends that can be used.
    pub(super) targets: Box<[BackendId]>,
    /// Objects that the route may refer to, usable or not.
    pub(super) objects: Box<[(BackendKind, ObjectName)]>,
}

/// Compiles the rules of a route; those that are as before are taken over.
pub(super) fn compile(
    resolver: &mut Resolver<'_, '_>,
    key: &ObjectKey,
    source: &Source,
    old: Option<&Compiled>,
    alike: &Alike,
) -> Compiled {
    let mut findings = Findings::default();
    let rules = match source.rules(resolver, &id_of(source.kind(), key, alike), &mut findings) {
        Rules::Requests(rules) => {
            let kept = rules.into_iter().map(|rule| keep_rule(rule, old.map(|old| &old.rules), alike));
            let mut kept: Vec<_> = kept.collect();
            // They would keep the room of what they were made of.
            kept.shrink_to_fit();
            CompiledRules::Requests(kept)
        }
        Rules::Streams(carried) => CompiledRules::Streams(Box::new(carried)),
    };
    let references = References {
        lookups: std::mem::take(&mut resolver.lookups).into(),
        targets: std::mem::take(&mut resolver.targets).into(),
        objects: std::mem::take(&mut resolver.objects).into(),
    };
    Compiled {
        rules,
        findings: (!findings.is_empty()).then(|| Box::new(findings)),
        references: alike.references.keep(references, old.map(|old| &old.references)),
    }
}

fn keep_rule(rule: Rule, old: Option<&CompiledRules>, alike: &Alike) -> Arc<Rule> {
    let old = match old {
        Some(CompiledRules::Requests(rules)) => rules.iter().find(|old| old.id.index == rule.id.index),
        Some(CompiledRules::Streams(_)) | None => None,
    };
    let Rule { id, matches, filters, forward } = rule;
    let old_forward = old.and_then(|old| old.forward.as_ref().ok());
    let forward = forward.map(|forward| alike.forwards.keep(forward, old_forward));
    keep(Rule { id, matches, filters, forward }, old)
}

impl Compiled {
    pub(super) fn findings(&self) -> &Findings {
        static NONE: Findings = Findings::none();
        self.findings.as_deref().unwrap_or(&NONE)
    }

    /// What the route is called in its rules, if it has some.
    pub(super) fn id(&self) -> Option<&RouteId> {
        match &self.rules {
            CompiledRules::Requests(rules) => rules.first().map(|rule| &rule.id.route),
            CompiledRules::Streams(carried) => Some(&carried.rule.route),
        }
    }
}
