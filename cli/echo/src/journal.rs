//! What the server saw: a bounded log of requests, and counts that a test can wait for without sleeping.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use bytes::Bytes;
use http::HeaderMap;
use tokio::sync::watch;

use crate::limits::MAX_RECORDED_BODY;
use crate::report::EchoReport;

/// What a request turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Plain HTTP.
    Http,
    /// A gRPC call.
    Grpc,
    /// A WebSocket handshake.
    WebSocket,
}

/// One request as it arrived. It is recorded when its headers are read, before any knob is obeyed.
#[derive(Debug)]
pub struct Recorded {
    /// The number of the request at this server, from 1.
    pub number: u64,
    /// What it turned out to be.
    pub kind: Kind,
    /// What the client would be told.
    pub report: EchoReport,
    body: OnceLock<BodySeen>,
}

impl Recorded {
    /// The request's body, once it was read to its end.
    pub fn body(&self) -> Option<&BodySeen> {
        self.body.get()
    }
}

/// A body that was read to its end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BodySeen {
    /// Its length in bytes.
    pub size: u64,
    /// Its first bytes, at most [`MAX_RECORDED_BODY`].
    pub start: Bytes,
    /// Its trailers.
    pub trailers: HeaderMap,
}

/// How often something happened since the server was bound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// TCP connections accepted, on all ports.
    pub connections: u64,
    /// Connections that ended.
    pub closed: u64,
    /// Requests whose headers were read.
    pub requests: u64,
    /// Requests whose body was read to its end.
    pub bodies: u64,
    /// Requests answered to the end.
    pub answered: u64,
    /// Requests left unanswered because a knob asked for it.
    pub aborted: u64,
    /// Requests that the client gave up before the answer's end.
    pub cancelled: u64,
    /// WebSocket messages echoed.
    pub messages: u64,
    /// UDP datagrams answered.
    pub datagrams: u64,
}

#[derive(Debug)]
pub(crate) struct Journal {
    most: usize,
    kept: Mutex<VecDeque<Arc<Recorded>>>,
    numbers: AtomicU64,
    counts: watch::Sender<Counts>,
}

impl Journal {
    pub(crate) fn new(most: usize) -> Self {
        Self { most, kept: Mutex::default(), numbers: AtomicU64::new(0), counts: watch::Sender::new(Counts::default()) }
    }

    pub(crate) fn next_number(&self) -> u64 {
        self.numbers.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Records a request. What becomes of it is told by the ticket.
    pub(crate) fn request(self: &Arc<Self>, kind: Kind, report: EchoReport) -> Ticket {
        let recorded = Arc::new(Recorded { number: report.request, kind, report, body: OnceLock::new() });
        if self.most > 0 {
            // The queue is whole between any two statements, so a poisoned lock means nothing here.
            let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
            if kept.len() >= self.most {
                kept.pop_front();
            }
            kept.push_back(Arc::clone(&recorded));
        }
        self.count(|counts| counts.requests += 1);
        Ticket { journal: Arc::clone(self), recorded, open: true }
    }

    pub(crate) fn requests(&self) -> Vec<Arc<Recorded>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    pub(crate) fn count(&self, change: impl FnOnce(&mut Counts)) {
        self.counts.send_modify(change);
    }

    pub(crate) fn counts(&self) -> Counts {
        *self.counts.borrow()
    }

    pub(crate) async fn wait_for(&self, mut enough: impl FnMut(&Counts) -> bool) -> Counts {
        let mut counts = self.counts.subscribe();
        match counts.wait_for(|counts| enough(counts)).await {
            Ok(counts) => *counts,
            // Fails only when the sender is gone, and `self` holds it.
            Err(_) => self.counts(),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Answered,
    Aborted,
    Cancelled,
}

/// A request in flight. Dropped before anyone said how it ended, it was cancelled by the client.
#[derive(Debug)]
pub(crate) struct Ticket {
    journal: Arc<Journal>,
    recorded: Arc<Recorded>,
    open: bool,
}

impl Ticket {
    pub(crate) fn report(&self) -> &EchoReport {
        &self.recorded.report
    }

    pub(crate) fn body_read(&self, body: BodySeen) {
        if self.recorded.body.set(body).is_ok() {
            self.journal.count(|counts| counts.bodies += 1);
        }
    }

    pub(crate) fn message_echoed(&self) {
        self.journal.count(|counts| counts.messages += 1);
    }

    pub(crate) fn answered(&mut self) {
        self.end(Outcome::Answered);
    }

    pub(crate) fn aborted(&mut self) {
        self.end(Outcome::Aborted);
    }

    fn end(&mut self, outcome: Outcome) {
        if !std::mem::take(&mut self.open) {
            return;
        }
        self.journal.count(|counts| match outcome {
            Outcome::Answered => counts.answered += 1,
            Outcome::Aborted => counts.aborted += 1,
            Outcome::Cancelled => counts.cancelled += 1,
        });
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.end(Outcome::Cancelled);
    }
}

/// Gathers what a record keeps of a body while it passes.
#[derive(Debug, Default)]
pub(crate) struct BodyMeter {
    size: u64,
    start: Vec<u8>,
    trailers: HeaderMap,
}

impl BodyMeter {
    pub(crate) fn data(&mut self, data: &[u8]) {
        self.size += data.len() as u64;
        let room = MAX_RECORDED_BODY.saturating_sub(self.start.len());
        self.start.extend(data.iter().take(room));
    }

    pub(crate) fn trailers(&mut self, trailers: &HeaderMap) {
        self.trailers = trailers.clone();
    }

    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    pub(crate) fn seen(self) -> BodySeen {
        let Self { size, start, trailers } = self;
        BodySeen { size, start: start.into(), trailers }
    }
}
