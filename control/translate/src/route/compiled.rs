//! The rules of a route, compiled, with all that they depend on: they hold while that does.

use super::finding::Findings;
use super::source::{Rules, Source, id_of};
use super::stream::Carried;
use crate::backend::resolve::{Lookup, Resolver};
use crate::keep::keep;
use lychgate_api::ObjectKey;
use lychgate_ir::{BackendId, BackendKind, ObjectName, Rule};
use std::sync::Arc;

/// The rules of a route, and what they were made of.
#[derive(Debug)]
pub(super) struct Compiled {
    pub(super) rules: CompiledRules,
    /// How many rules the route has; one whose matches make no sense is not among `rules`.
    pub(super) written: usize,
    pub(super) findings: Findings,
    pub(super) lookups: Box<[Lookup]>,
    pub(super) targets: Box<[BackendId]>,
    pub(super) objects: Box<[(BackendKind, ObjectName)]>,
}

#[derive(Debug)]
pub(super) enum CompiledRules {
    Requests(Vec<Arc<Rule>>),
    Streams(Carried),
}

/// Compiles the rules of a route; those that are as before are taken over.
pub(super) fn compile(
    resolver: &mut Resolver<'_, '_>,
    key: &ObjectKey,
    source: &Source,
    old: Option<&Compiled>,
) -> Compiled {
    let mut findings = Findings::default();
    let rules = match source.rules(resolver, &id_of(source.kind(), key), &mut findings) {
        Rules::Requests(rules) => {
            let mut kept: Vec<_> = rules.into_iter().map(|rule| keep_rule(rule, old.map(|old| &old.rules))).collect();
            // They would keep the room of what they were made of.
            kept.shrink_to_fit();
            CompiledRules::Requests(kept)
        }
        Rules::Streams(carried) => CompiledRules::Streams(carried),
    };
    Compiled {
        rules,
        written: source.written(),
        findings,
        lookups: std::mem::take(&mut resolver.lookups).into(),
        targets: std::mem::take(&mut resolver.targets).into(),
        objects: std::mem::take(&mut resolver.objects).into(),
    }
}

fn keep_rule(rule: Rule, old: Option<&CompiledRules>) -> Arc<Rule> {
    let old = match old {
        Some(CompiledRules::Requests(rules)) => rules.iter().find(|old| old.id.index == rule.id.index),
        Some(CompiledRules::Streams(_)) | None => None,
    };
    keep(rule, old)
}
