//! Bytes that are not read: decided, connected, carried, and cut if a policy denies them later.

use super::Tunnel;
use crate::egress::dial::{Dialled, dial};
use crate::egress::guest::Moment;
use crate::egress::limits::Fare;
use crate::egress::origin::Handshake;
use crate::egress::passage::{Asker, Degree, Passage, Way, handling};
use crate::egress::refused::Refused;
use crate::egress::wire::Begun;
use crate::egress::wish::Shown;
use crate::stream::{BrokenOff, Counts, relay};
use lychgate_egress::carried::TLS_IS_THE_GATES;
use lychgate_ir::egress::EgressTls;
use lychgate_telemetry::{Direction, Reason};
use std::io;
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

/// A connection to where the tunnel goes, decided for.
pub(super) struct Reached {
    pub(super) upstream: Begun,
    pub(super) passage: Passage,
    pub(super) way: Way,
}

impl Tunnel {
    /// Decides by what is shown, and carries.
    pub(super) async fn carry(mut self, begun: Begun, shown: Shown) {
        match self.reach(&shown).await {
            Ok(reached) => self.relay(begun, reached).await,
            Err(refused) => self.refuse(begun, &shown, &refused).await,
        }
    }

    /// Decides by what is shown, and connects: with the connection that was foreseen, if it is still the right one.
    pub(super) async fn reach(&mut self, shown: &Shown) -> Result<Reached, Refused> {
        let Moment { gate, source } = self.guest.moment(&self.client)?;
        let asker = Asker { source: &source, address: self.client.address };
        let passage = Passage::find(&gate, &asker, self.wish.showing(shown.clone()), Degree::Decided).await?;
        let foreseen = self.opened.take().and_then(|opened| Some((opened.is_for(&passage)?, opened.io)));
        let (way, io) = match foreseen {
            Some(foreseen) => foreseen,
            None => {
                if let Some(way) = passage.ways.first() {
                    self.record.goes(&passage, way);
                }
                self.record.announce().await?;
                let fare = Fare::default();
                let Dialled { io, way, handling: _, spare: _ } =
                    dial(&gate, &passage, self.guest.limits(), fare).await?;
                (way, io)
            }
        };
        self.record.takes(&passage, &way).await?;
        let upstream = match (&handling(&way.decision).tls, shown) {
            (EgressTls::Pass, _) => io,
            // There is nothing to look into.
            (EgressTls::Inspect(_), Shown::Tcp | Shown::NotYet | Shown::Http(_)) => io,
            (EgressTls::Inspect(_), Shown::Tls(_)) if passage.is_excluded(&gate).await => io,
            (EgressTls::Inspect(_), Shown::Tls(_)) => {
                let refused =
                    Refused::new(Reason::EgressDenied, "what is inside TLS here is no HTTP from its beginning");
                return Err(refused.after(&way.decision));
            }
            (EgressTls::Originate(_), Shown::Tls(_)) => {
                let refused = Refused::new(Reason::EgressDenied, TLS_IS_THE_GATES);
                return Err(refused.after(&way.decision));
            }
            (EgressTls::Originate(Err(refusal)), _) => return Err(Refused::broken(refusal).after(&way.decision)),
            (EgressTls::Originate(Ok(spec)), Shown::Tcp | Shown::NotYet | Shown::Http(_)) => {
                let gateway = self.guest.listener.spec.upstream_identity.as_ref();
                let server = &passage.wish.server();
                let handshake = Handshake { gate: &gate, spec, gateway, server, alpn: Vec::new() };
                handshake.over(io, self.guest.limits()).await.map_err(|refused| refused.after(&way.decision))?
            }
        };
        self.source = source;
        self.record.connected();
        Ok(Reached { upstream, passage, way })
    }

    /// Carries both ways, until it ends, or until a policy that came later denies it.
    pub(super) async fn relay(mut self, begun: Begun, reached: Reached) {
        let Reached { upstream, passage, way } = reached;
        let tally = self.record.tally().clone();
        let ((said, mut client), (answered, mut upstream)) = (begun.into_parts(), upstream.into_parts());
        let idle = self.guest.limits().stream_idle;
        let carried = async {
            let begun = async {
                let up = send(&mut upstream, &said, Direction::Up, &*tally).await;
                up.map_err(|error| BrokenOff::By(Direction::Down, error))?;
                let down = send(&mut client, &answered, Direction::Down, &*tally).await;
                down.map_err(|error| BrokenOff::By(Direction::Up, error))
            };
            timeout(idle, begun).await.map_err(|_| BrokenOff::Silent)??;
            relay(client, upstream, idle, &*tally).await
        };
        let later = self.later();
        let carried = tokio::select! {
            // What has been denied by now takes nothing with it.
            biased;
            refused = later.denies(&passage, &way) => Err(refused),
            carried = carried => Ok(carried),
        };
        match carried {
            Ok(Ok(())) => self.record.done(),
            Ok(Err(BrokenOff::Silent)) => self.record.failed(Reason::Idle, "nothing was said for too long"),
            Ok(Err(BrokenOff::By(Direction::Up, error))) => self.record.failed(Reason::Aborted, error.to_string()),
            Ok(Err(BrokenOff::By(Direction::Down, error))) => {
                self.record.failed(Reason::UpstreamError, error.to_string());
            }
            Err(refused) => self.record.refused(&refused.because("a policy that has changed denies it now")),
        }
    }
}

/// Sends what was read before anybody knew where to.
pub(super) async fn send(
    to: &mut (impl AsyncWrite + Unpin),
    bytes: &[u8],
    direction: Direction,
    counts: &impl Counts,
) -> io::Result<()> {
    if bytes.is_empty() {
        return Ok(());
    }
    to.write_all(bytes).await?;
    to.flush().await?;
    counts.carried(direction, bytes.len() as u64);
    Ok(())
}
