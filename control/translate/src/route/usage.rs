//! What routes and filters of listeners use, for those who are used.

use super::remembered::{Memory, Remembered};
use crate::gateway::GatewayPlan;
use lychgate_ir::{BackendId, BackendKind, GatewayId, ListenerId, ObjectName};
use std::collections::{BTreeMap, BTreeSet};

/// What filters of listeners ask.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Asked {
    /// Backends, of listeners in the snapshot.
    targets: BTreeSet<BackendId>,
    /// Objects that are referred to, with the Gateways whose listeners do.
    objects: BTreeMap<(BackendKind, ObjectName), BTreeSet<GatewayId>>,
}

impl Asked {
    pub(crate) fn of(plans: &[GatewayPlan<'_>]) -> Self {
        let mut asked = Self::default();
        for plan in plans {
            for listener in plan.all_listeners() {
                if listener.is_emitted(plan) {
                    asked.targets.extend(listener.targets.iter().cloned());
                }
                for object in &listener.objects {
                    asked.objects.entry(object.clone()).or_default().insert(plan.id.clone());
                }
            }
        }
        asked
    }
}

/// What all routes and listeners together use.
#[derive(Debug, Default)]
pub(crate) struct Usage {
    /// The part of the listeners.
    pub(crate) asked: Asked,
    /// Backends that rules of routes in the snapshot forward or mirror to, and those that filters ask.
    pub(crate) targets: BTreeSet<BackendId>,
    /// Objects that routes refer to, with the Gateways that these routes are attached to; and those of listeners.
    pub(crate) objects: BTreeMap<(BackendKind, ObjectName), BTreeSet<GatewayId>>,
    /// How many accepted routes each listener has.
    pub(crate) attached: BTreeMap<ListenerId, u32>,
}

impl Usage {
    pub(crate) fn of(memory: &Memory, asked: Asked) -> Self {
        let (targets, objects) = (asked.targets.clone(), asked.objects.clone());
        let mut usage = Self { asked, targets, objects, attached: BTreeMap::new() };
        for remembered in memory.values() {
            usage.add(remembered);
        }
        usage
    }

    /// Keys are copied only where they are new: most routes share what they use.
    fn add(&mut self, route: &Remembered) {
        for id in &route.outcome.ties.listeners {
            match self.attached.get_mut(id) {
                Some(count) => *count += 1,
                None => {
                    self.attached.insert(id.clone(), 1);
                }
            }
        }
        if route.outcome.served.is_some() {
            for target in &route.compiled.references.targets {
                if !self.targets.contains(target) {
                    self.targets.insert(target.clone());
                }
            }
        }
        if route.outcome.ties.gateways.is_empty() {
            return;
        }
        for object in &route.compiled.references.objects {
            match self.objects.get_mut(object) {
                Some(gateways) => {
                    for gateway in &route.outcome.ties.gateways {
                        if !gateways.contains(gateway) {
                            gateways.insert(gateway.clone());
                        }
                    }
                }
                None => {
                    self.objects.insert(object.clone(), route.outcome.ties.gateways.iter().cloned().collect());
                }
            }
        }
    }
}
