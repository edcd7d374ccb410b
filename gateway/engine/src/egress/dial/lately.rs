//! Which addresses have taken connections lately, and which have not: who knows that waits for none that does not answer.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{PoisonError, RwLock};
use std::time::Duration;
use tokio::time::Instant;

/// An address that has answered is taken to answer for so long: as long as idle connections to it are kept.
const ANSWERS: Duration = Duration::from_secs(60);

/// One that has not is tried last for so long.
const FAILS: Duration = Duration::from_secs(10);

/// Addresses that are remembered at a time. When there are more, all are forgotten, and only time is lost.
const REMEMBERED: usize = 4096;

/// What is known of one Gateway's destinations.
#[derive(Debug, Default)]
pub(crate) struct Lately(RwLock<HashMap<SocketAddr, Seen>>);

#[derive(Clone, Copy, Debug)]
struct Seen {
    answers: bool,
    at: Instant,
}

impl Lately {
    /// It is known to answer.
    pub(crate) fn answers(&self, address: SocketAddr) -> bool {
        self.seen(address).is_some_and(|Seen { answers, at }| answers && at.elapsed() < ANSWERS)
    }

    /// It is known not to.
    pub(crate) fn fails(&self, address: SocketAddr) -> bool {
        self.seen(address).is_some_and(|Seen { answers, at }| !answers && at.elapsed() < FAILS)
    }

    /// It has just answered, or has just not.
    pub(crate) fn tell(&self, address: SocketAddr, answers: bool) {
        let mut seen = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if seen.len() >= REMEMBERED && !seen.contains_key(&address) {
            seen.clear();
        }
        seen.insert(address, Seen { answers, at: Instant::now() });
    }

    /// A connection to it that was there is used.
    pub(crate) fn still_answers(&self, address: SocketAddr) {
        // Looked at with every request, and told now and then.
        let is_known = |Seen { answers, at }: Seen| answers && at.elapsed() < ANSWERS / 2;
        if !self.seen(address).is_some_and(is_known) {
            self.tell(address, true);
        }
    }

    fn seen(&self, address: SocketAddr) -> Option<Seen> {
        // Each entry is whole, whoever panicked.
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(&address).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_is_known_holds_for_a_while_and_is_bounded() {
        let (lately, address) = (Lately::default(), |n: u16| SocketAddr::from(([192, 0, 2, 1], n)));
        lately.tell(address(1), true);
        lately.tell(address(2), false);
        let known = |n| (lately.answers(address(n)), lately.fails(address(n)));
        assert_eq!([known(1), known(2), known(3)], [(true, false), (false, true), (false, false)]);
        tokio::time::advance(FAILS).await;
        assert_eq!([known(1), known(2)], [(true, false), (false, false)]);
        tokio::time::advance(ANSWERS).await;
        assert_eq!(known(1), (false, false));
        (0..10_000).for_each(|n| lately.tell(address(n), true));
        assert!(lately.0.read().is_ok_and(|seen| seen.len() <= REMEMBERED));
    }
}
