//! Metrics and the log of the gateway: what is told when it is over.

use super::Record;
use crate::egress::limits::{Met, Share};
use crate::egress::record::Origin;
use lychgate_egress::{Because, Verdict};
use lychgate_telemetry::{Blame, EgressVerdict, Reason};

impl Record {
    pub(super) fn tell(&self, failed: Option<&(Reason, String)>) {
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
}

pub(in crate::egress) fn word(because: &Because) -> &'static str {
    match because {
        Because::Rule { .. } => "rule",
        Because::Uncertain { .. } => "uncertain",
        Because::NoRule => "no_rule",
        Because::NotEnforced => "not_enforced",
    }
}
