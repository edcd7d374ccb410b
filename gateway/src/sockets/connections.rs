//! Counts connections, and tells when the last one is gone.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::watch;

/// All connections of a process. Clones count together.
#[derive(Clone, Default)]
pub(super) struct Connections {
    count: Arc<AtomicUsize>,
    /// How many had to be cut since the process began.
    cut: Arc<AtomicUsize>,
    /// Told when none is left.
    none: Arc<watch::Sender<()>>,
}

/// One connection, for as long as this lives.
pub(super) struct Counted(Connections);

impl Connections {
    pub(super) fn enter(&self) -> Counted {
        self.count.fetch_add(1, Ordering::Relaxed);
        Counted(self.clone())
    }

    /// Waits until all have ended, but no longer than `patience`. Tells how many were cut meanwhile, or are left.
    pub(super) async fn ended(&self, patience: Duration) -> usize {
        let before = self.cut.load(Ordering::Relaxed);
        // Subscribed before the count is read, so that no end is missed.
        let mut none = self.none.subscribe();
        let ended = async { while self.count.load(Ordering::Relaxed) > 0 && none.changed().await.is_ok() {} };
        // Too late is said by the count.
        let _ = tokio::time::timeout(patience, ended).await;
        self.count.load(Ordering::Relaxed) + self.cut.load(Ordering::Relaxed) - before
    }
}

impl Counted {
    /// It did not end in time.
    pub(super) fn cut(self) {
        self.0.cut.fetch_add(1, Ordering::Relaxed);
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        if self.0.count.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.0.none.send_replace(());
        }
    }
}
