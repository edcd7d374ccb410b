//! Equal values that become one.

use std::borrow::Borrow;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

/// More would be looked through for each value; neighbours are mostly alike.
const REMEMBERED: usize = 8;

/// The values that were seen last: thousands of neighbours say the same of the same things, and hold one value.
///
/// It never changes what is said, only how often it is held.
#[derive(Debug)]
pub struct Alike<T: ?Sized> {
    seen: Mutex<VecDeque<Arc<T>>>,
}

impl<T: ?Sized> Default for Alike<T> {
    fn default() -> Self {
        Self { seen: Mutex::default() }
    }
}

impl<T: PartialEq + ?Sized> Alike<T> {
    /// The old value if it is the same, or one that was seen lately, or this one.
    pub fn keep<N: Borrow<T> + Into<Arc<T>>>(&self, new: N, old: Option<&Arc<T>>) -> Arc<T> {
        let is_same = |known: &&Arc<T>| ***known == *new.borrow();
        if let Some(old) = old.filter(is_same) {
            return old.clone();
        }
        // A panic in the middle leaves values that were seen.
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = seen.iter().find(is_same) {
            return known.clone();
        }
        let new = new.into();
        if seen.len() == REMEMBERED {
            seen.pop_front();
        }
        seen.push_back(new.clone());
        new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_neighbours_are_one_value() {
        let alike = Alike::<[u32]>::default();
        let (one, other) = (alike.keep(vec![1, 2], None), alike.keep(vec![3], None));
        assert!(Arc::ptr_eq(&one, &alike.keep(vec![1, 2], None)));
        assert!(Arc::ptr_eq(&other, &alike.keep(vec![3], Some(&one))));
        assert!(Arc::ptr_eq(&one, &alike.keep(vec![1, 2], Some(&one))));
    }

    #[test]
    fn few_are_remembered() {
        let alike = Alike::<u32>::default();
        let first = alike.keep(0, None);
        for other in 1..=8 {
            alike.keep(other, None);
        }
        let again = alike.keep(0, None);
        assert!(!Arc::ptr_eq(&first, &again) && first == again);
        assert_eq!(alike.seen.lock().unwrap_or_else(PoisonError::into_inner).len(), REMEMBERED);
    }
}
