//! From the head of a request to the rule that answers it.

use super::authorize::Ruling;
use super::context::{Forwarding, Routed};
use super::fault::Fault;
use super::head::{self, NoPath, PingoraRequest, authority};
use super::session::SessionState;
use super::{Gateway, RequestContext, forwarded, request_id};
use crate::connection::{Connection, TlsFacts};
use crate::path;
use crate::runtime::{ListenerState, Port, Speaks};
use crate::tls::server::Unverified;
use http::header::{CONTENT_LENGTH, HOST};
use http::{HeaderName, HeaderValue, Method, Version};
use lychgate_filters::external_auth::Denial;
use lychgate_filters::{ChainState, Reply, RequestHead, RequestView, Verdict};
use lychgate_ir::{BackendId, Protocol};
use lychgate_router::{RequestLine, Selection, normalize_host};
use pingora_core::protocols::http::v2::server::HttpSession as Http2Stream;
use pingora_http::RequestHeader;
use pingora_proxy::Session;
use std::borrow::Cow;
use std::sync::Arc;

/// What becomes of a request that was not refused.
pub(super) enum Admitted {
    /// It goes to the chosen backend.
    Forward,
    /// A filter answers it.
    Reply(Reply),
    /// An authorization service does not let it pass.
    Denied(BackendId, Denial),
}

/// A request that a listener takes.
struct Arrived {
    listener: Arc<ListenerState>,
    connection: Arc<Connection>,
    /// Who the client has proved to be.
    verified: Option<HeaderValue>,
}

/// What the filters of the rule say.
enum Filtered {
    Through,
    Reply(Reply),
    /// The service of this filter has to be asked.
    Ask(usize),
}

impl Gateway {
    /// Matches a request, runs the filters of its listener and its rule, and chooses a backend. All decisions of a request
    /// are made on the one runtime that is pinned here, however long a service takes to answer.
    pub(super) async fn admit(&self, session: &mut Session, ctx: &mut RequestContext) -> Result<Admitted, Fault> {
        let arrived = self.arrive(session, ctx)?;
        ctx.limit(self.limits.request);
        if !arrived.listener.auth.is_empty()
            && let Some((service, denial)) = Box::pin(self.ask_for_listener(session, ctx, &arrived)).await?
        {
            return Ok(Admitted::Denied(service, denial));
        }
        let Arrived { listener, connection, verified } = arrived;
        let request = session.req_header_mut();
        ctx.routed = Some(route(&listener, request)?);
        ctx.observation.routed(ctx.routed.as_ref());
        ctx.limit(self.limits.request);
        // Who is outside need not know who is inside.
        if !listener.leaves {
            forwarded::apply(request, &connection, &listener.spec, verified);
        }
        loop {
            match filter(ctx, session.req_header_mut())? {
                Filtered::Through => break,
                Filtered::Reply(reply) => return Ok(Admitted::Reply(reply)),
                Filtered::Ask(nth) => {
                    if let Some((service, denial)) = Box::pin(self.ask_for_rule(session, ctx, &listener, nth)).await? {
                        return Ok(Admitted::Denied(service, denial));
                    }
                }
            }
        }
        if let Some(kept) = &mut ctx.kept {
            kept.let_go();
        }
        choose(ctx, session.req_header_mut())
    }

    /// Finds the listener.
    fn arrive(&self, session: &mut Session, ctx: &mut RequestContext) -> Result<Arrived, Fault> {
        // RFC 9113 section 8.3.1.
        let has_invalid_authority = session.as_http2().is_some_and(Http2Stream::has_invalid_authority);
        let request = session.req_header_mut();
        let is_stream = ctx.connection.as_ref().is_some_and(|connection| connection.is_stream);
        ctx.observation.asked(request, ctx.connection.as_deref());
        ctx.observation.begin_trace(request, is_stream);
        ctx.id = Some(request_id::ensure(request).map_err(|_| Fault::bug("no request id"))?);
        if has_invalid_authority {
            return Err(Fault::bad_request("an :authority, a Host and a path that do not name one host"));
        }
        check(request)?;
        self.limit(request, is_stream)?;
        head::to_origin_form(request).map_err(|NoPath| Fault::bad_request("a target that is no path"))?;
        normalize(request)?;
        head::ignore_upgrades(request);
        let connection = ctx.connection.clone().ok_or_else(|| Fault::bug("a request without a connection"))?;
        let runtime = self.live.pin();
        let port = runtime.ports.get(&connection.bind).ok_or_else(Fault::no_listener)?;
        let listener = {
            let host = normalize_host(authority(request).unwrap_or_default());
            select(port, connection.tls.as_deref(), &host)?
        };
        let verified = match &connection.tls {
            Some(tls) => tls.client(&listener).map_err(|Unverified| Fault::unverified())?,
            None => None,
        };
        ctx.observation.taken(&listener);
        Ok(Arrived { listener, connection, verified })
    }

    /// Asks the services of the listener, one after the other, until one says no.
    async fn ask_for_listener(
        &self,
        session: &mut Session,
        ctx: &mut RequestContext,
        arrived: &Arrived,
    ) -> Result<Option<(BackendId, Denial)>, Fault> {
        let Arrived { listener, connection, verified } = arrived;
        for auth in &listener.auth {
            // Rules may match what the client itself says of others, so the request is told who it is from later on.
            let mut head = session.req_header().clone();
            // Nothing that leaves says who is inside.
            if !listener.leaves {
                forwarded::apply(&mut head, connection, &listener.spec, verified.clone());
            }
            match self.authorize(session, ctx, auth, listener, head).await? {
                Ruling::Granted(edits) if edits.is_empty() => {}
                Ruling::Granted(edits) => ctx.given.push(edits),
                Ruling::Denied(service, denial) => return Ok(Some((service, denial))),
            }
        }
        Ok(None)
    }

    /// Asks the service of a filter of the rule.
    async fn ask_for_rule(
        &self,
        session: &mut Session,
        ctx: &mut RequestContext,
        listener: &Arc<ListenerState>,
        nth: usize,
    ) -> Result<Option<(BackendId, Denial)>, Fault> {
        let auth = ctx.routed.as_ref().and_then(|routed| routed.rule.auth.get(nth)).cloned();
        let auth = auth.ok_or_else(|| Fault::bug("a question to nobody"))?;
        let head = session.req_header().clone();
        match self.authorize(session, ctx, &auth, listener, head).await? {
            Ruling::Granted(edits) => {
                if let Some(routed) = &mut ctx.routed {
                    routed.state.granted(nth, edits);
                }
                Ok(None)
            }
            Ruling::Denied(service, denial) => Ok(Some((service, denial))),
        }
    }
}

impl Gateway {
    /// What is limited before anything is done for the request.
    fn limit(&self, request: &RequestHeader, is_stream: bool) -> Result<(), Fault> {
        if request.headers.len() > self.limits.fields {
            return Err(Fault::head_too_large("more header fields than the limit"));
        }
        // The guard has counted the bytes of HTTP/1; this is how HTTP/2 does (RFC 9113 section 6.5.2).
        let size = |(name, value): (&HeaderName, &HeaderValue)| name.as_str().len() + value.len() + 32;
        let of_http2 = is_stream || request.version == Version::HTTP_2;
        if of_http2 && request.headers.iter().map(size).sum::<usize>() > self.limits.head {
            return Err(Fault::head_too_large("a head longer than the limit"));
        }
        let announced = request.headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
        self.limit_body(announced.unwrap_or(0))
    }

    /// Whether a body may be so long.
    pub(super) fn limit_body(&self, length: u64) -> Result<(), Fault> {
        if self.limits.body.is_some_and(|limit| length > limit) { Err(Fault::body_too_large()) } else { Ok(()) }
    }
}

/// What no rule should have to think of.
fn check(request: &RequestHeader) -> Result<(), Fault> {
    // WebSocket over HTTP/2 has become an upgrade before.
    if request.method == Method::CONNECT {
        return Err(Fault::no_tunnel());
    }
    if request.headers.get_all(HOST).iter().count() > 1 {
        return Err(Fault::bad_request("more than one Host header"));
    }
    // RFC 9112 section 3.2; HTTP/2 has `:authority`.
    if request.version == Version::HTTP_11 && !request.headers.contains_key(HOST) {
        return Err(Fault::bad_request("no Host header"));
    }
    if request.headers.get(HOST).is_some_and(|host| host.to_str().is_err()) {
        return Err(Fault::bad_request("a Host header that is not ASCII"));
    }
    // RFC 9110 section 4.2.4: nobody but a liar names a user there.
    if authority(request).is_some_and(|authority| authority.contains('@')) {
        return Err(Fault::bad_request("user information in the authority"));
    }
    if !request.raw_path_is_utf8() {
        return Err(Fault::bad_request("a path that is not UTF-8"));
    }
    Ok(())
}

/// Brings the path into the one form that is matched and forwarded.
fn normalize(request: &mut RequestHeader) -> Result<(), Fault> {
    let changed = match path::normalize(request.uri.path()).map_err(|error| Fault::bad_request(error.0))? {
        Cow::Borrowed(_) => return Ok(()),
        Cow::Owned(path) => path,
    };
    PingoraRequest(request).set_path(&changed).map_err(|_| Fault::bad_request("a path that is too long"))
}

/// The listener for a host: over TLS that of the handshake, or none (GEP-3567).
fn select(port: &Port, tls: Option<&TlsFacts>, host: &str) -> Result<Arc<ListenerState>, Fault> {
    match (port.speaks, tls.is_some()) {
        (Speaks::Http, false) | (Speaks::Tls, true) => {}
        // The port speaks another protocol since the connection was made: what asks for TLS is not served without it.
        (Speaks::Http, true)
        | (Speaks::Tls, false)
        | (Speaks::Tcp | Speaks::Udp | Speaks::Proxy | Speaks::Transparent | Speaks::Dns | Speaks::DnsOverTcp, _) => {
            return Err(Fault::misdirected());
        }
    }
    let Some(tls) = tls else {
        return port.listeners.for_host(host).cloned().ok_or_else(Fault::no_listener);
    };
    match port.listeners.select_by(host, |listener| listener.spec.id == tls.listener) {
        Selection::Serve(listener) if listener.spec.protocol == Protocol::Https => Ok(listener.clone()),
        // It carries streams since the connection was made.
        Selection::Serve(_) => Err(Fault::misdirected()),
        Selection::Misdirected(_) => Err(Fault::misdirected()),
        Selection::NotFound => Err(Fault::no_listener()),
    }
}

fn route(listener: &Arc<ListenerState>, request: &RequestHeader) -> Result<Routed, Fault> {
    let host = normalize_host(authority(request).unwrap_or_default());
    let line = RequestLine {
        host: &host,
        method: &request.method,
        path: request.uri.path(),
        query: request.uri.query(),
        headers: &request.headers,
    };
    let hit = listener.routes.find(&line).ok_or_else(Fault::no_route)?;
    Ok(Routed {
        listener: listener.clone(),
        rule: hit.payload.clone(),
        matched: hit.matched,
        state: ChainState::default(),
    })
}

/// Runs the filters of the rule, from where they have stopped.
fn filter(ctx: &mut RequestContext, request: &mut RequestHeader) -> Result<Filtered, Fault> {
    let scheme = ctx.scheme();
    let Some(routed) = &mut ctx.routed else { return Err(Fault::bug("filters without a route")) };
    if routed.rule.chain.is_empty() {
        return Ok(Filtered::Through);
    }
    let mut view = RequestView {
        head: &mut PingoraRequest(request),
        scheme,
        listener_port: routed.listener.spec.port,
        matched: routed.matched,
    };
    let verdict = routed.rule.chain.request(&mut view, &mut routed.state);
    routed.matched = view.matched;
    match verdict {
        Verdict::Continue => Ok(Filtered::Through),
        Verdict::Reply(reply) => Ok(Filtered::Reply(reply)),
        Verdict::Ask(nth) => Ok(Filtered::Ask(nth)),
        Verdict::Refuse(refusal) => Err(Fault::refused(&refusal)),
    }
}

/// Chooses a backend and lets its filters answer, before anything is dialled.
fn choose(ctx: &mut RequestContext, request: &mut RequestHeader) -> Result<Admitted, Fault> {
    let Some(routed) = &ctx.routed else { return Err(Fault::bug("a choice without a route")) };
    let rule = routed.rule.clone();
    let forward = rule.forward.as_ref().map_err(Fault::refused)?;
    let kept = forward.persistence.as_ref().and_then(|spec| SessionState::of(spec, request));
    let of_session = kept.as_ref().and_then(|session| session.destination(forward));
    let destination = of_session.or_else(|| forward.choose()).cloned().ok_or_else(Fault::no_backend)?;
    let backend = destination.target.as_ref().map_err(Fault::refused)?.clone();
    let session = match kept {
        Some(session) => Some(session),
        None => backend.state().spec.persistence.as_ref().and_then(|spec| SessionState::of(spec, request)),
    };
    ctx.attempts.limit(forward.retry.clone(), forward.timeouts.backend_request);
    if destination.chain.may_reply() {
        // On a copy: the filters edit the request of each attempt later on.
        let mut copy = request.clone();
        let mut view = RequestView {
            head: &mut PingoraRequest(&mut copy),
            scheme: ctx.scheme(),
            listener_port: routed.listener.spec.port,
            matched: routed.matched,
        };
        let mut state = ChainState::default();
        let verdict = destination.chain.request(&mut view, &mut state);
        ctx.forward = Some(Forwarding { destination, backend, state, session });
        return match verdict {
            Verdict::Continue => Ok(Admitted::Forward),
            Verdict::Reply(reply) => Ok(Admitted::Reply(reply)),
            Verdict::Ask(_) => Err(Fault::ask_too_late()),
            Verdict::Refuse(refusal) => Err(Fault::refused(&refusal)),
        };
    }
    ctx.forward = Some(Forwarding { destination, backend, state: ChainState::default(), session });
    Ok(Admitted::Forward)
}

#[cfg(test)]
mod fuzz;
