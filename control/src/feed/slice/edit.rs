//! What changes in a map of routes.

use lychgate_ir::RouteId;
use lychgate_persistent::OrdMap;
use std::collections::BTreeMap;
use std::sync::Arc;

type Routes<R> = OrdMap<RouteId, Arc<R>>;

/// What changes for one group: routes that it gets, and those that it has no more.
#[derive(Debug)]
pub(super) struct Edits<R>(BTreeMap<RouteId, Option<Arc<R>>>);

impl<R> Default for Edits<R> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<R: Eq> Edits<R> {
    pub(super) fn put(&mut self, id: &RouteId, route: Arc<R>) {
        self.0.insert(id.clone(), Some(route));
    }

    pub(super) fn remove(&mut self, id: &RouteId) {
        self.0.insert(id.clone(), None);
    }

    /// The routes with these changes, or these and no others if all are told `anew`. None if that is what they were. A route
    /// that says the same as before stays the value that it was.
    pub(super) fn applied(self, old: &Routes<R>, anew: bool) -> Option<Routes<R>> {
        let kept = |(id, route): (RouteId, Option<Arc<R>>)| {
            let route = route.map(|new| old.get(&id).filter(|old| **old == new).cloned().unwrap_or(new));
            (id, route)
        };
        if anew {
            let all = self.0.into_iter().map(kept);
            let routes: Routes<R> = all.filter_map(|(id, route)| Some((id, route?))).collect();
            return (routes != *old).then_some(routes);
        }
        let is_other = |(id, route): &(RouteId, Option<Arc<R>>)| match (old.get(id), route) {
            (Some(old), Some(new)) => !Arc::ptr_eq(old, new),
            (None, None) => false,
            (Some(_), None) | (None, Some(_)) => true,
        };
        let edits: Vec<_> = self.0.into_iter().map(kept).filter(is_other).collect();
        if edits.is_empty() {
            return None;
        }
        let mut routes = old.clone();
        for (id, route) in edits {
            match route {
                Some(route) => routes.insert(id, route),
                None => routes.remove(&id),
            };
        }
        Some(routes)
    }
}
