//! Copies of requests (HTTPRoute `requestMirror`): sent beside the request, their answers thrown away.
//!
//! A copy never slows the request down: pieces of the body wait in a backlog that is bounded in bytes, and a mirror that
//! falls further behind loses its copy. How many copies are in flight is bounded, too.

mod backlog;
mod copy;

use super::RequestContext;
use crate::egress::Leaver;
use crate::limits::Limits;
use crate::proxies;
use crate::upstream::Offer;
use backlog::{Backlog, Room};
use bytes::Bytes;
use copy::Copy;
use lychgate_filters::sampled;
use pingora_core::connectors::http::Connector;
use pingora_proxy::Session;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;

/// Everything that copies share.
pub(super) struct Mirrors {
    connector: Arc<Connector>,
    in_flight: Arc<Semaphore>,
    room: Room,
    whole: Duration,
    connect: Duration,
    resolve: Duration,
}

/// The copies of one request.
#[derive(Default)]
pub(super) struct Copies {
    bodies: Vec<Backlog>,
    /// Bytes of the body that were passed on, and those that this attempt has shown: a retry shows the beginning again.
    passed: usize,
    shown: usize,
    ended: bool,
}

impl Mirrors {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            connector: proxies::connector(),
            in_flight: Arc::new(Semaphore::new(limits.mirrors)),
            room: Room::new(limits.mirror_backlog, limits.mirrors_backlog),
            whole: limits.mirror,
            connect: limits.connect,
            resolve: limits.resolve,
        }
    }

    /// The same, with connections of its own.
    pub(super) fn of_worker(&self) -> Self {
        let Self { connector: _, in_flight, room, whole, connect, resolve } = self;
        Self {
            connector: proxies::connector(),
            in_flight: in_flight.clone(),
            room: room.clone(),
            whole: *whole,
            connect: *connect,
            resolve: *resolve,
        }
    }

    /// Starts the copies of a request that its rule lets through.
    pub(super) fn start(&self, session: &mut Session, ctx: &mut RequestContext, leaver: Option<&Leaver>) {
        let (Some(routed), Some(forward), Some(client)) = (&ctx.routed, &ctx.forward, &ctx.connection) else { return };
        let mirrors = routed.rule.mirrors.iter().chain(&*forward.destination.mirrors);
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
            let (body, pieces) = self.room.backlog();
            let copy = Copy {
                mirror: mirror.clone(),
                offer: Offer::of(routed.rule.id().route.kind),
                head: session.req_header().clone(),
                identity: routed.listener.spec.upstream_identity.clone(),
                client: client.clone(),
                leaver: leaver.cloned(),
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
                self.bodies.retain_mut(|body| body.push(&fresh));
            }
        }
        if end {
            self.ended = true;
            self.bodies.drain(..).for_each(Backlog::end);
        }
    }
}

#[cfg(test)]
#[allow(clippy::panic)]
mod tests {
    use super::backlog::{Next, Pieces};
    use super::*;

    async fn rest(mut pieces: Pieces) -> (Vec<u8>, bool) {
        let mut data = Vec::new();
        loop {
            match pieces.next().await {
                Next::Data(piece, _room) => data.extend_from_slice(&piece),
                Next::End => return (data, true),
                Next::BrokenOff => return (data, false),
            }
        }
    }

    #[tokio::test]
    async fn a_retry_copies_nothing_twice() {
        let (body, pieces) = Room::new(100, 100).backlog();
        let mut copies = Copies { bodies: vec![body], ..Copies::default() };
        copies.body(Some(&Bytes::from_static(b"abc")), false);
        copies.replay();
        copies.body(Some(&Bytes::from_static(b"abcd")), false);
        copies.body(Some(&Bytes::from_static(b"e")), true);
        assert_eq!(rest(pieces).await, (b"abcde".to_vec(), true));
    }

    #[tokio::test]
    async fn a_mirror_that_does_not_keep_up_loses_its_copy() {
        let (body, pieces) = Room::new(3, 100).backlog();
        let mut copies = Copies { bodies: vec![body], ..Copies::default() };
        copies.body(Some(&Bytes::from_static(b"abc")), false);
        copies.body(Some(&Bytes::from_static(b"d")), true);
        let broken_off = pieces.broken_off();
        assert_eq!(rest(pieces).await, (b"abc".to_vec(), false));
        broken_off.await;
    }

    #[tokio::test]
    async fn what_a_mirror_has_taken_makes_room() {
        let room = Room::new(3, 3);
        let (mut body, mut pieces) = room.backlog();
        let (mut other, _pieces) = room.backlog();
        assert!(body.push(&Bytes::from_static(b"abc")));
        assert!(!other.push(&Bytes::from_static(b"d")), "all copies together have no more room");
        let Next::Data(_, taken) = pieces.next().await else { panic!("no data") };
        drop(taken);
        assert!(body.push(&Bytes::from_static(b"def")));
        body.end();
        assert_eq!(rest(pieces).await, (b"def".to_vec(), true));
    }
}
