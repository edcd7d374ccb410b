//! One copy: connected as a request would be, sent, and its answer thrown away.

use super::backlog::{Next, Pieces};
use crate::connection::Connection;
use crate::egress::{Leaver, Leaving, Refused, Wanted};
use crate::proxy::attempt::{UNSEEN_RETRIES, connect_failure};
use crate::proxy::frame::frame;
use crate::proxy::observe::Running;
use crate::runtime::MirrorState;
use crate::upstream::{Offer, Picked, Reach, peer};
use http::uri::Scheme;
use lychgate_ir::CertificateId;
use lychgate_telemetry::{ConnectFailure, Direction, Reason};
use pingora_core::connectors::http::Connector;
use pingora_core::protocols::http::client::HttpSession;
use pingora_core::upstreams::peer::HttpPeer;
use pingora_error::{Error, ErrorType, Result};
use pingora_http::RequestHeader;
use std::sync::Arc;
use std::time::Duration;

/// A copy that is to be sent.
pub(super) struct Copy {
    pub(super) mirror: MirrorState,
    /// A copy speaks what the request speaks.
    pub(super) offer: Offer,
    pub(super) head: RequestHeader,
    pub(super) identity: Option<CertificateId>,
    /// Lives as long as the copy, which may be longer than the client waits.
    pub(super) client: Arc<Connection>,
    /// Copies leave as requests do.
    pub(super) leaver: Option<Leaver>,
    pub(super) connector: Arc<Connector>,
    pub(super) connect: Duration,
    pub(super) resolve: Duration,
}

/// The connection that a copy has.
struct Connected {
    upstream: HttpSession,
    peer: HttpPeer,
    scheme: Scheme,
    leaving: Option<Leaving>,
    running: Running,
    /// Busy with it.
    _picked: Picked,
}

impl Copy {
    pub(super) async fn send(self, pieces: Option<Pieces>) -> Result<()> {
        let Connected { mut upstream, peer, scheme, leaving, mut running, _picked } = self.connected().await?;
        let mut head = frame(self.head, &upstream, scheme, pieces.is_some())?;
        leaving.iter().for_each(|leaving| leaving.edit(&mut head));
        upstream.write_request_header(Box::new(head)).await?;
        if let Some(pieces) = pieces {
            body(&mut upstream, pieces, &mut running, leaving.as_ref()).await?;
        }
        upstream.finish_request_body().await?;
        upstream.read_response_header().await?;
        running.status = upstream.response_header().map(|head| head.status);
        while let Some(piece) = upstream.read_response_body().await? {
            running.carried(Direction::Down, piece.len());
            leaving.iter().for_each(|leaving| leaving.carried(Direction::Down, Some(&piece)));
        }
        if let Some(leaving) = leaving {
            leaving.done(running.status.map(|status| status.as_u16()));
        }
        self.connector.release_http_session(upstream, &peer, peer.options.idle_timeout).await;
        Ok(())
    }

    /// A connection that is the copy's. Another one may have the place of one that waited, just when it is to be used:
    /// nobody has seen the copy then, and it is tried again, as requests are.
    async fn connected(&self) -> Result<Connected> {
        let mut again = 0..UNSEEN_RETRIES;
        loop {
            let mut connected = self.attempt().await?;
            let Some(leaving) = &mut connected.leaving else { return Ok(connected) };
            let Err(error) = leaving.connected(connected.upstream.digest()).await else { return Ok(connected) };
            let metrics = &self.mirror.target.metrics;
            metrics.not_connected(connect_failure(&error));
            if again.next().is_none() {
                return Err(error);
            }
            metrics.retried();
            if let Some(leaving) = connected.leaving {
                leaving.failed(None, Reason::UpstreamError, "it was tried again");
            }
        }
    }

    /// A connection, if one comes about.
    async fn attempt(&self) -> Result<Connected> {
        let target = &self.mirror.target;
        let nowhere = || Error::explain(ErrorType::ConnectError, "no endpoint");
        let (picked, leaving) = match &self.leaver {
            None => (target.pick(None, &[], self.resolve).await, None),
            Some(leaver) => {
                let mut leaving = self.leave(leaver).await?;
                (leaving.endpoint(), Some(leaving))
            }
        };
        let Some(picked) = picked else {
            target.metrics.not_connected(ConnectFailure::NoEndpoint);
            return Err(nowhere());
        };
        // Counted like any other attempt: it is the same load to the backend.
        let running = Running::new(&target.metrics);
        let state = target.state();
        let reach = state.reach(self.identity.as_ref()).ok_or_else(nowhere)?;
        let is_tls = leaving.as_ref().map_or(matches!(reach, Reach::Tls(_)), |leaving| leaving.is_tls());
        let connecting = async {
            let address = picked.endpoint().address;
            let peer = match &leaving {
                None => peer(target, &state, reach, address, self.offer, self.connect, &self.client).await?,
                Some(leaving) => leaving.peer(target, picked.endpoint(), self.connect),
            };
            let (upstream, reused) = self.connector.get_http_session(&peer).await?;
            Ok::<_, Box<Error>>((peer, upstream, reused))
        };
        let (peer, upstream, reused) =
            connecting.await.inspect_err(|error| target.metrics.not_connected(connect_failure(error)))?;
        target.metrics.connected(reused);
        let scheme = if is_tls { Scheme::HTTPS } else { Scheme::HTTP };
        Ok(Connected { upstream, peer, scheme, leaving, running, _picked: picked })
    }

    /// Decides whether the copy may leave.
    async fn leave(&self, leaver: &Leaver) -> Result<Leaving> {
        let wanted =
            Wanted { head: &self.head, backend: &self.mirror.target, offer: self.offer, session: None, tried: &[] };
        let refused = |refused: Refused| Error::explain(ErrorType::ConnectError, refused.detail);
        leaver.leave(wanted).await.map_err(refused)
    }
}

/// Sends the body. One that is broken off here is broken off there, even if the mirror does not read.
async fn body(
    upstream: &mut HttpSession,
    mut pieces: Pieces,
    running: &mut Running,
    leaving: Option<&Leaving>,
) -> Result<()> {
    let broken_off = pieces.broken_off();
    let sending = async {
        loop {
            match pieces.next().await {
                Next::Data(data, _room) => {
                    running.carried(Direction::Up, data.len());
                    leaving.iter().for_each(|leaving| leaving.carried(Direction::Up, Some(&data)));
                    upstream.write_request_body(data, false).await?;
                }
                Next::End => return Ok(()),
                Next::BrokenOff => return Err(too_fast()),
            }
        }
    };
    tokio::select! {
        sent = sending => sent,
        () = broken_off => Err(too_fast()),
    }
}

fn too_fast() -> Box<Error> {
    Error::explain(ErrorType::WriteError, "the request ended early, or too fast for its mirror")
}
