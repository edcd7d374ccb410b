//! Routes of which the same is said.

use crate::status::ObjectStatus;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::sync::Arc;

/// More would be looked through for each route; neighbours are mostly told the same.
const REMEMBERED: usize = 8;

/// What was said last: thousands of routes are told the same of the same parents, and hold one value.
#[derive(Default)]
pub(super) struct Alike {
    said: RefCell<VecDeque<Arc<ObjectStatus>>>,
}

impl Alike {
    /// The old value if it is the same, or that of another route, or this one.
    pub(super) fn keep(&self, new: ObjectStatus, old: Option<&Arc<ObjectStatus>>) -> Arc<ObjectStatus> {
        let mut said = self.said.borrow_mut();
        if let Some(known) = old.into_iter().chain(said.iter()).find(|known| ***known == new) {
            return known.clone();
        }
        let new = Arc::new(new);
        if said.len() == REMEMBERED {
            said.pop_front();
        }
        said.push_back(new.clone());
        new
    }
}
