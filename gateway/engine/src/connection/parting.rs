//! How a connection ends when its socket has to go. HTTP/2 has GOAWAY for it (RFC 9113 section 6.8), and Pingora sends
//! it. HTTP/1 has `Connection: close` on a response (RFC 9112 section 9.6), and no word at all between two requests: the
//! longer nobody has asked anything, the less likely it is that a request is lost with the connection.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// A connection of HTTP/1 is closed when nothing was asked on it for so long. New ones get it, too: their first request
/// may be a round trip away.
const QUIET: Duration = Duration::from_secs(1);

/// While a request is served.
const BUSY: u64 = u64::MAX;

/// What the end of a connection depends on.
#[derive(Debug)]
pub(crate) struct Parting {
    /// Whether the connection has to end, so that no response may promise another.
    begun: AtomicBool,
    accepted: Instant,
    /// Since when nothing has been asked, in milliseconds since it was accepted; `BUSY` while a request is served (HTTP/1
    /// only; HTTP/2 keeps its own count).
    idle: AtomicU64,
}

impl Parting {
    /// A new connection, on which nothing has been asked.
    pub(super) fn new() -> Self {
        Self { begun: AtomicBool::new(false), accepted: Instant::now(), idle: AtomicU64::new(0) }
    }

    /// A request is served.
    pub(crate) fn busy(&self) {
        self.idle.store(BUSY, Ordering::Relaxed);
    }

    /// It was served.
    pub(crate) fn idle(&self) {
        let now = u64::try_from(self.accepted.elapsed().as_millis()).unwrap_or(BUSY);
        self.idle.store(now, Ordering::Relaxed);
    }

    /// Whether a request of HTTP/1 is served.
    pub(super) fn is_busy(&self) -> bool {
        self.idle.load(Ordering::Relaxed) == BUSY
    }

    /// Whether the connection ends after what is served now.
    pub(crate) fn has_begun(&self) -> bool {
        self.begun.load(Ordering::Relaxed)
    }

    /// Ends when the connection has to end, and nothing was asked on it for long enough.
    pub(crate) async fn quiet(&self, mut drain: watch::Receiver<bool>) {
        // An error means that whoever could say so is gone.
        let _ = drain.wait_for(|drain| *drain).await;
        self.begun.store(true, Ordering::Relaxed);
        loop {
            let left = match self.idle.load(Ordering::Relaxed) {
                BUSY => QUIET,
                since => (Duration::from_millis(since) + QUIET).saturating_sub(self.accepted.elapsed()),
            };
            if left.is_zero() {
                return;
            }
            tokio::time::sleep(left).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_connection_goes_when_it_has_been_quiet_for_long_enough() {
        let (drain, draining) = watch::channel(false);
        let parting = Parting::new();
        tokio::time::sleep(QUIET * 2).await;
        assert!(tokio::time::timeout(QUIET * 2, parting.quiet(draining.clone())).await.is_err(), "nobody asked it to");
        assert!(!parting.has_begun());
        drain.send_replace(true);
        parting.busy();
        assert!(tokio::time::timeout(QUIET * 5, parting.quiet(draining.clone())).await.is_err(), "a request is served");
        assert!(parting.has_begun());
        parting.idle();
        let since = Instant::now();
        parting.quiet(draining.clone()).await;
        assert_eq!(since.elapsed(), QUIET);
        parting.quiet(draining).await;
        assert_eq!(since.elapsed(), QUIET, "it has been quiet for long enough already");
    }
}
