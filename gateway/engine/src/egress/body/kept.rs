//! A response's body, for as long as it is there.

use super::{Body, BodyError};
use crate::egress::requests::taking::Taking;
use crate::egress::requests::watched::Busy;
use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::{Body as HyperBody, Frame, SizeHint};
use std::pin::Pin;
use std::task::{Context, Poll};

/// A body with which a request runs until it is dropped. Where its client has to make room for it, `taking` is told.
pub(in crate::egress) fn kept(body: Body, busy: Busy, taking: Option<Taking>) -> Body {
    taking.iter().for_each(Taking::offer);
    Kept { body, taking, _busy: busy }.boxed_unsync()
}

struct Kept {
    body: Body,
    taking: Option<Taking>,
    _busy: Busy,
}

impl HyperBody for Kept {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        if let Some(taking) = &self.taking {
            match polled {
                Poll::Pending => taking.wait(),
                Poll::Ready(_) => taking.offer(),
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
