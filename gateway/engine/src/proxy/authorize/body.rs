//! Bodies that a service wants to see. They are read before anything is forwarded, and kept whole, so that the backend gets
//! them, too.

use super::super::fault::Fault;
use super::super::{Gateway, RequestContext};
use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_LENGTH, EXPECT};
use pingora_error::{Error, ErrorType};
use pingora_proxy::Session;
use tokio::sync::OwnedSemaphorePermit;

/// A body that was read.
#[derive(Debug, Default)]
pub(in crate::proxy) struct Kept {
    body: Bytes,
    /// Held until the request is over: Pingora keeps the body for as long.
    _room: Option<OwnedSemaphorePermit>,
}

impl Kept {
    /// Nobody asks about it any more.
    pub(in crate::proxy) fn let_go(&mut self) {
        self.body = Bytes::new();
    }
}

impl Gateway {
    /// The whole body of a request, unless it is longer than this.
    pub(super) async fn whole_body(
        &self,
        session: &mut Session,
        ctx: &mut RequestContext,
        most: u32,
    ) -> Result<Bytes, Fault> {
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        let kept = match &ctx.kept {
            Some(kept) => kept.body.clone(),
            None if session.is_body_empty() || session.is_upgrade_req() => Bytes::new(),
            None => {
                let read = self.read_body(session, ctx, most);
                let kept = match ctx.deadline {
                    None => read.await?,
                    Some(deadline) => {
                        let read = tokio::time::timeout_at(deadline.into(), read).await;
                        read.unwrap_or_else(|_| Err(Fault::timeout()))?
                    }
                };
                let body = kept.body.clone();
                ctx.kept = Some(kept);
                body
            }
        };
        if kept.len() > most { Err(Fault::body_too_large_to_ask()) } else { Ok(kept) }
    }

    async fn read_body(&self, session: &mut Session, ctx: &RequestContext, most: usize) -> Result<Kept, Fault> {
        let announced = session.req_header().headers.get(CONTENT_LENGTH);
        let announced: Option<u64> = announced.and_then(|length| length.to_str().ok()?.parse().ok());
        if announced.is_some_and(|length| length > most as u64) {
            return Err(Fault::body_too_large_to_ask());
        }
        session.as_downstream_mut().enable_retry_buffering_of(most);
        if session.req_header().headers.contains_key(EXPECT) {
            // The backend would have said so (RFC 9110 section 10.1.1). It gets the body without having to.
            let told = session.as_downstream_mut().write_continue_response().await;
            told.map_err(|error| Fault::of(&error.into_down(), ctx))?;
            session.req_header_mut().remove_header(&EXPECT);
        }
        let (mut body, mut room) = (BytesMut::new(), None::<OwnedSemaphorePermit>);
        while let Some(piece) = self.next_piece(session, ctx).await? {
            if body.len() + piece.len() > most {
                return Err(Fault::body_too_large_to_ask());
            }
            let bytes = u32::try_from(piece.len()).map_err(|_| Fault::body_too_large_to_ask())?;
            let taken =
                self.authorizer.room.clone().try_acquire_many_owned(bytes).map_err(|_| Fault::no_room_to_ask())?;
            match &mut room {
                Some(room) => room.merge(taken),
                None => room = Some(taken),
            }
            body.extend_from_slice(&piece);
        }
        Ok(Kept { body: body.freeze(), _room: room })
    }

    /// A client of HTTP/1 is given its time by Pingora, one of HTTP/2 by us.
    async fn next_piece(&self, session: &mut Session, ctx: &RequestContext) -> Result<Option<Bytes>, Fault> {
        let patience = self.limits.client_idle;
        let read = tokio::time::timeout(patience, session.as_downstream_mut().read_request_body()).await;
        let read = read.unwrap_or_else(|_| Err(Error::explain(ErrorType::ReadTimedout, "no more of the body came")));
        let piece = read.map_err(|error| Fault::of(&error.into_down(), ctx))?;
        self.limit_body(session.body_bytes_read() as u64)?;
        Ok(piece)
    }
}
