//! The life of a request, phase by phase, as Pingora calls them. Each phase is a few lines here; what it does is in the
//! file of that name.

mod admission;
mod attempt;
mod authorize;
mod backlog;
mod context;
mod fault;
mod forwarded;
mod frame;
mod head;
mod leave;
mod mirror;
mod observe;
pub(crate) mod request_id;
mod scheme;
mod session;
mod trace;
mod trailers;

pub(crate) use fault::last_page;

use crate::limits::Limits;
use crate::live::Live;
use crate::observe::Observe;
use crate::runtime::Runtime;
use async_trait::async_trait;
use authorize::Authorizer;
use backlog::Backlog;
use bytes::Bytes;
use context::RequestContext;
use fault::Fault;
use head::{PingoraRequest, PingoraResponse};
use http::header::TRANSFER_ENCODING;
use http::{HeaderMap, StatusCode, Version};
use lychgate_telemetry::Direction;
use mirror::Mirrors;
use pingora_core::connectors::http::Connector;
use pingora_core::modules::http::HttpModules;
use pingora_core::protocols::Digest;
use pingora_core::upstreams::peer::{HttpPeer, Peer};
use pingora_error::{Error, Result};
use pingora_http::{RequestHeader, ResponseHeader};
use pingora_proxy::{FailToProxy, ProxyHttp, ReadAheadBudget, Session};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// The proxy. Each worker has one, with connections of its own.
pub(crate) struct Gateway {
    pub(crate) live: Arc<Live<Runtime>>,
    pub(crate) limits: Limits,
    observe: Arc<Observe>,
    mirrors: Mirrors,
    authorizer: Authorizer,
    backlog: Arc<Backlog>,
    /// Told when an egress Gateway has changed.
    gates: watch::Receiver<()>,
}

impl Gateway {
    pub(crate) fn new(
        live: Arc<Live<Runtime>>,
        limits: Limits,
        observe: Arc<Observe>,
        gates: watch::Receiver<()>,
    ) -> Self {
        let (mirrors, authorizer) = (Mirrors::new(&limits), Authorizer::new(&limits));
        let backlog = Arc::new(Backlog::new(limits.responses_backlog, limits.client_idle));
        Self { live, limits, observe, mirrors, authorizer, backlog, gates }
    }

    /// The same for a worker: with the same limits, and other connections to mirrors and authorization services.
    pub(crate) fn of_worker(&self) -> Self {
        let Self { live, limits, observe, mirrors, authorizer, backlog, gates } = self;
        Self {
            live: live.clone(),
            limits: limits.clone(),
            observe: observe.clone(),
            mirrors: mirrors.of_worker(),
            authorizer: authorizer.of_worker(),
            backlog: backlog.clone(),
            gates: gates.clone(),
        }
    }

    /// Where connections to authorization services wait.
    pub(crate) fn questions(&self) -> Arc<Connector> {
        self.authorizer.connector()
    }

    /// What waits of all responses.
    pub(crate) fn waiting(&self) -> Arc<ReadAheadBudget> {
        self.backlog.budget().clone()
    }

    /// A client of HTTP/2 has to go on with its request in time; Pingora's own clock is for HTTP/1 alone. Calls, and
    /// requests that are being answered, may be silent for long: that is how streams both ways are used.
    fn await_client(&self, session: &Session, ctx: &mut RequestContext, is_sent: bool) {
        ctx.is_sent = is_sent;
        if !session.is_http2() {
            return;
        }
        let may_be_silent = ctx.attempts.response_begun() || fault::is_call(&session.req_header().headers);
        let limit = if may_be_silent { self.limits.stream_idle } else { self.limits.client_idle };
        ctx.await_client((!is_sent).then(|| Instant::now() + limit));
    }
}

#[async_trait]
impl ProxyHttp for Gateway {
    type CTX = RequestContext;

    // None: what is done to requests is in our own chains, and Pingora's compression, which it has by default, would be
    // asked in every phase of each request to do nothing.
    fn init_downstream_modules(&self, _modules: &mut HttpModules) {}

    fn new_ctx(&self) -> RequestContext {
        RequestContext::begin(self.observe.clone())
    }

    async fn request_filter(&self, session: &mut Session, ctx: &mut RequestContext) -> Result<bool> {
        session.set_read_timeout(Some(self.limits.client_idle));
        session.set_write_timeout(Some(self.limits.client_idle));
        session.as_downstream_mut().set_total_drain_timeout(Some(self.limits.linger));
        // RFC 9110 section 15.2.
        let is_old = session.req_header().version < Version::HTTP_11;
        session.as_downstream_mut().set_ignore_info_resp(is_old);
        match self.admit(session, ctx).await {
            Ok(admission::Admitted::Forward) => {
                ctx.watch(session);
                let is_sent = ctx.kept.is_some() || session.is_body_empty();
                self.await_client(session, ctx, is_sent);
                let leaver = self.leaver_of(ctx);
                self.mirrors.start(session, ctx, leaver.as_ref());
                Ok(false)
            }
            Ok(admission::Admitted::Reply(reply)) => {
                fault::reply(session, ctx, reply).await?;
                Ok(true)
            }
            Ok(admission::Admitted::Denied(service, denial)) => {
                fault::deny(session, ctx, &service, denial).await?;
                Ok(true)
            }
            Err(fault) => {
                fault::answer(session, ctx, fault).await?;
                Ok(true)
            }
        }
    }

    async fn upstream_peer(&self, session: &mut Session, ctx: &mut RequestContext) -> Result<Box<HttpPeer>> {
        self.next_attempt(session, ctx).await
    }

    async fn connected_to_upstream(
        &self,
        _session: &mut Session,
        reused: bool,
        peer: &HttpPeer,
        _fd: std::os::fd::RawFd,
        digest: Option<&Digest>,
        ctx: &mut RequestContext,
    ) -> Result<()> {
        if let Some(leaving) = &mut ctx.leaving {
            leaving.connected(digest).await?;
        }
        ctx.observation.connected(reused);
        if !reused {
            ctx.made_connection(peer.reuse_hash());
        }
        Ok(())
    }

    async fn upstream_request_filter(
        &self,
        session: &mut Session,
        request: &mut RequestHeader,
        ctx: &mut RequestContext,
    ) -> Result<()> {
        if let Some(tracer) = &self.observe.tracer {
            ctx.observation.trace.tell(tracer, request);
        }
        trailers::announce(session.req_header(), request);
        ctx.edit_upstream_request(&mut PingoraRequest(request)).map_err(|fault| ctx.fail(fault))?;
        if let Some(leaving) = &ctx.leaving {
            leaving.edit(request);
        }
        ctx.observation.trace.asked(request);
        if request.version == Version::HTTP_2 && ctx.attempts.is_tls {
            scheme::say_https(request);
        }
        Ok(())
    }

    async fn request_body_filter(
        &self,
        session: &mut Session,
        body: &mut Option<Bytes>,
        end_of_stream: bool,
        ctx: &mut RequestContext,
    ) -> Result<()> {
        self.await_client(session, ctx, end_of_stream);
        // What another try shows again was read once.
        self.limit_body(session.body_bytes_read() as u64).map_err(|fault| ctx.fail(fault))?;
        ctx.copies.body(body.as_ref(), end_of_stream);
        ctx.carried(Direction::Up, body.as_ref());
        ctx.check_deadline().map_err(|fault| ctx.fail(fault))
    }

    async fn request_trailer_filter(
        &self,
        _session: &mut Session,
        trailers: &mut HeaderMap,
        ctx: &mut RequestContext,
    ) -> Result<()> {
        let cleaned = trailers::clean(trailers, &self.limits);
        cleaned.map_err(|trailers::TooLarge| ctx.fail(Fault::head_too_large("trailers longer than the limit")))
    }

    fn read_ahead_budget(&self) -> Option<&ReadAheadBudget> {
        Some(self.backlog.budget())
    }

    async fn upstream_response_filter(
        &self,
        session: &mut Session,
        response: &mut ResponseHeader,
        ctx: &mut RequestContext,
    ) -> Result<()> {
        ctx.observation.answered(response.status);
        ctx.observation.trace.answered(response);
        ctx.leaving.iter_mut().for_each(|leaving| leaving.answered(response));
        ctx.judge_response(session, response.status.as_u16())
    }

    async fn response_filter(
        &self,
        session: &mut Session,
        response: &mut ResponseHeader,
        ctx: &mut RequestContext,
    ) -> Result<()> {
        let is_interim = response.status.is_informational() && response.status != StatusCode::SWITCHING_PROTOCOLS;
        // Pingora ends the connection after a response that comes before the end of the request. That is meant for final
        // ones: `100 Continue` asks for the rest of the request.
        session.as_downstream_mut().set_close_on_response_before_downstream_finish(!is_interim);
        if is_interim {
            return Ok(());
        }
        if response.status != StatusCode::SWITCHING_PROTOCOLS {
            let is_chunked = response.headers.contains_key(TRANSFER_ENCODING);
            let may_have_trailers = response.version == Version::HTTP_2 || is_chunked;
            head::end_connection(response, may_have_trailers && trailers::pass(session.req_header()));
            ctx.last_on_its_connection(session);
        }
        if session.req_header().version < Version::HTTP_11 {
            // Chunks are unknown there (RFC 9112 section 7.1): the end of the connection is the end of the body.
            response.remove_header(&TRANSFER_ENCODING);
        }
        ctx.response_begins(session, response.status);
        self.await_client(session, ctx, ctx.is_sent);
        ctx.edit_response(&mut PingoraResponse(response));
        Ok(())
    }

    fn upstream_response_trailer_filter(
        &self,
        _session: &mut Session,
        trailers: &mut HeaderMap,
        ctx: &mut RequestContext,
    ) -> Result<()> {
        let cleaned = trailers::clean(trailers, &self.limits);
        cleaned.map_err(|trailers::TooLarge| ctx.fail(Fault::bad_response("trailers longer than the limit")))
    }

    async fn response_trailer_filter(
        &self,
        session: &mut Session,
        trailers: &mut HeaderMap,
        ctx: &mut RequestContext,
    ) -> Result<Option<Bytes>> {
        if let Some(connection) = &ctx.connection
            && !session.is_http2()
            && trailers::pass(session.req_header())
        {
            connection.trailers.set(trailers);
        }
        Ok(None)
    }

    fn upstream_response_body_filter(
        &self,
        session: &mut Session,
        body: &mut Option<Bytes>,
        end_of_stream: bool,
        ctx: &mut RequestContext,
    ) -> Result<Option<Duration>> {
        ctx.carried(Direction::Down, body.as_ref());
        if end_of_stream {
            ctx.is_whole()?;
        }
        ctx.check_deadline().map_err(|fault| ctx.fail(fault))?;
        self.backlog.piece(session, ctx);
        Ok(None)
    }

    fn fail_to_connect(
        &self,
        _session: &mut Session,
        _peer: &HttpPeer,
        ctx: &mut RequestContext,
        error: Box<Error>,
    ) -> Box<Error> {
        ctx.not_connected(error)
    }

    fn error_while_proxy(
        &self,
        _peer: &HttpPeer,
        session: &mut Session,
        error: Box<Error>,
        ctx: &mut RequestContext,
        reused: bool,
    ) -> Box<Error> {
        ctx.broke_off(session, error, reused)
    }

    async fn fail_to_proxy(&self, session: &mut Session, error: &Error, ctx: &mut RequestContext) -> FailToProxy {
        let fault = ctx.fault.take().unwrap_or_else(|| Fault::of(error, ctx));
        let status = fault.status().as_u16();
        let is_kept = fault.keeps_connection(session);
        if !is_kept {
            // Pingora closes the connection after this, so the client has to be told.
            session.set_keepalive(None);
        }
        let is_answered = fault::answer(session, ctx, fault).await.is_ok();
        if !is_answered {
            // The client is gone, or has the beginning of another response: there is nobody to tell.
            tracing::debug!(status, "the fault could not be told");
        }
        FailToProxy { error_code: status, can_reuse_downstream: is_kept && is_answered }
    }

    fn suppress_error_log(&self, _session: &Session, _ctx: &RequestContext, _error: &Error) -> bool {
        // A fault is logged once, where it becomes a response, with the rule that it belongs to.
        true
    }

    fn suppress_proxy_warn_log(
        &self,
        _session: &Session,
        _ctx: &RequestContext,
        _error: &Error,
        _context: pingora_proxy::ProxyWarnLogContext,
    ) -> bool {
        true
    }

    async fn logging(&self, session: &mut Session, _error: Option<&Error>, ctx: &mut RequestContext) {
        let status = session.response_written().map(|written| written.status);
        ctx.finish(status, session.body_bytes_read(), session.body_bytes_sent());
    }
}
