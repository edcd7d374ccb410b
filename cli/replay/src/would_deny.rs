//! What leaves only because something is in shadow.

use crate::{Place, Seen, Who};
use lychgate_audit::{Record, RecordPhase};
use lychgate_ir::egress::EgressAction;
use serde::Serialize;
use std::collections::BTreeMap;

/// What would be refused if all were enforced, by workload and destination.
#[derive(Debug, Default)]
pub struct WouldDeny {
    refusals: BTreeMap<(Who, Place), Seen>,
    /// What left of each workload, to tell a share.
    left: BTreeMap<Who, u64>,
}

/// Something that would be refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Refusal {
    /// Whom.
    pub who: Who,
    /// Where to.
    pub place: Place,
    /// How often, and when.
    #[serde(flatten)]
    pub seen: Seen,
}

impl WouldDeny {
    /// Counts a record.
    pub fn take(&mut self, record: &Record) {
        if record.phase == RecordPhase::Begun || record.verdict == EgressAction::Deny {
            return;
        }
        let who = Who::of(&record.source);
        *self.left.entry(who.clone()).or_default() += 1;
        if record.shadow != Some(EgressAction::Deny) {
            return;
        }
        let Some(place) = Place::of(record) else { return };
        let at = record.time;
        self.refusals.entry((who, place)).and_modify(|seen| seen.again(at)).or_insert_with(|| Seen::once(at));
    }

    /// For each workload that had something leave: how much that was, and what of it would be refused.
    pub fn by_workload(&self) -> Vec<(Who, u64, Vec<Refusal>)> {
        let of = |(who, left): (&Who, &u64)| {
            let mine = self.refusals.iter().filter(|((whose, _), _)| whose == who);
            let refusal = |((who, place), seen): (&(Who, Place), &Seen)| Refusal {
                who: who.clone(),
                place: place.clone(),
                seen: seen.clone(),
            };
            let mut refusals: Vec<_> = mine.map(refusal).collect();
            refusals.sort_by_key(|refusal| std::cmp::Reverse(refusal.seen.count));
            (who.clone(), *left, refusals)
        };
        self.left.iter().map(of).collect()
    }
}
