//! Bodies of answers: a script of steps, or the request's own body on its way back.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use futures::Stream;
use futures::stream::unfold;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Empty};
use hyper::body::Incoming;
use thiserror::Error;

use crate::journal::{BodyMeter, Ticket};
use crate::server::Shared;

/// Any body that we send.
pub(crate) type EchoBody = UnsyncBoxBody<Bytes, Broken>;

/// Why an answer ends before its end.
#[derive(Debug, Error)]
pub(crate) enum Broken {
    /// The request asked for it.
    #[error("the request asked for no answer")]
    Asked,
    /// The client went away, or sent what no body can be.
    #[error("the request's body: {0}")]
    Client(#[from] hyper::Error),
}

pub(crate) fn empty() -> EchoBody {
    Empty::new().map_err(|never| match never {}).boxed_unsync()
}

/// A whole number of alphabets, so that pages in a row read on without a seam.
const PAGE_BYTES: usize = 26 * 630;
static PAGE: LazyLock<Bytes> = LazyLock::new(|| pattern(PAGE_BYTES).into());

/// The bytes that `size` answers with: the alphabet, again and again.
pub fn pattern(size: usize) -> Vec<u8> {
    (b'a'..=b'z').cycle().take(size).collect()
}

/// The bytes of the pattern from `start` on, without copying any.
pub(crate) fn pattern_slices(start: u64, size: u64) -> impl Iterator<Item = Bytes> {
    let mut at = usize::try_from(start % PAGE_BYTES as u64).unwrap_or_default();
    let mut left = size;
    std::iter::from_fn(move || {
        let room = PAGE_BYTES - at;
        let take = usize::try_from(left).map_or(room, |left| left.min(room));
        if take == 0 {
            return None;
        }
        let slice = PAGE.slice(at..at + take);
        left -= take as u64;
        at = 0;
        Some(slice)
    })
}

/// One thing that happens while a body is sent.
#[derive(Debug)]
pub(crate) enum Step {
    Data(Bytes),
    Pause(Duration),
    Hold(String),
    Trailers(HeaderMap),
    Abort,
}

/// A body step by step. The ticket is told when the last step is done.
pub(crate) struct Script {
    pub(crate) server: Arc<Shared>,
    pub(crate) ticket: Ticket,
    pub(crate) steps: VecDeque<Step>,
    /// The body's length, if it is to be declared.
    pub(crate) declared: Option<u64>,
}

impl Script {
    pub(crate) fn into_body(mut self) -> EchoBody {
        if self.steps.is_empty() {
            // Nobody polls a body that is known to be empty.
            self.ticket.answered();
            return empty();
        }
        let left = self.declared;
        ScriptBody { left, frames: Box::pin(unfold(self, Self::next)) }.boxed_unsync()
    }

    async fn next(mut self) -> Option<(Result<Frame<Bytes>, Broken>, Self)> {
        loop {
            let Some(step) = self.steps.pop_front() else {
                self.ticket.answered();
                return None;
            };
            let frame = match step {
                Step::Pause(pause) => {
                    tokio::time::sleep(pause).await;
                    continue;
                }
                Step::Hold(gate) => {
                    self.server.gates.pass(&gate).await;
                    continue;
                }
                Step::Abort => {
                    self.ticket.aborted();
                    return Some((Err(Broken::Asked), self));
                }
                Step::Data(data) => Frame::data(data),
                Step::Trailers(trailers) => Frame::trailers(trailers),
            };
            if self.steps.is_empty() {
                // A body of declared length is not polled again after its last byte.
                self.ticket.answered();
            }
            return Some((Ok(frame), self));
        }
    }
}

struct ScriptBody {
    frames: Pin<Box<dyn Stream<Item = Result<Frame<Bytes>, Broken>> + Send>>,
    left: Option<u64>,
}

impl Body for ScriptBody {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        let frame = ready!(self.frames.as_mut().poll_next(cx));
        if let (Some(left), Some(Ok(frame))) = (&mut self.left, &frame)
            && let Some(data) = frame.data_ref()
        {
            *left = left.saturating_sub(data.len() as u64);
        }
        Poll::Ready(frame)
    }

    fn size_hint(&self) -> SizeHint {
        self.left.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

/// The request's body on its way back, as it comes, and what to say after it.
pub(crate) struct Mirrored {
    incoming: Incoming,
    meter: Option<BodyMeter>,
    ticket: Ticket,
    trailers: Option<HeaderMap>,
}

impl Mirrored {
    /// `trailers` follow those of the request. With any, the length is not declared.
    pub(crate) fn new(incoming: Incoming, ticket: Ticket, trailers: Option<HeaderMap>) -> Self {
        Self { incoming, meter: Some(BodyMeter::default()), ticket, trailers }
    }

    /// The body was read to its end. Called at most once with effect.
    fn read(&mut self) {
        if let Some(meter) = self.meter.take() {
            self.ticket.body_read(meter.seen());
        }
        if self.trailers.is_none() {
            self.ticket.answered();
        }
    }
}

impl Body for Mirrored {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        if self.meter.is_none() {
            return Poll::Ready(self.trailers.take().map(|trailers| {
                self.ticket.answered();
                Ok(Frame::trailers(trailers))
            }));
        }
        let frame = match ready!(Pin::new(&mut self.incoming).poll_frame(cx)) {
            Some(Ok(frame)) => frame,
            Some(Err(error)) => return Poll::Ready(Some(Err(error.into()))),
            None => {
                self.read();
                return self.poll_frame(cx);
            }
        };
        let frame = match frame.into_trailers() {
            Ok(mut trailers) => {
                if let Some(meter) = &mut self.meter {
                    meter.trailers(&trailers);
                }
                if let Some(ours) = self.trailers.take() {
                    trailers.extend(ours);
                }
                self.read();
                Frame::trailers(trailers)
            }
            Err(frame) => {
                if let (Some(meter), Some(data)) = (&mut self.meter, frame.data_ref()) {
                    meter.data(data);
                }
                if self.incoming.is_end_stream() {
                    self.read();
                }
                frame
            }
        };
        Poll::Ready(Some(Ok(frame)))
    }

    fn is_end_stream(&self) -> bool {
        self.trailers.is_none() && self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        if self.trailers.is_some() { SizeHint::default() } else { self.incoming.size_hint() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_of_the_pattern_join_without_a_seam() {
        for (start, size) in [(0, 10), (5, 30), (0, 40_000), (16_379, 3), (16_380, 1), (33_000, 17_000)] {
            let joined: Vec<u8> = pattern_slices(start, size).flatten().collect();
            let whole = pattern((start + size) as usize);
            assert!(joined.iter().eq(whole.iter().skip(start as usize)), "{size} bytes from {start}");
        }
    }
}
