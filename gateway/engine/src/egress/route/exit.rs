//! The connection by which a request leaves: to where it was decided that it may, as the rule says.

use super::choice::Ready;
use crate::egress::dial::{Dialled, dial};
use crate::egress::gate::Gate;
use crate::egress::limits::{Fare, Line};
use crate::egress::origin::Handshake;
use crate::egress::passage::{Passage, Way, handling};
use crate::egress::refused::Refused;
use crate::egress::wire::Begun;
use crate::limits::Limits;
use crate::tls::client::ClientTls;
use crate::upstream::{HttpVersion, carry};
use async_trait::async_trait;
use http::StatusCode;
use lychgate_ir::CertificateId;
use lychgate_ir::egress::{EgressHandling, OriginTls};
use lychgate_telemetry::Reason;
use pingora_core::connectors::L4Connect;
use pingora_core::protocols::l4::socket::SocketAddr as PingoraAddress;
use pingora_core::protocols::l4::stream::Stream as L4Stream;
use pingora_core::protocols::raw_connect::ProxyDigest;
use pingora_core::protocols::{Digest, GetProxyDigest};
use pingora_error::{Error, ErrorType};
use pingora_http::ResponseHeader;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use tokio_rustls::TlsConnector;

/// Makes the connection of one attempt.
pub(super) struct Exit {
    pub(super) gate: Arc<Gate>,
    /// With the one way that it takes.
    pub(super) passage: Passage,
    pub(super) way: Way,
    /// Whether there were others.
    pub(super) has_choice: bool,
    /// Whether another attempt can go elsewhere.
    pub(super) has_others: bool,
    pub(super) tls: ExitTls,
    pub(super) version: HttpVersion,
    pub(super) limits: Limits,
    /// What a limit of the rule had against its connection, or that there is no address to leave from.
    pub(super) limited: OnceLock<Refused>,
    /// A connection that was made to learn which way answers.
    pub(super) ready: Mutex<Ready>,
}

/// The TLS that the gate speaks.
pub(super) enum ExitTls {
    None,
    /// As the backend wants it.
    OfBackend(Arc<ClientTls>),
    /// As the rule wants it, and the certificate that the Gateway has.
    OfRule(OriginTls, Option<CertificateId>),
}

impl fmt::Debug for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exit").field("target", &self.passage.wish.target).finish_non_exhaustive()
    }
}

impl Exit {
    /// Everything that makes two connections different. A Gateway that has changed has another number, so that no
    /// connection is used again that a rule of before has shaped.
    pub(super) fn key(&self) -> u64 {
        let handling = handling(&self.way.decision);
        // Rules live as long as their Gateway; what no rule shapes has none.
        let rule = if *handling == EgressHandling::default() { 0 } else { Arc::as_ptr(&handling) as usize };
        let (tls, server, identity) = match &self.tls {
            ExitTls::None => (0, None, None),
            ExitTls::OfBackend(tls) => (tls.key, None, None),
            // Of a destination that is called by its address, certificates are for the Host. Where nobody looks at a
            // certificate, what a client says of itself makes no difference.
            ExitTls::OfRule(_, identity) => (0, Some(format!("{:?}", self.passage.wish.server())), identity.as_ref()),
        };
        let mut hasher = DefaultHasher::new();
        let target = self.passage.wish.target.to_string();
        // A connection is counted for one account; it lives as long as the connection.
        let account = self.way.share.as_ref().map_or(0, |share| Arc::as_ptr(share.account()) as usize);
        ("exit", self.gate.number, target, server, self.way.address, rule, tls, identity, account).hash(&mut hasher);
        self.way.pair.hash(&mut hasher);
        (self.version == HttpVersion::Http2).hash(&mut hasher);
        hasher.finish()
    }

    /// It has a connection by its way.
    pub(super) fn connected(&self) {
        // Where another one was there already, nobody needs what was made to learn which way answers.
        drop(self.ready.lock().unwrap_or_else(PoisonError::into_inner).take());
        if let Some(address) = self.passage.choice(&self.way).filter(|_| self.has_choice) {
            self.gate.lately.still_answers(address);
        }
    }

    async fn open(&self) -> pingora_error::Result<L4Stream> {
        let Self { gate, passage, way, has_choice: _, has_others: _, tls: _, version: _, limits, limited, ready } =
            self;
        let ready = ready.lock().unwrap_or_else(PoisonError::into_inner).take();
        let dialled = match ready {
            Some(ready) => ready,
            None => dial(gate, passage, limits, Fare { paid: way.share.clone(), ..Fare::default() }).await,
        };
        let dialled = dialled.map_err(|refused| {
            if refused.reason == Reason::EgressLimit || refused.is_absent() {
                let _ = limited.set(refused.clone());
            }
            error(refused)
        })?;
        let Dialled { io, way, handling: _, spare } = dialled;
        let mut stream = self.speak(io).await?;
        if let (Some(share), Some(spare)) = (way.share, spare) {
            note(&mut stream, Line::new(&gate.lines, share, spare))?;
        }
        Ok(stream)
    }

    /// Speaks TLS on it, if that is wanted.
    async fn speak(&self, io: Begun) -> pingora_error::Result<L4Stream> {
        let Self { gate, passage, way: _, has_choice: _, has_others: _, tls, version, limits, limited: _, ready: _ } =
            self;
        match tls {
            ExitTls::None => carry(io, None),
            ExitTls::OfRule(spec, gateway) => {
                let alpn = vec![match version {
                    HttpVersion::Http1 => b"http/1.1".to_vec(),
                    HttpVersion::Http2 => b"h2".to_vec(),
                }];
                let server = &passage.wish.server();
                let handshake = Handshake { gate, spec, gateway: gateway.as_ref(), server, alpn };
                carry(handshake.over(io, limits).await.map_err(error)?, None)
            }
            ExitTls::OfBackend(tls) => {
                let config = match version {
                    HttpVersion::Http1 => &tls.http1,
                    HttpVersion::Http2 => &tls.http2,
                };
                let connected = TlsConnector::from(config.clone()).connect(tls.server_name.clone(), io).await;
                let failed = |error| {
                    let context = format!("TLS with {}", passage.wish.target);
                    Error::because(ErrorType::TLSHandshakeFailure, context, error)
                };
                carry(connected.map_err(failed)?, None)
            }
        }
    }
}

/// Has Pingora keep, with a connection, by what it is counted.
fn note(stream: &mut L4Stream, line: Arc<Line>) -> pingora_error::Result<()> {
    // Meant for what a proxy beyond has answered: nobody has, here.
    let nothing = Box::new(ResponseHeader::build(StatusCode::OK, None)?);
    stream.set_proxy_digest(ProxyDigest::new(nothing, Some(Box::new(line))));
    Ok(())
}

/// By what a connection of Pingora's is counted, if it is.
pub(super) fn noted(digest: Option<&Digest>) -> Option<&Arc<Line>> {
    let ProxyDigest { response: _, user_data } = &**digest?.proxy_digest.as_ref()?;
    user_data.as_ref()?.downcast_ref()
}

#[async_trait]
impl L4Connect for Exit {
    async fn connect(&self, _: &PingoraAddress) -> pingora_error::Result<L4Stream> {
        self.open().await
    }
}

fn error(refused: Refused) -> Box<Error> {
    let kind = match refused.reason {
        Reason::ConnectTimeout => ErrorType::ConnectTimedout,
        Reason::UpstreamTls => ErrorType::TLSHandshakeFailure,
        _ => ErrorType::ConnectError,
    };
    Error::explain(kind, refused.detail)
}
