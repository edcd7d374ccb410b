//! What is counted, logged and recorded of one connection or request that wants to leave, whatever becomes of it.

use super::limits::{Carrier, Met, Share};
use super::passage::{Passage, Way};
use super::refused::Refused;
use super::wish::{SeenRequest, Shown, Wish};
use crate::observe::Observe;
use crate::proxy::request_id;
use crate::stream::{Counts, Meter};
use lychgate_audit::{
    Record as AuditRecord, RecordDestination, RecordHttp, RecordPhase, RecordProtocol, RecordSource, Timestamp,
};
use lychgate_egress::limits::Exceeded;
use lychgate_egress::target::TargetHost;
use lychgate_egress::{Because, Decision, Source, Verdict};
use lychgate_ir::ListenerId;
use lychgate_ir::egress::{EgressAction, EgressMode, EgressRuleId, Workload};
use lychgate_telemetry::{AccessEntry, Blame, Direction, EgressMetrics, EgressVerdict, Reason, Timing};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

/// The longest path that is recorded.
const LONGEST_PATH: usize = 1024;

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

/// Bytes of one connection or request.
#[derive(Default)]
pub(crate) struct Tally {
    up: AtomicU64,
    down: AtomicU64,
    destination: std::sync::OnceLock<Arc<EgressMetrics>>,
    /// That of the route, if one leads here.
    meter: Option<Arc<Meter>>,
}

impl Tally {
    /// Bytes that were carried to the destination.
    pub(crate) fn sent(&self) -> u64 {
        self.up.load(Ordering::Relaxed)
    }
}

impl Counts for Tally {
    fn carried(&self, direction: Direction, bytes: u64) {
        let total = match direction {
            Direction::Up => &self.up,
            Direction::Down => &self.down,
        };
        total.fetch_add(bytes, Ordering::Relaxed);
        if let Some(destination) = self.destination.get() {
            destination.carried(direction, bytes);
        }
        if let Some(meter) = &self.meter {
            meter.carried(direction, bytes);
        }
    }
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
        self.tally = Arc::new(Tally { meter, ..Tally::default() });
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
            let destination = self.origin.observe.metrics.egress_destination(&name);
            if self.tally.destination.set(destination.clone()).is_ok() {
                destination.opened();
            }
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

    /// Has the log say that this leaves, before anything does; where the log is required, and only then.
    pub(crate) async fn announce(&self) -> Result<(), Refused> {
        let Some(audit) = self.origin.observe.audit.as_ref().filter(|audit| audit.is_required()) else { return Ok(()) };
        let (done, heard) = tokio::sync::oneshot::channel();
        let record = AuditRecord { phase: RecordPhase::Begun, ..self.to_audit(None) };
        audit.submit(record, |result| drop(done.send(result)));
        let unrecorded = |why: String| {
            Refused::new(Reason::EgressUnrecorded, "nothing may leave that cannot be recorded").because(why)
        };
        match tokio::time::timeout(audit.patience(), heard).await {
            Ok(Ok(Ok(()))) => Ok(()),
            Ok(Ok(Err(error))) => Err(unrecorded(error.to_string())),
            Ok(Err(_)) => Err(unrecorded("the log has ended".to_owned())),
            Err(_) => Err(unrecorded("the log did not answer in time".to_owned())),
        }
    }

    fn tell(&self, failed: Option<&(Reason, String)>) {
        let Origin { observe, listener, client: _ } = &self.origin;
        if let Some(decision) = &self.decision {
            let verdict = EgressVerdict {
                allowed: decision.verdict == Verdict::Allow,
                would_deny: decision.would_deny() || self.would_be_refused(),
                because: word(&decision.because),
            };
            let rule = decision.because.rule().map(|rule| format!("{}#{}", rule.policy, rule.index));
            let gateway = listener.gateway.0.to_string();
            observe.metrics.egress_decided(&gateway, rule.as_deref(), verdict);
            for Met { limit, in_shadow } in self.shares().flat_map(Share::met) {
                observe.metrics.egress_limit(&gateway, limit.word(), in_shadow);
            }
        }
        if !self.is_beside {
            if let Some((reason, detail)) = failed {
                observe.metrics.refused(*reason);
                self.say(*reason, detail);
            }
            if let Some(log) = &observe.access_log {
                log.write(self.entry(failed));
            }
        }
        if let Some(audit) = &observe.audit {
            // What leaves was told before, where the log is required: here nobody may wait for the disk. The log counts what
            // finds no room, and signs when it is time.
            audit.note(self.to_audit(failed));
        }
    }

    fn say(&self, reason: Reason, detail: &str) {
        let (client, listener) = (self.origin.client, &self.origin.listener);
        let to = self.wish.as_ref().map(|wish| tracing::field::display(&wish.target));
        match reason.blame() {
            Blame::Client => tracing::debug!(%client, %listener, to, %reason, detail, "egress refused"),
            Blame::Upstream | Blame::Config => tracing::warn!(%client, %listener, to, %reason, detail, "egress failed"),
            Blame::Gateway => tracing::error!(%client, %listener, to, %reason, detail, "egress failed"),
        }
    }

    fn bytes(&self, direction: Direction) -> u64 {
        match direction {
            Direction::Up => self.tally.up.load(Ordering::Relaxed),
            Direction::Down => self.tally.down.load(Ordering::Relaxed),
        }
    }

    fn entry(&self, failed: Option<&(Reason, String)>) -> Box<AccessEntry> {
        let request = self.wish.as_ref().and_then(|wish| match &wish.shown {
            Shown::Http(request) => Some(request),
            Shown::NotYet | Shown::Tcp | Shown::Tls(_) => None,
        });
        let scheme = match self.wish.as_ref().map(|wish| &wish.shown) {
            Some(Shown::Http(SeenRequest { tls: Some(_), .. })) => "https",
            Some(Shown::Http(_)) => "http",
            Some(Shown::Tls(_)) => "tls",
            Some(Shown::Tcp | Shown::NotYet) | None => "tcp",
        };
        let port = self.wish.as_ref().map_or(0, |wish| wish.target.port);
        Box::new(AccessEntry {
            time: self.time,
            request_id: self.id.clone(),
            client: self.origin.client,
            method: request.map(|request| request.method.to_string()),
            scheme,
            host: self.wish.as_ref().map(|wish| wish.target.to_string()),
            path: request.map(|request| request.path.clone()),
            protocol: self.protocol,
            status: self.status,
            reason: failed.map(|(reason, _)| *reason),
            detail: failed.map(|(_, detail)| detail.clone()),
            listener: Some(self.origin.listener.to_string()),
            rule: self.decision.as_ref().and_then(|decision| decision.because.rule()).map(ToString::to_string),
            backend: None,
            endpoint: self.address.map(|address| SocketAddr::new(address, port)),
            attempts: u32::from(self.connected.is_some()),
            received: self.bytes(Direction::Up),
            sent: self.bytes(Direction::Down),
            user_agent: None,
            trace: None,
            timing: Timing {
                tls: None,
                queue: None,
                connect: self.connected,
                first_byte: None,
                total: self.started.elapsed(),
            },
        })
    }

    fn to_audit(&self, failed: Option<&(Reason, String)>) -> AuditRecord {
        let millis = self.time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_millis();
        let decision = self.decision.as_ref();
        let shown = self.wish.as_ref().map(|wish| &wish.shown);
        let (protocol, hello, http) = match shown {
            None | Some(Shown::NotYet) => (None, None, None),
            Some(Shown::Tcp) => (Some(RecordProtocol::Tcp), None, None),
            Some(Shown::Tls(hello)) => (Some(RecordProtocol::Tls), Some(hello), None),
            Some(Shown::Http(request)) => (Some(RecordProtocol::Http), request.tls.as_ref(), Some(http(request))),
        };
        AuditRecord {
            time: Timestamp::from_unix_millis(i64::try_from(millis).unwrap_or(i64::MAX)),
            phase: RecordPhase::Ended,
            gateway: Some(self.origin.listener.gateway.clone()),
            source: source(&self.source, self.origin.client.ip().to_canonical()),
            destination: self.destination(),
            protocol,
            server_name: hello.and_then(|hello| hello.name()).map(|name| name.as_str().to_owned()),
            encrypted_hello: hello.is_some_and(|hello| hello.encrypted),
            http,
            // What was never decided did not leave.
            verdict: action(decision.map_or(Verdict::Deny, |decision| decision.verdict)),
            mode: match decision.map(|decision| &decision.because) {
                Some(Because::NotEnforced) => EgressMode::Shadow(lychgate_ir::egress::Percent::ALL),
                Some(Because::Rule { .. } | Because::Uncertain { .. } | Because::NoRule) | None => EgressMode::Enforce,
            },
            shadow: match decision.and_then(|decision| decision.shadow.as_ref()) {
                _ if self.would_be_refused() => Some(EgressAction::Deny),
                shadow => shadow.map(|shadow| action(shadow.verdict)),
            },
            rule: decision.and_then(|decision| decision.because.rule()).cloned(),
            reason: failed.map(|(reason, detail)| format!("{reason}: {detail}")).or_else(|| self.shadow_reason()),
            bytes_sent: self.bytes(Direction::Up),
            bytes_received: self.bytes(Direction::Down),
            duration_ms: u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX),
        }
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

    /// Why it would not have left.
    fn shadow_reason(&self) -> Option<String> {
        if self.would_be_refused() {
            let exceeded = self.would_refuse()?;
            return Some(format!("would be refused: {exceeded}"));
        }
        let decision = self.decision.as_ref().filter(|decision| decision.would_deny())?;
        let shadow = decision.shadow.as_ref()?;
        let rule: Option<&EgressRuleId> = shadow.because.rule();
        let rule = rule.map(|rule| format!(" ({rule})")).unwrap_or_default();
        Some(format!("would be denied: {}{rule}", shadow.because.for_client()))
    }

    fn destination(&self) -> RecordDestination {
        let Some(wish) = &self.wish else { return RecordDestination::default() };
        let called = match &wish.target.host {
            TargetHost::Address(address) => Some(*address),
            TargetHost::Name(_) => None,
        };
        RecordDestination {
            host: wish.name().map(|name| name.as_str().to_owned()),
            address: self.address.or(called),
            port: wish.target.port,
            by_address: called.is_some(),
            verified: self.verified,
        }
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        if let Some(destination) = self.tally.destination.get() {
            destination.closed();
        }
        match std::mem::replace(&mut self.end, End::HandedOver) {
            End::HandedOver => {}
            End::Done => self.tell(None),
            End::Failed(reason, detail) => self.tell(Some(&(reason, detail))),
            End::Open => self.tell(Some(&(Reason::Aborted, "it was cut".to_owned()))),
        }
    }
}

pub(super) fn word(because: &Because) -> &'static str {
    match because {
        Because::Rule { .. } => "rule",
        Because::Uncertain { .. } => "uncertain",
        Because::NoRule => "no_rule",
        Because::NotEnforced => "not_enforced",
    }
}

fn action(verdict: Verdict) -> EgressAction {
    match verdict {
        Verdict::Allow => EgressAction::Allow,
        Verdict::Deny => EgressAction::Deny,
    }
}

pub(super) fn source(source: &Source, address: IpAddr) -> RecordSource {
    match source {
        Source::Unknown => RecordSource { address: Some(address), ..RecordSource::default() },
        Source::Workload(workload) => {
            let Workload { identity, namespace, service_account, labels } = &**workload;
            let text = |text: &Option<Arc<str>>| text.as_deref().map(str::to_owned);
            RecordSource {
                identity: text(identity),
                namespace: text(namespace),
                service_account: text(service_account),
                address: Some(address),
                labels: labels.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect(),
            }
        }
    }
}

fn http(request: &SeenRequest) -> RecordHttp {
    let SeenRequest { host, method, path, tls } = request;
    let host = host.as_ref().map(|host| match host {
        TargetHost::Name(name) => name.as_str().to_owned(),
        TargetHost::Address(address) => address.to_string(),
    });
    let end = path.char_indices().map(|(at, _)| at).chain([path.len()]).take_while(|at| *at <= LONGEST_PATH).last();
    RecordHttp {
        host,
        method: method.to_string(),
        path: path.get(..end.unwrap_or_default()).unwrap_or_default().to_owned(),
        over_tls: tls.is_some(),
    }
}
