//! How long to wait after a failure: twice as long each time, with jitter, and never long, since an API server that comes
//! back should find us soon.

use kube::runtime::utils::Backoff;
use std::time::Duration;

const FIRST: Duration = Duration::from_millis(100);
const LAST: Duration = Duration::from_secs(5);

/// The waits of one watcher.
#[derive(Debug)]
pub(super) struct Waits {
    next: Duration,
}

impl Default for Waits {
    fn default() -> Self {
        Self { next: FIRST }
    }
}

impl Iterator for Waits {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        let wait = self.next;
        self.next = (wait * 2).min(LAST);
        // Between half of it and all of it, so that a fleet does not come back as one.
        Some(wait.mul_f64(rand::random_range(0.5..=1.0)))
    }
}

impl Backoff for Waits {
    fn reset(&mut self) {
        self.next = FIRST;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_a_limit_and_begin_anew() {
        let mut waits = Waits::default();
        let all: Vec<Duration> = waits.by_ref().take(12).collect();
        assert!(all.first().is_some_and(|first| *first <= FIRST && *first >= FIRST / 2));
        assert!(all.iter().all(|wait| *wait <= LAST));
        assert!(all.last().is_some_and(|last| *last >= LAST / 2));
        waits.reset();
        assert!(waits.next().is_some_and(|wait| wait <= FIRST));
    }
}
