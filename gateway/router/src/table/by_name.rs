//! A route as a key: by the name that it says itself, of which there is no copy.

use lychgate_ir::{Route, RouteId};
use std::borrow::Borrow;
use std::cmp::Ordering;
use std::sync::Arc;

/// A route, ordered by its name.
#[derive(Clone)]
pub(super) struct ByName(pub(super) Arc<Route>);

impl Borrow<RouteId> for ByName {
    fn borrow(&self) -> &RouteId {
        &self.0.id
    }
}

impl Ord for ByName {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.id.cmp(&other.0.id)
    }
}

impl PartialOrd for ByName {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for ByName {
    fn eq(&self, other: &Self) -> bool {
        self.0.id == other.0.id
    }
}

impl Eq for ByName {}
