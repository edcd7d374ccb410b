//! One question to one endpoint, whatever it speaks. Connections are those of any backend: the same TLS, the same pools,
//! the same counting.

use super::super::attempt::connect_failure;
use super::super::frame::frame;
use super::super::observe::Running;
use super::super::{Gateway, RequestContext};
use super::way::Way;
use super::{ASKED, Inquiry};
use crate::egress::{Leaving, Refused};
use crate::upstream::{EndpointState, Offer, Reach};
use bytes::Bytes;
use http::header::TE;
use http::uri::Scheme;
use http::{HeaderMap, HeaderValue, StatusCode};
use lychgate_telemetry::{Direction, Reason};
use pingora_core::protocols::http::client::HttpSession;
use pingora_core::upstreams::peer::{HttpPeer, Peer};
use pingora_error::Error;
use pingora_http::{RequestHeader, ResponseHeader};
use std::sync::Arc;

/// More of an answer is not kept: it is a verdict, at most a page for people.
const LONGEST_ANSWER: usize = 64 << 10;

/// Interim responses that may come before the answer.
const MOST_INTERIM: usize = 8;

/// A question without an answer.
pub(super) struct Broken {
    /// The endpoint, if it has certainly not begun to answer, so that another one may be asked.
    pub(super) unseen: Option<Arc<EndpointState>>,
    pub(super) why: String,
}

impl Broken {
    fn unseen(endpoint: &Arc<EndpointState>, error: &Error) -> Self {
        Self { unseen: Some(endpoint.clone()), why: error.to_string() }
    }

    pub(super) fn late(why: impl Into<String>) -> Self {
        Self { unseen: None, why: why.into() }
    }
}

/// What an endpoint has said.
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    /// None if there was more of it than is kept.
    pub(super) body: Option<Vec<u8>>,
    pub(super) trailers: HeaderMap,
    pub(super) is_http2: bool,
}

impl Gateway {
    /// Sends a question, and takes what comes back. `head` has `Host` and the path that is asked for.
    pub(super) async fn call(
        &self,
        ctx: &mut RequestContext,
        inquiry: &Inquiry<'_>,
        mut way: Way,
        head: RequestHeader,
        body: Bytes,
    ) -> Result<Reply, Broken> {
        let told = self.exchange_over(ctx, inquiry, &mut way, head, body).await;
        if let Some(leaving) = way.leaving {
            match &told {
                Ok(reply) => leaving.done(Some(reply.status.as_u16())),
                Err(Broken { why, unseen: _ }) => leaving.failed(None, Reason::AuthFailed, why),
            }
        }
        told
    }

    async fn exchange_over(
        &self,
        ctx: &mut RequestContext,
        inquiry: &Inquiry<'_>,
        way: &mut Way,
        head: RequestHeader,
        body: Bytes,
    ) -> Result<Reply, Broken> {
        let service = inquiry.service;
        let mut running = Running::new(&service.metrics);
        let state = service.state();
        let reach = state.reach(inquiry.identity.as_ref()).ok_or_else(|| Broken::late("no identity to show it"))?;
        if let Reach::Refused(refusal) = reach {
            return Err(Broken::late(format!("{}: {}", refusal.reason, refusal.message)));
        }
        let scheme = if way.is_tls(reach) { Scheme::HTTPS } else { Scheme::HTTP };
        let endpoint = way.endpoint().clone();
        let address = endpoint.address;
        ctx.observation.trace.question(&service.id, address, scheme == Scheme::HTTPS, &head);
        let connecting = async {
            let peer = way.peer(inquiry, &state, reach, self.authorizer.connect).await?;
            let (upstream, reused) = self.authorizer.connector.get_http_session(&peer).await?;
            Ok::<_, Box<Error>>((peer, upstream, reused))
        };
        let (peer, mut upstream, reused) = connecting.await.map_err(|error| {
            service.metrics.not_connected(connect_failure(&error));
            ctx.observation.trace.broke_off(Some(Reason::AuthFailed.as_str()), &error);
            // What a limit has refused is not asked again: it would be counted, and refused, once more.
            match way.limited_elsewhere() {
                Some(Refused { detail, .. }) => Broken::late(detail),
                None => Broken::unseen(&endpoint, &error),
            }
        })?;
        service.metrics.connected(reused);
        ctx.observation.trace.connected(reused);
        if !reused {
            let key = peer.reuse_hash();
            match state.spec.proxy_protocol {
                Some(_) => inquiry.client.owns(&endpoint, key),
                None => endpoint.connected(key),
            }
        }
        let mut head =
            frame(head, &upstream, scheme, !body.is_empty()).map_err(|error| Broken::late(error.to_string()))?;
        let _ = head.insert_header(ASKED, HeaderValue::from_static("1"));
        way.connected(upstream.digest(), &mut head).await.map_err(|error| Broken::unseen(&endpoint, &error))?;
        if way.offer == Offer::Http2 {
            // gRPC over HTTP/2, "Requests".
            let _ = head.insert_header(TE, HeaderValue::from_static("trailers"));
        }
        ctx.observation.tell_service(&mut head);
        way.leaving.iter().for_each(|leaving| leaving.carried(Direction::Up, Some(&body)));
        let answered = exchange(&mut upstream, head, body, &mut running).await;
        let response = answered.map_err(|error| {
            ctx.observation.trace.broke_off(Some(Reason::AuthFailed.as_str()), &error);
            // A kept connection that the endpoint had closed already.
            Broken { unseen: reused.then(|| endpoint.clone()), why: error.to_string() }
        })?;
        running.status = Some(response.status);
        ctx.observation.trace.answered(&response);
        let leaving = way.leaving.as_deref();
        let reply = self.take(upstream, &peer, response, &mut running, leaving).await.map_err(|error| {
            ctx.observation.trace.broke_off(Some(Reason::AuthFailed.as_str()), &error);
            Broken::late(error.to_string())
        })?;
        ctx.observation.trace.over();
        Ok(reply)
    }

    /// Takes the rest of an answer, and gives the connection back if that was all.
    async fn take(
        &self,
        mut upstream: HttpSession,
        peer: &HttpPeer,
        response: ResponseHeader,
        running: &mut Running,
        leaving: Option<&Leaving>,
    ) -> pingora_error::Result<Reply> {
        let mut body = Some(Vec::new());
        while let Some(piece) = upstream.read_response_body().await? {
            running.carried(Direction::Down, piece.len());
            leaving.iter().for_each(|leaving| leaving.carried(Direction::Down, Some(&piece)));
            match &mut body {
                Some(kept) if kept.len() + piece.len() <= LONGEST_ANSWER => kept.extend_from_slice(&piece),
                Some(_) | None => {
                    body = None;
                    break;
                }
            }
        }
        let (trailers, is_http2) = match &mut upstream {
            HttpSession::H2(stream) if body.is_some() => (stream.read_trailers().await?, true),
            HttpSession::H2(_) => (None, true),
            HttpSession::H1(_) | HttpSession::Custom(_) => (None, false),
        };
        if body.is_some() {
            self.authorizer.connector.release_http_session(upstream, peer, peer.options.idle_timeout).await;
        }
        let headers = response.headers.clone();
        Ok(Reply { status: response.status, headers, body, trailers: trailers.unwrap_or_default(), is_http2 })
    }

    /// Whether the head of an answer is longer than that of a request may be.
    pub(super) fn is_too_long(&self, headers: &HeaderMap) -> bool {
        headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum::<usize>() > self.authorizer.head
    }
}

async fn write(upstream: &mut HttpSession, body: Bytes) -> pingora_error::Result<()> {
    if !body.is_empty() {
        upstream.write_request_body(body, false).await?;
    }
    upstream.finish_request_body().await
}

/// Up to the head of the answer.
async fn exchange(
    upstream: &mut HttpSession,
    head: RequestHeader,
    body: Bytes,
    running: &mut Running,
) -> pingora_error::Result<ResponseHeader> {
    upstream.write_request_header(Box::new(head)).await?;
    running.carried(Direction::Up, body.len());
    // One that answers before it has read all may have closed for more; what it said still counts.
    let sent = write(upstream, body).await;
    for _ in 0..MOST_INTERIM {
        if let Err(error) = upstream.read_response_header().await {
            sent?;
            return Err(error);
        }
        match upstream.response_header() {
            Some(response) if response.status.is_informational() => {}
            Some(response) => return Ok(response.clone()),
            None => break,
        }
    }
    Err(Error::explain(pingora_error::ErrorType::InvalidHTTPHeader, "no final response"))
}
