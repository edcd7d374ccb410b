//! What is counted, logged and recorded of one connection or request that wants to leave, whatever becomes of it.

mod access;
mod audit;
mod tally;
mod told;

pub(super) use audit::source;
pub(crate) use tally::Tally;
pub(super) use told::word;

use super::limits::{Carrier, Share};
use super::passage::{Passage, Way};
use super::refused::Refused;
use super::wish::Wish;
use crate::observe::Observe;
use crate::proxy::request_id;
use crate::stream::Meter;
use audit::Announced;
use lychgate_egress::limits::Exceeded;
use lychgate_egress::target::TargetHost;
use lychgate_egress::{Decision, Source, Verdict};
use lychgate_ir::ListenerId;
use lychgate_telemetry::Reason;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

/// Who asks, where, and how: what all that comes over a connection has in common.
#[derive(Clone)]
pub(crate) struct Origin {
    pub(crate) observe: Arc<Observe>,
    pub(crate) listener: ListenerId,
    pub(crate) client: SocketAddr,
}

/// One connection or request. It is told what happens, and tells it on when it is dropped.
pub(crate) struct Record {
    origin: Origin,
    id: String,
    source: Source,
    protocol: &'static str,
    time: SystemTime,
    started: Instant,
    wish: Option<Wish>,
    decision: Option<Decision>,
    address: Option<IpAddr>,
    /// What it is counted by.
    share: Option<Share>,
    /// What the connection is counted by that carries it.
    carrier: Option<Carrier>,
    verified: Option<bool>,
    /// The way that a log that is required has been told of.
    announced: Option<Announced>,
    tally: Arc<Tally>,
    connected: Option<Duration>,
    status: Option<u16>,
    /// Whether somebody else logs it and counts how it ended: then only what is decided is told here.
    is_beside: bool,
    end: End,
}

enum End {
    /// It has not: if nobody says otherwise, it was cut.
    Open,
    Done,
    Failed(Reason, String),
    /// Somebody else tells of it.
    HandedOver,
}

impl Record {
    pub(crate) fn begin(origin: Origin, source: Source, protocol: &'static str) -> Self {
        Self {
            origin,
            id: request_id::fresh(),
            source,
            protocol,
            time: SystemTime::now(),
            started: Instant::now(),
            wish: None,
            decision: None,
            address: None,
            share: None,
            carrier: None,
            verified: None,
            announced: None,
            tally: Arc::default(),
            connected: None,
            status: None,
            is_beside: false,
            end: End::Open,
        }
    }

    /// Of a request that has a line of its own in the access log.
    pub(crate) fn beside(mut self) -> Self {
        self.is_beside = true;
        self
    }

    /// Of what a route of streams carries: its bytes count there as well.
    pub(crate) fn metered(mut self, meter: Option<Arc<Meter>>) -> Self {
        self.tally = Arc::new(Tally::metered(meter));
        self
    }

    /// What clients and operators call it.
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    pub(crate) fn source(&self) -> &Source {
        &self.source
    }

    pub(crate) fn tally(&self) -> &Arc<Tally> {
        &self.tally
    }

    /// It is known what is wanted.
    pub(crate) fn wants(&mut self, wish: &Wish) {
        self.wish = Some(wish.clone());
    }

    /// It goes this way.
    pub(crate) fn goes(&mut self, passage: &Passage, way: &Way) {
        self.wish = Some(passage.wish.clone());
        self.decision = Some(way.decision.clone());
        self.address = way.address;
        self.share = way.share.clone();
        let named = passage.wish.name().and(way.address).filter(|_| passage.is_asked);
        self.verified = named.map(|address| passage.answer.contains(&address));
    }

    /// The connection that carries it is counted by this.
    pub(crate) fn carried_by(&mut self, share: Option<Share>) {
        self.carrier = share.map(Carrier::from_now);
    }

    /// A connection carries it.
    pub(crate) fn connected(&mut self) {
        self.connected = Some(self.started.elapsed());
        if let Some(wish) = &self.wish {
            let name = match (wish.name(), &wish.target.host) {
                (Some(name), _) => name.as_str().to_owned(),
                (None, TargetHost::Address(address)) => address.to_string(),
                (None, TargetHost::Name(name)) => name.as_str().to_owned(),
            };
            self.tally.opened(&self.origin.observe.metrics.egress_destination(&name));
        }
    }

    pub(crate) fn is_connected(&self) -> bool {
        self.connected.is_some()
    }

    /// What a client of HTTP was answered.
    pub(crate) fn answered(&mut self, status: u16) {
        self.status = Some(status);
    }

    /// It does not leave.
    pub(crate) fn refused(&mut self, refused: &Refused) {
        if let Some(decision) = &refused.decision {
            self.decision = Some((**decision).clone());
        }
        self.failed(refused.reason, refused.detail.clone());
    }

    /// It left, and ended before its end.
    pub(crate) fn failed(&mut self, reason: Reason, detail: impl Into<String>) {
        let ended = self.shares().find_map(Share::ended);
        self.end = match ended {
            Some(exceeded) => End::Failed(Reason::EgressLimit, format!("it was ended: {exceeded}")),
            None => End::Failed(reason, detail.into()),
        };
    }

    /// It ended as both ends wanted.
    pub(crate) fn done(&mut self) {
        self.end = End::Done;
    }

    /// From here on its requests are told one by one.
    pub(crate) fn hand_over(mut self) {
        self.end = End::HandedOver;
    }

    fn shares(&self) -> impl Iterator<Item = &Share> {
        self.share.iter().chain(self.carrier.as_ref().map(Carrier::share))
    }

    fn would_refuse(&self) -> Option<Exceeded> {
        let of_carrier = || self.carrier.as_ref().and_then(Carrier::would_refuse);
        self.share.as_ref().and_then(Share::would_refuse).or_else(of_carrier)
    }

    /// Whether it left only because a limit is in shadow.
    fn would_be_refused(&self) -> bool {
        let left = |decision: &Decision| decision.verdict == Verdict::Allow;
        self.decision.as_ref().is_some_and(left) && self.would_refuse().is_some()
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        self.tally.closed();
        match std::mem::replace(&mut self.end, End::HandedOver) {
            End::HandedOver => {}
            End::Done => self.tell(None),
            End::Failed(reason, detail) => self.tell(Some(&(reason, detail))),
            End::Open => self.tell(Some(&(Reason::Aborted, "it was cut".to_owned()))),
        }
    }
}
