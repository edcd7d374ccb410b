//! The body of a request, whose client has to go on, and to come to an end.

use super::{Body, BodyError};
use crate::egress::record::Tally;
use crate::egress::refused::Refused;
use crate::egress::requests::watched::{Busy, Clock};
use crate::stream::Counts;
use bytes::{Buf, Bytes};
use http_body_util::BodyExt;
use hyper::body::{Body as HyperBody, Frame, Incoming, SizeHint};
use lychgate_telemetry::{Direction, Reason};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::Instant;

/// What is known of a request's body by those who send it and those who wait for the answer.
#[derive(Debug)]
pub(in crate::egress) struct Upload {
    bounds: UploadBounds,
    is_answered: AtomicBool,
    given_up: OnceLock<GivenUp>,
}

/// What a client may do.
#[derive(Clone, Copy, Debug)]
pub(in crate::egress) struct UploadBounds {
    /// How long it may be silent before it is answered.
    pub(in crate::egress) before: Duration,
    /// The same after that.
    pub(in crate::egress) after: Duration,
    /// Bytes that it may send.
    pub(in crate::egress) most: Option<u64>,
}

/// Why a body is not read to its end.
#[derive(Clone, Copy, Debug)]
enum GivenUp {
    Late,
    TooLong,
}

impl GivenUp {
    fn refused(self) -> Refused {
        match self {
            Self::Late => Refused::new(Reason::SlowRequest, "the body of the request did not go on in time"),
            Self::TooLong => Refused::new(Reason::BodyTooLarge, "the body of the request is longer than the limit"),
        }
    }
}

impl Upload {
    pub(in crate::egress) fn new(bounds: UploadBounds) -> Arc<Self> {
        Arc::new(Self { bounds, is_answered: AtomicBool::new(false), given_up: OnceLock::new() })
    }

    /// Refuses what says itself that it is too long (RFC 9110 section 15.5.14).
    pub(in crate::egress) fn announces(&self, bytes: u64) -> Result<(), Refused> {
        match self.bounds.most {
            Some(most) if bytes > most => Err(GivenUp::TooLong.refused()),
            Some(_) | None => Ok(()),
        }
    }

    /// The answer has begun: who streams both ways may listen for a while.
    pub(in crate::egress) fn answered(&self) {
        self.is_answered.store(true, Ordering::Relaxed);
    }

    /// Why it was given up, if its client is to blame.
    pub(in crate::egress) fn refused(&self) -> Option<Refused> {
        self.given_up.get().map(|why| why.refused())
    }

    fn give_up(&self, why: GivenUp) -> BodyError {
        let _ = self.given_up.set(why);
        why.refused().detail.into()
    }

    fn patience(&self) -> Duration {
        let UploadBounds { before, after, most: _ } = self.bounds;
        if self.is_answered.load(Ordering::Relaxed) { after } else { before }
    }
}

/// A request's body, with which the request runs.
pub(in crate::egress) fn up(body: Incoming, tally: Arc<Tally>, upload: Arc<Upload>, busy: Busy) -> Body {
    Up { body, tally, upload, heard: 0, silent: None, clock: Clock::default(), _busy: busy }.boxed_unsync()
}

struct Up {
    body: Incoming,
    tally: Arc<Tally>,
    upload: Arc<Upload>,
    /// Bytes so far.
    heard: u64,
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
                let bytes = frame.data_ref().map_or(0, Buf::remaining) as u64;
                self.heard += bytes;
                if self.upload.announces(self.heard).is_err() {
                    return Poll::Ready(Some(Err(self.upload.give_up(GivenUp::TooLong))));
                }
                self.tally.carried(Direction::Up, bytes);
            }
            return polled.map_err(BodyError::from);
        }
        let until = *self.silent.get_or_insert_with(Instant::now) + self.upload.patience();
        match self.clock.poll(until, cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(()) => Poll::Ready(Some(Err(self.upload.give_up(GivenUp::Late)))),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
