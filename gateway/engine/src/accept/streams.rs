//! Connections that routes of streams carry. What they need is not kept by those that wait for requests.

use crate::connection::Peeked;
use crate::egress::{Led, LedBytes};
use crate::engine::Engine;
use crate::proxy_protocol::Ends;
use crate::runtime::ListenerState;
use crate::stream::{Carries, Record, StreamState};
use lychgate_telemetry::Reason;
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio_rustls::server::TlsStream;

const NO_TLS_ROUTE: &str = "no TLSRoute has the name";

impl Engine {
    /// A connection of a TCP listener.
    pub(super) async fn serve_tcp(
        self: &Arc<Self>,
        listener: Arc<ListenerState>,
        tcp: TcpStream,
        ends: Ends,
        drain: watch::Receiver<bool>,
    ) {
        let mut record = Record::begin(&self.observe, Carries::Tcp, ends.source);
        record.taken(&listener);
        let Some(route) = listener.streams.find(None) else { return record.refused(Reason::NoRoute, "no TCPRoute") };
        let led = Led { listener: &listener, route, ends, identity: None, drain };
        self.lead(led, LedBytes::Tcp(tcp), record).await;
    }

    /// TLS that is passed through.
    pub(super) async fn serve_passed(
        self: &Arc<Self>,
        listener: Arc<ListenerState>,
        route: Option<Arc<StreamState>>,
        stream: Peeked,
        ends: Ends,
        mut record: Record,
        drain: watch::Receiver<bool>,
    ) {
        let Some(route) = route else { return record.refused(Reason::NoRoute, NO_TLS_ROUTE) };
        let led = Led { listener: &listener, route: &route, ends, identity: None, drain };
        self.lead(led, LedBytes::Sealed(stream), record).await;
    }

    /// What is inside TLS that was ended here.
    pub(super) async fn serve_opened(
        self: &Arc<Self>,
        listener: Arc<ListenerState>,
        identity: Option<Arc<str>>,
        stream: Box<TlsStream<Peeked>>,
        ends: Ends,
        mut record: Record,
        drain: watch::Receiver<bool>,
    ) {
        let name = stream.get_ref().1.server_name().map(|name| name.trim_end_matches('.').to_owned());
        let route = listener.streams.find(name.as_deref());
        let Some(route) = route else { return record.refused(Reason::NoRoute, NO_TLS_ROUTE) };
        let led = Led { listener: &listener, route, ends, identity, drain };
        self.lead(led, LedBytes::Opened(stream), record).await;
    }

    /// Carries a connection where its route leads: out, if that is where the listener's routes lead.
    async fn lead(self: &Arc<Self>, led: Led<'_>, bytes: LedBytes, record: Record) {
        let Led { listener, route, ends, identity: _, drain: _ } = &led;
        if listener.leaves {
            return Box::pin(self.lead_out(led, bytes, record)).await;
        }
        let streams = self.streams(listener, *ends);
        match bytes {
            LedBytes::Tcp(tcp) => streams.carry(tcp, route, record).await,
            LedBytes::Sealed(peeked) => streams.carry(peeked, route, record).await,
            LedBytes::Opened(tls) => streams.carry(*tls, route, record).await,
        }
    }
}
