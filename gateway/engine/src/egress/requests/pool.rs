//! Connections to destinations that wait for the next request of the same client's connection.

use super::Version;
use crate::egress::body::Body;
use crate::egress::dial::is_same_road;
use crate::egress::limits::{Share, Spare, is_same};
use crate::egress::passage::{Passage, Way, handling};
use crate::egress::wire::Begun;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use lychgate_egress::source_address::Pair;
use lychgate_egress::target::{Target, TargetHost};
use lychgate_ir::egress::{EgressHandling, OriginTls};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

/// Connections of one client's connection that are kept.
const KEPT: usize = 64;

/// Connections that wait.
#[derive(Default)]
pub(super) struct Pool(Mutex<Vec<Held>>);

/// A connection, and what it is good for.
pub(super) struct Held {
    pub(super) target: Target,
    /// Whom its certificate is for, if it has one.
    pub(super) server: TargetHost,
    pub(super) address: Option<IpAddr>,
    pub(super) tls: Option<OriginTls>,
    pub(super) road: Arc<EgressHandling>,
    /// What it is counted by, and its seat.
    pub(super) share: Option<Share>,
    /// Who goes where, where that says which address it leaves from.
    pub(super) pair: Option<Pair>,
    pub(super) spare: Option<Spare>,
    pub(super) sender: Sender,
    /// The connection itself is kept already: others may use it at the same time.
    pub(super) is_copy: bool,
}

/// Sends requests.
pub(super) enum Sender {
    Http1(http1::SendRequest<Body>),
    Http2(http2::SendRequest<Body>),
}

impl Held {
    /// False if its seat was given to another connection: it is closed.
    fn has_its_seat(&self) -> bool {
        self.spare.as_ref().is_none_or(Spare::is_there)
    }
}

impl Sender {
    /// Begins HTTP on a connection.
    pub(super) async fn begin(io: Begun, version: Version) -> hyper::Result<Self> {
        let io = TokioIo::new(io);
        match version {
            Version::Http1 => {
                let (sender, connection) = http1::handshake(io).await?;
                // It ends with the last of its requests and its sender.
                tokio::spawn(connection.with_upgrades());
                Ok(Self::Http1(sender))
            }
            Version::Http2 => {
                let (sender, connection) = http2::handshake(TokioExecutor::new(), io).await?;
                tokio::spawn(connection);
                Ok(Self::Http2(sender))
            }
        }
    }

    fn is_ready(&self) -> bool {
        match self {
            Self::Http1(sender) => sender.is_ready(),
            Self::Http2(sender) => sender.is_ready(),
        }
    }

    fn is_closed(&self) -> bool {
        match self {
            Self::Http1(sender) => sender.is_closed(),
            Self::Http2(sender) => sender.is_closed(),
        }
    }

    /// Sends a request. One that was not sent comes back, to be sent over another connection.
    pub(super) async fn send(
        &mut self,
        request: Request<Body>,
    ) -> Result<Response<Incoming>, (hyper::Error, Option<Request<Body>>)> {
        let sent = match self {
            Self::Http1(sender) => sender.try_send_request(request).await,
            Self::Http2(sender) => sender.try_send_request(request).await,
        };
        sent.map_err(|mut error| {
            let request = error.take_message();
            (error.into_error(), request)
        })
    }
}

impl Pool {
    /// A connection for this passage, and the way that it took: one that is protected as that way has to be.
    pub(super) fn take(
        &self,
        passage: &Passage,
        tls_of: impl Fn(&Way) -> Option<Option<OriginTls>>,
    ) -> Option<(Held, Way)> {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        held.retain(|held| !held.sender.is_closed() && held.has_its_seat());
        let server = passage.wish.server();
        let way_of = |held: &Held| {
            let same = |way: &&Way| {
                way.address == held.address
                    && way.pair == held.pair
                    && is_same_road(&handling(&way.decision), &held.road)
                    && is_same(way.share.as_ref(), held.share.as_ref())
                    && tls_of(way).is_some_and(|tls| tls == held.tls)
            };
            let is_for = held.target == passage.wish.target
                && (held.tls.is_none() || held.server == server)
                && held.sender.is_ready();
            passage.ways.iter().find(same).filter(|_| is_for).cloned()
        };
        let (at, way) = held.iter().enumerate().find_map(|(at, held)| Some((at, way_of(held)?)))?;
        match &held.get(at)?.sender {
            Sender::Http2(sender) => {
                let sender = Sender::Http2(sender.clone());
                let Held { target, server, address, tls, road, share, pair, spare, sender: _, is_copy: _ } =
                    held.get(at)?;
                let (target, server, address, pair) = (target.clone(), server.clone(), *address, *pair);
                let (tls, road, share, spare) = (tls.clone(), road.clone(), share.clone(), spare.clone());
                Some((Held { target, server, address, tls, road, share, pair, spare, sender, is_copy: true }, way))
            }
            Sender::Http1(_) => Some((held.swap_remove(at), way)),
        }
    }

    /// A connection that waits, and is counted by the same: keep it if nobody takes its seat.
    pub(super) fn idle(&self, share: Option<&Share>) -> Option<Held> {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Of HTTP/2 nobody can tell whether a request is running.
        let waits = |held: &Held| matches!(&held.sender, Sender::Http1(sender) if sender.is_ready());
        let same = |held: &Held| share.is_some() && is_same(held.share.as_ref(), share) && held.has_its_seat();
        let at = held.iter().position(|held| waits(held) && same(held))?;
        Some(held.swap_remove(at))
    }

    /// Keeps a connection for the next request.
    pub(super) fn keep(&self, one: Held) {
        if one.is_copy {
            return;
        }
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if held.len() >= KEPT {
            held.remove(0);
        }
        if one.has_its_seat() {
            held.push(one);
        }
    }
}
