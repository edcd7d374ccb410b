//! TLS that a rule looks into: ended here, and read on as HTTP. What is none is refused.

use super::{Tunnel, reason};
use crate::egress::first::{First, first};
use crate::egress::guest::Moment;
use crate::egress::hello::SeenHello;
use crate::egress::passage::{Asker, Degree, Passage, handling};
use crate::egress::refused::Refused;
use crate::egress::requests::{Inside, InsideTls, Place, Version, serve};
use crate::egress::wire::{Begun, Wire};
use crate::egress::wish::Shown;
use lychgate_ir::egress::{EgressTls, OriginTls};
use lychgate_telemetry::Reason;
use rustls::{AlertDescription, ServerConfig};
use std::io;
use std::sync::Arc;
use tokio::io::AsyncWriteExt;
use tokio::time::{Instant, timeout};
use tokio_rustls::{TlsAcceptor, TlsStream};

/// How it is looked into.
pub(super) struct Look {
    /// Towards the client.
    server: Arc<ServerConfig>,
    /// Towards the destination.
    origin: OriginTls,
}

impl Tunnel {
    /// Whether the rule that would allow it looks into it. What is refused in any case is refused by whoever carries it.
    pub(super) async fn looks_into(&mut self, hello: &SeenHello) -> Result<Option<Look>, Refused> {
        let Moment { gate, source } = self.guest.moment(&self.client)?;
        let wish = self.wish.showing(Shown::Tls(hello.clone()));
        if !gate.looks_into_tls {
            return Ok(None);
        }
        let asker = Asker { source: &source, address: self.client.address };
        let Ok(passage) = Passage::find(&gate, &asker, wish, Degree::Foreseen).await else { return Ok(None) };
        let Some(way) = passage.ways.first() else { return Ok(None) };
        let handling = handling(&way.decision);
        let origin = match &handling.tls {
            EgressTls::Pass | EgressTls::Originate(_) => return Ok(None),
            EgressTls::Inspect(_) if passage.is_excluded(&gate).await => return Ok(None),
            EgressTls::Inspect(origin) => origin,
        };
        self.record.goes(&passage, way);
        let origin = origin.clone().map_err(|refusal| Refused::broken(&refusal).after(&way.decision))?;
        let server = gate.inspection.server(&passage.wish.server()).map_err(|refused| refused.after(&way.decision))?;
        Ok(Some(Look { server, origin }))
    }

    /// Ends TLS, and serves the requests inside.
    pub(super) async fn look(mut self, begun: Begun, hello: SeenHello, look: Look) {
        let Look { server, origin } = look;
        let limits = self.guest.limits();
        let (patience, idle, line) = (limits.handshake, limits.client_idle, limits.target + 1024);
        let stream = match timeout(patience, TlsAcceptor::from(server).accept(begun)).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => return self.record.refused(&not_taken(&error)),
            Err(_) => return self.record.failed(Reason::SlowHandshake, "the TLS handshake took too long"),
        };
        let mut begun = Begun::new(Wire::Tls(Box::new(TlsStream::Server(stream))));
        let version = match first(&mut begun, idle, Instant::now() + idle, line).await {
            Ok(First::Http1) => Version::Http1,
            Ok(First::Http2) => Version::Http2,
            Ok(First::Silence) => return self.record.failed(Reason::NoRequest, "nothing was said inside TLS"),
            Ok(First::Tls(_) | First::Other) => {
                self.record.refused(&no_http());
                // Whoever does not want to hear it is gone anyway.
                let _ = begun.shutdown().await;
                return;
            }
            Err(error) => return self.record.failed(reason(&error), error.to_string()),
        };
        let Self { guest, client, source: _, wish, opened, record, changes: _ } = self;
        record.hand_over();
        let inside = Inside::new(client, wish.target, Some(InsideTls { hello, origin }), opened);
        serve(guest, Place::Inside(Box::new(inside)), version, begun).await;
    }
}

fn no_http() -> Refused {
    Refused::new(Reason::EgressDenied, "what is inside TLS is no HTTP, and this TLS is looked into")
}

/// Why a handshake with a client came to nothing.
fn not_taken(error: &io::Error) -> Refused {
    let refused = |why: String| {
        Refused::new(Reason::EgressInspection, "the client does not take a certificate of this gateway").because(why)
    };
    match error.get_ref().and_then(|error| error.downcast_ref::<rustls::Error>()) {
        Some(rustls::Error::NoApplicationProtocol) => no_http(),
        Some(rustls::Error::AlertReceived(
            alert @ (AlertDescription::BadCertificate
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::CertificateRevoked
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateUnknown
            | AlertDescription::UnknownCA
            | AlertDescription::AccessDenied),
        )) => refused(format!("it pins another certificate, or does not believe the authority: {alert:?}")),
        Some(_) => Refused::new(Reason::TlsHandshake, "no TLS with this client").because(error.to_string()),
        // Some say nothing when they do not like a certificate.
        None => refused(format!("it ended the handshake, as those do that pin another certificate: {error}")),
    }
}
