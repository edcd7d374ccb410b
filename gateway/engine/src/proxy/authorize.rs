//! External authorization (GEP-1494): a service is asked whether a request may pass, before anything else is done for it.
//!
//! Whatever keeps the service from saying yes is a no: that it cannot be reached, takes too long, fails, or says what
//! cannot be understood. The original request is sent nowhere before.

mod body;
mod call;
mod grpc;
mod plain;
mod ruling;
mod way;

pub(super) use body::Kept;
pub(super) use ruling::Ruling;

use super::fault::Fault;
use super::head::{PingoraRequest, leave_connection};
use super::{Gateway, RequestContext};
use crate::connection::Connection;
use crate::egress::Leaver;
use crate::limits::Limits;
use crate::proxies;
use crate::runtime::{AuthState, ListenerState};
use crate::upstream::{BackendCell, EndpointState};
use bytes::Bytes;
use call::Broken;
use http::{HeaderName, HeaderValue};
use lychgate_filters::external_auth::{Answer, ResponseEdits};
use lychgate_ir::CertificateId;
use lychgate_ir::filter::AuthProtocol;
use pingora_core::connectors::http::Connector;
use pingora_http::RequestHeader;
use pingora_proxy::Session;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;

/// A question that found no connection, or lost it before an answer began, is put to this many others.
const MORE_TRIES: usize = 2;

/// Every question has it. One that comes back to a filter that asks would be asked about without end.
const ASKED: HeaderName = HeaderName::from_static("x-lychgate-authorization");

/// Everything that questions share.
pub(super) struct Authorizer {
    connector: Arc<Connector>,
    /// Bytes of bodies that may be kept for questions, over all requests.
    room: Arc<Semaphore>,
    whole: Duration,
    connect: Duration,
    resolve: Duration,
    head: usize,
}

/// A question about one request.
struct Inquiry<'a> {
    auth: &'a AuthState,
    service: &'a Arc<BackendCell>,
    /// The request as the service may see it.
    head: RequestHeader,
    body: Bytes,
    identity: Option<CertificateId>,
    client: Arc<Connection>,
    /// What a service is told by an egress Gateway leaves as well, and is decided as any other attempt.
    leaver: Option<Leaver>,
}

impl Authorizer {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            connector: proxies::connector(),
            room: Arc::new(Semaphore::new(limits.auth_bodies)),
            whole: limits.auth,
            connect: limits.connect,
            resolve: limits.resolve,
            head: limits.head,
        }
    }

    /// The same, with connections of its own.
    pub(super) fn of_worker(&self) -> Self {
        let Self { connector: _, room, whole, connect, resolve, head } = self;
        Self {
            connector: proxies::connector(),
            room: room.clone(),
            whole: *whole,
            connect: *connect,
            resolve: *resolve,
            head: *head,
        }
    }

    /// Where connections to services wait for the next question.
    pub(super) fn connector(&self) -> Arc<Connector> {
        self.connector.clone()
    }
}

impl Gateway {
    /// Asks a service whether a request may pass. `head` is the request as the service may see it; what the service changes,
    /// it changes in the request itself.
    pub(super) async fn authorize(
        &self,
        session: &mut Session,
        ctx: &mut RequestContext,
        auth: &AuthState,
        listener: &Arc<ListenerState>,
        mut head: RequestHeader,
    ) -> Result<Ruling, Fault> {
        if head.headers.contains_key(&ASKED) {
            return Err(Fault::auth_loop());
        }
        let service = auth.service.as_ref().map_err(Fault::refused)?;
        let body = match auth.spec.body {
            0 => Bytes::new(),
            most => self.whole_body(session, ctx, most).await?,
        };
        leave_connection(&mut head);
        let client = ctx.connection.clone().ok_or_else(|| Fault::bug("a question without a connection"))?;
        let identity = listener.spec.upstream_identity.clone();
        let leaver = self.leaver(listener, &client);
        let inquiry = Inquiry { auth, service, head, body, identity, client, leaver };
        let patience = Instant::now() + self.authorizer.whole;
        let end = ctx.deadline.map_or(patience, |deadline| deadline.min(patience));
        let answered = tokio::time::timeout_at(end.into(), self.ask(ctx, &inquiry, end)).await;
        let answer = match answered {
            Ok(answer) => answer?,
            Err(_) if ctx.is_late() => return Err(Fault::timeout()),
            Err(_) => Answer::Failed(format!("no answer within {:?}", self.authorizer.whole)),
        };
        match answer {
            Answer::Granted(grant) => {
                let edits = grant.apply(&mut PingoraRequest(session.req_header_mut()));
                let edits = edits.map_err(|_| Fault::auth_failed(&service.id, "it made the target too long"))?;
                self.still_fits(session, service)?;
                Ok(Ruling::Granted(edits))
            }
            Answer::Denied(denial) => Ok(Ruling::Denied(service.id.clone(), denial)),
            Answer::Failed(why) => Err(Fault::auth_failed(&service.id, &why)),
        }
    }

    /// A service may not do what a client may not.
    fn still_fits(&self, session: &Session, service: &BackendCell) -> Result<(), Fault> {
        let request = session.req_header();
        let size = |(name, value): (&HeaderName, &HeaderValue)| name.as_str().len() + value.len() + 32;
        let is_over = request.headers.len() > self.limits.fields
            || request.headers.iter().map(size).sum::<usize>() > self.limits.head;
        if is_over {
            return Err(Fault::auth_failed(&service.id, "with what it adds, the head is over the limit"));
        }
        Ok(())
    }

    /// Asks one endpoint after the other until there is an answer.
    async fn ask(&self, ctx: &mut RequestContext, inquiry: &Inquiry<'_>, end: Instant) -> Result<Answer, Fault> {
        let mut tried: Vec<Arc<EndpointState>> = Vec::new();
        loop {
            let answer = match &inquiry.auth.spec.protocol {
                AuthProtocol::Http(auth) => self.ask_http(ctx, inquiry, &tried, auth, end).await,
                AuthProtocol::Grpc { sees } => self.ask_grpc(ctx, inquiry, &tried, sees, end).await,
            };
            match answer {
                Ok(answer) => return Ok(answer),
                Err(Broken { unseen: Some(endpoint), .. }) if tried.len() < MORE_TRIES => tried.push(endpoint),
                Err(Broken { why, .. }) => return Ok(Answer::Failed(why)),
            }
        }
    }
}

/// What waits for the response of a request that was let pass.
pub(super) type Given = Vec<ResponseEdits>;
