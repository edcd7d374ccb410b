//! What is known of the cluster, as one immutable [`Objects`].
//!
//! Changes are gathered until none came for a moment, but never for long, and then handed on together. Nothing is handed
//! on before every kind was listed: half a view looks like a cluster from which things were deleted.

mod gather;

pub use gather::{Broken, Gather};

use crate::observe::Metrics;
use crate::watch::{Change, Observed};
use lychgate_api::{ObjectRef, Objects};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, mpsc};
use tokio::time::{Instant, timeout_at};

/// So long has nothing to come before a batch is handed on,
const QUIET: Duration = Duration::from_millis(10);
/// and so long is waited at most.
const PATIENCE: Duration = Duration::from_millis(100);
/// So many arrivals are remembered for the time that propagation takes; more would not change the picture.
const ARRIVALS: usize = 10_000;

/// Objects, and what changed since the batch before.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// All objects.
    pub objects: Objects,
    /// Objects that cannot be read, and why. Those that could be read once are in `objects` in that version.
    pub broken: Broken,
    /// When the changes arrived that this batch brings.
    pub arrivals: Vec<Instant>,
}

/// Where batches wait to be taken: the newest, with the arrivals of those that it replaced.
#[derive(Debug, Default)]
pub struct Store {
    waiting: Mutex<Option<Batch>>,
    put: Notify,
}

impl Store {
    /// The next batch, as soon as there is one. One taker at a time.
    pub async fn next(&self) -> Batch {
        loop {
            let put = self.put.notified();
            let waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner).take();
            match waiting {
                Some(batch) => return batch,
                None => put.await,
            }
        }
    }

    fn put(&self, mut batch: Batch) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(Batch { objects: _, broken: _, arrivals }) = waiting.take() {
            batch.arrivals.extend(arrivals);
            batch.arrivals.truncate(ARRIVALS);
        }
        *waiting = Some(batch);
        drop(waiting);
        self.put.notify_one();
    }
}

/// What is said about objects, for whoever writes it.
pub trait Observer: Send + 'static {
    /// An object has this now; None where it is gone.
    fn observe(&self, object: &ObjectRef, observed: Option<Observed>);
}

/// Takes changes in and hands batches on, until watching ends.
pub async fn take_in(
    mut changes: mpsc::Receiver<Change>,
    store: Arc<Store>,
    observer: impl Observer,
    metrics: Arc<Metrics>,
) {
    let mut gather = Gather::default();
    let mut arrivals: Vec<Instant> = Vec::new();
    while let Some(first) = changes.recv().await {
        let limit = Instant::now() + PATIENCE;
        let mut change = first;
        let mut changed = false;
        loop {
            if gather.take(change, &observer) {
                changed = true;
                if arrivals.len() < ARRIVALS {
                    arrivals.push(Instant::now());
                }
            }
            let now = Instant::now();
            if now >= limit {
                break;
            }
            match timeout_at(limit.min(now + QUIET), changes.recv()).await {
                Ok(Some(next)) => change = next,
                // Quiet, or the end.
                Ok(None) | Err(_) => break,
            }
        }
        metrics.missing_kinds(gather.missing().count());
        if changed && gather.is_whole() {
            metrics.objects(gather.objects(), gather.broken().len());
            let (objects, broken) = (gather.objects().clone(), gather.broken().clone());
            store.put(Batch { objects, broken, arrivals: std::mem::take(&mut arrivals) });
        }
    }
}
