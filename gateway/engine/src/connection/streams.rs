//! The streams of an HTTP/2 connection that are being served, and since when there is none.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

#[derive(Debug)]
pub(crate) struct Streams(Mutex<State>);

#[derive(Debug)]
struct State {
    open: usize,
    /// When the last one ended.
    since: Instant,
}

/// One stream, until dropped.
pub(crate) struct Open<'a>(&'a Streams);

impl Streams {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(State { open: 0, since: Instant::now() }))
    }

    pub(crate) fn open(&self) -> Open<'_> {
        self.change(|state| state.open += 1);
        Open(self)
    }

    /// How long there has been no stream.
    pub(crate) fn silent(&self) -> Duration {
        self.change(|state| if state.open == 0 { state.since.elapsed() } else { Duration::ZERO })
    }

    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        // Two numbers, each whole whoever panics.
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.change(|state| {
            state.open -= 1;
            state.since = Instant::now();
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_begins_when_the_last_stream_ends() {
        let streams = Streams::new();
        let (one, two) = (streams.open(), streams.open());
        drop(one);
        assert_eq!(streams.silent(), Duration::ZERO);
        drop(two);
        std::thread::yield_now();
        assert!(streams.silent() > Duration::ZERO);
    }
}
