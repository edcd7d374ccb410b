//! What a request remembers from one phase to the next.

use super::attempt::Attempts;
use super::authorize::{Given, Kept};
use super::fault::Fault;
use super::leave::MayLeave;
use super::mirror::Copies;
use super::observe::Observation;
use super::session::SessionState;
use crate::connection::Connection;
use crate::connection::{Current, await_client, drop_at};
use crate::observe::Observe;
use crate::runtime::{Destination, ListenerState, RuleState};
use crate::upstream::BackendCell;
use bytes::Bytes;
use http::{HeaderValue, StatusCode};
use lychgate_filters::{ChainState, RequestHead, RequestView, ResponseHead, Scheme, Verdict};
use lychgate_ir::MatchedPath;
use lychgate_telemetry::Direction;
use pingora_error::{Error, ErrorType};
use pingora_proxy::Session;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// One request.
pub(crate) struct RequestContext {
    pub(super) connection: Option<Arc<Connection>>,
    pub(super) started: Instant,
    pub(super) id: Option<HeaderValue>,
    pub(super) routed: Option<Routed>,
    /// What the services that its listener asks change in the response.
    pub(super) given: Given,
    /// Its body, if a service wants to see it.
    pub(super) kept: Option<Kept>,
    pub(super) forward: Option<Forwarding>,
    pub(super) attempts: Attempts,
    pub(super) copies: Copies,
    /// The running attempt, if it leaves by an egress Gateway.
    pub(super) leaving: MayLeave,
    /// After it, the request has failed. Set by `timeouts.request`.
    pub(super) deadline: Option<Instant>,
    /// What went wrong, if a phase knows better than Pingora's error.
    pub(super) fault: Option<Fault>,
    /// Whether the client has to take the next piece of its response at once.
    pub(super) is_hurried: bool,
    /// Whether the client has sent all of its request.
    pub(super) is_sent: bool,
    /// When the client has to have sent more of it.
    pub(super) awaited: Option<Instant>,
    pub(super) observation: Observation,
}

/// The rule that answers, and what its filters remember.
pub(super) struct Routed {
    pub(super) listener: Arc<ListenerState>,
    pub(super) rule: Arc<RuleState>,
    pub(super) matched: MatchedPath,
    pub(super) state: ChainState,
}

/// The backend that was chosen, and what its filters remember.
pub(super) struct Forwarding {
    pub(super) destination: Arc<Destination>,
    pub(super) backend: Arc<BackendCell>,
    pub(super) state: ChainState,
    pub(super) session: Option<SessionState>,
}

impl RequestContext {
    pub(super) fn begin(observe: Arc<Observe>) -> Self {
        let connection = Current::connection();
        if let Some(connection) = &connection {
            connection.parting.busy();
            connection.requests.fetch_add(1, Ordering::Relaxed);
            connection.trailers.clear();
        }
        Self {
            connection,
            started: Instant::now(),
            id: None,
            routed: None,
            given: Given::new(),
            kept: None,
            forward: None,
            attempts: Attempts::default(),
            copies: Copies::default(),
            leaving: None,
            deadline: None,
            fault: None,
            is_hurried: false,
            is_sent: false,
            awaited: None,
            observation: Observation::new(observe),
        }
    }

    pub(super) fn scheme(&self) -> Scheme {
        match self.connection.as_ref().map(|connection| &connection.tls) {
            Some(Some(_)) => Scheme::Https,
            Some(None) | None => Scheme::Http,
        }
    }

    /// Sets the deadline: that of the rule, once it is known, or the longest that any request may have.
    pub(super) fn limit(&mut self, longest: Option<Duration>) {
        let forward = self.routed.as_ref().and_then(|routed| routed.rule.forward.as_ref().ok());
        let limit = [forward.and_then(|forward| forward.timeouts.request), longest].into_iter().flatten().min();
        self.deadline = limit.map(|limit| self.started + limit);
    }

    /// Runs the filters of the chosen backend on the request of one attempt.
    pub(super) fn edit_upstream_request(&mut self, head: &mut dyn RequestHead) -> Result<(), Fault> {
        let scheme = self.scheme();
        let (Some(routed), Some(forward)) = (&self.routed, &mut self.forward) else {
            return Err(Fault::bug("an attempt without a route"));
        };
        if forward.destination.chain.is_empty() {
            return Ok(());
        }
        forward.state = ChainState::default();
        let listener_port = routed.listener.spec.port;
        let mut view = RequestView { head, scheme, listener_port, matched: routed.matched };
        match forward.destination.chain.request(&mut view, &mut forward.state) {
            Verdict::Continue => Ok(()),
            // Those that answer were asked before an endpoint was picked.
            Verdict::Reply(reply) => Err(Fault::replied(reply.status)),
            Verdict::Ask(_) => Err(Fault::ask_too_late()),
            Verdict::Refuse(refusal) => Err(Fault::refused(&refusal)),
        }
    }

    /// A response that begins while the connection has to end says that it is the last one (`Connection: close`).
    pub(super) fn last_on_its_connection(&self, session: &mut Session) {
        if self.connection.as_ref().is_some_and(|connection| connection.parting.has_begun()) {
            session.set_keepalive(None);
        }
    }

    /// Runs the filters on whatever the client is about to get.
    pub(super) fn edit_response(&mut self, head: &mut dyn ResponseHead) {
        if let Some(forward) = &mut self.forward {
            if let (Some(session), Some(endpoint)) = (&forward.session, self.attempts.endpoint()) {
                session.remember(head, endpoint);
            }
            forward.destination.chain.response(head, &forward.state);
        }
        // Before the rule, whose CORS filter has the last word.
        self.given.iter().for_each(|edits| edits.apply(head));
        if let Some(routed) = &self.routed {
            routed.rule.chain.response(head, &routed.state);
        }
    }

    /// A piece of a body is carried.
    pub(super) fn carried(&mut self, direction: Direction, piece: Option<&Bytes>) {
        self.observation.carried(direction, piece);
        if let Some(leaving) = &self.leaving {
            leaving.carried(direction, piece);
        }
    }

    /// The client has to have sent more of its request by then.
    pub(super) fn await_client(&mut self, until: Option<Instant>) {
        self.awaited = until;
        await_client(until);
    }

    /// Fails if the request, or this attempt, has taken too long.
    pub(super) fn check_deadline(&self) -> Result<(), Fault> {
        // Reading the clock for every piece of a body is for those that asked for a deadline.
        match [self.deadline, self.attempts.deadline].into_iter().flatten().min() {
            Some(deadline) if Instant::now() >= deadline => Err(Fault::timeout()),
            Some(_) | None => Ok(()),
        }
    }

    /// Remembers a fault, and makes the error that takes Pingora to `fail_to_proxy`.
    pub(super) fn fail(&mut self, fault: Fault) -> Box<Error> {
        let error = Error::explain(ErrorType::HTTPStatus(fault.status().as_u16()), fault.reason().as_str());
        self.fault = Some(fault);
        error
    }

    /// The request is over: what it holds is given back.
    pub(super) fn finish(&mut self, status: Option<StatusCode>, received: usize, sent: usize) {
        drop_at(None, None);
        self.await_client(None);
        self.left(status.map(|status| status.as_u16()));
        self.observed(status, received as u64, sent as u64);
        self.attempts.finish();
        tracing::debug!(
            rule = self.routed.as_ref().map(|routed| tracing::field::display(routed.rule.id())),
            attempts = self.attempts.count(),
            elapsed = ?self.started.elapsed(),
            "request done"
        );
    }
}
