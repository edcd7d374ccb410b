//! What routes use, for those who are used.

use super::{Memory, Remembered};
use lychgate_ir::{BackendId, BackendKind, GatewayId, ListenerId, ObjectName};
use std::collections::{BTreeMap, BTreeSet};

/// What all routes together use.
#[derive(Debug, Default)]
pub(crate) struct Usage {
    /// Backends that rules of routes in the snapshot forward or mirror to.
    pub(crate) targets: BTreeSet<BackendId>,
    /// Objects that routes refer to, with the Gateways that these routes are attached to.
    pub(crate) objects: BTreeMap<(BackendKind, ObjectName), BTreeSet<GatewayId>>,
    /// How many accepted routes each listener has.
    pub(crate) attached: BTreeMap<ListenerId, u32>,
}

impl Usage {
    pub(crate) fn of(memory: &Memory) -> Self {
        let mut usage = Self::default();
        for remembered in memory {
            usage.add(remembered);
        }
        usage
    }

    /// Keys are copied only where they are new: most routes share what they use.
    fn add(&mut self, route: &Remembered) {
        for id in &route.outcome.listeners {
            match self.attached.get_mut(id) {
                Some(count) => *count += 1,
                None => {
                    self.attached.insert(id.clone(), 1);
                }
            }
        }
        if route.outcome.served.is_some() {
            for target in &route.compiled.targets {
                if !self.targets.contains(target) {
                    self.targets.insert(target.clone());
                }
            }
        }
        if route.outcome.gateways.is_empty() {
            return;
        }
        for object in &route.compiled.objects {
            match self.objects.get_mut(object) {
                Some(gateways) => {
                    for gateway in &route.outcome.gateways {
                        if !gateways.contains(gateway) {
                            gateways.insert(gateway.clone());
                        }
                    }
                }
                None => {
                    self.objects.insert(object.clone(), route.outcome.gateways.iter().cloned().collect());
                }
            }
        }
    }
}
