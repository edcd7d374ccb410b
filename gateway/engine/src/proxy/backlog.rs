//! What backends have sent and clients have not taken yet. It is bounded in bytes over all responses: while little waits,
//! a response is read ahead of its client; once as much waits as may, it is read one small piece at a time, and its
//! client has to take the next piece at once, or the response is given up.

use super::RequestContext;
use pingora_proxy::{ReadAheadBudget, Session};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// How long a client may take to take the next piece when much waits.
const AT_ONCE: Duration = Duration::from_secs(1);

/// All responses that wait.
#[derive(Debug)]
pub(super) struct Backlog {
    budget: Arc<ReadAheadBudget>,
    /// How long a client may take when little waits.
    patience: Duration,
}

impl Backlog {
    pub(super) fn new(most: usize, patience: Duration) -> Self {
        Self { budget: Arc::new(ReadAheadBudget::new(most)), patience }
    }

    pub(super) fn budget(&self) -> &Arc<ReadAheadBudget> {
        &self.budget
    }

    /// The backend has sent another piece, which is about to be written.
    pub(super) fn piece(&self, session: &mut Session, ctx: &mut RequestContext) {
        if ctx.connection.as_ref().is_some_and(|connection| connection.tunnel.load(Ordering::Relaxed)) {
            // What follows an upgrade is no response.
            return;
        }
        let hurry = self.budget.is_spent();
        if std::mem::replace(&mut ctx.is_hurried, hurry) != hurry {
            session.set_write_timeout(Some(if hurry { AT_ONCE.min(self.patience) } else { self.patience }));
        }
    }
}
