//! The body of a request, whose client has to go on.

use super::{Body, BodyError};
use crate::egress::record::Tally;
use crate::egress::requests::watched::{Busy, Clock};
use crate::stream::Counts;
use bytes::{Buf, Bytes};
use http_body_util::BodyExt;
use hyper::body::{Body as HyperBody, Frame, Incoming, SizeHint};
use lychgate_telemetry::Direction;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::Instant;

/// What is known of a request's body by those who send it and those who wait for the answer.
#[derive(Debug)]
pub(in crate::egress) struct Upload {
    /// How long its client may be silent before it is answered, and after.
    before: Duration,
    after: Duration,
    is_answered: AtomicBool,
    is_late: AtomicBool,
}

impl Upload {
    pub(in crate::egress) fn new(before: Duration, after: Duration) -> Arc<Self> {
        Arc::new(Self { before, after, is_answered: AtomicBool::new(false), is_late: AtomicBool::new(false) })
    }

    /// The answer has begun: who streams both ways may listen for a while.
    pub(in crate::egress) fn answered(&self) {
        self.is_answered.store(true, Ordering::Relaxed);
    }

    /// Whether it was given up because its client said nothing.
    pub(in crate::egress) fn is_late(&self) -> bool {
        self.is_late.load(Ordering::Relaxed)
    }

    fn patience(&self) -> Duration {
        if self.is_answered.load(Ordering::Relaxed) { self.after } else { self.before }
    }
}

/// A request's body, with which the request runs.
pub(in crate::egress) fn up(body: Incoming, tally: Arc<Tally>, upload: Arc<Upload>, busy: Busy) -> Body {
    Up { body, tally, upload, silent: None, clock: Clock::default(), _busy: busy }.boxed_unsync()
}

struct Up {
    body: Incoming,
    tally: Arc<Tally>,
    upload: Arc<Upload>,
    /// Since when somebody waits for the next piece.
    silent: Option<Instant>,
    clock: Clock,
    _busy: Busy,
}

impl HyperBody for Up {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        if polled.is_ready() {
            self.silent = None;
            if let Poll::Ready(Some(Ok(frame))) = &polled {
                let bytes = frame.data_ref().map_or(0, Buf::remaining);
                self.tally.carried(Direction::Up, bytes as u64);
            }
            return polled.map_err(BodyError::from);
        }
        let until = *self.silent.get_or_insert_with(Instant::now) + self.upload.patience();
        match self.clock.poll(until, cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(()) => {
                self.upload.is_late.store(true, Ordering::Relaxed);
                Poll::Ready(Some(Err("the client does not go on with the body".into())))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
