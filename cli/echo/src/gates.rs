//! Gates: a request waits at a named gate until the test opens it, so that "in flight" needs no sleep.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use crate::limits::{MAX_GATES, MAX_HOLD};

/// All gates of a server, by name. A gate exists from its first mention, shut unless it was released.
#[derive(Debug, Default)]
pub(crate) struct Gates {
    named: Mutex<HashMap<String, Arc<Gate>>>,
}

/// Two channels, so that those who wait are not woken by each newcomer.
#[derive(Debug)]
struct Gate {
    open: watch::Sender<bool>,
    waiting: watch::Sender<usize>,
}

impl Gates {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Arc<Gate>>> {
        // The map is whole between any two statements, so a poisoned lock means nothing here.
        self.named.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn gate(&self, name: &str) -> Arc<Gate> {
        let mut named = self.lock();
        if let Some(gate) = named.get(name) {
            return Arc::clone(gate);
        }
        let gate = Arc::new(Gate { open: watch::Sender::new(false), waiting: watch::Sender::new(0) });
        named.insert(name.to_owned(), Arc::clone(&gate));
        gate
    }

    /// Whether a request may name this gate: either it is known, or there is room for one more.
    pub(crate) fn admits(&self, name: &str) -> bool {
        let named = self.lock();
        named.contains_key(name) || named.len() < MAX_GATES
    }

    /// Waits until the gate is open, or [`MAX_HOLD`] is over.
    pub(crate) async fn pass(&self, name: &str) {
        let gate = self.gate(name);
        let mut open = gate.open.subscribe();
        let _waiting = Waiting::at(&gate.waiting);
        // Neither outcome changes what follows: a sender outlives its gate, and a forgotten gate opens by itself.
        let _ = tokio::time::timeout(MAX_HOLD, open.wait_for(|open| *open)).await;
    }

    /// Opens the gate for all who wait and all who come later.
    pub(crate) fn release(&self, name: &str) {
        self.gate(name).open.send_replace(true);
    }

    /// Shuts the gate again for those who come later.
    pub(crate) fn shut(&self, name: &str) {
        self.gate(name).open.send_replace(false);
    }

    /// Opens every gate that exists.
    pub(crate) fn release_all(&self) {
        for gate in self.lock().values() {
            gate.open.send_replace(true);
        }
    }

    /// How many requests wait at the gate.
    pub(crate) fn held(&self, name: &str) -> usize {
        *self.gate(name).waiting.borrow()
    }

    /// Waits until at least `count` requests wait at the gate.
    pub(crate) async fn wait_held(&self, name: &str, count: usize) {
        let gate = self.gate(name);
        let mut waiting = gate.waiting.subscribe();
        // Fails only when the sender is gone, and `gate` holds it.
        let _ = waiting.wait_for(|waiting| *waiting >= count).await;
    }
}

/// Counts one request at a gate for as long as it lives, however the wait ends.
struct Waiting<'a>(&'a watch::Sender<usize>);

impl<'a> Waiting<'a> {
    fn at(count: &'a watch::Sender<usize>) -> Self {
        count.send_modify(|count| *count += 1);
        Self(count)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count = count.saturating_sub(1));
    }
}
