//! The line of the audit log.

use super::Record;
use crate::egress::passage::{Passage, Way};
use crate::egress::refused::Refused;
use crate::egress::wish::{SeenRequest, Shown};
use lychgate_audit::{
    Record as AuditRecord, RecordDestination, RecordHttp, RecordPhase, RecordProtocol, RecordSource, Timestamp,
};
use lychgate_egress::target::TargetHost;
use lychgate_egress::{Because, Source, Verdict};
use lychgate_ir::egress::{EgressAction, EgressMode, EgressRuleId, Percent, Workload};
use lychgate_telemetry::{Direction, Reason};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::SystemTime;

/// The longest path that is recorded.
const LONGEST_PATH: usize = 1024;

/// What makes one way another one to those who read the log.
#[derive(PartialEq, Eq)]
pub(super) struct Announced {
    address: Option<IpAddr>,
    rule: Option<EgressRuleId>,
}

impl Record {
    /// It takes this way. If that is not the one that was announced, the log says so before anything is said there.
    pub(crate) async fn takes(&mut self, passage: &Passage, way: &Way) -> Result<(), Refused> {
        self.goes(passage, way);
        self.announce().await
    }

    /// Has the log say that this leaves, and which way, before anything does; where the log is required, and only then.
    pub(crate) async fn announce(&mut self) -> Result<(), Refused> {
        let Some(audit) = self.origin.observe.audit.as_ref().filter(|audit| audit.is_required()) else { return Ok(()) };
        let now = Announced { address: self.address, rule: self.rule().cloned() };
        if self.announced.as_ref() == Some(&now) {
            return Ok(());
        }
        let (done, heard) = tokio::sync::oneshot::channel();
        let record = AuditRecord { phase: RecordPhase::Begun, ..self.to_audit(None) };
        audit.submit(record, |result| drop(done.send(result)));
        let unrecorded = |why: String| {
            Refused::new(Reason::EgressUnrecorded, "nothing may leave that cannot be recorded").because(why)
        };
        match tokio::time::timeout(audit.patience(), heard).await {
            Ok(Ok(Ok(()))) => {
                self.announced = Some(now);
                Ok(())
            }
            Ok(Ok(Err(error))) => Err(unrecorded(error.to_string())),
            Ok(Err(_)) => Err(unrecorded("the log has ended".to_owned())),
            Err(_) => Err(unrecorded("the log did not answer in time".to_owned())),
        }
    }

    pub(super) fn to_audit(&self, failed: Option<&(Reason, String)>) -> AuditRecord {
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
                Some(Because::NotEnforced) => EgressMode::Shadow(Percent::ALL),
                Some(Because::Rule { .. } | Because::Uncertain { .. } | Because::NoRule) | None => EgressMode::Enforce,
            },
            shadow: match decision.and_then(|decision| decision.shadow.as_ref()) {
                _ if self.would_be_refused() => Some(EgressAction::Deny),
                shadow => shadow.map(|shadow| action(shadow.verdict)),
            },
            rule: self.rule().cloned(),
            reason: failed.map(|(reason, detail)| format!("{reason}: {detail}")).or_else(|| self.shadow_reason()),
            bytes_sent: self.tally.bytes(Direction::Up),
            bytes_received: self.tally.bytes(Direction::Down),
            duration_ms: u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX),
        }
    }

    fn rule(&self) -> Option<&EgressRuleId> {
        self.decision.as_ref()?.because.rule()
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

fn action(verdict: Verdict) -> EgressAction {
    match verdict {
        Verdict::Allow => EgressAction::Allow,
        Verdict::Deny => EgressAction::Deny,
    }
}

pub(in crate::egress) fn source(source: &Source, address: IpAddr) -> RecordSource {
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
