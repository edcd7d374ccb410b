//! What waits for a mirror: pieces of one body, bounded in bytes, by copy and over all copies.

use bytes::Bytes;
use std::future::{Future, pending};
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};

/// Room for all copies.
#[derive(Clone, Debug)]
pub(super) struct Room {
    of_one: usize,
    of_all: Arc<Semaphore>,
}

/// The request's end. Dropped without an end, the copy is broken off.
#[derive(Debug)]
pub(super) struct Backlog {
    pieces: mpsc::UnboundedSender<(Bytes, Taken)>,
    room: Arc<Semaphore>,
    of_all: Arc<Semaphore>,
    ended: watch::Sender<bool>,
}

/// Room that is given back when the piece has gone on.
#[derive(Debug)]
pub(super) struct Taken {
    _of_one: OwnedSemaphorePermit,
    _of_all: OwnedSemaphorePermit,
}

/// The mirror's end.
#[derive(Debug)]
pub(super) struct Pieces {
    pieces: mpsc::UnboundedReceiver<(Bytes, Taken)>,
    ended: watch::Receiver<bool>,
}

/// What comes next.
pub(super) enum Next {
    Data(Bytes, Taken),
    End,
    BrokenOff,
}

impl Room {
    pub(super) fn new(of_one: usize, of_all: usize) -> Self {
        Self { of_one, of_all: Arc::new(Semaphore::new(of_all)) }
    }

    /// For one copy.
    pub(super) fn backlog(&self) -> (Backlog, Pieces) {
        let (sender, pieces) = mpsc::unbounded_channel();
        let (ending, ended) = watch::channel(false);
        let room = Arc::new(Semaphore::new(self.of_one));
        (Backlog { pieces: sender, room, of_all: self.of_all.clone(), ended: ending }, Pieces { pieces, ended })
    }
}

impl Backlog {
    /// Adds a piece; false if there is no room for it, or nobody to take it.
    pub(super) fn push(&mut self, piece: &Bytes) -> bool {
        let Ok(bytes) = u32::try_from(piece.len()) else { return false };
        let Ok(of_one) = self.room.clone().try_acquire_many_owned(bytes) else { return false };
        let Ok(of_all) = self.of_all.clone().try_acquire_many_owned(bytes) else { return false };
        self.pieces.send((piece.clone(), Taken { _of_one: of_one, _of_all: of_all })).is_ok()
    }

    /// The body is complete.
    pub(super) fn end(self) {
        self.ended.send_replace(true);
    }
}

impl Pieces {
    pub(super) async fn next(&mut self) -> Next {
        match self.pieces.recv().await {
            Some((data, taken)) => Next::Data(data, taken),
            None if *self.ended.borrow() => Next::End,
            None => Next::BrokenOff,
        }
    }

    /// Ready as soon as the body is broken off, whatever still waits; never if it was complete.
    pub(super) fn broken_off(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut ended = self.ended.clone();
        async move {
            if ended.wait_for(|ended| *ended).await.is_ok() {
                pending::<()>().await;
            }
        }
    }
}
