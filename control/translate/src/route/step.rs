//! Whether a route is the same as before, or has to be read anew.

use super::compiled::compile;
use super::draft::{Draft, Relations};
use super::remembered::Remembered;
use super::rivals::{Contender, Loss};
use super::source::Source;
use super::{Inputs, attach};
use crate::backend::resolve::Resolver;
use crate::names::created;
use lychgate_api::ObjectKey;
use std::borrow::Cow;
use std::sync::Arc;

/// A route, before it is known who else wants what it wants.
pub(super) enum Step<'s> {
    /// Nothing that it looks at has changed.
    Same(&'s Arc<Remembered>),
    /// Rare, and large.
    Read(Box<Draft<'s>>),
}

/// Looks at a route: at what it refers to, and at whom it has to do with.
pub(super) fn step<'s>(
    inputs: &Inputs<'s, '_>,
    key: &'s ObjectKey,
    source: &'s Source,
    old: Option<&'s Arc<Remembered>>,
) -> Step<'s> {
    let Inputs { world, policies, parents: _, unchanged, alike } = *inputs;
    let mut resolver = Resolver::new(world, policies, source.kind(), &key.namespace);
    let same_source = old.filter(|old| old.source == *source);
    let same_rules =
        same_source.filter(|old| unchanged.references || resolver.confirms(&old.compiled.references.lookups));
    if let Some(old) = same_rules.filter(|_| unchanged.parents) {
        return Step::Same(old);
    }
    let compiled = match same_rules {
        Some(old) => old.compiled.clone(),
        None => Arc::new(compile(&mut resolver, key, source, old.map(|old| &*old.compiled), alike)),
    };
    let relations = Relations::new(inputs, key, source);
    match same_rules.filter(|old| relations.are_those_of(old)) {
        Some(old) => Step::Same(old),
        None => Step::Read(Box::new(relations.read(world, key, source, compiled, old))),
    }
}

impl<'s> Step<'s> {
    /// What it was before.
    pub(super) fn old(&self) -> Option<&'s Arc<Remembered>> {
        match self {
            Self::Same(old) => Some(old),
            Self::Read(draft) => draft.old,
        }
    }

    /// What it wants that others may want.
    pub(super) fn contender(&self) -> Contender<'_> {
        let (key, source, attachments) = match self {
            Self::Same(old) => (old.key(), &old.source, Cow::Borrowed(old.wants())),
            Self::Read(draft) => (draft.key, draft.source, Cow::Owned(attach::attachments(&draft.attached))),
        };
        Contender { kind: source.kind(), key, created: created(source.metadata()), attachments }
    }

    /// The route, without what it has lost to others.
    pub(super) fn finish(self, inputs: &Inputs<'s, '_>, losses: Vec<Loss>) -> Arc<Remembered> {
        match self {
            Self::Same(old) if old.losses() == losses => old.clone(),
            Self::Same(old) => {
                let relations = Relations::new(inputs, old.key(), &old.source);
                let draft = relations.read(inputs.world, old.key(), &old.source, old.compiled.clone(), Some(old));
                draft.finish(losses, inputs.alike)
            }
            Self::Read(draft) => draft.finish(losses, inputs.alike),
        }
    }
}
