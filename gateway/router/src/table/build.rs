//! From routes to a table, at the cost of what changed.

use super::candidate::{Attached, Compiled};
use super::host::{Change, HostTable};
use super::{RouteTable, Unusable};
use crate::pattern::Patterns;
use lychgate_ir::{Attachment, HostPattern, ListenerId, Route, RouteId, Rule};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

impl<T> RouteTable<T> {
    /// The table of a listener, and the matches that cannot be used.
    ///
    /// Routes that are not attached to the listener are passed over. What `previous` (the same listener's) holds for the
    /// very same `Arc<Route>` is kept as it is, and the payload of the very same `Arc<Rule>` even where its route is
    /// another; `make` is asked for the others, once each. So a payload shall depend on nothing but its rule. The work
    /// grows with the routes that changed if the routes come sorted by id, as a snapshot has them, besides one
    /// comparison of pointers for each route.
    pub fn build<'r>(
        listener: &ListenerId,
        routes: impl IntoIterator<Item = &'r Arc<Route>>,
        previous: Option<&Self>,
        make: &mut dyn FnMut(&Arc<Rule>) -> T,
    ) -> (Self, Vec<Unusable>) {
        let empty = Self::empty(listener.clone());
        let previous = previous.filter(|previous| previous.listener == *listener).unwrap_or(&empty);
        let difference = Difference::new(listener, routes, &previous.attached);
        let mut compiler = Compiler { known: difference.rules_gone(), patterns: Patterns::default(), make };

        let mut changes: HashMap<HostPattern, Vec<Change<T>>> = HashMap::new();
        for gone in &difference.gone {
            for host in &gone.hostnames {
                changes.entry(host.clone()).or_default().extend(gone.vacated());
            }
        }
        let mut unusable = previous.unusable_without(&difference.gone);
        let mut attached = Vec::with_capacity(difference.now.len());
        for now in difference.now {
            attached.push(match now {
                Now::Same(same) => same,
                Now::New(route, attachment) => {
                    let new = compiler.attach(route, attachment);
                    for host in &new.hostnames {
                        changes.entry(host.clone()).or_default().extend(new.settled());
                    }
                    unusable.extend(new.rules.iter().flat_map(|rule| rule.unusable()).cloned());
                    new
                }
            });
        }

        let mut gone: Vec<_> = difference.gone.iter().map(|gone| gone.address()).collect();
        gone.sort_unstable();
        let nothing = HostTable::default();
        let edits = changes.into_iter().map(|(host, changes)| {
            let old = previous.hosts.get(&host).map_or(&nothing, |table| &**table);
            let table = old.edited(changes, &gone).map(Arc::new);
            (host, table)
        });
        let table = Self {
            listener: listener.clone(),
            attached,
            hosts: previous.hosts.edited(edits),
            unusable: unusable.clone(),
        };
        (table, unusable)
    }

    fn unusable_without(&self, gone: &[Arc<Attached<T>>]) -> Vec<Unusable> {
        let gone: HashSet<&RouteId> = gone.iter().map(|gone| &gone.route.id).collect();
        self.unusable.iter().filter(|unusable| !gone.contains(&unusable.rule.route)).cloned().collect()
    }
}

/// What became of the routes of before.
struct Difference<'r, T> {
    now: Vec<Now<'r, T>>,
    gone: Vec<Arc<Attached<T>>>,
}

enum Now<'r, T> {
    Same(Arc<Attached<T>>),
    New(&'r Arc<Route>, &'r Attachment),
}

impl<'r, T> Difference<'r, T> {
    /// Walks both in order of ids. Where they come in another order, a route may count as gone and new at once, which
    /// costs time but gives the same table.
    fn new(
        listener: &ListenerId,
        routes: impl IntoIterator<Item = &'r Arc<Route>>,
        before: &[Arc<Attached<T>>],
    ) -> Self {
        let mut before = before.iter().peekable();
        let mut now = Vec::with_capacity(before.len());
        let mut gone = Vec::new();
        for route in routes {
            if let Some(same) = before.next_if(|before| Arc::ptr_eq(&before.route, route)) {
                now.push(Now::Same(same.clone()));
                continue;
            }
            let Some(attachment) = attachment(route, listener) else { continue };
            while let Some(before) = before.next_if(|before| before.route.id < route.id) {
                gone.push(before.clone());
            }
            match before.next_if(|before| before.route.id == route.id) {
                Some(same) if Arc::ptr_eq(&same.route, route) => now.push(Now::Same(same.clone())),
                Some(before) => {
                    gone.push(before.clone());
                    now.push(Now::New(route, attachment));
                }
                None => now.push(Now::New(route, attachment)),
            }
        }
        gone.extend(before.cloned());
        Self { now, gone }
    }

    /// Rules of routes that are gone, by address: those that live on in a new route keep what was made of them.
    fn rules_gone(&self) -> HashMap<usize, Arc<Compiled<T>>> {
        let rules = self.gone.iter().flat_map(|gone| &gone.rules);
        rules.map(|compiled| (Arc::as_ptr(&compiled.rule).addr(), compiled.clone())).collect()
    }
}

fn attachment<'r>(route: &'r Route, listener: &ListenerId) -> Option<&'r Attachment> {
    let at = route.attachments.binary_search_by(|attachment| attachment.listener.cmp(listener)).ok()?;
    route.attachments.get(at)
}

struct Compiler<'m, T> {
    known: HashMap<usize, Arc<Compiled<T>>>,
    patterns: Patterns,
    make: &'m mut dyn FnMut(&Arc<Rule>) -> T,
}

impl<T> Compiler<'_, T> {
    fn attach(&mut self, route: &Arc<Route>, attachment: &Attachment) -> Arc<Attached<T>> {
        let Attachment { listener: _, hostnames } = attachment;
        let mut seen = HashSet::new();
        let hostnames = hostnames.iter().filter(|host| seen.insert(*host)).cloned().collect();
        let rules = route.rules.iter().map(|rule| self.compile(rule)).collect();
        Arc::new(Attached { route: route.clone(), hostnames, rules })
    }

    fn compile(&mut self, rule: &Arc<Rule>) -> Arc<Compiled<T>> {
        match self.known.get(&Arc::as_ptr(rule).addr()) {
            Some(known) => known.clone(),
            None => Arc::new(Compiled::new(rule, (self.make)(rule), &mut self.patterns)),
        }
    }
}
