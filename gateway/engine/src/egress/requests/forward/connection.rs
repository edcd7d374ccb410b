//! The connection that a request takes: one that waits, the one of its tunnel, or a new one.

use super::super::pool::{Held, Sender};
use super::super::{Inside, Version};
use super::outgoing::Outgoing;
use crate::egress::dial::{Dialled, dial};
use crate::egress::limits::Fare;
use crate::egress::origin::Handshake;
use crate::egress::passage::{Way, handling};
use crate::egress::refused::Refused;
use lychgate_ir::Refusal;
use lychgate_ir::egress::{EgressTls, OriginTls};
use lychgate_telemetry::Reason;
use tokio::time::timeout;

impl Outgoing<'_> {
    /// A connection that waits, or a new one.
    pub(super) async fn connection(&mut self) -> Result<(Held, Way, bool), Refused> {
        let limits = self.desk.guest.limits();
        let first = self.passage.ways.first().ok_or_else(|| Refused::misconfigured("a passage without a way"))?;
        // How it is protected is up to the rule of the way that is taken, which is that of the credential.
        if let Some((held, way)) = self.desk.pool.take(self.passage, |way| self.tls(way).ok()) {
            if let Err(refused) = self.fare.pay(&way) {
                self.desk.pool.keep(held);
                return Err(refused);
            }
            return Ok((held, way, false));
        }
        let opened = self.passed.inside.and_then(Inside::take_opened);
        let opened = opened.and_then(|opened| {
            let way = opened.is_for(self.passage)?;
            Some(Dialled { way, ..opened })
        });
        let Dialled { io, way, handling: road, spare } = match opened {
            Some(opened) => opened,
            None => {
                // Nothing is connected for what would not be sent.
                self.tls(first)?;
                let idle = self.desk.pool.idle(first.share.as_ref());
                let spare = idle.as_ref().and_then(|idle| idle.spare.clone());
                let fare = Fare { paid: self.fare.paid.clone(), spare, ..Fare::default() };
                let dialled = dial(self.gate, self.passage, limits, fare).await;
                if let Some(idle) = idle {
                    self.desk.pool.keep(idle);
                }
                dialled?
            }
        };
        let tls = self.tls(&way)?;
        // Whoever dialled has counted it.
        self.fare.paid = way.share.clone();
        let http2 = self.passed.inside.is_some() && self.desk.version == Version::Http2;
        let server = self.passage.wish.server();
        let (io, version) = match &tls {
            None => (io, if http2 { Version::Http2 } else { Version::Http1 }),
            Some(spec) => {
                let gateway = self.desk.guest.listener.spec.upstream_identity.as_ref();
                // What HTTP/1.1 can, HTTP/2 can, but for upgrades; not the other way round.
                let alpn = if http2 { vec![b"h2".to_vec(), b"http/1.1".to_vec()] } else { vec![b"http/1.1".to_vec()] };
                let handshake = Handshake { gate: self.gate, spec, gateway, server: &server, alpn };
                let io = handshake.over(io, limits).await.map_err(|refused| refused.after(&way.decision))?;
                let version = if io.agreed() == Some(b"h2") { Version::Http2 } else { Version::Http1 };
                (io, version)
            }
        };
        let begun = timeout(limits.connect, Sender::begin(io, version)).await;
        let sender = match begun {
            Ok(Ok(sender)) => sender,
            Ok(Err(error)) => {
                let said = "the destination does not speak HTTP";
                return Err(Refused::new(Reason::UpstreamError, said).because(error.to_string()).after(&way.decision));
            }
            Err(_) => return Err(Refused::new(Reason::ConnectTimeout, "the destination did not answer in time")),
        };
        let share = way.share.clone();
        let target = self.passed.target.clone();
        let (address, pair) = (way.address, way.pair);
        let held = Held { target, server, address, tls, road, share, pair, spare, sender, is_copy: false };
        Ok((held, way, true))
    }

    /// How the connection is protected.
    fn tls(&self, way: &Way) -> Result<Option<OriginTls>, Refused> {
        let handling = handling(&way.decision);
        let known = |spec: &Result<OriginTls, Refusal>| match spec {
            Ok(spec) => Ok(Some(spec.clone())),
            Err(refusal) => Err(Refused::broken(refusal).after(&way.decision)),
        };
        match (&handling.tls, self.passed.tls) {
            (EgressTls::Inspect(spec), Some(_)) | (EgressTls::Originate(spec), Some(_) | None) => known(spec),
            // What was looked into goes on over TLS, though the rule that lets the request pass says nothing of it.
            (EgressTls::Pass, Some(tls)) => Ok(Some(tls.origin.clone())),
            (EgressTls::Pass | EgressTls::Inspect(_), None) if self.passed.is_https => {
                let said = "the gate speaks no TLS with this destination: ask with CONNECT";
                Err(Refused::new(Reason::BadRequest, said).after(&way.decision))
            }
            (EgressTls::Pass | EgressTls::Inspect(_), None) => Ok(None),
        }
    }
}
