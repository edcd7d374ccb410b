//! Routes that are read anew.

use super::Inputs;
use super::alike::Alike;
use super::attach::{self, Asks, Attached};
use super::compiled::Compiled;
use super::outcome::{Read, outcome};
use super::parents::{Found, Link};
use super::remembered::{Lost, Remembered};
use super::rivals::Loss;
use super::source::{self, Source};
use crate::world::World;
use lychgate_api::core::Namespace;
use lychgate_api::{ObjectKey, ObjectRef};
use std::sync::Arc;

/// Whom a route has to do with.
pub(super) struct Relations<'s> {
    asks: Asks<'s>,
    namespace: Option<Arc<Namespace>>,
    found: Vec<Found<'s>>,
}

/// A route that is read anew, before what it loses to others.
pub(super) struct Draft<'s> {
    pub(super) key: &'s ObjectKey,
    pub(super) source: &'s Source,
    namespace: Option<Arc<Namespace>>,
    links: Vec<Link>,
    compiled: Arc<Compiled>,
    pub(super) attached: Vec<Attached<'s>>,
    pub(super) old: Option<&'s Arc<Remembered>>,
}

impl<'s> Relations<'s> {
    pub(super) fn new(inputs: &Inputs<'s, '_>, key: &'s ObjectKey, source: &'s Source) -> Self {
        let Inputs { world, policies: _, parents, unchanged: _, alike: _ } = *inputs;
        let asks = source.asks(key);
        let found = parents.find(world, &asks);
        let namespace = world.objects.get_namespace(&ObjectKey::new("", key.namespace.as_str())).cloned();
        Self { asks, namespace, found }
    }

    /// Whether the same parents would say the same.
    pub(super) fn are_those_of(&self, old: &Remembered) -> bool {
        old.namespace == self.namespace
            && old.links().len() == self.found.len()
            && old.links().iter().zip(&self.found).all(|(old, new)| old.leads_to(new))
    }

    /// Attaches it to them.
    pub(super) fn read(
        self,
        world: &World<'_>,
        key: &'s ObjectKey,
        source: &'s Source,
        compiled: Arc<Compiled>,
        old: Option<&'s Arc<Remembered>>,
    ) -> Draft<'s> {
        let Self { asks, namespace, found } = self;
        let links = found.iter().map(Found::link).collect();
        let attached = attach::attach(world, &asks, &found);
        Draft { key, source, namespace, links, compiled, attached, old }
    }
}

impl Draft<'_> {
    pub(super) fn finish(self, losses: Vec<Loss>, alike: &Alike) -> Arc<Remembered> {
        let Self { key, source, namespace, links, compiled, mut attached, old } = self;
        let unopposed = (!losses.is_empty()).then(|| alike.attachments.keep(attach::attachments(&attached), None));
        attached.iter_mut().for_each(|attached| attached.leave(&losses));
        let read = Read { key, source, compiled: &compiled, links, attached: &attached };
        let outcome = outcome(read, old.map(|old| &old.outcome), alike);
        let object = match old {
            Some(old) => old.object.clone(),
            None => Arc::new(ObjectRef { kind: source::object_kind(source.kind()), key: key.clone() }),
        };
        let source = source.clone();
        let lost = unopposed.map(|unopposed| Box::new(Lost { losses, unopposed }));
        Arc::new(Remembered { object, source, namespace, compiled, lost, outcome })
    }
}
