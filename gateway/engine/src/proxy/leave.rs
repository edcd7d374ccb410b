//! Requests of egress Gateways: whether an attempt may leave, and what becomes of what does.

use super::fault::Fault;
use super::head::PingoraRequest;
use super::{Gateway, RequestContext};
use crate::connection::{Connection, cut_when};
use crate::egress::{Leaver, Leaving, Wanted};
use crate::runtime::ListenerState;
use crate::upstream::{BackendCell, Offer, Picked, Session as EndpointSession};
use lychgate_telemetry::Reason;
use pingora_error::Result;
use pingora_proxy::Session;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What an attempt is made with.
pub(super) struct Attempted<'a> {
    pub(super) backend: &'a Arc<BackendCell>,
    pub(super) offer: Offer,
    pub(super) session_of: Option<(EndpointSession, Option<Duration>)>,
}

impl Gateway {
    /// Who wants something to leave, if what this listener's routes carry leaves.
    pub(super) fn leaver(&self, listener: &Arc<ListenerState>, client: &Arc<Connection>) -> Option<Leaver> {
        listener.leaves.then(|| Leaver {
            live: self.live.clone(),
            observe: self.observe.clone(),
            limits: self.limits.clone(),
            listener: listener.clone(),
            client: client.clone(),
            gates: self.gates.clone(),
        })
    }

    /// The same of a request.
    pub(super) fn leaver_of(&self, ctx: &RequestContext) -> Option<Leaver> {
        self.leaver(&ctx.routed.as_ref()?.listener, ctx.connection.as_ref()?)
    }

    /// Decides about an attempt, as it will be sent. The one before is over.
    pub(super) async fn leave(
        &self,
        session: &Session,
        ctx: &mut RequestContext,
        leaver: &Leaver,
        attempted: Attempted<'_>,
    ) -> Result<Picked> {
        ctx.broke_off_outside();
        let Attempted { backend, offer, session_of } = attempted;
        let mut head = session.req_header().clone();
        ctx.edit_upstream_request(&mut PingoraRequest(&mut head)).map_err(|fault| ctx.fail(fault))?;
        let deadline = ctx.deadline;
        let tried = ctx.attempts.tried();
        let wanted = Wanted { head: &head, backend, offer, session: session_of, tried };
        let decided = match deadline {
            None => Ok(leaver.leave(wanted).await),
            Some(deadline) => {
                let left = deadline.saturating_duration_since(Instant::now());
                tokio::time::timeout(left, leaver.leave(wanted)).await
            }
        };
        let mut leaving = match decided {
            Ok(Ok(leaving)) => leaving,
            Ok(Err(refused)) => return Err(ctx.fail(Fault::not_let_out(refused))),
            Err(_) => return Err(ctx.fail(Fault::timeout())),
        };
        let picked = leaving.endpoint().ok_or_else(|| ctx.fail(Fault::bug("an attempt that goes nowhere")))?;
        ctx.leaving = Some(Box::new(leaving));
        Ok(picked)
    }
}

impl RequestContext {
    /// What was a request is a connection: it is cut when a policy denies it.
    pub(super) fn look_again(&self) {
        if let Some(leaving) = &self.leaving {
            cut_when(Box::pin(leaving.denied_later()));
        }
    }

    /// No other attempt is made at what a limit has refused or ended: it would fare no better. That there is no address to
    /// leave from is told after the last one.
    pub(super) fn meets_limits(&mut self, is_last: bool) {
        if self.fault.is_none() {
            let limited = |leaving: &Leaving| if is_last { leaving.limited() } else { leaving.limited_elsewhere() };
            self.fault = self.leaving.as_deref().and_then(limited).map(Fault::not_let_out);
        }
    }

    /// Whether its attempt had a connection that another one has got before it was used.
    pub(super) fn has_no_connection(&self) -> bool {
        self.leaving.as_ref().is_some_and(|leaving| !leaving.is_connected())
    }

    /// An answer is over; an error if it only was broken off.
    pub(super) fn is_whole(&mut self) -> Result<()> {
        match self.leaving.as_ref().and_then(|leaving| leaving.cut()) {
            Some(refused) => Err(self.fail(Fault::not_let_out(refused))),
            None => Ok(()),
        }
    }

    /// An attempt has failed, and another one may follow.
    fn broke_off_outside(&mut self) {
        if let Some(leaving) = self.leaving.take() {
            leaving.failed(None, Reason::UpstreamError, "it was tried again");
        }
    }

    /// It is over: the record hears how.
    pub(super) fn left(&mut self, status: Option<u16>) {
        let Some(leaving) = self.leaving.take() else { return };
        match self.observation.failure() {
            None => leaving.done(status),
            Some((reason, detail)) => leaving.failed(status, reason, detail),
        }
    }
}

/// What leaves of a request, if anything does.
pub(super) type MayLeave = Option<Box<Leaving>>;
