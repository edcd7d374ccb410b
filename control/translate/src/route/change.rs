//! From the routes of before to those of now, at the cost of what changed.

use super::{Remembered, Served};
use crate::status::Entries;
use lychgate_ir::{Route, RouteId, StreamRoute};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A route that is not the same value as before: as it was, and as it is.
pub(crate) struct Change {
    pub(super) old: Option<Arc<Remembered>>,
    pub(super) new: Option<Arc<Remembered>>,
}

type Map<R> = BTreeMap<RouteId, Arc<R>>;

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

/// Thousands of names are not compared for one that changed: what is copied is in order already.
fn edited<K: Ord + Clone, V: Clone>(
    changes: &[Change],
    before: Option<&BTreeMap<K, V>>,
    of: impl Fn(&Remembered) -> Option<(K, V)>,
) -> BTreeMap<K, V> {
    let Some(before) = before else {
        return changes.iter().filter_map(|change| of(change.new.as_ref()?)).collect();
    };
    let mut all = before.clone();
    for Change { old, new } in changes {
        if let Some((name, _)) = old.as_ref().and_then(|old| of(old)) {
            all.remove(&name);
        }
        all.extend(new.as_ref().and_then(|new| of(new)));
    }
    all
}
