//! Bodies of HTTP, counted as they go by.

mod kept;
mod upload;

pub(super) use kept::kept;
pub(super) use upload::{Upload, UploadBounds, up};

use super::record::{Record, Tally};
use super::refused::Refused;
use super::requests::taking::Taking;
use super::requests::watched::Clock;
use crate::stream::Counts;
use bytes::{Buf, Bytes};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::{Body as HyperBody, Frame, Incoming, SizeHint};
use lychgate_telemetry::{Direction, Reason};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::{Instant, Sleep, sleep};

/// A body on its way.
pub(super) type Body = UnsyncBoxBody<Bytes, BodyError>;

/// Why it does not come to its end.
pub(super) type BodyError = Box<dyn std::error::Error + Send + Sync>;

/// What we say ourselves.
pub(super) fn ours(text: String) -> Body {
    Full::new(Bytes::from(text)).map_err(|never| match never {}).boxed_unsync()
}

/// What we say ourselves to a client that has not said all: at once, and it ends when the client has ended, or has taken too
/// long, or said too much. HTTP/2 resets a stream that is answered before its end, and some clients make an error of
/// that before they have read the answer.
pub(super) fn over(said: Body, heard: Body, patience: Duration) -> Body {
    if heard.is_end_stream() {
        return said;
    }
    Over { said, heard: Some(heard), left: MOST_HEARD, until: Box::pin(sleep(patience)) }.boxed_unsync()
}

/// So much is read of a request that was answered already.
const MOST_HEARD: usize = 64 * 1024;

struct Over {
    said: Body,
    heard: Option<Body>,
    left: usize,
    until: Pin<Box<Sleep>>,
}

impl HyperBody for Over {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match Pin::new(&mut self.said).poll_frame(cx) {
            Poll::Ready(None) => {}
            said => return said,
        }
        let Self { said: _, heard, left, until } = &mut *self;
        while let Some(body) = heard {
            if until.as_mut().poll(cx).is_ready() {
                break;
            }
            match Pin::new(body).poll_frame(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(None | Some(Err(_))) => *heard = None,
                Poll::Ready(Some(Ok(frame))) => {
                    *left = left.saturating_sub(frame.data_ref().map_or(0, Buf::remaining));
                    if *left == 0 {
                        *heard = None;
                    }
                }
            }
        }
        Poll::Ready(None)
    }

    fn size_hint(&self) -> SizeHint {
        self.said.size_hint()
    }
}

/// What takes longer than any request may.
pub(super) fn late() -> Refused {
    Refused::new(Reason::Timeout, "the request took longer than any may")
}

/// A response's body, whose end is that of the record. It is broken off when its time is over.
pub(super) fn down(body: Incoming, mut record: Record, upload: Arc<Upload>, until: Option<Instant>) -> Body {
    let tally = record.tally().clone();
    let record = match body.is_end_stream() {
        true => {
            record.done();
            None
        }
        false => Some(record),
    };
    let taking = Taking::current();
    Counted { body, tally, record, upload, taking, until, clock: Clock::default() }.boxed_unsync()
}

struct Counted {
    body: Incoming,
    tally: Arc<Tally>,
    record: Option<Record>,
    /// The request that it answers.
    upload: Arc<Upload>,
    /// The stream that takes it, if it is one of HTTP/2.
    taking: Option<Taking>,
    until: Option<Instant>,
    clock: Clock,
}

impl Drop for Counted {
    fn drop(&mut self) {
        if self.taking.as_ref().is_some_and(Taking::is_given_up) {
            self.failed(&Refused::new(Reason::SlowReader, "the client does not take the response"));
        }
    }
}

impl Counted {
    fn failed(&mut self, refused: &Refused) {
        if let Some(mut record) = self.record.take() {
            record.failed(refused.reason, refused.detail.clone());
        }
    }
}

impl HyperBody for Counted {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if let Some(until) = self.until
            && self.clock.poll(until, cx).is_ready()
        {
            let late = late();
            self.failed(&late);
            return Poll::Ready(Some(Err(late.detail.into())));
        }
        let polled = Pin::new(&mut self.body).poll_frame(cx).map_err(BodyError::from);
        match &polled {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(None) => {
                if let Some(mut record) = self.record.take() {
                    record.done();
                }
            }
            Poll::Ready(Some(Ok(frame))) => {
                let bytes = frame.data_ref().map_or(0, Buf::remaining);
                self.tally.carried(Direction::Down, bytes as u64);
                // Where a length was told, nobody asks for the end.
                if self.body.is_end_stream()
                    && let Some(mut record) = self.record.take()
                {
                    record.done();
                }
            }
            Poll::Ready(Some(Err(error))) => {
                let broken = || Refused::new(Reason::UpstreamError, error.to_string());
                let why = self.upload.refused().unwrap_or_else(broken);
                self.failed(&why);
            }
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
