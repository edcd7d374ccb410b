//! From the routes of before to those of now, at the cost of what changed.

use super::outcome::Served;
use super::remembered::{Memory, Remembered};
use crate::status::Entries;
use lychgate_ir::{Route, RouteId, StreamRoute};
use lychgate_persistent::OrdMap;
use std::sync::Arc;

/// A route that is not the same value as before: as it was, and as it is.
pub(crate) struct Change {
    pub(super) old: Option<Arc<Remembered>>,
    pub(super) new: Option<Arc<Remembered>>,
}

type Map<R> = OrdMap<RouteId, Arc<R>>;

/// The routes of requests that a listener of the snapshot serves.
pub(crate) fn requests(changes: &[Change], before: Option<&Map<Route>>) -> Map<Route> {
    let of = |route: &Remembered| match &route.outcome.served {
        Some(Served::Requests(route)) => Some((route.id.clone(), route.clone())),
        Some(Served::Streams(_)) | None => None,
    };
    edited(changes, before, of)
}

/// The routes of connections and datagrams that a listener of the snapshot serves.
pub(crate) fn streams(changes: &[Change], before: Option<&Map<StreamRoute>>) -> Map<StreamRoute> {
    let of = |route: &Remembered| match &route.outcome.served {
        Some(Served::Streams(route)) => Some((route.id.clone(), route.clone())),
        Some(Served::Requests(_)) | None => None,
    };
    edited(changes, before, of)
}

/// What is said about routes.
pub(crate) fn statuses(changes: &[Change], before: Option<&Entries>) -> Entries {
    edited(changes, before, |route| Some((route.object.clone(), route.outcome.status.clone())))
}

/// What is remembered of all routes.
pub(super) fn memory(changes: &[Change], before: Option<&Memory>) -> Memory {
    let all = changes.iter().map(|Change { old, new }| {
        let object = |route: &Arc<Remembered>| route.object.clone();
        (old.as_ref().map(object), new.as_ref().map(|new| (object(new), new.clone())))
    });
    applied(all, before)
}

/// As it was, without what was of the old routes, and with what is of the new ones.
fn edited<K: Ord + Clone, V: Clone>(
    changes: &[Change],
    before: Option<&OrdMap<K, V>>,
    of: impl Fn(&Remembered) -> Option<(K, V)>,
) -> OrdMap<K, V> {
    let all = changes.iter().map(|Change { old, new }| {
        let old = old.as_ref().and_then(|old| of(old)).map(|(name, _)| name);
        (old, new.as_ref().and_then(|new| of(new)))
    });
    applied(all, before)
}

fn applied<K: Ord + Clone, V: Clone>(
    changes: impl Iterator<Item = (Option<K>, Option<(K, V)>)>,
    before: Option<&OrdMap<K, V>>,
) -> OrdMap<K, V> {
    let Some(before) = before else {
        return changes.filter_map(|(_, new)| new).collect();
    };
    let mut all = before.clone();
    for (old, new) in changes {
        if let Some(old) = old.filter(|old| new.as_ref().is_none_or(|(name, _)| name != old)) {
            all.remove(&old);
        }
        all.extend(new);
    }
    all
}
