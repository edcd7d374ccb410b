//! What backends have sent and clients have not taken yet. Pingora holds about half a MiB for each response that waits for
//! its client, and waits as long as it is told to. While little waits over all of them, that is long; when much does, a
//! client has to take the next piece at once, or its response is given up.

use super::RequestContext;
use pingora_proxy::Session;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// How long a client may take to take the next piece when much waits.
const AT_ONCE: Duration = Duration::from_secs(1);

/// All responses that wait.
#[derive(Debug)]
pub(super) struct Backlog {
    most: u64,
    /// How long a client may take when little waits.
    patience: Duration,
    waiting: Arc<AtomicU64>,
}

/// One response, until dropped.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    /// Bytes that the backend has sent.
    taken: u64,
    /// Those of them that were counted as waiting when it was looked last.
    counted: u64,
    of_all: Option<Arc<AtomicU64>>,
    is_hurried: bool,
}

impl Backlog {
    pub(super) fn new(most: u64, patience: Duration) -> Self {
        Self { most, patience, waiting: Arc::default() }
    }

    /// The backend has sent another piece, which is about to be written.
    pub(super) fn piece(&self, length: usize, session: &mut Session, ctx: &mut RequestContext) {
        if ctx.connection.as_ref().is_some_and(|connection| connection.tunnel.load(Ordering::Relaxed)) {
            // What follows an upgrade is no response.
            return;
        }
        let all = self.count(&mut ctx.waiting, length as u64, session.body_bytes_sent() as u64);
        let hurry = all > self.most;
        if std::mem::replace(&mut ctx.waiting.is_hurried, hurry) != hurry {
            session.set_write_timeout(Some(if hurry { AT_ONCE.min(self.patience) } else { self.patience }));
        }
    }

    /// Counts what waits of a response, and tells how much does of all.
    fn count(&self, response: &mut Waiting, length: u64, sent: u64) -> u64 {
        response.taken += length;
        let waits = response.taken.saturating_sub(sent);
        let of_all = response.of_all.get_or_insert_with(|| self.waiting.clone());
        let before = std::mem::replace(&mut response.counted, waits);
        if waits >= before {
            of_all.fetch_add(waits - before, Ordering::Relaxed) + (waits - before)
        } else {
            of_all.fetch_sub(before - waits, Ordering::Relaxed) - (before - waits)
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if let Some(of_all) = &self.of_all {
            of_all.fetch_sub(self.counted, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_is_counted_over_all_responses_until_they_end() {
        let backlog = Backlog::new(100, AT_ONCE);
        let (mut one, mut other) = (Waiting::default(), Waiting::default());
        assert_eq!(backlog.count(&mut one, 90, 0), 90);
        assert_eq!(backlog.count(&mut other, 10, 5), 95);
        assert_eq!(backlog.count(&mut one, 20, 100), 15);
        drop(one);
        assert_eq!(backlog.count(&mut other, 5, 15), 0);
        drop(other);
        assert_eq!(backlog.waiting.load(Ordering::Relaxed), 0);
    }
}
