//! What other policies would have said.

mod ask;

use crate::{Place, Seen, Who};
use ask::Asked;
use lychgate_audit::{Record, RecordPhase};
use lychgate_egress::{Because, Decision, Policies, Screening, Verdict};
use lychgate_ir::GatewayId;
use lychgate_ir::egress::EgressAction;
use serde::Serialize;
use std::collections::BTreeMap;

/// Replays records against policies.
pub struct Replay<'p> {
    gateways: &'p BTreeMap<GatewayId, Policies>,
    changes: BTreeMap<Change, Seen>,
    counts: Counts,
}

/// Something that would become of a destination otherwise than it did.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Change {
    /// What.
    pub fate: Fate,
    /// For whom.
    pub who: Who,
    /// Where to.
    pub place: Place,
    /// What decided then, and why.
    pub before: String,
    /// What would decide now, and why.
    pub now: String,
}

/// What would become of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Fate {
    /// It left, and would be refused.
    NewlyDenied,
    /// It was refused, and would leave.
    NewlyAllowed,
    /// It was refused before its name was resolved, and would leave if the name leads to what is allowed.
    MayBeAllowed,
}

/// What became of all records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Counts {
    /// Replayed.
    pub replayed: u64,
    /// Of those, how many would end otherwise.
    pub changed: u64,
    /// Of a Gateway that there are no policies for.
    pub of_other_gateways: u64,
    /// Without enough to decide about.
    pub unreadable: u64,
}

impl<'p> Replay<'p> {
    /// Against the policies of each Gateway.
    pub fn new(gateways: &'p BTreeMap<GatewayId, Policies>) -> Self {
        Self { gateways, changes: BTreeMap::new(), counts: Counts::default() }
    }

    /// Replays a record: with its own time, and with everything in shadow counted.
    pub fn take(&mut self, record: &Record) {
        if record.phase == RecordPhase::Begun {
            return;
        }
        let Some(policies) = self.policies(record) else {
            self.counts.of_other_gateways += 1;
            return;
        };
        let (Some(asked), Some(place)) = (Asked::of(record), Place::of(record)) else {
            self.counts.unreadable += 1;
            return;
        };
        self.counts.replayed += 1;
        let egress = policies.of(&asked.source());
        let (verdict, decision) = match asked.reached() {
            Some(reached) => {
                let decision = match asked.is_spoken() {
                    true => egress.decide(&asked.ask(), &reached),
                    // It was refused before it spoke, or an old log does not tell: what is not known speaks for it.
                    false => egress.foresee(&asked.ask(), Some(&reached)),
                };
                (Some(decision.verdict), Some(decision))
            }
            None => match egress.screen(&asked.ask()) {
                // A question to DNS is allowed by its name.
                Screening::Open if asked.is_dns() => (Some(Verdict::Allow), None),
                Screening::Open => (None, None),
                Screening::Refused(decision) => (Some(Verdict::Deny), Some(decision)),
            },
        };
        let fate = match (record.verdict, verdict) {
            (EgressAction::Allow, Some(Verdict::Deny)) => Fate::NewlyDenied,
            // As much had left already: policies allowed it then as well.
            (EgressAction::Deny, Some(Verdict::Allow)) if met_limit(record) => return,
            (EgressAction::Deny, Some(Verdict::Allow)) => Fate::NewlyAllowed,
            (EgressAction::Deny, None) => Fate::MayBeAllowed,
            (EgressAction::Allow, Some(Verdict::Allow) | None) | (EgressAction::Deny, Some(Verdict::Deny)) => return,
        };
        self.counts.changed += 1;
        let change = Change { fate, who: Who::of(&record.source), place, before: before(record), now: now(decision) };
        let at = record.time;
        self.changes.entry(change).and_modify(|seen| seen.again(at)).or_insert_with(|| Seen::once(at));
    }

    /// What would change, what is denied first.
    pub fn changes(&self) -> impl Iterator<Item = (&Change, &Seen)> {
        self.changes.iter()
    }

    /// What became of all records.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// A log of before does not name its Gateway: where there is one only, it is that.
    fn policies(&self, record: &Record) -> Option<&'p Policies> {
        match &record.gateway {
            Some(gateway) => self.gateways.get(gateway),
            None if self.gateways.len() == 1 => self.gateways.values().next(),
            None => None,
        }
    }
}

/// Whether it was refused by a limit of the rule that allows it.
fn met_limit(record: &Record) -> bool {
    record.reason.as_deref().is_some_and(|reason| reason.starts_with("egress_limit:"))
}

fn before(record: &Record) -> String {
    let rule = record.rule.as_ref().map(ToString::to_string);
    match (rule, &record.reason) {
        (Some(rule), Some(reason)) => format!("{rule}: {reason}"),
        (Some(text), None) => text,
        (None, Some(text)) => text.clone(),
        (None, None) => "no rule".to_owned(),
    }
}

fn now(decision: Option<Decision>) -> String {
    let Some(Decision { because, verdict: _, shadow: _ }) = decision else {
        return "no rule denies its name".to_owned();
    };
    match &because {
        Because::Rule { rule, level: _, reason, handling: _ } => match reason {
            Some(reason) => format!("{rule}: {reason}"),
            None => rule.to_string(),
        },
        Because::Uncertain { rule, miss } => format!("{rule} would, but {miss}"),
        Because::NoRule => "no rule allows it".to_owned(),
        Because::NotEnforced => "nothing is enforced for it".to_owned(),
    }
}
