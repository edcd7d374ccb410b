//! What is counted, logged and recorded of a question.

use crate::egress::record;
use crate::engine::Engine;
use crate::runtime::ListenerState;
use lychgate_audit::{Record, RecordDestination, RecordPhase, RecordProtocol, Timestamp};
use lychgate_dns::{Answered, Outcome};
use lychgate_egress::{Because, Source, Verdict};
use lychgate_ir::egress::{EgressAction, EgressMode, Percent};
use lychgate_telemetry::EgressVerdict;
use std::net::SocketAddr;
use std::time::Duration;

/// What questions are about, as far as records see.
const PORT: u16 = 53;

impl Engine {
    /// Tells of a question. False if it has to be recorded, and could not be.
    pub(super) async fn tell(
        &self,
        listener: &ListenerState,
        client: SocketAddr,
        source: &Source,
        answered: &Answered,
        took: Duration,
    ) -> bool {
        let Answered { message: _, name, kind, outcome, decision, addresses: _ } = answered;
        let gateway = listener.spec.id.gateway.0.to_string();
        let metrics = &self.observe.metrics;
        metrics.egress_question(&gateway, word(outcome));
        if let Some(decision) = decision {
            let verdict = EgressVerdict {
                allowed: decision.verdict == Verdict::Allow,
                would_deny: decision.would_deny(),
                because: record::word(&decision.because),
            };
            let rule = decision.because.rule().map(|rule| format!("{}#{}", rule.policy, rule.index));
            metrics.egress_decided(&gateway, rule.as_deref(), verdict);
        }
        let named = name.as_ref().map(|name| name.as_str());
        tracing::debug!(listener = %listener.spec.id, %client, name = named, kind = kind.as_deref(), ?outcome, "question");
        let (Some(audit), Some(name)) = (&self.observe.audit, named) else { return true };
        let record = self.recorded(listener, client, source, answered, name, took);
        if !audit.is_required() {
            // Never waits, and counts what finds no room.
            return audit.record(record).is_ok();
        }
        let (done, heard) = tokio::sync::oneshot::channel();
        audit.submit(record, |result| {
            // Whoever waited may have given up.
            let _ = done.send(result.is_ok());
        });
        tokio::time::timeout(audit.patience(), heard).await.is_ok_and(|heard| heard.unwrap_or(false))
    }

    fn recorded(
        &self,
        listener: &ListenerState,
        client: SocketAddr,
        source: &Source,
        answered: &Answered,
        name: &str,
        took: Duration,
    ) -> Record {
        let Answered { message, name: _, kind, outcome, decision, addresses } = answered;
        let millis = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        let because = decision.as_ref().map(|decision| &decision.because);
        let kind = kind.as_deref().unwrap_or("question");
        let (verdict, reason) = match outcome {
            Outcome::Answered => (EgressAction::Allow, format!("{kind}: answered")),
            Outcome::Nothing => (EgressAction::Allow, format!("{kind}: no such name or records")),
            Outcome::Unanswered(why) => (EgressAction::Allow, format!("{kind}: no resolver answers: {why}")),
            Outcome::Refused(why) => (EgressAction::Deny, format!("{kind}: {why}")),
            Outcome::Unreadable => (EgressAction::Deny, "unreadable".to_owned()),
            Outcome::Denied => {
                let why = because.map(|because| because.for_client().into_owned()).unwrap_or_default();
                (EgressAction::Deny, format!("{kind}: {why}"))
            }
        };
        Record {
            time: Timestamp::from_unix_millis(
                Timestamp::now().unix_millis() - i64::try_from(millis(took)).unwrap_or(0),
            ),
            phase: RecordPhase::Ended,
            gateway: Some(listener.spec.id.gateway.clone()),
            source: record::source(source, client.ip().to_canonical()),
            destination: RecordDestination {
                host: Some(name.to_owned()),
                address: addresses.first().copied(),
                port: PORT,
                by_address: false,
                verified: addresses.first().map(|_| true),
            },
            protocol: Some(RecordProtocol::Dns),
            server_name: None,
            encrypted_hello: false,
            http: None,
            verdict,
            mode: match because {
                Some(Because::NotEnforced) => EgressMode::Shadow(Percent::ALL),
                Some(Because::Rule { .. } | Because::Uncertain { .. } | Because::NoRule) | None => EgressMode::Enforce,
            },
            shadow: decision.as_ref().and_then(|decision| decision.shadow.as_ref()).map(|shadow| {
                match shadow.verdict {
                    Verdict::Allow => EgressAction::Allow,
                    Verdict::Deny => EgressAction::Deny,
                }
            }),
            rule: because.and_then(Because::rule).cloned(),
            reason: Some(reason),
            bytes_sent: 0,
            bytes_received: message.as_ref().map_or(0, |message| message.len() as u64),
            duration_ms: millis(took),
        }
    }
}

/// What came of it, as it is counted.
fn word(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Answered => "answered",
        Outcome::Nothing => "nothing",
        Outcome::Denied => "denied",
        Outcome::Refused(_) => "refused",
        Outcome::Unreadable => "unreadable",
        Outcome::Unanswered(_) => "unanswered",
    }
}
