//! From routes to a table, at the cost of what changed.

use super::by_name::ByName;
use super::candidate::{Attached, Compiled};
use super::host::{self, HostTable};
use super::{RouteTable, Unusable};
use crate::pattern::Patterns;
use lychgate_ir::{HostPattern, ListenerId, Route, RouteId, Rule};
use lychgate_persistent::{Change, OrdMap};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

impl<T> RouteTable<T> {
    /// The table of a listener, and the matches that cannot be used.
    ///
    /// Routes that are not attached to the listener are passed over. `make` is asked for the payload of each rule, once.
    pub fn build<'r>(
        listener: &ListenerId,
        routes: impl IntoIterator<Item = &'r Arc<Route>>,
        make: &mut dyn FnMut(&Arc<Rule>) -> T,
    ) -> (Self, Vec<Unusable>) {
        let new = routes.into_iter().filter_map(|route| Some((route, attachment(route, listener)?))).collect();
        Self::empty(listener.clone()).with(Edit { gone: Vec::new(), new }, make)
    }

    /// This table after some routes changed, and the matches that cannot be used: the same as if it were built of all
    /// routes of now.
    ///
    /// Every route that is not the same `Arc` as before is to be among the changes; those that are attached neither before
    /// nor now are passed over. The payload of the very same `Arc<Rule>` is kept, also where its route is another; `make` is
    /// asked for the others, once each. So a payload shall depend on nothing but its rule. Costs as much as what changed.
    pub fn edited<'r>(
        &self,
        changes: impl IntoIterator<Item = Change<'r, RouteId, Arc<Route>>>,
        make: &mut dyn FnMut(&Arc<Rule>) -> T,
    ) -> (Self, Vec<Unusable>) {
        let (mut gone, mut new) = (Vec::new(), Vec::new());
        for Change { key, old: _, new: now } in changes {
            let known = self.attached.get(key);
            if let (Some(known), Some(now)) = (known, now)
                && Arc::ptr_eq(&known.route, now)
            {
                continue;
            }
            gone.extend(known.cloned());
            new.extend(now.and_then(|route| Some((route, attachment(route, &self.listener)?))));
        }
        self.with(Edit { gone, new }, make)
    }

    fn with(&self, edit: Edit<'_, T>, make: &mut dyn FnMut(&Arc<Rule>) -> T) -> (Self, Vec<Unusable>) {
        let mut compiler = Compiler { known: edit.rules_gone(), patterns: Patterns::default(), make };
        let Edit { gone, new } = edit;
        let mut changes: HashMap<HostPattern, Vec<host::Change<T>>> = HashMap::new();
        for gone in &gone {
            for host in gone.hostnames() {
                changes.entry(host.clone()).or_default().extend(gone.vacated());
            }
        }
        let mut unusable = self.unusable_without(&gone);
        let mut attached = Vec::with_capacity(new.len());
        for (route, attachment) in new {
            let new = compiler.attach(route, attachment);
            for host in new.hostnames() {
                changes.entry(host.clone()).or_default().extend(new.settled());
            }
            unusable.extend(new.rules.iter().flat_map(|rule| rule.unusable()).cloned());
            attached.push(new);
        }

        let mut addresses: Vec<_> = gone.iter().map(|gone| gone.address()).collect();
        addresses.sort_unstable();
        let nothing = HostTable::default();
        let edits = changes.into_iter().map(|(host, changes)| {
            let old = self.hosts.get(&host).map_or(&nothing, |table| &**table);
            let table = old.edited(changes, &addresses).map(Arc::new);
            (host, table)
        });
        let table = Self {
            listener: self.listener.clone(),
            hosts: self.hosts.edited(edits),
            attached: self.attached_with(&gone, attached),
            unusable: unusable.clone(),
        };
        (table, unusable)
    }

    fn attached_with(&self, gone: &[Arc<Attached<T>>], new: Vec<Arc<Attached<T>>>) -> OrdMap<ByName, Arc<Attached<T>>> {
        let new = new.into_iter().map(|new| (ByName(new.route.clone()), new));
        if self.attached.is_empty() {
            return new.collect();
        }
        let mut attached = self.attached.clone();
        for gone in gone {
            attached.remove(&gone.route.id);
        }
        attached.extend(new);
        attached
    }

    fn unusable_without(&self, gone: &[Arc<Attached<T>>]) -> Vec<Unusable> {
        let gone: HashSet<&RouteId> = gone.iter().map(|gone| &gone.route.id).collect();
        self.unusable.iter().filter(|unusable| !gone.contains(&unusable.rule.route)).cloned().collect()
    }
}

/// What becomes of a table: routes of it that are not there any more, and others that are. One that changed is both.
struct Edit<'r, T> {
    gone: Vec<Arc<Attached<T>>>,
    /// With the place of the listener among their attachments.
    new: Vec<(&'r Arc<Route>, usize)>,
}

impl<T> Edit<'_, T> {
    /// Rules of routes that are gone, by address: those that live on in a new route keep what was made of them.
    fn rules_gone(&self) -> HashMap<usize, Arc<Compiled<T>>> {
        let rules = self.gone.iter().flat_map(|gone| &gone.rules);
        rules.map(|compiled| (Arc::as_ptr(&compiled.rule).addr(), compiled.clone())).collect()
    }
}

fn attachment(route: &Route, listener: &ListenerId) -> Option<usize> {
    route.attachments.binary_search_by(|attachment| attachment.listener.cmp(listener)).ok()
}

struct Compiler<'m, T> {
    known: HashMap<usize, Arc<Compiled<T>>>,
    patterns: Patterns,
    make: &'m mut dyn FnMut(&Arc<Rule>) -> T,
}

impl<T> Compiler<'_, T> {
    fn attach(&mut self, route: &Arc<Route>, attachment: usize) -> Arc<Attached<T>> {
        let rules = route.rules.iter().map(|rule| self.compile(rule)).collect();
        Arc::new(Attached::new(route, attachment, rules))
    }

    fn compile(&mut self, rule: &Arc<Rule>) -> Arc<Compiled<T>> {
        match self.known.get(&Arc::as_ptr(rule).addr()) {
            Some(known) => known.clone(),
            None => Arc::new(Compiled::new(rule, (self.make)(rule), &mut self.patterns)),
        }
    }
}
