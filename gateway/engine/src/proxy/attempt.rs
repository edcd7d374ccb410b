//! Attempts: which endpoint is tried, how long, and whether there is another try.

use super::Gateway;
use super::context::RequestContext;
use super::fault::{Fault, last_word};
use super::leave::Attempted;
use crate::connection::drop_at;
use crate::upstream::{EndpointState, Offer, Picked, Reach, peer};
use http::StatusCode;
use lychgate_ir::{Retry, RouteKind, UpstreamProtocol};
use lychgate_telemetry::ConnectFailure;
use pingora_core::upstreams::peer::HttpPeer;
use pingora_error::{Error, ErrorSource, ErrorType, Result, RetryType};
use pingora_proxy::Session;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// Without a retry policy, a request that no endpoint has seen is offered to this many others: to fail it would help
/// nobody, and endpoints that just went away are the usual cause.
pub(super) const UNSEEN_RETRIES: u32 = 2;

/// How much later than its deadline a request is dropped that could not be answered at it.
const GRACE: Duration = Duration::from_millis(100);

/// What happened so far.
#[derive(Debug, Default)]
pub(super) struct Attempts {
    count: u32,
    policy: Option<Retry>,
    per_try: Option<Duration>,
    /// The end of the running attempt.
    pub(super) deadline: Option<Instant>,
    current: Option<Picked>,
    /// Whether the running attempt goes over TLS.
    pub(super) is_tls: bool,
    tried: Vec<Arc<EndpointState>>,
    response_begun: bool,
}

impl Attempts {
    pub(super) fn limit(&mut self, policy: Option<Retry>, per_try: Option<Duration>) {
        self.policy = policy;
        self.per_try = per_try;
    }

    pub(super) fn count(&self) -> u32 {
        self.count
    }

    pub(super) fn response_begun(&self) -> bool {
        self.response_begun
    }

    pub(super) fn tried(&self) -> &[Arc<EndpointState>] {
        &self.tried
    }

    pub(super) fn last_endpoint(&self) -> Option<SocketAddr> {
        self.tried.last().map(|endpoint| endpoint.address)
    }

    pub(super) fn endpoint(&self) -> Option<&Arc<EndpointState>> {
        self.current.as_ref().map(Picked::endpoint)
    }

    pub(super) fn finish(&mut self) {
        self.current = None;
    }

    /// Whether the policy has a try left.
    fn has_more(&self) -> bool {
        self.policy.as_ref().is_some_and(|policy| self.count <= policy.attempts)
    }

    /// Whether there is a try left for what no endpoint has seen.
    fn has_more_unseen(&self) -> bool {
        match &self.policy {
            Some(_) => self.has_more(),
            None => self.count <= UNSEEN_RETRIES,
        }
    }

    /// Whether there is one for what had a connection that another has got. No endpoint has failed, so it is no try of the
    /// policy's either.
    fn has_more_displaced(&self) -> bool {
        self.has_more() || self.count <= UNSEEN_RETRIES
    }

    /// How long to wait before the next try: doubling, with jitter over the upper half.
    fn backoff(&self, limit: Duration) -> Option<Duration> {
        let policy = self.policy.as_ref().filter(|_| self.count > 0)?;
        let doubled = policy.backoff.saturating_mul(1 << (self.count - 1).min(16));
        // A base above the limit is what the user asked for.
        Some(doubled.min(limit.max(policy.backoff)).mul_f64(rand::random_range(0.5..=1.0)))
    }
}

impl Gateway {
    /// Picks an endpoint for the next attempt.
    pub(super) async fn next_attempt(&self, session: &Session, ctx: &mut RequestContext) -> Result<Box<HttpPeer>> {
        if let Some(wait) = ctx.attempts.backoff(self.limits.max_backoff) {
            ctx.attempts.current = None;
            let wait = ctx.deadline.map_or(wait, |deadline| wait.min(remaining(deadline)));
            tokio::time::sleep(wait).await;
        }
        if ctx.deadline.is_some_and(|deadline| remaining(deadline).is_zero()) {
            return Err(ctx.fail(Fault::timeout()));
        }
        let Some((backend, session_of)) = ctx
            .forward
            .as_ref()
            .map(|forward| (forward.backend.clone(), forward.session.as_ref().and_then(|session| session.brought())))
        else {
            return Err(ctx.fail(Fault::bug("an attempt without a backend")));
        };
        let is_upgrade = session.is_upgrade_req();
        let route = ctx.routed.as_ref().map_or(RouteKind::Http, |routed| routed.rule.id().route.kind);
        let offer = if is_upgrade { Offer::Http1 } else { Offer::of(route) };
        let picked = match self.leaver_of(ctx) {
            Some(leaver) => {
                let attempted = Attempted { backend: &backend, offer, session_of };
                Box::pin(self.leave(session, ctx, &leaver, attempted)).await?
            }
            None => {
                let patience = ctx.deadline.map_or(self.limits.resolve, |at| remaining(at).min(self.limits.resolve));
                let Some(picked) = backend.pick(session_of, &ctx.attempts.tried, patience).await else {
                    backend.metrics.not_connected(ConnectFailure::NoEndpoint);
                    return Err(ctx.fail(Fault::no_endpoint()));
                };
                picked
            }
        };
        if ctx.attempts.count > 0
            && let Some(routed) = &ctx.routed
        {
            routed.rule.metrics.retried();
            backend.metrics.retried();
        }
        ctx.observation.attempt(&backend.metrics);
        let endpoint = picked.endpoint().clone();
        ctx.attempts.count += 1;
        ctx.attempts.tried.push(endpoint.clone());
        ctx.attempts.current = Some(picked);
        ctx.attempts.deadline = ctx.attempts.per_try.map(|limit| Instant::now() + limit);
        ctx.copies.replay();
        let state = backend.state();
        let identity = ctx.routed.as_ref().and_then(|routed| routed.listener.spec.upstream_identity.as_ref());
        let Some(reach) = state.reach(identity) else {
            return Err(ctx.fail(Fault::bug("a backend that was not compiled for this identity")));
        };
        if let Reach::Refused(refusal) = reach {
            return Err(ctx.fail(Fault::refused(refusal)));
        }
        let is_tls = ctx.leaving.as_ref().map_or(matches!(reach, Reach::Tls(_)), |leaving| leaving.is_tls());
        ctx.attempts.is_tls = is_tls;
        ctx.observation.trace.attempt(&backend.id, endpoint.address, is_tls, session.req_header());
        let left = [ctx.deadline, ctx.attempts.deadline].into_iter().flatten().min().map(remaining);
        let connect = left.map_or(self.limits.connect, |left| left.min(self.limits.connect));
        if is_upgrade && state.spec.protocol == UpstreamProtocol::Http2 {
            return Err(ctx.fail(Fault::bad_request("an upgrade to a backend that speaks HTTP/2 only")));
        }
        let Some(client) = ctx.connection.clone() else {
            return Err(ctx.fail(Fault::bug("an attempt without a connection")));
        };
        let mut peer = match &ctx.leaving {
            Some(leaving) => leaving.peer(&backend, &endpoint, connect),
            None => match peer(&backend, &state, reach, endpoint.address, offer, connect, &client).await {
                Ok(peer) => peer,
                Err(error) => return Err(ctx.not_connected(error.into_up())),
            },
        };
        if is_upgrade {
            // An upgraded connection may be silent for long; until then, the end of the attempt is the last resort's.
            ctx.watch(session);
        } else {
            peer.options.read_timeout = left;
            peer.options.write_timeout = left;
        }
        Ok(Box::new(peer))
    }
}

impl RequestContext {
    /// Sees to it that the request ends at its deadline even where Pingora waits without looking at the clock: it begins
    /// to count anew with every piece of the request's body.
    pub(super) fn watch(&self, session: &Session) {
        let of_upgrade = self.attempts.deadline.filter(|_| session.is_upgrade_req());
        let Some(deadline) = [self.deadline, of_upgrade].into_iter().flatten().min() else { return };
        if session.is_http2() {
            // A stream that is dropped is reset, and its client never learns why. Pingora's clocks may be started once
            // after the upload and once more for the response, and end it by then.
            let limit = deadline.saturating_duration_since(self.started);
            drop_at(Some(deadline + limit * 2 + GRACE * 10), None);
        } else {
            drop_at(Some(deadline + GRACE), Some(last_word(session, self)));
        }
    }

    /// Judges the head of a response: is it one that the policy wants to try again?
    pub(super) fn judge_response(&mut self, session: &Session, status: u16) -> Result<()> {
        if status == StatusCode::SWITCHING_PROTOCOLS.as_u16() && !session.is_upgrade_req() {
            return Err(self.fail(Fault::bad_response("the backend switched protocols, and nobody had asked for it")));
        }
        let attempts = &self.attempts;
        let unwanted = attempts.policy.as_ref().is_some_and(|policy| policy.codes.binary_search(&status).is_ok());
        if !unwanted || !attempts.has_more() || self.is_late() || !self.can_replay(session) {
            return Ok(());
        }
        let mut error = Error::explain(ErrorType::HTTPStatus(status), "a status that the rule tries again");
        error.as_up();
        error.set_retry(true);
        Err(error)
    }

    /// The client is about to get the beginning of a response.
    pub(super) fn response_begins(&mut self, session: &mut Session, status: StatusCode) {
        self.attempts.response_begun = true;
        if status == StatusCode::SWITCHING_PROTOCOLS {
            // What follows is a connection, not a request.
            if let Some(connection) = &self.connection {
                connection.tunnel.store(true, Ordering::Relaxed);
            }
            self.deadline = None;
            self.attempts.deadline = None;
            session.set_read_timeout(None);
            session.set_write_timeout(None);
            self.look_again();
        }
        // No other answer can be given from here on: at the deadline the response is cut.
        drop_at([self.deadline, self.attempts.deadline].into_iter().flatten().min(), None);
    }

    /// A connection to the endpoint was made for this attempt, to be pooled under this key.
    pub(super) fn made_connection(&self, key: u64) {
        let (Some(endpoint), Some(forward)) = (self.attempts.endpoint(), &self.forward) else { return };
        match &self.connection {
            Some(connection) if forward.backend.state().spec.proxy_protocol.is_some() => connection.owns(endpoint, key),
            Some(_) | None => endpoint.connected(key),
        }
    }

    /// No connection came about, so no endpoint has seen the request: it can always be tried again.
    pub(super) fn not_connected(&mut self, error: Box<Error>) -> Box<Error> {
        self.unseen(error, Attempts::has_more_unseen)
    }

    fn unseen(&mut self, mut error: Box<Error>, has_more: fn(&Attempts) -> bool) -> Box<Error> {
        let more = has_more(&self.attempts) && !self.is_late();
        self.meets_limits(!more);
        if let Some(forward) = &self.forward {
            forward.backend.metrics.not_connected(connect_failure(&error));
        }
        self.attempt_failed(&error);
        error.set_retry(more && self.fault.is_none());
        error
    }

    /// A connection broke, or the endpoint took too long.
    pub(super) fn broke_off(&mut self, session: &Session, mut error: Box<Error>, reused: bool) -> Box<Error> {
        if self.has_no_connection() {
            return self.unseen(error.into_up(), Attempts::has_more_displaced);
        }
        let reused_only = matches!(error.retry, RetryType::ReusedOnly);
        error.retry.decide_reuse(reused);
        self.attempt_failed(&error);
        if error.retry() && matches!(error.etype(), ErrorType::HTTPStatus(_)) {
            // Judged before: the policy wants another try.
            return error;
        }
        if *error.esource() == ErrorSource::Upstream {
            self.meets_limits(true);
        }
        let safe = session.req_header().method.is_idempotent();
        // A kept connection that the endpoint had already closed: it has not seen the request.
        let allowed = self.attempts.policy.as_ref().is_none_or(|policy| policy.attempts > 0);
        let stale = reused && safe && allowed && self.attempts.count <= UNSEEN_RETRIES && reused_only;
        let more = *error.esource() == ErrorSource::Upstream
            && !self.attempts.response_begun
            && self.fault.is_none()
            && !self.is_late()
            && (self.attempts.has_more() || stale)
            && self.can_replay(session);
        error.set_retry(more);
        error
    }

    fn attempt_failed(&mut self, error: &Error) {
        let reason = match (&self.fault, error.etype()) {
            (Some(fault), _) => Some(fault.reason().as_str()),
            // A status that is tried again is no more than what it says.
            (None, ErrorType::HTTPStatus(_)) => None,
            (None, kind) => Some(kind.as_str()),
        };
        self.observation.trace.broke_off(reason, error);
    }

    pub(super) fn is_late(&self) -> bool {
        self.deadline.is_some_and(|deadline| remaining(deadline).is_zero())
    }

    /// Whether what was sent of the request can be sent once more.
    fn can_replay(&self, session: &Session) -> bool {
        let is_kept = !session.as_ref().retry_buffer_truncated();
        if !is_kept {
            let rule = self.routed.as_ref().map(|routed| tracing::field::display(routed.rule.id()));
            let id = self.id.as_ref().and_then(|id| id.to_str().ok());
            tracing::info!(
                rule,
                id,
                "not tried again: more of the body was sent than is kept for another try (64 KiB)"
            );
        }
        is_kept
    }
}

/// What kept a connection from coming about.
pub(super) fn connect_failure(error: &Error) -> ConnectFailure {
    match error.etype() {
        ErrorType::ConnectTimedout | ErrorType::TLSHandshakeTimedout => ConnectFailure::Timeout,
        ErrorType::InvalidCert | ErrorType::TLSHandshakeFailure => ConnectFailure::Tls,
        _ => ConnectFailure::Connect,
    }
}

fn remaining(deadline: Instant) -> Duration {
    deadline.saturating_duration_since(Instant::now())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_lost_its_connection_to_another_is_tried_again_whatever_the_policy_says() {
        let policy = |attempts| Some(Retry { codes: vec![], attempts, backoff: Duration::ZERO });
        let after = |count, policy| Attempts { count, policy, ..Attempts::default() };
        let once = after(1, policy(0));
        assert!(once.has_more_displaced() && !once.has_more_unseen());
        let often = after(UNSEEN_RETRIES + 1, policy(0));
        assert!(!often.has_more_displaced(), "it ends some time");
        let more = after(UNSEEN_RETRIES + 1, policy(UNSEEN_RETRIES + 1));
        assert!(more.has_more_displaced() && more.has_more_unseen());
        assert!(!after(UNSEEN_RETRIES + 1, None).has_more_unseen());
    }
}
