//! The queue, and the task behind it.

use std::future::Future;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout, timeout_at};

/// Items sent at once.
const BATCH: usize = 512;

/// How long the first item of a batch waits for others.
const GATHER: Duration = Duration::from_secs(1);

/// How long a batch may take, tries after the first included.
const SEND: Duration = Duration::from_secs(10);

/// Where items go.
pub(crate) trait Destination: Send + 'static {
    /// What goes there.
    type Item: Send + 'static;

    /// Sends them all, or loses them all and says why.
    fn send(&mut self, items: Vec<Self::Item>) -> impl Future<Output = Result<(), String>> + Send;

    /// How many these are, as they are counted.
    fn tally(&self, items: &[Self::Item]) -> u64;

    /// Counts what became of so many.
    fn count(&self, items: u64, outcome: Outcome);

    /// What it is, for the log.
    fn name(&self) -> &'static str;
}

/// What became of items that had a place in the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// They have arrived.
    Exported,
    /// Nobody took them in time.
    Failed,
}

enum Message<T> {
    Item(T),
    /// Sends what is there, then answers.
    Flush(oneshot::Sender<()>),
}

/// A bounded queue. Its task ends with it.
pub(crate) struct Queue<T> {
    sender: mpsc::Sender<Message<T>>,
}

impl<T: Send + 'static> Queue<T> {
    /// Starts the task; there must be a tokio runtime.
    pub(crate) fn start(limit: usize, destination: impl Destination<Item = T>) -> Self {
        let (sender, waiting) = mpsc::channel(limit.max(1));
        tokio::spawn(Sending { waiting, destination, failing: false }.run());
        Self { sender }
    }

    /// Hands an item over. False if there was no room: then it is lost.
    pub(crate) fn push(&self, item: T) -> bool {
        self.sender.try_send(Message::Item(item)).is_ok()
    }

    /// Waits until what is in the queue now has been sent, but no longer than this.
    pub(crate) async fn flush(&self, within: Duration) {
        let (done, sent) = oneshot::channel();
        let flushed = async {
            if self.sender.send(Message::Flush(done)).await.is_ok() {
                // The task answers, or is gone with all that it had.
                let _ = sent.await;
            }
        };
        if timeout(within, flushed).await.is_err() {
            tracing::warn!(?within, "not everything could be exported in time");
        }
    }
}

/// The task.
struct Sending<D: Destination> {
    waiting: mpsc::Receiver<Message<D::Item>>,
    destination: D,
    /// A dead collector is told of once, not with every batch.
    failing: bool,
}

impl<D: Destination> Sending<D> {
    async fn run(mut self) {
        while let Some(first) = self.waiting.recv().await {
            let (items, flushed) = self.gather(first).await;
            if !items.is_empty() {
                self.send(items).await;
            }
            if let Some(flushed) = flushed {
                // Whoever waited may have given up.
                let _ = flushed.send(());
            }
        }
    }

    /// A batch: what comes soon after the first item.
    async fn gather(&mut self, first: Message<D::Item>) -> (Vec<D::Item>, Option<oneshot::Sender<()>>) {
        let deadline = Instant::now() + GATHER;
        let mut items = Vec::new();
        let mut next = Some(first);
        loop {
            match next {
                Some(Message::Item(item)) => items.push(item),
                Some(Message::Flush(flushed)) => return (items, Some(flushed)),
                None => return (items, None),
            }
            if items.len() >= BATCH {
                return (items, None);
            }
            next = timeout_at(deadline, self.waiting.recv()).await.ok().flatten();
        }
    }

    async fn send(&mut self, items: Vec<D::Item>) {
        let tally = self.destination.tally(&items);
        let sent = timeout(SEND, self.destination.send(items)).await;
        match sent.unwrap_or_else(|_| Err(format!("no answer in {SEND:?}"))) {
            Ok(()) => {
                self.failing = false;
                self.destination.count(tally, Outcome::Exported);
            }
            Err(error) => {
                let to = self.destination.name();
                if !std::mem::replace(&mut self.failing, true) {
                    tracing::warn!(to, error, "nothing can be exported; what is waiting is lost until it can");
                }
                self.destination.count(tally, Outcome::Failed);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex, PoisonError};
    use tokio::sync::Semaphore;

    type Seen = Arc<Mutex<Vec<(Vec<u32>, Outcome)>>>;

    /// Takes a batch for each permit; one with 13 in it fails.
    struct Gated {
        gate: Arc<Semaphore>,
        seen: Seen,
        last: Vec<u32>,
    }

    impl Destination for Gated {
        type Item = u32;

        async fn send(&mut self, items: Vec<u32>) -> Result<(), String> {
            self.last.clone_from(&items);
            self.gate.acquire().await.map_err(|error| error.to_string())?.forget();
            if items.contains(&13) { Err("unlucky".to_owned()) } else { Ok(()) }
        }

        fn tally(&self, items: &[u32]) -> u64 {
            items.len() as u64
        }

        fn count(&self, _items: u64, outcome: Outcome) {
            self.seen.lock().unwrap_or_else(PoisonError::into_inner).push((self.last.clone(), outcome));
        }

        fn name(&self) -> &'static str {
            "test"
        }
    }

    fn start(limit: usize, permits: usize) -> (Queue<u32>, Arc<Semaphore>, Seen) {
        let (gate, seen) = (Arc::new(Semaphore::new(permits)), Seen::default());
        let queue = Queue::start(limit, Gated { gate: gate.clone(), seen: seen.clone(), last: Vec::new() });
        (queue, gate, seen)
    }

    fn seen(seen: &Seen) -> Vec<(Vec<u32>, Outcome)> {
        seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    #[tokio::test]
    async fn a_flush_sends_what_is_there() {
        let (queue, _gate, batches) = start(10, 10);
        assert!(queue.push(1) && queue.push(2));
        queue.flush(Duration::from_secs(20)).await;
        assert_eq!(seen(&batches), [(vec![1, 2], Outcome::Exported)]);
        assert!(queue.push(13));
        queue.flush(Duration::from_secs(20)).await;
        assert_eq!(seen(&batches)[1], (vec![13], Outcome::Failed));
    }

    #[tokio::test(start_paused = true)]
    async fn a_full_queue_says_so_and_a_flush_has_an_end() {
        let (queue, gate, batches) = start(2, 0);
        // Nobody sends before the test waits, so that two is all there is room for.
        assert!(queue.push(1) && queue.push(2));
        assert!(!queue.push(3), "there is no room for a third");
        let begun = Instant::now();
        queue.flush(Duration::from_secs(5)).await;
        assert_eq!(begun.elapsed(), Duration::from_secs(5));
        gate.add_permits(1);
        queue.flush(Duration::from_secs(5)).await;
        assert_eq!(seen(&batches), [(vec![1, 2], Outcome::Exported)]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_collector_that_does_not_answer_is_given_up() {
        let (queue, _gate, batches) = start(2, 0);
        assert!(queue.push(1));
        queue.flush(Duration::from_secs(60)).await;
        assert_eq!(seen(&batches), [(vec![1], Outcome::Failed)]);
    }
}
