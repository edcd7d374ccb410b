//! What went wrong, and the only place where that becomes a response.
//!
//! A client learns the status, a stable word for the reason, and the request's id. Names of objects, addresses and
//! causes are for the log.

mod call;
mod refused;

pub(super) use call::is_call;
pub(crate) use refused::last_page;

use super::RequestContext;
use super::head::PingoraResponse;
use super::request_id::REQUEST_ID;
use crate::connection::{Flaw, LastWord, drop_at};
use crate::egress::Refused;
use bytes::Bytes;
use http::header::{ACCEPT, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, Method, StatusCode, Version};
use lychgate_filters::Reply;
use lychgate_filters::external_auth::Denial;
use lychgate_ir::{BackendId, Refusal, RuleId};
use lychgate_telemetry::{Blame, Reason};
use pingora_core::protocols::http::server::Session as HttpSession;
use pingora_error::{Error, ErrorSource, ErrorType, Result};
use pingora_http::ResponseHeader;
use pingora_proxy::Session;
use std::borrow::Cow;

/// A failed request.
#[derive(Clone, Debug)]
pub(super) struct Fault {
    status: StatusCode,
    /// Its word is safe to show.
    reason: Reason,
    /// For the log.
    detail: Cow<'static, str>,
    /// What else the client is told.
    said: Option<String>,
    /// When it may be tried again, in seconds.
    retry_after: Option<u64>,
    /// The gate has ended it, before anything of it went anywhere or after: nothing of that is the client's doing or that of
    /// its connection, and the next request is as good as any.
    went_nowhere: bool,
}

impl Fault {
    fn new(status: StatusCode, reason: Reason, detail: impl Into<Cow<'static, str>>) -> Self {
        Self { status, reason, detail: detail.into(), said: None, retry_after: None, went_nowhere: false }
    }

    /// It does not leave.
    pub(super) fn not_let_out(refused: Refused) -> Self {
        let retry_after = refused.retry_after();
        let Refused { reason, status, said, detail, decision: _, retry_after: _ } = refused;
        Self { said: Some(said), retry_after, went_nowhere: true, ..Self::new(status, reason, detail) }
    }

    /// Whether the connection that asks may go on to its next request. Over HTTP/2 others do not end with a stream.
    pub(super) fn keeps_connection(&self, session: &mut Session) -> bool {
        let downstream = session.as_downstream_mut();
        self.went_nowhere && !downstream.is_http2() && downstream.is_body_done()
    }

    pub(super) fn status(&self) -> StatusCode {
        self.status
    }

    pub(super) fn reason(&self) -> Reason {
        self.reason
    }

    /// Whether a client came up against a limit.
    fn is_limit(&self) -> bool {
        // The statuses of denials are those of services.
        let is_ours = self.reason.blame() == Blame::Client && self.reason != Reason::AuthDenied;
        is_ours && matches!(self.status.as_u16(), 408 | 413 | 414 | 431)
    }

    pub(super) fn bad_request(detail: &'static str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, Reason::BadRequest, detail)
    }

    pub(super) fn head_too_large(detail: &'static str) -> Self {
        Self::flaw(Flaw::HeadTooLarge(detail))
    }

    /// RFC 9110 section 15.5.14.
    pub(super) fn body_too_large() -> Self {
        Self::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            Reason::BodyTooLarge,
            "the body of the request is longer than the limit",
        )
    }

    /// What the guard found.
    fn flaw(flaw: Flaw) -> Self {
        let status = flaw.status().and_then(|status| StatusCode::from_u16(status).ok());
        Self::new(status.unwrap_or(StatusCode::BAD_REQUEST), flaw.reason(), flaw.detail())
    }

    /// RFC 9110 section 15.6.2.
    pub(super) fn no_tunnel() -> Self {
        Self::new(
            StatusCode::NOT_IMPLEMENTED,
            Reason::NoTunnel,
            "CONNECT, which carries nothing here but WebSocket over HTTP/2",
        )
    }

    pub(super) fn no_listener() -> Self {
        Self::new(StatusCode::NOT_FOUND, Reason::NoListener, "no listener on this port has the host")
    }

    pub(super) fn no_route() -> Self {
        Self::new(StatusCode::NOT_FOUND, Reason::NoRoute, "no rule of the listener matches")
    }

    /// RFC 9110 section 15.5.20.
    pub(super) fn misdirected() -> Self {
        Self::new(
            StatusCode::MISDIRECTED_REQUEST,
            Reason::Misdirected,
            "the host belongs to another listener than the one that TLS was agreed with",
        )
    }

    /// 421, too, because a new connection is how the client can do better.
    pub(super) fn unverified() -> Self {
        Self::new(
            StatusCode::MISDIRECTED_REQUEST,
            Reason::ClientCertificate,
            "the listener asks for other client certificates than when the connection was made",
        )
    }

    pub(super) fn refused(refusal: &Refusal) -> Self {
        let status = StatusCode::from_u16(refusal.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Self::new(status, Reason::RefusedByConfig, format!("{}: {}", refusal.reason, refusal.message))
    }

    /// A filter answered at a moment when only forwarding is left.
    pub(super) fn replied(status: StatusCode) -> Self {
        Self::new(status, Reason::FilterReply, "a filter of the backend answered after it had been let pass")
    }

    /// So that it cannot be: translation leaves no such filter to a backend.
    pub(super) fn ask_too_late() -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            Reason::FilterReply,
            "a backend has a filter that asks an authorization service; rules and listeners have these",
        )
    }

    /// An authorization service says no.
    fn denied(service: &BackendId, status: StatusCode) -> Self {
        Self::new(status, Reason::AuthDenied, format!("{service} denies it with {}", status.as_u16()))
    }

    /// It does not say anything that counts.
    pub(super) fn auth_failed(service: &BackendId, why: &str) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, Reason::AuthFailed, format!("{service}: {why}"))
    }

    /// RFC 5842 section 7.2.
    pub(super) fn auth_loop() -> Self {
        Self::new(
            StatusCode::LOOP_DETECTED,
            Reason::AuthLoop,
            "a question to an authorization service came to a filter that asks one",
        )
    }

    /// GEP-1494: longer bodies than the filter takes are refused.
    pub(super) fn body_too_large_to_ask() -> Self {
        Self::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            Reason::BodyTooLarge,
            "the body of the request is longer than the authorization service is shown (forwardBody.maxSize)",
        )
    }

    pub(super) fn no_room_to_ask() -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            Reason::AuthFailed,
            "bodies that are kept for authorization services take all the room that there is",
        )
    }

    pub(super) fn no_backend() -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, Reason::NoBackend, "every backend of the rule has weight 0")
    }

    pub(super) fn no_endpoint() -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, Reason::NoEndpoint, "the backend has no ready endpoint")
    }

    pub(super) fn timeout() -> Self {
        Self::new(StatusCode::GATEWAY_TIMEOUT, Reason::Timeout, "the rule's timeout has passed")
    }

    /// A response that no backend may give.
    pub(super) fn bad_response(detail: &'static str) -> Self {
        Self::new(StatusCode::BAD_GATEWAY, Reason::UpstreamError, detail)
    }

    /// Something that cannot happen did.
    pub(super) fn bug(detail: &'static str) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, Reason::Internal, detail)
    }

    /// What one of Pingora's errors means.
    pub(super) fn of(error: &Error, ctx: &RequestContext) -> Self {
        if let Some(refused) = ctx.connection.as_ref().and_then(|connection| connection.take_refused()) {
            return Self::flaw(refused.flaw);
        }
        if ctx.check_deadline().is_err() {
            return Self::timeout();
        }
        let detail = error.to_string();
        let fault = |status, reason| Self::new(status, reason, detail.clone());
        match (error.esource(), error.etype()) {
            (_, ErrorType::HTTPStatus(status)) => {
                fault(StatusCode::from_u16(*status).unwrap_or(StatusCode::BAD_GATEWAY), Reason::UpstreamError)
            }
            (ErrorSource::Downstream, ErrorType::ReadTimedout) => {
                fault(StatusCode::REQUEST_TIMEOUT, Reason::SlowRequest)
            }
            (ErrorSource::Downstream, ErrorType::WriteTimedout) => {
                fault(StatusCode::REQUEST_TIMEOUT, Reason::SlowReader)
            }
            (ErrorSource::Downstream, _) => fault(StatusCode::BAD_REQUEST, Reason::BrokenRequest),
            (ErrorSource::Upstream, ErrorType::ConnectTimedout | ErrorType::TLSHandshakeTimedout) => {
                fault(StatusCode::GATEWAY_TIMEOUT, Reason::ConnectTimeout)
            }
            (ErrorSource::Upstream, ErrorType::ReadTimedout | ErrorType::WriteTimedout) => {
                fault(StatusCode::GATEWAY_TIMEOUT, Reason::Timeout)
            }
            (ErrorSource::Upstream, ErrorType::InvalidCert | ErrorType::TLSHandshakeFailure) => {
                fault(StatusCode::BAD_GATEWAY, Reason::UpstreamTls)
            }
            (ErrorSource::Upstream, _) => fault(StatusCode::BAD_GATEWAY, Reason::UpstreamError),
            (ErrorSource::Internal | ErrorSource::Unset, _) => {
                fault(StatusCode::INTERNAL_SERVER_ERROR, Reason::Internal)
            }
        }
    }

    fn log(&self, rule: Option<&RuleId>, backend: Option<&BackendId>, id: Option<&HeaderValue>) {
        let (rule, backend) = (rule.map(tracing::field::display), backend.map(tracing::field::display));
        let id = id.and_then(|id| id.to_str().ok());
        let (status, reason, detail) = (self.status.as_u16(), self.reason.as_str(), &*self.detail);
        match self.reason.blame() {
            Blame::Client => tracing::debug!(rule, backend, id, status, reason, detail, "request refused"),
            Blame::Upstream | Blame::Config => {
                tracing::warn!(rule, backend, id, status, reason, detail, blame = %self.reason.blame(), "request failed");
            }
            Blame::Gateway => tracing::error!(rule, backend, id, status, reason, detail, "request failed"),
        }
    }

    /// The whole response. HEAD gets everything but the body.
    fn response(&self, accept: Json, is_head: bool, id: Option<&HeaderValue>) -> Result<(ResponseHeader, String)> {
        let (media_type, body) = self.body(accept, id.and_then(|id| id.to_str().ok()).unwrap_or("none"));
        let mut head = ResponseHeader::build(self.status, Some(8))?;
        head.insert_header(CONTENT_TYPE, media_type)?;
        head.insert_header(CONTENT_LENGTH, body.len())?;
        head.insert_header(CACHE_CONTROL, "no-store")?;
        if let Some(seconds) = self.retry_after {
            head.insert_header(RETRY_AFTER, seconds)?;
        }
        if let Some(id) = id {
            head.insert_header(REQUEST_ID, id.clone())?;
        }
        Ok((head, if is_head { String::new() } else { body }))
    }

    /// The body: JSON for those that ask for it, else a line of text.
    fn body(&self, accept: Json, id: &str) -> (&'static str, String) {
        let (status, reason) = (self.status, self.reason);
        let said = self.said.as_deref().map(|said| format!(": {said}")).unwrap_or_default();
        match accept {
            Json::Wanted => (
                "application/json",
                match &self.said {
                    None => {
                        serde_json::json!({ "status": status.as_u16(), "reason": reason.as_str(), "requestId": id })
                    }
                    Some(said) => serde_json::json!({
                        "status": status.as_u16(), "reason": reason.as_str(), "message": said, "requestId": id
                    }),
                }
                .to_string(),
            ),
            Json::NotWanted => ("text/plain; charset=utf-8", format!("{status} ({reason}){said}, request {id}\n")),
        }
    }
}

/// Whether a client wants JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Json {
    Wanted,
    NotWanted,
}

impl Json {
    /// The first of the media types that we have counts; clients that have a preference write it first.
    fn of(headers: &HeaderMap) -> Self {
        let ranges =
            headers.get_all(ACCEPT).iter().filter_map(|line| line.to_str().ok()).flat_map(|line| line.split(','));
        for range in ranges {
            let media_type = range.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
            if media_type == "application/json" || media_type.ends_with("+json") {
                return Self::Wanted;
            }
            if media_type.starts_with("text/") {
                return Self::NotWanted;
            }
        }
        Self::NotWanted
    }
}

/// Answers a request with its fault. An error means that no answer can be given any more.
pub(super) async fn answer(session: &mut Session, ctx: &mut RequestContext, fault: Fault) -> Result<()> {
    note(ctx, &fault);
    // What follows a request that could not be understood may be anything.
    if fault.reason.blame() == Blame::Client
        && matches!(fault.status, StatusCode::BAD_REQUEST | StatusCode::NOT_IMPLEMENTED)
    {
        session.set_keepalive(None);
    }
    tell(session, ctx, &fault).await
}

/// Logs and counts it.
fn note(ctx: &mut RequestContext, fault: &Fault) {
    let rule = ctx.routed.as_ref().map(|routed| routed.rule.id());
    let backend = ctx.forward.as_ref().map(|forward| &forward.backend.id);
    fault.log(rule, backend, ctx.id.as_ref());
    ctx.observation.failed(fault.reason, &fault.detail);
    if let Some(connection) = ctx.connection.as_ref().filter(|_| fault.is_limit()) {
        ctx.observation.limited(fault.reason, connection.ends.source.ip(), &fault.detail);
    }
}

/// Tells the client.
async fn tell(session: &mut Session, ctx: &mut RequestContext, fault: &Fault) -> Result<()> {
    let request = session.req_header();
    if is_call(&request.headers) {
        let framed = request.version != Version::HTTP_2;
        let id = ctx.id.as_ref().and_then(|id| id.to_str().ok()).unwrap_or("none");
        let head = fault.to_call(id, ctx.id.as_ref(), framed)?;
        return send(session, ctx, head, Bytes::new()).await;
    }
    let is_head = request.method == Method::HEAD;
    let (head, body) = fault.response(Json::of(&request.headers), is_head, ctx.id.as_ref())?;
    send(session, ctx, head, body.into()).await
}

/// Answers a request with what an authorization service wants its client to be told. Who is told no status but gRPC's, or
/// has been told nothing but no, gets an answer of ours.
pub(super) async fn deny(
    session: &mut Session,
    ctx: &mut RequestContext,
    service: &BackendId,
    denial: Denial,
) -> Result<()> {
    let fault = Fault::denied(service, denial.status);
    note(ctx, &fault);
    if denial.is_bare() || is_call(&session.req_header().headers) {
        return tell(session, ctx, &fault).await;
    }
    let Denial { status, headers, body } = denial;
    let mut head = ResponseHeader::build(status, Some(headers.len() + 4))?;
    for (name, value) in headers {
        head.append_header(name, value)?;
    }
    head.insert_header(CONTENT_LENGTH, body.len())?;
    if let Some(id) = &ctx.id {
        head.insert_header(REQUEST_ID, id.clone())?;
    }
    let is_head = session.req_header().method == Method::HEAD;
    send(session, ctx, head, if is_head { Bytes::new() } else { body.into() }).await
}

/// What the client gets if the request has to be dropped at its deadline, made of what is known before it is forwarded.
pub(super) fn last_word(session: &Session, ctx: &RequestContext) -> LastWord {
    let request = session.req_header();
    let (accept, is_head) = (Json::of(&request.headers), request.method == Method::HEAD);
    let routed = ctx.routed.as_ref().map(|routed| (routed.rule.clone(), routed.state.clone()));
    let backend = ctx.forward.as_ref().map(|forward| forward.backend.clone());
    let id = ctx.id.clone();
    Box::new(move || {
        let fault = Fault::timeout();
        fault.log(routed.as_ref().map(|(rule, _)| rule.id()), backend.as_ref().map(|backend| &backend.id), id.as_ref());
        let Ok((mut head, body)) = fault.response(accept, is_head, id.as_ref()) else { return Vec::new() };
        if let Some((rule, state)) = &routed {
            rule.chain.response(&mut PingoraResponse(&mut head), state);
        }
        on_the_wire(&head, &body)
    })
}

/// A response after which the connection ends, as HTTP/1.1 writes it.
fn on_the_wire(head: &ResponseHeader, body: &str) -> Vec<u8> {
    let reason = head.status.canonical_reason().unwrap_or_default();
    let mut bytes = format!("HTTP/1.1 {} {reason}\r\nconnection: close\r\n", head.status.as_u16()).into_bytes();
    for (name, value) in &head.headers {
        bytes.extend_from_slice(name.as_str().as_bytes());
        bytes.extend_from_slice(b": ");
        bytes.extend_from_slice(value.as_bytes());
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(b"\r\n");
    bytes.extend_from_slice(body.as_bytes());
    bytes
}

/// Answers a request with what a filter said.
pub(super) async fn reply(session: &mut Session, ctx: &mut RequestContext, reply: Reply) -> Result<()> {
    let Reply { status, headers } = reply;
    let mut head = ResponseHeader::build(status, Some(headers.len() + 4))?;
    for (name, value) in headers {
        head.append_header(name, value)?;
    }
    // RFC 9110 section 8.6: none for those that never have a body.
    if status != StatusCode::NO_CONTENT && status != StatusCode::NOT_MODIFIED {
        head.insert_header(CONTENT_LENGTH, 0)?;
    }
    send(session, ctx, head, Bytes::new()).await
}

async fn send(session: &mut Session, ctx: &mut RequestContext, mut head: ResponseHeader, body: Bytes) -> Result<()> {
    // After 101 nothing is framed: whatever is written would be taken for what the other end says.
    let has_begun = |status: StatusCode| !status.is_informational() || status == StatusCode::SWITCHING_PROTOCOLS;
    if session.response_written().is_some_and(|written| has_begun(written.status)) {
        return Err(Error::explain(ErrorType::InternalError, "a response has already begun"));
    }
    // This is the last word.
    drop_at(None, None);
    ctx.last_on_its_connection(session);
    ctx.edit_response(&mut PingoraResponse(&mut head));
    write(session, head, body).await?;
    linger(session).await
}

/// Pingora's own session ends a stream of HTTP/2 with a piece of body, be it empty. Calls must end with their head, where
/// the status is (gRPC over HTTP/2, "Responses": Trailers-Only).
async fn write(session: &mut Session, head: ResponseHeader, body: Bytes) -> Result<()> {
    match session.as_downstream_mut() {
        HttpSession::H2(stream) if body.is_empty() => return stream.write_response_header(Box::new(head), true),
        HttpSession::H1(_) | HttpSession::H2(_) | HttpSession::Subrequest(_) | HttpSession::Custom(_) => {}
    }
    session.write_response_header(Box::new(head), body.is_empty()).await?;
    if body.is_empty() { Ok(()) } else { session.write_response_body(Some(body), true).await }
}

/// Reads what a client still sends that was answered before the end of its request. To close on it would take the answer
/// away from the client before it has read it (RFC 9112 section 9.6); streams of HTTP/2 end without that.
async fn linger(session: &mut Session) -> Result<()> {
    let downstream = session.as_downstream_mut();
    if downstream.is_http2() || downstream.is_body_done() {
        return Ok(());
    }
    downstream.finish_body().await?;
    downstream.set_keepalive(None);
    downstream.shutdown().await;
    // Whether the client listened to the end is its own business.
    let _ = downstream.drain_request_body().await;
    // Once: the session does the same at its end, where it comes to that.
    downstream.set_total_drain_timeout(None);
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn wants(accept: &str) -> Json {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, accept.parse().unwrap());
        Json::of(&headers)
    }

    #[test]
    fn json_is_for_those_who_ask_for_it() {
        assert_eq!(wants("application/json"), Json::Wanted);
        assert_eq!(wants("application/problem+json, */*"), Json::Wanted);
        assert_eq!(wants("text/html,application/json;q=0.9"), Json::NotWanted);
        assert_eq!(wants("*/*"), Json::NotWanted);
        assert_eq!(Json::of(&HeaderMap::new()), Json::NotWanted);
    }

    #[test]
    fn a_body_tells_nothing_internal() {
        let fault = Fault::refused(&Refusal::internal(
            lychgate_ir::RefusalReason::BackendNotFound,
            "Service/secret-namespace/secret-name is missing",
        ));
        for json in [Json::Wanted, Json::NotWanted] {
            let (_, body) = fault.body(json, "42");
            assert!(!body.contains("secret"), "{body}");
            assert!(body.contains("500") && body.contains("refused_by_config") && body.contains("42"), "{body}");
        }
    }
}
