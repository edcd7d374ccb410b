//! Counting attempts by key, so that "fail twice, then answer" is the same in every run.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use crate::limits::MAX_KEYS;

/// How often each key was asked for.
#[derive(Debug, Default)]
pub(crate) struct Attempts {
    by_key: Mutex<HashMap<String, u64>>,
}

/// There is no room for another key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NoRoom;

impl Attempts {
    /// Counts one more attempt and says which it is, from 1.
    pub(crate) fn next(&self, key: &str) -> Result<u64, NoRoom> {
        // The map is whole between any two statements, so a poisoned lock means nothing here.
        let mut by_key = self.by_key.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = by_key.get_mut(key) {
            *count += 1;
            return Ok(*count);
        }
        if by_key.len() >= MAX_KEYS {
            return Err(NoRoom);
        }
        by_key.insert(key.to_owned(), 1);
        Ok(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_by_key_and_stops_at_the_limit() {
        let attempts = Attempts::default();
        assert_eq!(attempts.next("a"), Ok(1));
        assert_eq!(attempts.next("a"), Ok(2));
        for n in 1..MAX_KEYS {
            assert_eq!(attempts.next(&n.to_string()), Ok(1));
        }
        assert_eq!(attempts.next("one too many"), Err(NoRoom));
        assert_eq!(attempts.next("a"), Ok(3), "known keys still count");
    }
}
