//! Routes of either kind, as far as they are alike: whom they are for, and what they use.

use lychgate_ir::filter::{ExternalAuth, Mirror};
use lychgate_ir::{
    Attachment, BackendId, Filter, Forward, GatewayId, Route, StreamBackend, StreamRoute, Target, WeightedBackend,
};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A route of either kind.
pub(super) trait Attached: Clone + Eq {
    fn attachments(&self) -> &Arc<[Attachment]>;
    fn attachments_mut(&mut self) -> &mut Arc<[Attachment]>;
    fn backends(&self) -> BTreeSet<BackendId>;

    /// The groups that serve it.
    fn groups<'g, G: Ord>(&self, groups: &'g BTreeMap<GatewayId, G>) -> BTreeSet<&'g G> {
        self.attachments().iter().filter_map(|attachment| groups.get(&attachment.listener.gateway)).collect()
    }

    /// Without what it says of listeners of others.
    fn part_of<G: Ord>(self: &Arc<Self>, group: &G, groups: &BTreeMap<GatewayId, G>) -> Arc<Self> {
        let is_its = |attachment: &Attachment| groups.get(&attachment.listener.gateway) == Some(group);
        if self.attachments().iter().all(is_its) {
            return self.clone();
        }
        let mut part = Self::clone(self);
        *part.attachments_mut() = self.attachments().iter().filter(|attachment| is_its(attachment)).cloned().collect();
        Arc::new(part)
    }
}

impl Attached for Route {
    fn attachments(&self) -> &Arc<[Attachment]> {
        &self.attachments
    }

    fn attachments_mut(&mut self) -> &mut Arc<[Attachment]> {
        &mut self.attachments
    }

    fn backends(&self) -> BTreeSet<BackendId> {
        let mut all = BTreeSet::new();
        for rule in &self.rules {
            of_filters(&rule.filters, &mut all);
            let Ok(forward) = &rule.forward else { continue };
            let Forward { backends, timeouts: _, retry: _, persistence: _ } = &**forward;
            for WeightedBackend { weight: _, target: to, filters } in backends {
                all.extend(target(to));
                of_filters(filters, &mut all);
            }
        }
        all
    }
}

impl Attached for StreamRoute {
    fn attachments(&self) -> &Arc<[Attachment]> {
        &self.attachments
    }

    fn attachments_mut(&mut self) -> &mut Arc<[Attachment]> {
        &mut self.attachments
    }

    fn backends(&self) -> BTreeSet<BackendId> {
        let backends = self.forward.iter().flatten();
        backends.filter_map(|StreamBackend { weight: _, target: to }| target(to)).collect()
    }
}

pub(super) fn target(to: &Target) -> Option<BackendId> {
    match to {
        Target::Backend(id) => Some(id.clone()),
        Target::Broken(_) => None,
    }
}

fn of_filters(filters: &[Filter], all: &mut BTreeSet<BackendId>) {
    for filter in filters {
        match filter {
            Filter::Mirror(Mirror { target: to, share: _ }) => all.extend(target(to)),
            Filter::ExternalAuth(ExternalAuth { target: to, protocol: _, body: _ }) => all.extend(target(to)),
            Filter::RequestHeaders(_)
            | Filter::ResponseHeaders(_)
            | Filter::Redirect(_)
            | Filter::Rewrite(_)
            | Filter::Cors(_)
            | Filter::Broken(_) => {}
        }
    }
}
