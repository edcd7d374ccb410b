//! How long to wait before the next try.

use crate::client::Pace;
use rand::Rng;
use std::time::Duration;

/// Waits longer each time, and each time a random part of it: data planes that lost the same control plane shall not all
/// come back at the same moment.
pub(super) struct Backoff {
    pace: Pace,
    next: Duration,
}

impl Backoff {
    pub(super) fn new(pace: Pace) -> Self {
        Self { pace, next: pace.first }
    }

    pub(super) fn next(&mut self) -> Duration {
        let longest = self.next;
        self.next = (longest * 2).min(self.pace.longest);
        longest.mul_f64(rand::rng().random_range(0.5..=1.0))
    }

    pub(super) fn reset(&mut self) {
        self.next = self.pace.first;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_grows_to_its_limit_and_begins_anew() {
        let pace = Pace { first: Duration::from_secs(1), longest: Duration::from_secs(5), ..Pace::default() };
        let mut backoff = Backoff::new(pace);
        for most in [1, 2, 4, 5, 5] {
            let next = backoff.next();
            let most = Duration::from_secs(most);
            assert!(next <= most && next >= most / 2, "{next:?} of {most:?}");
        }
        backoff.reset();
        assert!(backoff.next() <= Duration::from_secs(1));
    }
}
