//! Why something does not leave, in the words of each way in.

use super::names::Unresolved;
use http::StatusCode;
use lychgate_egress::limits::Exceeded;
use lychgate_egress::socks5::Outcome;
use lychgate_egress::{Because, Decision, Verdict};
use lychgate_ir::Refusal;
use lychgate_telemetry::Reason;
use std::io;
use std::time::Duration;

/// When to try again where it depends on others.
const SOON: Duration = Duration::from_secs(1);

/// Why something does not leave.
#[derive(Clone, Debug)]
pub(crate) struct Refused {
    pub(crate) reason: Reason,
    pub(crate) status: StatusCode,
    /// What the client is told.
    pub(crate) said: String,
    /// For the log, where names and causes are told.
    pub(crate) detail: String,
    /// The decision, if there was one.
    pub(crate) decision: Option<Box<Decision>>,
    /// When it may be tried again, if that is all that is against it.
    pub(crate) retry_after: Option<Duration>,
}

impl Refused {
    pub(crate) fn new(reason: Reason, said: impl Into<String>) -> Self {
        let said = said.into();
        let status = reason.about().status.and_then(|status| StatusCode::from_u16(status).ok());
        let status = status.unwrap_or(StatusCode::FORBIDDEN);
        Self { reason, status, detail: said.clone(), said, decision: None, retry_after: None }
    }

    /// The same, with more for the log than for the client.
    pub(crate) fn because(self, detail: impl Into<String>) -> Self {
        Self { detail: detail.into(), ..self }
    }

    /// The same, after something was decided.
    pub(crate) fn after(self, decision: &Decision) -> Self {
        Self { decision: Some(Box::new(decision.clone())), ..self }
    }

    /// Policies say no.
    pub(crate) fn denied(decision: Decision) -> Self {
        let detail = match &decision.because {
            Because::Rule { rule, level: _, reason: _, handling: _ } => format!("denied by {rule}"),
            Because::Uncertain { rule, miss } => format!("{rule} would allow it, but: {miss}"),
            Because::NoRule => "no rule allows it".to_owned(),
            Because::NotEnforced => "nothing is enforced".to_owned(),
        };
        let said = decision.because.for_client().into_owned();
        Self { decision: Some(Box::new(decision)), ..Self::new(Reason::EgressDenied, said).because(detail) }
    }

    /// It may leave, and so much has left already.
    pub(crate) fn limited(exceeded: &Exceeded, decision: &Decision) -> Self {
        let (rule, reason) = match &decision.because {
            Because::Rule { rule, level: _, reason, handling: _ } => (format!(" ({rule})"), reason.as_deref()),
            Because::Uncertain { .. } | Because::NoRule | Because::NotEnforced => (String::new(), None),
        };
        let said = reason.map_or_else(|| exceeded.to_string(), |reason| format!("{exceeded}: {reason}"));
        let refused = Self::new(Reason::EgressLimit, said).because(format!("{exceeded}{rule}"));
        let denied = Decision { verdict: Verdict::Deny, ..decision.clone() };
        // Where nobody can know, soon.
        let retry_after = Some(exceeded.retry_after.unwrap_or(SOON));
        Self { retry_after, ..refused.after(&denied) }
    }

    /// Nobody could say where a name leads.
    pub(crate) fn unresolved(name: &str, why: &Unresolved) -> Self {
        let refused = Self::new(Reason::EgressUnresolved, format!("{name} cannot be resolved: {why}"));
        match why {
            Unresolved::NoSuchName | Unresolved::NoAddress => refused,
            Unresolved::Unanswered(_) => Self {
                status: StatusCode::GATEWAY_TIMEOUT,
                said: format!("{name} cannot be resolved: DNS did not answer"),
                ..refused
            },
        }
    }

    /// What a rule refers to is not there, or not what it has to be.
    pub(crate) fn broken(refusal: &Refusal) -> Self {
        let detail = format!("{}: {}", refusal.reason, refusal.message);
        Self::new(Reason::RefusedByConfig, "the egress gateway is not configured for this").because(detail)
    }

    /// The same, where there is no more than words.
    pub(crate) fn misconfigured(detail: impl Into<String>) -> Self {
        Self::new(Reason::RefusedByConfig, "the egress gateway is not configured for this").because(detail)
    }

    /// This host has no such address as the rule wants it to leave from. Another replica may.
    pub(crate) fn cannot_leave(detail: impl Into<String>) -> Self {
        let said = "the egress gateway cannot leave from the address that it should";
        Self::new(Reason::EgressSourceAddress, said).because(detail)
    }

    /// Whether that is all that is against it: elsewhere it may leave.
    pub(crate) fn is_absent(&self) -> bool {
        self.reason == Reason::EgressSourceAddress
    }

    /// No connection to where it goes.
    pub(crate) fn not_connected(to: &str, error: &io::Error) -> Self {
        let detail = format!("connecting to {to}: {error}");
        match error.kind() {
            io::ErrorKind::TimedOut => {
                Self::new(Reason::ConnectTimeout, "the destination did not answer in time").because(detail)
            }
            io::ErrorKind::ConnectionRefused => {
                Self::new(Reason::UpstreamError, "the destination refused the connection").because(detail)
            }
            _ => Self::new(Reason::UpstreamError, "the destination cannot be reached").because(detail),
        }
    }

    /// When to come again, as HTTP has it: in whole seconds (RFC 9110 section 10.2.3), and none too few.
    pub(crate) fn retry_after(&self) -> Option<u64> {
        let seconds = |after: Duration| after.as_secs() + u64::from(after.subsec_nanos() > 0);
        self.retry_after.map(|after| seconds(after).max(1))
    }

    /// As SOCKS5 has it.
    pub(crate) fn outcome(&self) -> Outcome {
        match self.reason {
            Reason::EgressDenied | Reason::EgressLimit | Reason::RefusedByConfig | Reason::EgressSourceAddress => {
                Outcome::NotAllowedByRuleset
            }
            Reason::EgressUnresolved => Outcome::HostUnreachable,
            Reason::ConnectTimeout => Outcome::TtlExpired,
            Reason::UpstreamError => Outcome::ConnectionRefused,
            _ => Outcome::GeneralFailure,
        }
    }
}
