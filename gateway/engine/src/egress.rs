//! What leaves: explicit proxies, and connections that were led here.
//!
//! ```text
//! connection ── who (certificate, login, address) ── what is asked for (CONNECT, absolute-form, SOCKS5, original address)
//!   └ Passage: screened, resolved, decided
//!       └ dialled (source address, proxy beyond, TLS) ── Tunnel | request of HTTP ── carried
//!           └ Record: metrics, access log, audit log
//! ```
//!
//! A tunnel is decided twice: before it is opened, by what is known then, and again when its first bytes show what is
//! spoken. In HTTP every request is decided by itself. What runs is looked at again when a policy changes, and cut if it
//! is denied now.

mod body;
mod dial;
mod first;
mod gate;
mod guest;
mod hello;
mod inspect;
mod limits;
mod names;
mod origin;
mod passage;
mod questions;
mod record;
mod refused;
mod requests;
mod route;
mod socks;
mod transparent;
mod tunnel;
mod via;
mod who;
mod wire;
mod wish;

pub(crate) use gate::{Gate, compile};
pub(crate) use refused::Refused;
pub(crate) use route::{Leaver, Leaving, Led, LedBytes, Wanted, names_of_routes};
pub(crate) use who::spiffe_id;

use crate::engine::Engine;
use crate::proxy_protocol::Ends;
use crate::runtime::{ListenerState, ListenerTlsState, Port};
use guest::Guest;
use lychgate_egress::target::{Target, TargetHost};
use lychgate_telemetry::Reason;
use rustls::server::Acceptor;
use std::io;
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::{LazyConfigAcceptor, TlsStream};
use tunnel::Tunnel;
use who::Client;
use wire::{Begun, Wire};

/// What SOCKS5 begins with: its version.
const SOCKS5: u8 = 5;

impl Engine {
    /// Serves a connection of a client that knows that it talks to a proxy. All that it has to say before its first request
    /// has to be there by `deadline`.
    pub(crate) async fn serve_proxy(
        self: &Arc<Self>,
        port: &Port,
        tcp: TcpStream,
        ends: Ends,
        deadline: Instant,
        drain: watch::Receiver<bool>,
    ) {
        let Some(listener) = port.listeners.for_host("") else { return };
        let begun = Begun::new(Wire::Tcp(tcp));
        let opened = match &listener.tls {
            None => Ok((begun, None, None)),
            Some(Ok(tls)) => match timeout_at(deadline, end_tls(tls, begun)).await {
                Ok(Ok((begun, identity, version))) => Ok((begun, identity, version)),
                Ok(Err(error)) => Err((Reason::TlsHandshake, error.to_string())),
                Err(_) => Err((Reason::SlowHandshake, "the TLS handshake took too long".to_owned())),
            },
            Some(Err(refusal)) => Err((Reason::RefusedByConfig, refusal.message.to_string())),
        };
        let (begun, identity, version) = match opened {
            Ok(opened) => opened,
            Err((reason, detail)) => {
                port.metrics.handshake_failed();
                self.observe.metrics.refused(reason);
                tracing::debug!(client = %ends.source, %reason, detail, "egress handshake failed");
                return;
            }
        };
        let guest = self.guest(listener, ends, identity, drain);
        begin(guest, begun, version, deadline).await;
    }

    /// Serves a connection that was led here from its way to somebody else.
    pub(crate) async fn serve_transparent(
        self: &Arc<Self>,
        port: &Port,
        tcp: TcpStream,
        ends: Ends,
        drain: watch::Receiver<bool>,
    ) {
        let Some(listener) = port.listeners.for_host("") else { return };
        let original = match transparent::original(&tcp) {
            Ok(Some(original)) => original,
            Ok(None) => {
                self.observe.metrics.refused(Reason::EgressNotRedirected);
                self.observe.notices.acted(Reason::EgressNotRedirected, ends.source.ip(), "it was going nowhere else");
                return;
            }
            Err(error) => return tracing::debug!(client = %ends.source, %error, "it has gone already"),
        };
        let guest = self.guest(listener, ends, None, drain);
        let target = Target { host: TargetHost::address(original.ip()), port: original.port() };
        // Whoever is refused had no proxy to talk to: the connection is closed.
        if let Ok(tunnel) = Tunnel::open(&guest, guest.client.clone(), target, "transparent").await {
            tunnel.run(Begun::new(Wire::Tcp(tcp))).await;
        }
    }

    fn guest(
        self: &Arc<Self>,
        listener: &Arc<ListenerState>,
        ends: Ends,
        identity: Option<Arc<str>>,
        drain: watch::Receiver<bool>,
    ) -> Arc<Guest> {
        Arc::new(Guest {
            engine: self.clone(),
            listener: listener.clone(),
            client: Client::new(ends.source.ip(), identity),
            peer: ends.source,
            drain,
            meter: None,
        })
    }
}

/// Tells by the first byte what a client speaks.
async fn begin(guest: Arc<Guest>, mut begun: Begun, version: Option<requests::Version>, deadline: Instant) {
    let spoken = async {
        loop {
            match (begun.seen(), version) {
                ([], _) => {}
                (_, Some(version)) => return Ok(Some(version)),
                ([SOCKS5, ..], None) => return Ok(None),
                (seen, None) => match first::is_http2(seen) {
                    Some(true) => return Ok(Some(requests::Version::Http2)),
                    Some(false) => return Ok(Some(requests::Version::Http1)),
                    None => {}
                },
            }
            if begun.fill().await? == 0 {
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof));
            }
        }
    };
    match timeout_at(deadline, spoken).await {
        Ok(Ok(Some(version))) => requests::serve(guest, requests::Place::Proxy, version, begun).await,
        Ok(Ok(None)) => socks::serve(guest, begun, deadline).await,
        // A probe that only looks whether the port is open says nothing.
        Ok(Err(_)) => {}
        Err(_) => guest.engine.observe.metrics.refused(Reason::NoRequest),
    }
}

/// Ends TLS, and says who the client has proved to be and what it wants to speak.
async fn end_tls(
    tls: &ListenerTlsState,
    begun: Begun,
) -> io::Result<(Begun, Option<Arc<str>>, Option<requests::Version>)> {
    let start = LazyConfigAcceptor::new(Acceptor::default(), begun).await?;
    let config = tls.server.config(&start.client_hello());
    let stream = start.into_stream(config).await?;
    let (_, session) = stream.get_ref();
    let chain = session.peer_certificates();
    let proven = tls.server.judge(chain).map_err(io::Error::other)?;
    let identity = chain.and_then(<[_]>::first).filter(|_| proven.is_some()).and_then(who::spiffe_id);
    let version = match session.alpn_protocol() {
        Some(b"h2") => Some(requests::Version::Http2),
        _ => None,
    };
    Ok((Begun::new(Wire::Tls(Box::new(TlsStream::Server(stream)))), identity, version))
}
