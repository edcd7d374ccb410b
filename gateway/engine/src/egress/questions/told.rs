//! What is counted, logged and recorded of a question.

use super::Asker;
use crate::egress::record;
use crate::engine::Engine;
use lychgate_audit::{Record, RecordDestination, RecordPhase, RecordProtocol, Timestamp};
use lychgate_dns::{Answered, Outcome, Wanted};
use lychgate_egress::{Because, Verdict};
use lychgate_ir::egress::{EgressAction, EgressMode, Percent};
use lychgate_telemetry::{EgressVerdict, Reason};
use std::time::Duration;

/// What questions are about, as far as records see.
const PORT: u16 = 53;

impl Engine {
    /// Has the log say that a name will be asked for, before it is; where the log is required, and only then.
    pub(super) async fn announce(&self, asker: &Asker<'_>, wanted: &Wanted) -> Result<(), String> {
        let Some(audit) = self.observe.audit.as_ref().filter(|audit| audit.is_required()) else { return Ok(()) };
        let record = Record {
            phase: RecordPhase::Begun,
            verdict: EgressAction::Allow,
            reason: Some(format!("{}: asked", wanted.kind())),
            ..asker.record(wanted.name().as_str(), Duration::ZERO)
        };
        let (done, heard) = tokio::sync::oneshot::channel();
        audit.submit(record, |result| {
            // Whoever waited may have given up.
            let _ = done.send(result.map_err(|error| error.to_string()));
        });
        match tokio::time::timeout(audit.patience(), heard).await {
            Ok(Ok(recorded)) => recorded,
            Ok(Err(_)) => Err("the log has ended".to_owned()),
            Err(_) => Err("the log did not answer in time".to_owned()),
        }
    }

    /// Tells of a question.
    pub(super) fn tell(&self, asker: &Asker<'_>, answered: &Answered, took: Duration) {
        let Answered { message: _, name, kind, outcome, decision, addresses: _ } = answered;
        let Asker { listener, client, source: _ } = asker;
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
        if let Outcome::Unrecorded(why) = outcome {
            metrics.refused(Reason::EgressUnrecorded);
            tracing::error!(listener = %listener.spec.id, %client, %why, "a question cannot be recorded");
        }
        let named = name.as_ref().map(|name| name.as_str());
        tracing::debug!(listener = %listener.spec.id, %client, name = named, kind = kind.as_deref(), ?outcome, "question");
        let (Some(audit), Some(name)) = (&self.observe.audit, named) else { return };
        let record = asker.ended(answered, name, took);
        // What left was announced, where the log is required: here nobody waits for the disk.
        audit.note(record);
    }
}

impl Asker<'_> {
    fn ended(&self, answered: &Answered, name: &str, took: Duration) -> Record {
        let Answered { message, name: _, kind, outcome, decision, addresses } = answered;
        let because = decision.as_ref().map(|decision| &decision.because);
        let kind = kind.as_deref().unwrap_or("question");
        let (verdict, reason) = match outcome {
            Outcome::Answered => (EgressAction::Allow, format!("{kind}: answered")),
            Outcome::Nothing => (EgressAction::Allow, format!("{kind}: no such name or records")),
            Outcome::Unanswered(why) => (EgressAction::Allow, format!("{kind}: no resolver answers: {why}")),
            Outcome::Unrecorded(why) => (EgressAction::Deny, format!("{kind}: not recorded: {why}")),
            Outcome::Refused(why) => (EgressAction::Deny, format!("{kind}: {why}")),
            Outcome::Unreadable => (EgressAction::Deny, "unreadable".to_owned()),
            Outcome::Denied => {
                let why = because.map(|because| because.for_client().into_owned()).unwrap_or_default();
                (EgressAction::Deny, format!("{kind}: {why}"))
            }
        };
        let plain = self.record(name, took);
        Record {
            destination: RecordDestination {
                address: addresses.first().copied(),
                verified: addresses.first().map(|_| true),
                ..plain.destination
            },
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
            bytes_received: message.as_ref().map_or(0, |message| message.len() as u64),
            ..plain
        }
    }

    /// What is known before anything came of it, which took so long.
    fn record(&self, name: &str, took: Duration) -> Record {
        let Self { listener, client, source } = self;
        let took = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        let began = Timestamp::now().unix_millis() - i64::try_from(took).unwrap_or(0);
        Record {
            time: Timestamp::from_unix_millis(began),
            phase: RecordPhase::Ended,
            gateway: Some(listener.spec.id.gateway.clone()),
            source: record::source(source, client.ip().to_canonical()),
            destination: RecordDestination {
                host: Some(name.to_owned()),
                address: None,
                port: PORT,
                by_address: false,
                verified: None,
            },
            protocol: Some(RecordProtocol::Dns),
            server_name: None,
            encrypted_hello: false,
            http: None,
            verdict: EgressAction::Deny,
            mode: EgressMode::Enforce,
            shadow: None,
            rule: None,
            reason: None,
            bytes_sent: 0,
            bytes_received: 0,
            duration_ms: took,
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
        Outcome::Unrecorded(_) => "unrecorded",
    }
}
