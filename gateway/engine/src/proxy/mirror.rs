//! Copies of requests (HTTPRoute `requestMirror`): sent beside the request, their answers thrown away.
//!
//! A copy never slows the request down: pieces of the body go into a bounded queue, and a mirror that does not keep up
//! loses its copy. How many copies are in flight is bounded, too.

use super::RequestContext;
use crate::limits::Limits;
use crate::runtime::MirrorState;
use crate::upstream::{Offer, peer};
use bytes::Bytes;
use http::Version;
use http::header::{CONNECTION, CONTENT_LENGTH, EXPECT, HOST, HeaderName, TE, TRAILER, TRANSFER_ENCODING, UPGRADE};
use lychgate_filters::sampled;
use lychgate_ir::CertificateId;
use pingora_core::connectors::http::Connector;
use pingora_core::protocols::http::client::HttpSession;
use pingora_error::{Error, ErrorType, Result};
use pingora_http::RequestHeader;
use pingora_proxy::Session;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, mpsc};

/// Pieces of a body that may wait for a mirror.
const QUEUE: usize = 32;

/// Everything that copies share.
pub(super) struct Mirrors {
    connector: Arc<Connector>,
    in_flight: Arc<Semaphore>,
    whole: Duration,
    connect: Duration,
    resolve: Duration,
}

/// The copies of one request.
#[derive(Default)]
pub(super) struct Copies {
    bodies: Vec<mpsc::Sender<Piece>>,
    /// Bytes of the body that were passed on, and those that this attempt has shown: a retry shows the beginning again.
    passed: usize,
    shown: usize,
    ended: bool,
}

enum Piece {
    Data(Bytes),
    End,
}

impl Mirrors {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            connector: Arc::new(Connector::new(None)),
            in_flight: Arc::new(Semaphore::new(limits.mirrors)),
            whole: limits.mirror,
            connect: limits.connect,
            resolve: limits.resolve,
        }
    }

    /// Starts the copies of a request that its rule lets through.
    pub(super) fn start(&self, session: &mut Session, ctx: &mut RequestContext) {
        let (Some(routed), Some(forward)) = (&ctx.routed, &ctx.forward) else { return };
        let mirrors = routed.rule.mirrors.iter().chain(&forward.destination.mirrors);
        let mut chosen = mirrors.filter(|mirror| sampled(mirror.share, rand::random())).peekable();
        if chosen.peek().is_none() || session.is_upgrade_req() {
            return;
        }
        let has_body = !session.is_body_empty();
        for mirror in chosen {
            let Ok(permit) = self.in_flight.clone().try_acquire_owned() else {
                tracing::debug!(backend = %mirror.target.id, "too many copies in flight: not mirrored");
                continue;
            };
            let (body, pieces) = mpsc::channel(QUEUE);
            let copy = Copy {
                mirror: mirror.clone(),
                head: session.req_header().clone(),
                identity: routed.listener.spec.upstream_identity.clone(),
                connector: self.connector.clone(),
                connect: self.connect,
                resolve: self.resolve,
            };
            let whole = self.whole;
            tokio::spawn(async move {
                let _permit = permit;
                let id = copy.mirror.target.id.clone();
                match tokio::time::timeout(whole, copy.send(has_body.then_some(pieces))).await {
                    Ok(Ok(())) => {}
                    Ok(Err(error)) => tracing::debug!(backend = %id, %error, "mirrored copy failed"),
                    Err(_) => tracing::debug!(backend = %id, "mirrored copy took too long"),
                }
            });
            if has_body {
                ctx.copies.bodies.push(body);
            }
        }
    }
}

impl Copies {
    /// The next attempt will show the body from its beginning.
    pub(super) fn replay(&mut self) {
        self.shown = 0;
    }

    /// Passes on a piece of the body, as far as it has not been passed on before.
    pub(super) fn body(&mut self, piece: Option<&Bytes>, end: bool) {
        if self.bodies.is_empty() || self.ended {
            return;
        }
        if let Some(piece) = piece {
            let begin = self.passed.saturating_sub(self.shown).min(piece.len());
            self.shown += piece.len();
            let fresh = piece.slice(begin..);
            if !fresh.is_empty() {
                self.passed += fresh.len();
                // A mirror that does not keep up loses its copy: without an end, it is broken off.
                self.bodies.retain(|body| body.try_send(Piece::Data(fresh.clone())).is_ok());
            }
        }
        if end {
            self.ended = true;
            for body in self.bodies.drain(..) {
                // Full: the copy is broken off, as above.
                let _ = body.try_send(Piece::End);
            }
        }
    }
}

struct Copy {
    mirror: MirrorState,
    head: RequestHeader,
    identity: Option<CertificateId>,
    connector: Arc<Connector>,
    connect: Duration,
    resolve: Duration,
}

impl Copy {
    async fn send(self, pieces: Option<mpsc::Receiver<Piece>>) -> Result<()> {
        let target = &self.mirror.target;
        let nowhere = || Error::explain(ErrorType::ConnectError, "no endpoint");
        let picked = target.pick(None, &[], self.resolve).await.ok_or_else(nowhere)?;
        let state = target.state();
        let reach = state.reach(self.identity.as_ref()).ok_or_else(nowhere)?;
        let peer = peer(&state, reach, picked.endpoint().address, Offer::All, self.connect).await?;
        let (mut upstream, _) = self.connector.get_http_session(&peer).await?;
        let head = frame(self.head, &upstream, pieces.is_some())?;
        upstream.write_request_header(Box::new(head)).await?;
        if let Some(mut pieces) = pieces {
            loop {
                match pieces.recv().await {
                    Some(Piece::Data(data)) => upstream.write_request_body(data, false).await?,
                    Some(Piece::End) => break,
                    None => return Err(Error::explain(ErrorType::WriteError, "the request ended early or too fast")),
                }
            }
        }
        upstream.finish_request_body().await?;
        upstream.read_response_header().await?;
        while upstream.read_response_body().await?.is_some() {}
        self.connector.release_http_session(upstream, &peer, peer.options.idle_timeout).await;
        Ok(())
    }
}

/// Makes the head of a request that of its copy: hop-by-hop headers belong to the client's connection.
fn frame(mut head: RequestHeader, upstream: &HttpSession, has_body: bool) -> Result<RequestHeader> {
    const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
    const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");
    for name in [&CONNECTION, &KEEP_ALIVE, &PROXY_CONNECTION, &TRANSFER_ENCODING, &UPGRADE, &TE, &TRAILER, &EXPECT] {
        head.remove_header(name);
    }
    let authority = super::head::authority(&head).unwrap_or_default().to_owned();
    match upstream {
        HttpSession::H2(_) => {
            head.remove_header(&HOST);
            let target = head.uri.path_and_query().map_or("/", |target| target.as_str());
            let uri = http::Uri::builder().scheme("http").authority(authority).path_and_query(target).build();
            let bad = |error| Error::because(ErrorType::InvalidHTTPHeader, "the copy's target", error);
            let uri = uri.map_err(bad)?;
            head.set_uri(uri);
            head.set_version(Version::HTTP_2);
            head.set_send_end_stream(!has_body);
        }
        HttpSession::H1(_) | HttpSession::Custom(_) => {
            if head.uri.authority().is_some() {
                let target = head.uri.path_and_query().map_or("/", |target| target.as_str()).to_owned();
                head.set_raw_path(target.as_bytes())?;
            }
            head.insert_header(HOST, authority)?;
            head.set_version(Version::HTTP_11);
            if has_body && !head.headers.contains_key(CONTENT_LENGTH) {
                head.insert_header(TRANSFER_ENCODING, "chunked")?;
            }
        }
    }
    Ok(head)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drain(pieces: &mut mpsc::Receiver<Piece>) -> (Vec<u8>, bool) {
        let mut data = Vec::new();
        while let Ok(piece) = pieces.try_recv() {
            match piece {
                Piece::Data(piece) => data.extend_from_slice(&piece),
                Piece::End => return (data, true),
            }
        }
        (data, false)
    }

    #[test]
    fn a_retry_copies_nothing_twice() {
        let (body, mut pieces) = mpsc::channel(QUEUE);
        let mut copies = Copies { bodies: vec![body], ..Copies::default() };
        copies.body(Some(&Bytes::from_static(b"abc")), false);
        copies.replay();
        copies.body(Some(&Bytes::from_static(b"abcd")), false);
        copies.body(Some(&Bytes::from_static(b"e")), true);
        assert_eq!(drain(&mut pieces), (b"abcde".to_vec(), true));
    }

    #[test]
    fn a_mirror_that_does_not_keep_up_loses_its_copy() {
        let (body, mut pieces) = mpsc::channel(1);
        let mut copies = Copies { bodies: vec![body], ..Copies::default() };
        copies.body(Some(&Bytes::from_static(b"a")), false);
        copies.body(Some(&Bytes::from_static(b"b")), true);
        assert_eq!(drain(&mut pieces), (b"a".to_vec(), false));
    }
}
