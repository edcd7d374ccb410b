//! What is counted and logged of one connection or flow that is not read as HTTP, whatever becomes of it: also of one
//! that is refused before any listener has it, or cut at the end of draining.

use super::StreamState;
use super::meter::Meter;
use crate::observe::Observe;
use crate::proxy::request_id;
use crate::runtime::ListenerState;
use crate::upstream::BackendCell;
use lychgate_ir::Protocol;
use lychgate_telemetry::{AccessEntry, Blame, Direction, Reason, StreamMetrics, Timing};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

/// One connection or flow, from its first byte on. It is told what happens, and tells it on when it is dropped.
pub(crate) struct Record {
    observe: Arc<Observe>,
    carries: Carries,
    client: SocketAddr,
    time: SystemTime,
    started: Instant,
    server_name: Option<String>,
    tls: Option<Duration>,
    listener: Option<Arc<ListenerState>>,
    route: Option<Arc<StreamState>>,
    backend: Option<Arc<BackendCell>>,
    meter: Option<Arc<Meter>>,
    endpoint: Option<SocketAddr>,
    attempts: u32,
    queued: Option<Duration>,
    connected: Option<Duration>,
    end: End,
}

/// What is carried, as far as that is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Carries {
    Tcp,
    Tls,
    Datagrams,
}

/// How it ended.
enum End {
    /// It has not: if nobody says otherwise, it was cut.
    Open,
    /// As both ends wanted.
    Done,
    Failed(Reason, String),
    /// Somebody else tells of it.
    HandedOver,
}

impl Record {
    pub(crate) fn begin(observe: &Arc<Observe>, carries: Carries, client: SocketAddr) -> Self {
        Self {
            observe: observe.clone(),
            carries,
            client,
            time: SystemTime::now(),
            started: Instant::now(),
            server_name: None,
            tls: None,
            listener: None,
            route: None,
            backend: None,
            meter: None,
            endpoint: None,
            attempts: 0,
            queued: None,
            connected: None,
            end: End::Open,
        }
    }

    /// A ClientHello was read, or TLS was agreed.
    pub(crate) fn named(&mut self, server_name: Option<&str>) {
        self.server_name = server_name.map(str::to_owned);
        self.tls = Some(self.started.elapsed());
    }

    /// How long it has been going on.
    pub(crate) fn so_far(&self) -> Duration {
        self.started.elapsed()
    }

    /// A listener takes it.
    pub(crate) fn taken(&mut self, listener: &Arc<ListenerState>) {
        self.listener = Some(listener.clone());
    }

    /// A route takes it.
    pub(crate) fn routed(&mut self, route: &Arc<StreamState>) {
        if let Some(listener) = &self.listener {
            listener.stream_metrics.opened();
        }
        route.metrics.opened();
        self.route = Some(route.clone());
    }

    /// It goes to a backend.
    pub(crate) fn goes_to(&mut self, backend: &Arc<BackendCell>) {
        self.backend = Some(backend.clone());
        let counters = self.counters();
        self.meter = counters
            .map(|(listener, rule)| Arc::new(Meter::new(listener.clone(), rule.clone(), backend.metrics.clone())));
    }

    /// What its bytes are counted by, once it goes to a backend.
    pub(crate) fn meter(&self) -> Option<&Arc<Meter>> {
        self.meter.as_ref()
    }

    /// An endpoint is tried.
    pub(super) fn attempt(&mut self, endpoint: SocketAddr) {
        if let Some(backend) = self.backend.as_ref().filter(|_| self.attempts > 0) {
            backend.metrics.retried();
        }
        self.attempts += 1;
        self.endpoint = Some(endpoint);
        (self.queued, self.connected) = (Some(self.started.elapsed()), None);
    }

    /// The endpoint has a connection.
    pub(super) fn connected(&mut self) {
        self.connected = Some(self.started.elapsed());
        if let Some(backend) = &self.backend {
            backend.metrics.connected(false);
        }
    }

    /// It could not be carried at all.
    pub(crate) fn refused(&mut self, reason: Reason, detail: impl Into<String>) {
        self.turned_away();
        self.failed(reason, detail);
    }

    /// The same, where somebody else tells why.
    pub(crate) fn turned_away(&mut self) {
        if let Some(listener) = self.listener.as_ref().filter(|listener| carries_streams(listener)) {
            listener.stream_metrics.refused();
        }
        if let Some(route) = &self.route {
            route.metrics.refused();
        }
    }

    /// It was carried, and ended before its end.
    pub(super) fn failed(&mut self, reason: Reason, detail: impl Into<String>) {
        self.end = End::Failed(reason, detail.into());
    }

    /// It ended as both ends wanted.
    pub(super) fn done(&mut self) {
        self.end = End::Done;
    }

    /// From here on somebody else tells of it: of HTTP, its requests one by one.
    pub(crate) fn hand_over(mut self) {
        self.end = End::HandedOver;
    }

    fn counters(&self) -> Option<(&Arc<StreamMetrics>, &Arc<StreamMetrics>)> {
        Some((&self.listener.as_ref()?.stream_metrics, &self.route.as_ref()?.metrics))
    }

    fn tell(&mut self, reason: Option<(Reason, String)>) {
        let (reason, detail) = reason.unzip();
        if let Some(reason) = reason {
            self.observe.metrics.refused(reason);
        }
        self.say(reason, detail.as_deref());
        if let Some(log) = &self.observe.access_log {
            log.write(self.entry(reason, detail));
        }
    }

    fn say(&self, reason: Option<Reason>, detail: Option<&str>) {
        let client = self.client;
        let listener = self.listener.as_ref().map(|listener| tracing::field::display(&listener.spec.id));
        let rule = self.route.as_ref().map(|route| tracing::field::display(&route.id));
        let elapsed = self.started.elapsed();
        let word = reason.map(Reason::as_str);
        if let Some(reason @ (Reason::SlowHandshake | Reason::Idle)) = reason {
            self.observe.notices.acted(reason, client.ip(), detail.unwrap_or_default());
        }
        match reason.map(Reason::blame) {
            None => tracing::debug!(%client, listener, rule, ?elapsed, "stream done"),
            Some(Blame::Client) => tracing::debug!(%client, listener, rule, reason = word, detail, "stream ended"),
            Some(Blame::Upstream | Blame::Config) => {
                tracing::warn!(%client, listener, rule, reason = word, detail, "stream failed");
            }
            Some(Blame::Gateway) => tracing::error!(%client, listener, rule, reason = word, detail, "stream failed"),
        }
    }

    fn entry(&self, reason: Option<Reason>, detail: Option<String>) -> Box<AccessEntry> {
        let (scheme, protocol) = match self.carries {
            Carries::Tcp => ("tcp", "TCP"),
            Carries::Tls => ("tls", "TLS"),
            Carries::Datagrams => ("udp", "UDP"),
        };
        let carried = |direction| self.meter.as_ref().map_or(0, |meter| meter.total(direction));
        Box::new(AccessEntry {
            time: self.time,
            request_id: request_id::fresh(),
            client: self.client,
            method: None,
            scheme,
            host: self.server_name.clone(),
            path: None,
            protocol,
            status: None,
            reason,
            detail,
            listener: self.listener.as_ref().map(|listener| listener.spec.id.to_string()),
            rule: self.route.as_ref().map(|route| route.id.to_string()),
            backend: self.backend.as_ref().map(|backend| backend.id.to_string()),
            endpoint: self.endpoint,
            attempts: self.attempts,
            received: carried(Direction::Up),
            sent: carried(Direction::Down),
            user_agent: None,
            trace: None,
            timing: Timing {
                tls: self.tls,
                queue: self.queued,
                connect: self.connected,
                first_byte: None,
                total: self.started.elapsed(),
            },
        })
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        if let Some((listener, rule)) = self.counters() {
            listener.closed();
            rule.closed();
        }
        match std::mem::replace(&mut self.end, End::HandedOver) {
            End::HandedOver => {}
            End::Done => self.tell(None),
            End::Failed(reason, detail) => self.tell(Some((reason, detail))),
            End::Open => self.tell(Some((Reason::Aborted, "it was cut".to_owned()))),
        }
    }
}

fn carries_streams(listener: &ListenerState) -> bool {
    match listener.spec.protocol {
        Protocol::Tls | Protocol::Tcp | Protocol::Udp => true,
        Protocol::Http
        | Protocol::Https
        | Protocol::Proxy
        | Protocol::Transparent
        | Protocol::Dns
        | Protocol::DnsOverTcp => false,
    }
}
