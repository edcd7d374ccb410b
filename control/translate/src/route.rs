//! Routes: what they attach to, what their rules say, and what is said about them.
//!
//! ```text
//! Source ─┬─ http, grpc (matches, filters, session, backends), stream (backends) ──> rules
//!         │                                                  (remembered while its references hold)
//!         └─ attach (hostnames, Parents) ── rivals ─────────> listeners
//!                                                            (remembered while its parents and rivals hold)
//! Step ─┬─ Same: Remembered
//!       └─ Read: Compiled, Relations ─> Draft ─> Outcome
//! ```

pub(crate) mod alike;
mod attach;
pub(crate) mod change;
mod compiled;
mod draft;
pub(crate) mod finding;
mod grpc;
mod hostnames;
mod http;
mod matches;
mod outcome;
pub(crate) mod parents;
mod remembered;
mod rivals;
pub(crate) mod session;
mod source;
mod status;
mod step;
mod stream;
pub(crate) mod usage;

use crate::policy::backend_tls::TlsPolicies;
use crate::world::World;
use alike::Alike;
use change::Change;
use lychgate_api::{Kind, ObjectKey, ObjectRef, Objects};
use lychgate_ir::RouteKind;
use parents::Parents;
pub(crate) use remembered::Memory;
use source::Source;
use std::collections::HashMap;
use std::sync::Arc;
use step::{Step, step};

/// What all routes look up and nobody changed since, so that nobody has to look again.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Unchanged {
    /// What backendRefs lead to.
    pub(crate) references: bool,
    /// What parentRefs lead to, and who may attach.
    pub(crate) parents: bool,
}

impl Unchanged {
    fn all(self) -> bool {
        let Self { references, parents } = self;
        references && parents
    }
}

/// All routes, and whether all of them use what they used before.
pub(crate) struct Routes {
    pub(crate) memory: Memory,
    pub(crate) same_usage: bool,
    pub(crate) changes: Vec<Change>,
}

/// What every route is translated with.
struct Inputs<'w, 'a> {
    world: &'w World<'a>,
    policies: &'w TlsPolicies<'a>,
    parents: &'w Parents,
    unchanged: Unchanged,
    alike: &'w Alike,
}

/// Translates all routes; one whose inputs are as before is taken over. Where nothing can have changed but some of the
/// HTTPRoutes, only those are looked at.
pub(crate) fn all(
    world: &World<'_>,
    policies: &TlsPolicies<'_>,
    parents: &Parents,
    unchanged: Unchanged,
    alike: &Alike,
    before: Option<(&Objects, &Memory)>,
) -> Routes {
    let inputs = Inputs { world, policies, parents, unchanged, alike };
    match before.filter(|(old, _)| unchanged.all() && only_http_routes_differ(old, world.objects)) {
        Some((old, memory)) => some(&inputs, old, memory),
        None => each(&inputs, before.map(|(_, memory)| memory)),
    }
}

/// Whether routes of no other kind have changed, and none competes with those of this kind.
fn only_http_routes_differ(old: &Objects, new: &Objects) -> bool {
    let others = [Kind::GrpcRoute, Kind::TlsRoute, Kind::TcpRoute, Kind::UdpRoute];
    new.count(Kind::GrpcRoute) == 0 && others.iter().all(|kind| old.shares(new, *kind))
}

/// Those HTTPRoutes that are not the same as before; HTTPRoutes have no rivals among themselves.
fn some(inputs: &Inputs<'_, '_>, old: &Objects, before: &Memory) -> Routes {
    let mut same_usage = true;
    let mut changes = Vec::new();
    for route in inputs.world.objects.changed_http_routes(old) {
        let object = ObjectRef { kind: Kind::HttpRoute, key: ObjectKey::clone(route.key) };
        let old = before.get(&object);
        let source = route.new.map(|route| Source::Http(route.clone()));
        let step = source.as_ref().map(|source| step(inputs, route.key, source, old));
        let new = step.map(|step| step.finish(inputs, Vec::new()));
        if let (Some(old), Some(new)) = (old, &new)
            && Arc::ptr_eq(old, new)
        {
            continue;
        }
        same_usage &= old.zip(new.as_ref()).is_some_and(|(old, new)| old.uses_the_same(new));
        changes.push(Change { old: old.cloned(), new });
    }
    Routes { memory: change::memory(&changes, Some(before)), same_usage, changes }
}

fn each(inputs: &Inputs<'_, '_>, before: Option<&Memory>) -> Routes {
    let world = inputs.world;
    let sources: Vec<(&ObjectKey, Source)> = source::all(world.objects).collect();
    // Both are in the same order: walking them side by side needs no search.
    let mut old_ones = before.into_iter().flat_map(Memory::values).peekable();
    let mut changes: Vec<Change> = Vec::new();
    let steps = sources.iter().map(|(key, source)| {
        // Most are the very same object, whose name need not be compared.
        let same = old_ones.next_if(|old| old.source == *source);
        let old = same.or_else(|| {
            let place = (source.kind(), *key);
            while let Some(gone) = old_ones.next_if(|old| (old.source.kind(), old.key()) < place) {
                changes.push(Change { old: Some(gone.clone()), new: None });
            }
            old_ones.next_if(|old| (old.source.kind(), old.key()) == place)
        });
        step(inputs, key, source, old)
    });
    let steps: Vec<Step<'_>> = steps.collect();
    changes.extend(old_ones.map(|gone| Change { old: Some(gone.clone()), new: None }));
    // HTTPRoutes, which come first, have no rivals among themselves.
    let is_contested = sources.last().is_some_and(|(_, source)| source.kind() != RouteKind::Http);
    let mut losses = if is_contested { rivals::find(steps.iter().map(Step::contender)) } else { HashMap::new() };
    let mut same_usage = before.is_some_and(|before| before.len() == sources.len());
    for (at, step) in steps.into_iter().enumerate() {
        let old = step.old();
        let new = step.finish(inputs, losses.remove(&at).unwrap_or_default());
        if old.is_none_or(|old| !Arc::ptr_eq(old, &new)) {
            same_usage &= old.is_some_and(|old| old.uses_the_same(&new));
            changes.push(Change { old: old.cloned(), new: Some(new) });
        }
    }
    Routes { memory: change::memory(&changes, before), same_usage, changes }
}
