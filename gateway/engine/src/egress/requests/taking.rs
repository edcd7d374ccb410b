//! Whether clients of HTTP/2 take what they are answered. One whose window stays shut would keep its stream, and all that
//! belongs to it, for good: hyper asks for no more of a body before there is room for it, so no body can keep time itself.

use hyper::rt::Executor;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

tokio::task_local! {
    /// That of the stream which is running.
    static CURRENT: Taking;
}

/// What one stream's client has taken.
#[derive(Clone, Debug, Default)]
pub(in crate::egress) struct Taking(Arc<State>);

#[derive(Debug, Default)]
struct State {
    /// Since when there is, or may be, something to take. Nothing while the destination is waited for.
    since: Mutex<Option<Instant>>,
    offered: Notify,
    is_given_up: AtomicBool,
}

/// Runs the streams of a connection, and drops those whose client takes nothing for so long: that resets them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Streams {
    pub(super) patience: Duration,
}

impl<F: Future<Output = ()> + Send + 'static> Executor<F> for Streams {
    fn execute(&self, stream: F) {
        let (taking, patience) = (Taking::default(), self.patience);
        tokio::spawn(async move {
            let mut running = pin!(CURRENT.scope(taking.clone(), stream));
            tokio::select! {
                biased;
                () = running.as_mut() => {}
                () = taking.given_up(patience) => {}
            }
        });
    }
}

impl Taking {
    /// That of the stream which is running, if it is one of HTTP/2.
    pub(in crate::egress) fn current() -> Option<Self> {
        CURRENT.try_with(Clone::clone).ok()
    }

    /// There is something to take, or there may be: nobody has looked.
    pub(in crate::egress) fn offer(&self) {
        let before = self.lock().replace(Instant::now());
        if before.is_none() {
            self.0.offered.notify_one();
        }
    }

    /// Everything was taken, and nothing has come after it.
    pub(in crate::egress) fn wait(&self) {
        *self.lock() = None;
    }

    /// Whether nobody waits any longer for its client.
    pub(in crate::egress) fn is_given_up(&self) -> bool {
        self.0.is_given_up.load(Ordering::Relaxed)
    }

    fn lock(&self) -> MutexGuard<'_, Option<Instant>> {
        self.0.since.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends when nothing was taken for so long.
    async fn given_up(&self, patience: Duration) {
        loop {
            let since = *self.lock();
            match since {
                None => self.0.offered.notified().await,
                Some(since) => {
                    sleep_until(since + patience).await;
                    if *self.lock() == Some(since) {
                        return self.0.is_given_up.store(true, Ordering::Relaxed);
                    }
                }
            }
        }
    }
}
