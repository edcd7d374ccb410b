//! What changes in a map of routes.

use lychgate_ir::RouteId;
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::Arc;

type Routes<R> = BTreeMap<RouteId, Arc<R>>;

/// Routes that are not the same value in both: as they were, and as they are. Both are walked side by side.
pub(super) fn difference<'m, R>(
    before: &'m Routes<R>,
    now: &'m Routes<R>,
) -> impl Iterator<Item = (&'m RouteId, Option<&'m Arc<R>>, Option<&'m Arc<R>>)> {
    let (mut before, mut now) = (before.iter().peekable(), now.iter().peekable());
    std::iter::from_fn(move || {
        loop {
            let order = match (before.peek(), now.peek()) {
                // A route says its name, so the very same route has the same.
                (Some((_, old)), Some((_, new))) if Arc::ptr_eq(old, new) => Ordering::Equal,
                (Some((old, _)), Some((new, _))) => old.cmp(new),
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (None, None) => return None,
            };
            let old = if order.is_le() { before.next() } else { None };
            let new = if order.is_ge() { now.next() } else { None };
            match (old, new) {
                (Some((_, old)), Some((_, new))) if Arc::ptr_eq(old, new) => {}
                (old, new) => {
                    let id = new.or(old).map(|(id, _)| id)?;
                    return Some((id, old.map(|(_, route)| route), new.map(|(_, route)| route)));
                }
            }
        }
    })
}

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
